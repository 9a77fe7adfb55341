# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Run every test there is and print one closing line.

    python3 tools/test.py [tox environment ...]

Needs Python 3.11 or newer and, for the functional tests, root on a Debian
machine that reaches PyPI and Debian's packages: the lab installs the rest.
Everything is run by tox, which is put into ``.tools`` first if need be; the
closing line adds up the tests of all environments, and counts an
environment without tests of its own, such as style, as one.
"""

import pathlib
import re
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENTS = ('pep8', 'py3', 'docs', 'functional')

#: how stestr closes a run
_TOTAL = re.compile(r' - (Passed|Skipped|Failed): (\d+)')


def tox() -> list[str]:
    """Return tox's command, having installed it if there is none."""
    python = ROOT / '.tools' / 'bin' / 'python'
    if not python.exists():
        venv.create(ROOT / '.tools', with_pip=True)
    run = [str(python), '-m']
    if subprocess.run(
        [*run, 'tox', '--version'], capture_output=True
    ).returncode:
        subprocess.run([*run, 'pip', 'install', '--quiet', 'tox'], check=True)
    return [*run, 'tox']


def run(command: list[str], environment: str) -> dict[str, int]:
    """Run one environment, showing what it prints, and count its tests.

    A failure without a failed test, such as one of style or of a test
    that could not be loaded, counts as one failed.
    """
    process = subprocess.Popen(
        [*command, 'run', '-e', environment],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    )
    counts = {'Passed': 0, 'Failed': 0, 'Skipped': 0}
    for line in process.stdout or ():
        print(line, end='', flush=True)
        total = _TOTAL.match(line)
        if total:
            counts[total[1]] += int(total[2])
    failed = process.wait() != 0
    if failed and not counts['Failed']:
        counts['Failed'] = 1
    if not any(counts.values()):
        counts['Passed'] = 1
    return counts


def main() -> int:
    """Run the environments and return the exit code."""
    command = tox()
    sums = {'Passed': 0, 'Failed': 0, 'Skipped': 0}
    for environment in sys.argv[1:] or ENVIRONMENTS:
        print(f'=== {environment}', flush=True)
        for name, count in run(command, environment).items():
            sums[name] += count
    print(
        f'{sums["Passed"]} passed, {sums["Failed"]} failed, '
        f'{sums["Skipped"]} skipped'
    )
    # a skipped test is one that nobody ran
    return 1 if sums['Failed'] or sums['Skipped'] else 0


if __name__ == '__main__':
    sys.exit(main())

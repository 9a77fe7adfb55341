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

"""Run the tests as CI does and print one closing line.

    python3 tools/test.py [tox environment ...]

Needs Python 3.11 or newer and, for the functional tests, root on a Debian
machine that reaches PyPI and Debian's packages: the lab installs the rest.
Everything is run by tox, which is put into ``.tools`` first if need be; the
closing line adds up the tests of all environments, and counts an
environment without tests of its own, such as style, as one. What failed is
named just before it, with where and why: the rest is far above.
"""

import pathlib
import re
import signal
import subprocess
import sys
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: those of other versions take as long again and are run by hand
ENVIRONMENTS = (
    *('pep8', 'cover', 'docs', 'releasenotes', 'package'),
    'functional',
)

#: how stestr closes a run
_TOTAL = re.compile(r' - (Passed|Skipped|Failed): (\d+)')
#: and what it says of one test that did not pass
_TEST = re.compile(r'\{\d+\} (.+) \[[^]]*\] \.\.\. (\w+)')
#: what it prints over a traceback, and over all else it has of a test
_TRACEBACK, _CAPTURED = 'Captured traceback', 'Captured '
#: how much of a reason is repeated: lines, and characters of each
_LINES, _WIDTH = 4, 240


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


def reason(trace: list[str]) -> list[str]:
    """Return where in a test a traceback comes from, and what it ends with.

    The frames between the two are those of the library of assertions.
    """
    frames = [n for n, line in enumerate(trace) if line.startswith('File "')]
    if not frames:
        return []
    ours = [n for n in frames if '/tests/' in trace[n]][-1:]
    ended = [line for line in trace[frames[-1] + 2 :] if line.strip('^~ ')]
    return [
        f'  {line}'
        for line in [
            *(line for n in ours for line in trace[n : n + 2]),
            *ended[:_LINES],
        ]
    ]


def run(
    command: list[str], environment: str
) -> tuple[dict[str, int], list[str]]:
    """Run one environment, showing what it prints, and count its tests.

    A failure without a failed test, such as one of style or of a test
    that could not be loaded, counts as one failed.

    :returns: the counts, and the lines to close with on what did not pass
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
    bad: list[str] = []
    trace: list[str] = []
    traced = failing = False
    began = time.monotonic()
    for line in process.stdout or ():
        print(line, end='', flush=True)
        test = _TEST.match(line)
        if test or line.startswith((_CAPTURED, '====')):
            bad += reason(trace)
            trace = []
            traced = line.startswith(_TRACEBACK)
            if not line.startswith(_CAPTURED):
                # at its end stestr says all that once more
                failing = test is not None and test[2] == 'FAILED'
        elif traced and failing:
            trace.append(line.strip()[:_WIDTH])
        if test and test[2] in ('FAILED', 'SKIPPED'):
            bad.append(f'{test[2]}: {test[1]}')
        total = _TOTAL.match(line)
        if total:
            counts[total[1]] += int(total[2])
    failed = process.wait() != 0
    if failed and not counts['Failed']:
        counts['Failed'] = 1
    if failed and not bad:
        bad.append(f'FAILED: {environment}')
    if not any(counts.values()):
        counts['Passed'] = 1
    seconds = time.monotonic() - began
    print(f'=== {environment}: {seconds:.0f} s', flush=True)
    return counts, bad


def main() -> int:
    """Run the environments and return the exit code."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        # Ignored in the background or under nohup, and then by all tests,
        # which send them: a handler is not handed down.
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    command = tox()
    sums = {'Passed': 0, 'Failed': 0, 'Skipped': 0}
    bad = []
    for environment in sys.argv[1:] or ENVIRONMENTS:
        print(f'=== {environment}', flush=True)
        counts, lines = run(command, environment)
        bad += lines
        for name, count in counts.items():
            sums[name] += count
    for line in bad:
        print(line)
    print(
        f'{sums["Passed"]} passed, {sums["Failed"]} failed, '
        f'{sums["Skipped"]} skipped'
    )
    # a skipped test is one that nobody ran
    return 1 if sums['Failed'] or sums['Skipped'] else 0


if __name__ == '__main__':
    sys.exit(main())

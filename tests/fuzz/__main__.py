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

"""Feed what reads from outside with whatever comes to mind, by coverage.

``python -m tests.fuzz [TARGET ...] [--seconds N]`` fuzzes each target for
that long, in a process of its own. The exit code is 1 if anything was found;
what was found is in the working folder then, and its text on the terminal.
"""

import argparse
from concurrent import futures
import pathlib
import re
import subprocess
import sys

from tests.fuzz import targets

#: seconds after which one input is a hang
HANG = 10
#: MiB of one process
MEMORY = 2048
#: bytes of one input
LONGEST = 32768
#: seconds for the end, and for loading what was learnt before
_MARGIN = 120

_RUNS = re.compile(r'^#(\d+)\s.*\bcov: (\d+)', re.MULTILINE)


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m tests.fuzz', description=__doc__.partition('\n')[0]
    )
    parser.add_argument(
        'target',
        nargs='*',
        metavar='TARGET',
        help='one or more of ' + ', '.join(targets.TARGETS) + ' (all)',
    )
    parser.add_argument(
        '--seconds',
        type=int,
        default=600,
        metavar='N',
        help='for each target (600)',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        metavar='N',
        help='targets at the same time (1)',
    )
    parser.add_argument(
        '--work',
        type=pathlib.Path,
        default=pathlib.Path('build/fuzz'),
        metavar='FOLDER',
        help='where what is learnt and found is kept (build/fuzz)',
    )
    options = parser.parse_args()
    unknown = set(options.target) - set(targets.TARGETS)
    if unknown:
        parser.error(f'no target is named {", ".join(sorted(unknown))}')
    names = options.target or list(targets.TARGETS)
    with futures.ThreadPoolExecutor(options.jobs) as pool:
        good = list(
            pool.map(
                lambda name: fuzz(name, options.seconds, options.work), names
            )
        )
    return 0 if all(good) else 1


def fuzz(name: str, seconds: int, work: pathlib.Path) -> bool:
    """Fuzz one target; return whether nothing was found."""
    learnt = work / name
    learnt.mkdir(parents=True, exist_ok=True)
    log = work / f'{name}.log'
    with open(log, 'wb') as file:
        ended = subprocess.run(
            [
                sys.executable,
                '-m',
                'tests.fuzz.child',
                name,
                f'-max_total_time={seconds}',
                f'-timeout={HANG}',
                f'-rss_limit_mb={MEMORY}',
                f'-max_len={LONGEST}',
                f'-artifact_prefix={work}/{name}-',
                str(learnt),
                str(targets.CORPUS / name),
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=seconds + _MARGIN,
            check=False,
        )
    said = log.read_text(errors='backslashreplace')
    runs, places = (_RUNS.findall(said) or [('0', '0')])[-1]
    good = ended.returncode == 0
    word = 'ok' if good else 'FOUND'
    print(
        f'{name:14} {word:6} {runs} inputs in {seconds} s, {places} places',
        flush=True,
    )
    if not good:
        print(said[-4000:], flush=True)
    return good


if __name__ == '__main__':
    sys.exit(main())

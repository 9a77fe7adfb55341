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

"""Run a campaign: ``python -m tests.campaigns NAME``, as root, with the lab.

Prints one line for each run and a summary; the exit code is 1 if anything
was not as it must be, 2 if the lab could not be used.
"""

import argparse
import random
import sys

from tests.campaigns import kills
from tests.campaigns import load
from tests.campaigns import moves
from tests.lab.errors import LabError
from tests.lab.lab import Lab

CAMPAIGNS = {
    'moves': (moves.run, 20),
    'kills': (kills.run, 50),
    'load': (load.run, 5),
}


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m tests.campaigns',
        description='Try on the lab, many times, what must be true each time.',
    )
    parser.add_argument('name', choices=tuple(CAMPAIGNS))
    parser.add_argument(
        '--runs',
        type=int,
        metavar='N',
        help='(default: '
        + ', '.join(f'{n} {runs}' for n, (_, runs) in CAMPAIGNS.items())
        + ')',
    )
    parser.add_argument(
        '--seed',
        type=int,
        metavar='N',
        help='make the same choices as the campaign that printed it',
    )
    parser.add_argument(
        '--from',
        type=int,
        default=1,
        dest='first',
        metavar='N',
        help='begin with this run, to repeat one (default: 1)',
    )
    parser.add_argument(
        '--backend',
        choices=('ssh', 'agent'),
        default='ssh',
        help='how moves reach the nodes (default: ssh)',
    )
    options = parser.parse_args()
    campaign, runs = CAMPAIGNS[options.name]
    runs = runs if options.runs is None else options.runs
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f'{options.name}: {runs} runs, seed {seed}', flush=True)
    wrong = 0
    try:
        lab = Lab.attach()
        lab.serve()
        lab.settings['backend'] = options.backend
        for number in range(options.first, options.first + runs):
            # each run has chances of its own, so that one can be repeated
            line = campaign(lab, random.Random(f'{seed}/{number}'), number)
            wrong += bool(line.violations)
            word = 'WRONG' if line.violations else 'ok'
            print(f'{number:3} {word:5} {line.text}', flush=True)
            for violation in line.violations:
                print(f'          {violation}', flush=True)
    except LabError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{options.name}: {runs} runs, {runs - wrong} ok, {wrong} wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())

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

"""How long r1's gateway address and its floating IP do not answer.

Both are pinged every 20 ms from outside while the active role moves: by
``router ha failover`` with each of its methods, and by what is done without
it, the HA device set down, and SIGTERM to the active node's keepalived.
Needs the lab. Fails when, with ``promote``, the median is above 0.1 s or the
worst above 0.5 s, a run ends on another node than the one asked for, or two
nodes hold the VRRP address for longer than an advertisement interval.

The outage of a run is the longest time from the sending of the last ping
that was answered before a loss to the sending of the first that was answered
after it; 0 if none was lost. Nothing is subtracted: one lost ping is 0.04 s.
"""

import argparse
import contextlib
import json
import random
import statistics
import sys

from benchmarks import trial
from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.layout import VRRP_ADVERT_INTERVAL
from tests.lab.progress import say

RUNS, OTHERS = 20, 5
MEDIAN, WORST = 0.1, 0.5
#: outages from here on are explained
NOTABLE = 0.1

HEAD = (
    f'{"":<11}{"runs":>5}{"gateway":>16}{"floating IP":>16}{"slowest":>9}'
    f'{"takeover":>9}{"two":>7}  landed'
)
UNITS = (
    f'{"":<16}{"median":>9}{"worst":>7}{"median":>9}{"worst":>7}'
    f'{"answer":>9}{"median":>9}{"hold":>7}'
)


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.outage')
    parser.add_argument(
        '--runs',
        type=int,
        default=RUNS,
        help='of promote (default: %(default)s)',
    )
    parser.add_argument(
        '--others',
        type=int,
        default=OTHERS,
        metavar='RUNS',
        help='of each other method (default: %(default)s)',
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=tuple(trial.METHODS),
        default=tuple(trial.METHODS),
        metavar='METHOD',
        help=f'of: {", ".join(trial.METHODS)} (default: all)',
    )
    parser.add_argument('--seed', type=int, help='to choose the same targets')
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    say(f'seed {seed}')
    lab = Lab.attach()
    chance = random.Random(seed)
    trials: dict[str, list[trial.Trial]] = {m: [] for m in options.methods}
    try:
        for name in options.methods:
            runs = options.runs if name == 'promote' else options.others
            for number in range(1, runs + 1):
                found = trial.run(lab, name, chance)
                trials[name].append(found)
                say(f'{name} {number} of {runs}: {in_words(found)}')
    finally:
        with contextlib.suppress(LabError):
            lab.mend()
    return report(trials, seed)


def in_words(found: trial.Trial) -> str:
    """Return one run in a line."""
    outages = ', '.join(
        f'{name} {trail.outage():.3f} s'
        for name, trail in found.trails.items()
    )
    where = found.winner or 'nowhere'
    return f'{found.source} to {where}, {outages}'


def report(trials: dict[str, list[trial.Trial]], seed: int) -> int:
    """Print the table, what is notable, and the JSON; the exit code."""
    print('\nOutage by a ping every 20 ms, seconds')
    print(HEAD)
    print(UNITS)
    for name, found in trials.items():
        if found:
            row(name, found)
    for name, found in trials.items():
        for number, each in enumerate(found, 1):
            explain(f'{name}, run {number}', each)
    missed = list(misses(trials.get('promote', [])))
    print(
        json.dumps(
            {
                'benchmark': 'outage',
                'seed': seed,
                'interval': trial.INTERVAL,
                'bounds': {
                    'median': MEDIAN,
                    'worst': WORST,
                    'two_holders': VRRP_ADVERT_INTERVAL,
                },
                'trials': [
                    each.as_json()
                    for found in trials.values()
                    for each in found
                ],
                'missed': missed,
                'met': not missed,
            }
        )
    )
    return 1 if missed else 0


def row(name: str, found: list[trial.Trial]) -> None:
    """Print the row of a method."""
    cells = []
    for address in trial.ADDRESSES:
        outages = [each.trails[address].outage() for each in found]
        cells.append(f'{statistics.median(outages):9.3f}{max(outages):7.3f}')
    slowest = max(t.slowest() for each in found for t in each.trails.values())
    takeovers = [each.takeover for each in found if each.takeover is not None]
    takeover = f'{statistics.median(takeovers):.2f}' if takeovers else '-'
    two = max(each.two_holders for each in found)
    landed = [each.landed for each in found if each.landed is not None]
    where = f'{sum(landed)} of {len(landed)}' if landed else 'not chosen'
    print(
        f'{name:<11}{len(found):>5}{"".join(cells)}{slowest:9.3f}'
        f'{takeover:>9}{two:7.3f}  {where}'
    )


def explain(title: str, found: trial.Trial) -> None:
    """Say what happened when, in a run that did not go as it should.

    Times are relative to the moment at which the new node had the address.
    """
    wrong = [
        f'{name} silent for {trail.outage():.3f} s'
        for name, trail in found.trails.items()
        if trail.outage() > NOTABLE
    ]
    if found.landed is False:
        wrong.append(f'asked for {found.target}, is on {found.winner}')
    if found.exit_code:
        wrong.append(f'exit code {found.exit_code}')
    if not wrong:
        return
    print(f'\n{title}, {found.source} to {found.winner}: {", ".join(wrong)}')
    for at, words in found.story():
        print(f'  {at:+8.3f}  {words}')


def misses(found: list[trial.Trial]) -> list[str]:
    """Return what of promote is not as it must be, in words."""
    missed = []
    for name in trial.ADDRESSES:
        outages = [each.trails[name].outage() for each in found]
        if outages and statistics.median(outages) > MEDIAN:
            missed.append(f'{name}: median above {MEDIAN} s')
        if outages and max(outages) > WORST:
            missed.append(f'{name}: worst above {WORST} s')
    if not all(each.landed for each in found):
        missed.append('not always on the node asked for')
    if any(each.exit_code for each in found):
        missed.append('a failover did not end with exit code 0')
    if any(each.two_holders > VRRP_ADVERT_INTERVAL for each in found):
        missed.append('two holders for longer than an advertisement interval')
    return missed


if __name__ == '__main__':
    sys.exit(main())

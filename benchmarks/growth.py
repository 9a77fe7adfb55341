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

"""How time and memory of a sweep grow with the routers and with the hosts.

Routers come from a capture on three hosts; hosts are the stand-ins of
``benchmarks.crowd``, with a hundred routers. ``python -m benchmarks.growth``
fails if ten times as many of the most cost clearly more than ten times as
much, or if 10,000 routers in a capture cost 5 s of processor or more.
"""

from collections.abc import Callable
import functools
import json
import pathlib
import statistics
import sys
import tempfile
from typing import Any

from benchmarks import crowd
from benchmarks import fleet
from benchmarks import measured
from benchmarks import plot

ROUTERS = (10, 100, 1000, 10000)
HOSTS = (1, 10, 100, 1000)
#: each is done once in each, as a machine has better and worse minutes
ROUNDS = 9
#: seconds of processor, the command line's own start included
LARGEST = 5.0
#: by how much more than in proportion the last step may grow
MARGIN = 1.15

Series = dict[int, measured.Run]


def main() -> int:
    """Measure, print, and judge."""
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        by_routers = _middle(
            {number: _captured(number, folder) for number in ROUTERS}
        )
    by_hosts = _middle({number: _crowded(number) for number in HOSTS})
    _table('routers on 3 hosts, from a capture', by_routers)
    _table('hosts, with 100 routers', by_hosts)
    largest = by_routers[ROUTERS[-1]].processor
    steps = {
        f'{quantity} by {kind}': round(_last_step(series, quantity), 2)
        for kind, series in (('routers', by_routers), ('hosts', by_hosts))
        for quantity in ('processor', 'memory')
    }
    met = largest < LARGEST and max(steps.values()) <= MARGIN
    print(
        json.dumps(
            {
                'benchmark': 'growth',
                'largest': round(largest, 2),
                'steps': steps,
                'met': met,
            }
        )
    )

    def paint(figure: Any) -> None:
        shown = figure.subplots(1, 2)
        _paint(shown[0], 'routers on 3 hosts', by_routers)
        _paint(shown[1], 'hosts, with 100 routers', by_hosts)

    plot.draw('bench-growth', (8, 3.2), paint)
    return 0 if met else 1


def _middle(commands: dict[int, Callable[[], measured.Run]]) -> Series:
    """Run each in turn, and return those whose processor time is medium."""
    runs: dict[int, list[measured.Run]] = {number: [] for number in commands}
    for _ in range(ROUNDS):
        for number, once in commands.items():
            run = once()
            if run.exit_code:
                raise SystemExit((run.stderr or run.stdout)[-2000:])
            runs[number].append(run)
    return {number: _medium(some) for number, some in runs.items()}


def _medium(runs: list[measured.Run]) -> measured.Run:
    middle = statistics.median_high(run.processor for run in runs)
    return next(run for run in runs if run.processor == middle)


def _captured(routers: int, folder: str) -> Callable[[], measured.Run]:
    path = pathlib.Path(folder, f'{routers}.json')
    with path.open('w') as file:
        fleet.Fleet(routers, 3).write(file)
    command = ['router', 'ha', 'check', '--capture', str(path)]
    return functools.partial(measured.run, [measured.OPENSTACK, *command])


def _crowded(hosts: int) -> Callable[[], measured.Run]:
    every = fleet.Fleet(100, hosts)
    # one host alone has nobody to take over, and that is meant
    options = ('--ignore', 'RHA206')
    return functools.partial(crowd.sweep, every, options=options)


def _last_step(series: Series, quantity: str) -> float:
    """Return how the cost of one more has changed in the last step.

    What the command line costs by itself is in all of them, and falls out.
    """
    sizes = sorted(series)
    costs: list[float] = [getattr(series[size], quantity) for size in sizes]
    slopes = [
        (costs[index + 1] - costs[index]) / (sizes[index + 1] - sizes[index])
        for index in (-3, -2)
    ]
    if slopes[0] <= 0:
        # what is lost in the noise before is not to be compared with
        return 0.0 if slopes[1] <= 0 else float('inf')
    return slopes[1] / slopes[0]


def _table(title: str, series: Series) -> None:
    print(f'{title:>36}{"seconds":>10}{"processor":>11}{"MB":>8}')
    for number, run in series.items():
        print(
            f'{number:36}{run.seconds:10.2f}{run.processor:11.2f}'
            f'{crowd.megabytes(run):8.0f}'
        )


def _paint(axes: Any, title: str, series: Series) -> None:
    axes.loglog(
        list(series),
        [run.processor for run in series.values()],
        marker='o',
        label='processor, s',
    )
    axes.loglog(
        list(series),
        [run.seconds for run in series.values()],
        marker='s',
        label='from start to end, s',
    )
    axes.loglog(
        list(series),
        [crowd.megabytes(run) / 100 for run in series.values()],
        marker='^',
        label='memory, 100 MB',
    )
    axes.set_xlabel(title)
    axes.legend()


if __name__ == '__main__':
    sys.exit(main())

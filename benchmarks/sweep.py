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

"""A sweep over a thousand routers, and the best loop that is made by hand.

Three hosts with real namespaces, real addresses and a real sshd (see
``benchmarks.host``), and a stand-in for Neutron that takes 20 ms a call.
The loop asks Neutron once a router where it is, and each of these nodes for
the router's addresses, over connections that stay open. ``python -m
benchmarks.sweep``, as root, measures both in turns; fails if the loop is
less than ten times as slow, or costs the nodes less than ten times as much.
"""

import argparse
from collections.abc import Iterable
import json
import os
import pathlib
import statistics
import sys
import time
from typing import Any

from benchmarks import fleet
from benchmarks import measured
from benchmarks import plot
from benchmarks import site

ROUTERS, HOSTS = 1000, 3
LATENCY = 0.02
#: how many times slower the loop is, and how many times more it costs nodes
BOUND = 10.0

#: prints the routers whose VIP is not on one node exactly
_LOOP = """\
cd {folder}
reach() {{ ssh -F ssh_config -o ControlPath={folder}/open-%h "$@"; }}
for host in {hosts}; do
  reach -o ControlMaster=yes -o ControlPersist=yes "$host" true
done
for router in {routers}; do
  holders=0
  for host in $(curl -s {url}/v2.0/routers/$router/l3-agents |
      grep -o '"host": "[^"]*"' | cut -d'"' -f4); do
    shown=$(reach "$host" ip netns exec qrouter-$router ip -brief address)
    case $shown in *169.254.0.*) holders=$((holders + 1)) ;; esac
  done
  [ $holders = 1 ] || echo "$router is on $holders nodes"
done
for host in {hosts}; do reach -O exit "$host"; done 2> /dev/null
"""

CHECK, LOOP = 'router ha check', 'loop by hand'


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.sweep')
    parser.add_argument('--routers', type=int, default=ROUTERS)
    parser.add_argument('--rounds', type=int, default=2)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print('this needs root: it makes network namespaces')
        return 2
    every = fleet.Fleet(options.routers, HOSTS)
    print(f'making {options.routers} routers ...', file=sys.stderr)
    whole: dict[str, list[float]] = {CHECK: [], LOOP: []}
    nodes: dict[str, list[float]] = {CHECK: [], LOOP: []}
    with (
        site.folder() as place,
        site.hosts(every, place) as daemons,
        site.api(every, LATENCY, place) as url,
    ):
        commands = {
            CHECK: [measured.OPENSTACK, 'router', 'ha', 'check'],
            LOOP: ['bash', '-c', _loop(every, place, url)],
        }
        # what is compiled or read once is neither's
        measured.run(commands[CHECK], measured.cloud(place))
        for _ in range(options.rounds):
            for name, argv in commands.items():
                # what was open is counted when it has ended
                time.sleep(1)
                before = _spent(daemons)
                run = measured.run(argv, measured.cloud(place))
                _expect(name, run, every)
                time.sleep(1)
                whole[name].append(run.seconds)
                nodes[name].append(_spent(daemons) - before)
    print(
        f'{options.routers} routers on {HOSTS} hosts, {options.rounds} rounds'
    )
    ratios = {
        'whole': _table('seconds from start to end', whole),
        'nodes': _table('seconds of processor on the nodes', nodes),
    }
    met = min(ratios.values()) >= BOUND
    result = {name: round(ratio, 1) for name, ratio in ratios.items()}
    print(
        json.dumps(
            {'benchmark': 'sweep', **result, 'bound': BOUND, 'met': met}
        )
    )

    def paint(figure: Any) -> None:
        title = f'{options.routers} routers on {HOSTS} hosts'
        shown = figure.subplots(1, 2)
        for axes, what, seconds in (
            (shown[0], 'seconds', whole),
            (shown[1], 'seconds of processor on the nodes', nodes),
        ):
            axes.bar(
                list(seconds), [statistics.median(s) for s in seconds.values()]
            )
            axes.set_ylabel(what)
            axes.set_title(title)

    if options.routers == ROUTERS:
        plot.draw('bench-sweep', (8, 3), paint)
    return 0 if met else 1


def _loop(every: fleet.Fleet, place: pathlib.Path, url: str) -> str:
    return _LOOP.format(
        folder=place,
        url=url,
        hosts=' '.join(every.hosts),
        routers=' '.join(every.routers),
    )


def _expect(name: str, run: measured.Run, every: fleet.Fleet) -> None:
    """Stop if a run did not do what it is measured for."""
    healthy = run.stdout.count('| OK ')
    if name == CHECK and healthy == len(every.routers):
        return
    if name == LOOP and not run.exit_code and not run.stdout:
        return
    raise SystemExit(f'{name}: {(run.stderr or run.stdout)[-2000:]}')


def _spent(daemons: Iterable[int]) -> float:
    """Return what the sessions that have ended have cost the nodes.

    :param daemons: pid of each sshd, which has waited for its sessions
    :return: seconds of processor
    """
    ticks = 0
    for pid in daemons:
        stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
        # from the third field on, as a name may hold anything
        fields = stat.rpartition(')')[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf('SC_CLK_TCK')


def _table(title: str, seconds: dict[str, list[float]]) -> float:
    """Print medians; return how much more the loop takes, pair by pair."""
    print(f'{title:40}{"min":>9}{"median":>9}{"max":>9}')
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f'  {name:38}{min(values):9.2f}{middle:9.2f}{max(values):9.2f}')
    pairs = zip(seconds[LOOP], seconds[CHECK], strict=True)
    ratio = statistics.median(loop / check for loop, check in pairs)
    print(f'  {"ratio":38}{"":9}{ratio:9.1f}')
    return ratio


if __name__ == '__main__':
    sys.exit(main())

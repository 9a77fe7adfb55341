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

"""A sweep over a thousand hosts, of which some are dead and some slow.

The client is the real one; Neutron is the stand-in, and so is ssh: a shell
script that says what the node program said on the lab. ``python -m
benchmarks.crowd`` measures it without dead and slow ones, and with one in a
hundred of each. Fails if a living host is not answered for, if the dead cost
more than one probe timeout in all, or at 300 MB of memory.
"""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

from benchmarks import fleet
from benchmarks import measured
from benchmarks import plot
from benchmarks import site

HOSTS = ROUTERS = 1000
#: one in so many is dead, and one is slow
SHARE = 100
#: seconds that a slow one takes
SLOW = 5
#: the client's, in seconds, and as it comes
PROBE_TIMEOUT = 15.0
#: MB
MEMORY = 300.0

#: plays the program for the host named after "--"; what it has to say lies
#: beside it
_SSH = """\
#!/bin/sh
for command; do :; done
while [ "$1" != -- ]; do shift; done
said={folder}/said/$2
[ ! -e "$said.dead" ] || exec sleep 600
[ ! -e "$said.slow" ] || sleep {slow}
echo 'Authenticated to stand-in using "none".' >&2
# the program that is sent along
head -c "${{command##* }}" > /dev/null
echo '{hello}'
read -r request
cat "$said"
exec cat > /dev/null
"""

_HELLO = {
    'program': 'osc-ha-router-node',
    'protocol': 1,
    'hostname': 'stand-in',
    'python': '3.11.2',
    'uid': 0,
}


@contextlib.contextmanager
def crowd(
    every: fleet.Fleet,
    place: pathlib.Path,
    dead: Collection[str] = (),
    slow: Collection[str] = (),
) -> Iterator[dict[str, str]]:
    """Yield the environment in which the hosts of a fleet are reached.

    :param place: an empty folder
    :param dead, slow: which of them are
    """
    said = place / 'said'
    said.mkdir()
    for host in every.hosts:
        lines = [
            f'{{"id": 1, "view": {every.view(number, host)}}}\n'
            for number in every.on(host)
        ]
        end = {'id': 1, 'end': {'residents': every.residents(host)}}
        lines.append(json.dumps(end) + '\n')
        (said / host).write_text(''.join(lines))
    for names, suffix in ((dead, '.dead'), (slow, '.slow')):
        for host in names:
            (said / f'{host}{suffix}').touch()
    ssh = place / 'bin' / 'ssh'
    ssh.parent.mkdir()
    ssh.write_text(
        _SSH.format(
            folder=place, slow=SLOW, hello=json.dumps({'hello': _HELLO})
        )
    )
    ssh.chmod(0o755)
    (place / 'ssh_config').touch()
    with site.api(every, 0.0, place):
        env = measured.cloud(place)
        yield {**env, 'PATH': f'{ssh.parent}:{os.environ["PATH"]}'}


def sweep(
    every: fleet.Fleet,
    dead: Collection[str] = (),
    slow: Collection[str] = (),
    options: Sequence[str] = (),
) -> measured.Run:
    """Check all routers of a fleet once, with more options perhaps."""
    with (
        tempfile.TemporaryDirectory(prefix='bench-') as name,
        crowd(every, pathlib.Path(name), dead, slow) as env,
    ):
        command = ['router', 'ha', 'check', '-f', 'json', *options]
        return measured.run([measured.OPENSTACK, *command], env)


def main() -> int:
    """Measure, print, and judge."""
    every = fleet.Fleet(ROUTERS, HOSTS)
    dead, slow = every.hosts[7::SHARE], every.hosts[57::SHARE]
    runs = {
        'all well': sweep(every),
        f'{len(slow)} slow': sweep(every, slow=slow),
        f'{len(slow)} slow, {len(dead)} dead': sweep(every, dead, slow),
    }
    print(f'{ROUTERS} routers on {HOSTS} hosts')
    print(f'{"":24}{"seconds":>10}{"processor":>11}{"MB":>8}{"unknown":>9}')
    for name, run in runs.items():
        print(
            f'{name:24}{run.seconds:10.1f}{run.processor:11.1f}'
            f'{megabytes(run):8.0f}{len(_unknown(run)):9}'
        )
    well, late, whole = runs.values()
    cost = whole.seconds - late.seconds
    most = max(map(megabytes, runs.values()))
    met = (
        _unknown(well) == _unknown(late) == set()
        and _unknown(whole) == set(dead)
        and cost <= PROBE_TIMEOUT
        and most < MEMORY
    )
    print(
        json.dumps(
            {
                'benchmark': 'crowd',
                'answered': HOSTS - len(_unknown(whole)),
                'cost_of_the_dead': round(cost, 1),
                'megabytes': round(most),
                'met': met,
            }
        )
    )

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.barh(list(runs), [run.seconds for run in runs.values()])
        axes.invert_yaxis()
        axes.set_xlabel(f'seconds for {ROUTERS} routers on {HOSTS} hosts')

    plot.draw('bench-crowd', (7, 2), paint)
    return 0 if met else 1


def _unknown(run: measured.Run) -> set[str]:
    """Return the hosts that did not answer for one router or more."""
    return {
        replica['host']
        for row in json.loads(run.stdout)
        for replica in row['Replicas']
        if replica['observed'] == 'unknown'
    }


def megabytes(run: measured.Run) -> float:
    """Return how much memory it had at most, in MB."""
    return run.memory * 1024**2 / 1e6


if __name__ == '__main__':
    sys.exit(main())

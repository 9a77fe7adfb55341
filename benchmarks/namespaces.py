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

"""How long it takes to look at every router's namespace of a network node.

Run as root: ``python benchmarks/namespaces.py``. It makes namespaces the way
Neutron does (an ha-, a qg- and a qr- device, their addresses, keepalived with
its configuration), and measures in turns

* ``ip netns exec NAMESPACE ip -j addr`` in a loop,
* ``ip -n NAMESPACE -j addr`` in a loop,
* the node program: started, asked for everything of all routers, ended.

The first two read addresses only; the node program brings links, addresses,
routes, neighbours, processes and configuration files.

Everything is made in mount and PID namespaces of its own, with its own /run
and /var/lib/neutron, so that the kernel removes it however this ends. Prints
a table and one line of JSON; exits with 1 if the loop of ``ip netns exec``
is less than ten times as slow as the node program.
"""

import argparse
from collections.abc import Callable
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATE = pathlib.Path('/var/lib/neutron')
TARGET = 10.0
START = (
    'import sys; sys.path.insert(0, sys.argv.pop()); '
    'from osc_ha_router.node import main; sys.exit(main.main())'
)
EXEC, SHORT, NODE = 'ip netns exec', 'ip -n', 'node program'

DEVICES = ('ha', 'qg', 'qr')
#: two of lo, two of ha-, two of qg-, two of qr-
EXPECTED = 8

CONF = """\
global_defs {{
    notification_email_from neutron@openstack.local
    router_id neutron
}}
vrrp_instance VR_{vrid} {{
    state BACKUP
    interface {ha}
    virtual_router_id {vrid}
    priority 50
    garp_master_delay 60
    nopreempt
    advert_int 2
    track_interface {{
        {ha}
    }}
    virtual_ipaddress {{
        169.254.0.{vrid}/24 dev {ha}
    }}
    virtual_ipaddress_excluded {{
        10.0.0.1/24 dev {qr} no_track
        203.0.113.{vrid}/24 dev {qg} no_track
        198.51.100.{vrid}/32 dev {qg} no_track
        fe80::f816:3eff:fe00:{vrid}/64 dev {qr} scope link no_track
    }}
    virtual_routes {{
        0.0.0.0/0 via 203.0.113.254 dev {qg} no_track protocol static
    }}
}}
"""


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--namespaces', type=int, default=500)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--idle',
        action='store_true',
        help='without keepalived; the addresses are set by hand',
    )
    parser.add_argument(
        '--inside', action='store_true', help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if os.geteuid() != 0:
        print('this needs root: it makes network namespaces')
        return 2
    if not options.inside:
        return isolated()
    routers = [str(uuid.uuid4()) for _ in range(options.namespaces)]
    print(f'making {len(routers)} namespaces ...', file=sys.stderr)
    prepare(routers, options.idle)
    seconds = measure(routers, options.rounds)
    return report(len(routers), seconds)


def isolated() -> int:
    """Run this again where all that it makes is gone when it ends."""
    made = not STATE.exists()
    STATE.mkdir(parents=True, exist_ok=True)
    try:
        # --kill-child: the first process of a PID namespace takes all others
        # with it, and the last process takes mounts and namespaces with it
        return subprocess.run(
            [
                *('unshare', '--mount', '--propagation', 'private'),
                *('--pid', '--fork', '--mount-proc', '--kill-child'),
                *(sys.executable, __file__, '--inside', *sys.argv[1:]),
            ],
            check=False,
        ).returncode
    finally:
        if made:
            with contextlib.suppress(OSError):
                STATE.rmdir()


def prepare(routers: list[str], idle: bool) -> None:
    """Make the namespaces, and wait until keepalived has set them up."""
    for folder in ('/run', str(STATE)):
        run('mount', '-t', 'tmpfs', 'tmpfs', folder)
    # the far ends of all devices, so that they have a carrier
    run('ip', 'netns', 'add', 'switch')
    processes = []
    for number, router_id in enumerate(routers):
        vrid = number % 254 + 1
        names = {kind: f'{kind}-{router_id[:11]}' for kind in DEVICES}
        make(router_id, names, vrid, number, idle)
        folder = STATE / 'ha_confs' / router_id
        folder.mkdir(parents=True)
        conf = folder / 'keepalived.conf'
        conf.write_text(CONF.format(vrid=vrid, **names))
        (folder / 'state').write_text('primary')
        if not idle:
            pid = f'{folder}.pid.keepalived'
            processes.append(
                subprocess.Popen(
                    [
                        *('ip', 'netns', 'exec', f'qrouter-{router_id}'),
                        *('keepalived', '-P', '-n', '-f', str(conf)),
                        *('-p', pid, '-r', f'{pid}-vrrp'),
                    ],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
    deadline = time.monotonic() + 120
    while True:
        views = understood(by_node_program(routers))
        ready = sum(len(view['addresses']) >= EXPECTED for view in views)
        if ready == len(routers):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f'only {ready} routers became active')
        time.sleep(2)


def make(
    router_id: str, names: dict[str, str], vrid: int, number: int, idle: bool
) -> None:
    """Make one router's namespace and its devices."""
    namespace = f'qrouter-{router_id}'
    run('ip', 'netns', 'add', namespace)
    commands = ['link set lo up']
    far = []
    for kind, name in names.items():
        peer = f'{kind}{number}'
        commands += [
            f'link add {name} type veth peer name {peer} netns switch',
            f'link set {name} addrgenmode none',
            f'link set {name} up',
        ]
        far += [f'link set {peer} addrgenmode none', f'link set {peer} up']
    high, low = divmod(number + 2, 250)
    ha, qg, qr = names['ha'], names['qg'], names['qr']
    commands.append(f'addr add 169.254.{192 + high}.{low}/18 dev {ha}')
    if idle:
        commands += [
            f'addr add 169.254.0.{vrid}/24 dev {ha}',
            f'addr add 203.0.113.{vrid}/24 dev {qg}',
            f'addr add 198.51.100.{vrid}/32 dev {qg}',
            f'addr add 10.0.0.1/24 dev {qr}',
            f'addr add fe80::f816:3eff:fe00:{vrid}/64 dev {qr} nodad',
            f'route add default via 203.0.113.254 dev {qg} proto static',
        ]
    run('ip', '-n', namespace, '-batch', '-', lines=commands)
    run('ip', '-n', 'switch', '-batch', '-', lines=far)


def measure(routers: list[str], rounds: int) -> dict[str, list[float]]:
    """Time the three ways in turns; seconds of each round."""
    ways: dict[str, Callable[[list[str]], list[str]]] = {
        EXEC: by_netns_exec,
        SHORT: by_ip_n,
        NODE: by_node_program,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, rounds + 1):
        print(f'round {number} of {rounds} ...', file=sys.stderr)
        for name, way in ways.items():
            started = time.perf_counter()
            output = way(routers)
            seconds[name].append(time.perf_counter() - started)
            # none may be faster for telling less than it should
            if name == NODE:
                found = [view['addresses'] for view in understood(output)]
            else:
                found = [addresses(text) for text in output]
            complete = sum(len(each) == EXPECTED for each in found)
            if complete != len(routers):
                raise SystemExit(f'{name}: {complete} complete answers')
    return seconds


def by_netns_exec(routers: list[str]) -> list[str]:
    """Fork iproute2 inside each namespace."""
    return [
        run(
            *('ip', 'netns', 'exec', f'qrouter-{router_id}'),
            *('ip', '-j', 'addr'),
        )
        for router_id in routers
    ]


def by_ip_n(routers: list[str]) -> list[str]:
    """Fork iproute2 once per namespace."""
    return [
        run('ip', '-n', f'qrouter-{router_id}', '-j', 'addr')
        for router_id in routers
    ]


def by_node_program(routers: list[str]) -> list[str]:
    """Start the node program, ask once, read everything, wait for its end."""
    request = {'id': 1, 'op': 'probe', 'routers': None, 'residents': True}
    # the way it is started on a node: without site-packages
    output = run(
        *(sys.executable, '-IS', '-c', START, str(ROOT)),
        lines=[json.dumps(request)],
    )
    return output.splitlines()


def understood(output: list[str]) -> list[dict]:
    """The views in the node program's answer, which must lack nothing."""
    replies = [json.loads(line) for line in output]
    if 'end' not in replies[-1]:
        raise SystemExit(f'the node program says {replies[-1]}')
    views = [reply['view'] for reply in replies if 'view' in reply]
    for view in views:
        if view['problems'] or view['keepalived_conf'] is None:
            raise SystemExit(f'incomplete: {view}')
    return views


def addresses(text: str) -> list[dict]:
    """The addresses in the answer of ``ip -j addr``."""
    return [each for link in json.loads(text) for each in link['addr_info']]


def report(namespaces: int, seconds: dict[str, list[float]]) -> int:
    """Print the figures; the exit status."""
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    ratios = {name: medians[name] / medians[NODE] for name in medians}
    print(f'{"":14}{"median":>9}{"best":>9}{"worst":>9}{"ratio":>8}')
    for name, each in seconds.items():
        print(
            f'{name:14}{medians[name]:8.3f}s{min(each):8.3f}s'
            f'{max(each):8.3f}s{ratios[name]:8.1f}'
        )
    print(
        json.dumps(
            {
                'benchmark': 'namespaces',
                'namespaces': namespaces,
                'seconds': {
                    name: [round(value, 4) for value in each]
                    for name, each in seconds.items()
                },
                'ratios': {
                    name: round(value, 2) for name, value in ratios.items()
                },
                'target': TARGET,
                'passed': ratios[EXEC] >= TARGET,
            }
        )
    )
    return 0 if ratios[EXEC] >= TARGET else 1


def run(*words: str, lines: list[str] | None = None) -> str:
    """Run a command that must succeed; its output."""
    result = subprocess.run(
        words,
        input='\n'.join(lines) + '\n' if lines else '',
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if result.returncode != 0:
        raise SystemExit(f'{" ".join(words)}: {result.stderr.strip()}')
    return result.stdout


if __name__ == '__main__':
    sys.exit(main())

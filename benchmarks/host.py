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
"""One network node of a benchmark: real namespaces, and a real sshd.

Started by ``benchmarks.site`` in mount, PID and UTS namespaces of its own,
with its own ``/run`` and ``/var/lib/neutron``; the kernel takes it all away
when the process ends. Each router of the fleet that is on this host gets a
namespace with devices, addresses, routes, forwarding and files as the L3
agent and keepalived leave them. What stands in for the daemons is a shell
that waits, with their command lines: a thousand keepalived would need more
memory than there is, and the node program looks at their lines only.
"""

import argparse
from collections.abc import Iterator
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import threading
from typing import Any

from benchmarks import fleet

STATE = pathlib.Path('/var/lib/neutron')
NETNS = pathlib.Path('/run/netns')
FOLDERS = ('ha_confs', 'ra', 'ns-metadata-proxy', 'bin')

_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_LIBC = ctypes.CDLL(None, use_errno=True)

_SHELL = '/bin/sh'
#: waits for ever, without a process of its own for that
_WAIT = 'read never < /run/never'
#: the same twice: keepalived and its VRRP child
_TWICE = f'({_WAIT}; :) & {_WAIT}'
_MONITOR = STATE / 'bin/neutron-keepalived-state-change'

CONF = """\
global_defs {{
    notification_email_from neutron@openstack.local
    router_id neutron
}}
vrrp_instance VR_{vrid} {{
    state BACKUP
    interface {interface}
    virtual_router_id {vrid}
    priority {priority}
    garp_master_delay 60
    nopreempt
    advert_int {advert_int:.0f}
    track_interface {{
        {interface}
    }}
    virtual_ipaddress {{
        {vips}
    }}
    virtual_ipaddress_excluded {{
        {excluded}
    }}
    virtual_routes {{
        {routes}
    }}
}}
"""


def main() -> int:
    """Make the node, say so, and wait for the end of standard input."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.host')
    parser.add_argument('name')
    parser.add_argument('address')
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--routers', type=int, required=True)
    parser.add_argument('--hosts', type=int, required=True)
    options = parser.parse_args()
    for folder in ('/run', str(STATE)):
        run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', folder)
    run('hostname', options.name)
    NETNS.mkdir()
    for name in FOLDERS:
        (STATE / name).mkdir()
    os.mkfifo('/run/never')
    _MONITOR.write_text(f'{_WAIT}\n')
    start_sshd(options.folder, options.address)
    every = fleet.Fleet(options.routers, options.hosts)
    made = []
    # in a thread, as each namespace is entered on the way
    thread = threading.Thread(
        target=lambda: made.append(make(every, options.name))
    )
    thread.start()
    thread.join()
    if not made:
        return 1
    print('ready', flush=True)
    sys.stdin.read()
    return 0


def start_sshd(folder: pathlib.Path, address: str) -> None:
    """Let root in with the key of the benchmark."""
    pathlib.Path('/run/sshd').mkdir()
    config = pathlib.Path('/run/sshd_config')
    config.write_text(
        f'ListenAddress {address}\n'
        f'HostKey {folder}/host\n'
        f'AuthorizedKeysFile {folder}/user.pub\n'
        'StrictModes no\nUsePAM no\nPidFile none\nMaxSessions 200\n'
        'MaxStartups 200\nPermitRootLogin yes\n'
    )
    subprocess.Popen(
        ['/usr/sbin/sshd', '-D', '-e', '-f', str(config)],
        stdin=subprocess.DEVNULL,
        stderr=(folder / f'sshd-{address}').open('wb'),
    )


def make(every: fleet.Fleet, host: str) -> None:
    """Make what is on the host of each router."""
    for number in every.on(host):
        view = json.loads(every.view(number, host))
        write_files(view)
        start(view, 'monitor')
    # from here on this thread is somewhere else
    for number in every.on(host):
        view = json.loads(every.view(number, host))
        check(_LIBC.unshare(_CLONE_NEWNET))
        target = NETNS / view['namespace']
        target.touch()
        source = b'/proc/thread-self/ns/net'
        check(
            _LIBC.mount(source, str(target).encode(), b'none', _MS_BIND, None)
        )
        run('ip', '-batch', '-', lines=list(network(view)))
        for name in view['ipv6_forwarding']:
            path = pathlib.Path('/proc/sys/net/ipv6/conf', name, 'forwarding')
            path.write_text('1')
        for role in ('keepalived', 'radvd', 'haproxy'):
            start(view, role)


def network(view: dict[str, Any]) -> Iterator[str]:
    """Yield the commands of iproute2 for devices, addresses and routes."""
    yield 'link set lo up'
    links = [link for link in view['links'] if link['name'] != 'lo']
    # two by two connected with each other, so that they have a carrier
    for one, other in zip(links[::2], links[1::2], strict=True):
        yield (
            f'link add {one["name"]} address {one["mac"]} type veth '
            f'peer name {other["name"]} address {other["mac"]}'
        )
    for link in links:
        yield f'link set {link["name"]} addrgenmode none'
        yield f'link set {link["name"]} up'
    for address in view['addresses']:
        if address['device'] != 'lo':
            dad = ' nodad' if ':' in address['address'] else ''
            yield (
                f'addr add {address["address"]} dev {address["device"]}{dad}'
            )
    for route in view['routes']:
        if route['gateway']:
            yield (
                f'route add {route["destination"]} via {route["gateway"]} '
                f'dev {route["device"]} proto static onlink'
            )


def write_files(view: dict[str, Any]) -> None:
    """Write what the L3 agent and the monitor write."""
    router, conf = view['router_id'], view['keepalived_conf']
    folder = STATE / 'ha_confs' / router
    folder.mkdir()
    lines = '\n        '
    (folder / 'keepalived.conf').write_text(
        CONF.format(
            interface=conf['interface'],
            vrid=conf['vrid'],
            priority=conf['priority'],
            advert_int=conf['advert_int'],
            vips=lines.join(map(_address, conf['vips'])),
            excluded=lines.join(map(_address, conf['excluded'])),
            routes=lines.join(
                f'{route["destination"]} via {route["gateway"]} dev '
                f'{route["device"]} no_track protocol static'
                for route in conf['routes']
            ),
        )
    )
    (folder / 'state').write_text(view['state_file']['value'])
    if view['radvd_conf']:
        (STATE / 'ra' / f'{router}.radvd.conf').touch()
    if view['metadata_conf']:
        (STATE / 'ns-metadata-proxy' / f'{router}.conf').touch()


def start(view: dict[str, Any], role: str) -> None:
    """Start what stands in for a daemon, if the view has it."""
    lines = [p['command'] for p in view['processes'] if p['role'] == role]
    if not lines:
        return
    if role == 'monitor':
        # a script of ours with the arguments of the real one
        words = lines[0]
        first = next(n for n, word in enumerate(words) if word[:2] == '--')
        argv = [_SHELL, str(_MONITOR), *words[first:]]
    else:
        script = _TWICE if role in ('keepalived', 'radvd') else _WAIT
        argv = [lines[0][0], '-c', script, *lines[0][1:]]
    subprocess.Popen(
        argv,
        executable=_SHELL,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _address(item: dict[str, Any]) -> str:
    local = ' scope link' if item['address'].startswith('fe80:') else ''
    return f'{item["address"]} dev {item["device"]}{local} no_track'


def run(*words: str, lines: list[str] | None = None) -> None:
    """Run a command that must succeed."""
    subprocess.run(
        words,
        input='\n'.join(lines) + '\n' if lines else '',
        text=True,
        check=True,
    )


def check(result: int) -> None:
    """Raise what a call of the C library failed with."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == '__main__':
    sys.exit(main())

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

"""Older releases of Neutron and their nodes, judged as the newest are.

Captures of the lab, where 2026.2 runs, are turned into what a release before
leaves on its nodes (source: Neutron's tags 13.0.0 to 29.0.0): the words of
the state file, the names of pid files, the command line of the monitor, and
keepalived.conf, which is written anew and read by the node program.
"""

import collections
import dataclasses
from typing import Any

import testtools

from osc_ha_router import codec
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import view
from osc_ha_router.node import arguments
from osc_ha_router.node import keepalived
from tests.unit import captures

_MONITOR = 'neutron-keepalived-state-change'


@dataclasses.dataclass(frozen=True)
class Release:
    """What is different on the nodes of a release."""

    #: of the state file, on the active node
    active: str
    #: whether keepalived.conf says no_track
    no_track: bool
    #: of routes, after no_track
    protocol: bool
    #: what comes after the router's id in names of pid files
    pid: str
    #: of the process that starts with the monitor's arguments
    monitor: tuple[str, ...]


#: by name; monitors: as the kernel shows them, one word where the process
#: sets its title
RELEASES = {
    'rocky': Release(
        'master', False, False, '.pid', ('/usr/bin/python2', '/usr/bin/%s')
    ),
    'train': Release(
        'master', False, False, '.pid.keepalived', ('%s (/usr/bin/python3',)
    ),
    'ussuri': Release(
        'master', True, False, '.pid.keepalived', ('%s (/usr/bin/python3',)
    ),
    'zed': Release(
        'primary', True, True, '.pid.keepalived', ('%s (/usr/bin/python3',)
    ),
    '2023.1': Release(
        'primary', False, True, '.pid.keepalived', ('%s (/usr/bin/python3',)
    ),
}

#: found beside what is found with the newest release, where keepalived.conf
#: says no no_track: the device that the scenario took down is followed
MORE = {'internal-device-down': {'tracked-device-down'}}

#: without those that were taken with an older release
NAMES = sorted(
    path.stem
    for path in captures.FOLDER.glob('*.json')
    if not path.stem.startswith('debian')
)


def written(conf: view.KeepalivedConf, release: Release) -> str:
    """Return keepalived.conf as a release writes it."""
    tail = ' no_track' if release.no_track else ''
    more = ' protocol static' if release.protocol else ''
    lines = [
        'global_defs {',
        '    notification_email_from neutron@openstack.local',
        '    router_id neutron',
        '}',
        f'vrrp_instance VR_{conf.vrid} {{',
        '    state BACKUP',
        f'    interface {conf.interface}',
        f'    virtual_router_id {conf.vrid}',
        f'    priority {conf.priority}',
        '    garp_master_delay 60',
        *(['    nopreempt'] if conf.nopreempt else []),
        f'    advert_int {int(conf.advert_int or 0)}',
        '    track_interface {',
        f'        {conf.interface}',
        '    }',
        '    virtual_ipaddress {',
        *(f'        {a.address} dev {a.device}' for a in conf.vips),
        '    }',
        '    virtual_ipaddress_excluded {',
    ]
    for item in conf.excluded:
        scope = ' scope link' if item.address.startswith('fe80:') else ''
        lines.append(f'        {item.address} dev {item.device}{scope}{tail}')
    lines += ['    }', '    virtual_routes {']
    for route in conf.routes:
        via = f' via {route.gateway}' if route.gateway else ''
        device = f' dev {route.device}' if route.device else ''
        lines.append(f'        {route.destination}{via}{device}{tail}{more}')
    lines += ['    }', '}']
    return '\n'.join(lines) + '\n'


def command(words: tuple[str, ...], role: str, release: Release) -> list[str]:
    """Return the command line of a process as a release starts it."""
    if role.startswith('keepalived'):
        return [word.replace('.pid.keepalived', release.pid) for word in words]
    if role != 'monitor':
        return list(words)
    start = next(n for n, word in enumerate(words) if word.endswith(_MONITOR))
    options = words[start + 1 :]
    if len(release.monitor) > 1:
        pairs = zip(options[::2], options[1::2], strict=True)
        called = [f'{name}={value}' for name, value in pairs]
        return [word.replace('%s', _MONITOR) for word in release.monitor] + (
            called
        )
    title = f'{release.monitor[0] % _MONITOR} /usr/bin/{_MONITOR} '
    return [title + ' '.join(options) + ')']


def turned(shown: view.NodeView, release: Release) -> view.NodeView:
    """Return what a release leaves on the node in the same situation."""
    changes: dict[str, Any] = {}
    if shown.keepalived_conf is not None:
        parsed = keepalived.parse(written(shown.keepalived_conf, release))
        parsed['path'] = shown.keepalived_conf.path
        parsed['sha256'] = shown.keepalived_conf.sha256
        changes['keepalived_conf'] = codec.decode(view.KeepalivedConf, parsed)
    if shown.state_file is not None and shown.state_file.value == 'primary':
        changes['state_file'] = dataclasses.replace(
            shown.state_file, value=release.active
        )
    if shown.processes is not None:
        changes['processes'] = tuple(
            dataclasses.replace(
                process,
                command=tuple(command(process.command, process.role, release)),
            )
            for process in shown.processes
        )
    return dataclasses.replace(shown, **changes)


def found(name: str, release: Release | None) -> set[tuple[str, str | None]]:
    """Return what is found in a scenario, as if a release was there."""
    captured = captures.load(name)
    hosts = captured.hosts
    if release is not None:
        hosts = tuple(
            dataclasses.replace(
                host, views=tuple(turned(one, release) for one in host.views)
            )
            for host in hosts
        )
    return {
        (finding.name, finding.host)
        for router in captured.claims.routers
        for finding in verdict.judge(router, hosts, ()).findings
    }


class VerdictTest(testtools.TestCase):
    def test_every_scenario_in_every_release(self):
        self.assertGreater(len(NAMES), 10)
        for name in NAMES:
            expected = found(name, None)
            for release, traits in RELEASES.items():
                more = found(name, traits) ^ expected
                allowed = set() if traits.no_track else MORE.get(name, set())
                self.assertEqual(
                    allowed, {code for code, _ in more}, (name, release)
                )

    def test_the_releases_are_not_the_same(self):
        """The captures are really turned into something else."""
        (shown,) = (
            host.views[0]
            for host in captures.load('healthy').hosts
            if host.views[0].state_file.value == 'primary'
        )
        made = {repr(turned(shown, traits)) for traits in RELEASES.values()}
        self.assertEqual(1 + len(RELEASES), len(made | {repr(shown)}))


class CommandLineTest(testtools.TestCase):
    """The node program knows the processes by them."""

    def test_each_process_is_known(self):
        known: collections.Counter[str] = collections.Counter()
        for release in RELEASES.values():
            for host in captures.load('healthy').hosts:
                (shown,) = host.views
                for process in shown.processes or ():
                    words = command(process.command, process.role, release)
                    if process.role == 'monitor':
                        self.assertEqual(
                            shown.router_id, arguments.monitored(words), words
                        )
                    elif process.role.startswith('keepalived'):
                        self.assertEqual(
                            'keepalived', arguments.program(words)
                        )
                        self.assertEqual(
                            process.config, arguments.configuration(words)
                        )
                    known[process.role] += 1
        for role in ('monitor', 'keepalived', 'keepalived-vrrp'):
            self.assertEqual(3 * len(RELEASES), known[role])

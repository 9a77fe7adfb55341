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

"""The verdict on what really happened on the lab.

Which host is in trouble is read off each capture by the one trait that the
scenario gave it, not by the rules.
"""

from collections.abc import Callable

import testtools

from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit.scene import Scene


def only(hosts: list[str]) -> str:
    (host,) = hosts
    return host


def agent_with(scene: Scene, matches: Callable[[claim.Agent], bool]) -> str:
    return only([a.host for a in scene.router.agents if matches(a)])


def node_with(scene: Scene, matches: Callable[[view.NodeView], bool]) -> str:
    return only([h.host for h in scene.hosts for v in h.views if matches(v)])


def dead_agent(scene: Scene) -> str:
    return agent_with(scene, lambda a: not a.alive)


def runs(shown: view.NodeView, role: str) -> bool:
    return any(p.role == role for p in shown.processes)


def holds(shown: view.NodeView, address: str) -> bool:
    return any(a.address == address for a in shown.addresses)


class CapturesTest(testtools.TestCase):
    def check(
        self, name: str, health: str, *expected: tuple[str, str | None]
    ) -> Scene:
        """These findings are there, and nothing is worse than ``health``."""
        scene = Scene.of(name)
        verdict = scene.judge()
        self.assertEqual(health, verdict.health, verdict.findings)
        self.assertLessEqual(set(expected), scene.found())
        return scene

    def test_healthy(self):
        scene = self.check('healthy', 'OK')
        self.assertEqual(set(), scene.found())
        self.assertEqual([scene.reported], scene.judge().active_hosts)
        for host in scene.standbys:
            self.assertEqual('standby', scene.observed(host))

    def test_incident(self):
        """Agent and keepalived killed: two holders, the API shows one."""
        dead = dead_agent(Scene.of('incident'))
        scene = self.check(
            'incident',
            'ERROR',
            ('stale-vip-dead-keepalived', dead),
            ('agent-dead', dead),
        )
        self.assertEqual('stale', scene.observed(dead))
        self.assertEqual([scene.reported], scene.judge().active_hosts)
        self.assertNotEqual(dead, scene.reported)

    def test_ha_network_cut(self):
        scene = self.check('ha-network-cut', 'ERROR', ('ha-network-cut', None))
        claimed = sorted(
            a.host for a in scene.router.agents if a.ha_state == 'active'
        )
        self.assertEqual(claimed, scene.judge().active_hosts)
        self.assertEqual(2, len(claimed))

    def test_stale_vip_beside_backup(self):
        scene = Scene.of('stale-vip-beside-backup')
        vip = scene.conf(scene.names[0]).vips[0].address
        stale = node_with(
            scene,
            lambda v: (
                holds(v, vip) and not any(a.own for a in v.listening.adverts)
            ),
        )
        self.check(
            'stale-vip-beside-backup',
            'ERROR',
            ('stale-vip-beside-backup', stale),
        )
        self.assertNotIn('ha-network-cut', {name for name, _ in scene.found()})

    def test_keepalived_dead_on_standby(self):
        name = 'keepalived-dead-on-standby'
        host = node_with(Scene.of(name), lambda v: not runs(v, 'keepalived'))
        scene = self.check(name, 'WARNING', ('keepalived-dead', host))
        self.assertEqual('fault', scene.observed(host))

    def test_keepalived_hung(self):
        host = node_with(
            Scene.of('keepalived-hung'),
            lambda v: any(p.state == 'T' for p in v.processes),
        )
        scene = self.check(
            'keepalived-hung',
            'ERROR',
            ('keepalived-hung', host),
            ('stale-vip-dead-keepalived', host),
        )
        self.assertEqual('stale', scene.observed(host))

    def test_hidden_active(self):
        dead = dead_agent(Scene.of('hidden-active'))
        scene = self.check(
            'hidden-active',
            'WARNING',
            ('hidden-active', dead),
            ('agent-dead', dead),
        )
        self.assertEqual([dead], scene.judge().active_hosts)
        self.assertEqual([], scene.judge().reported_active)

    def test_no_active(self):
        scene = Scene.of('no-active')
        self.check(
            'no-active',
            'ERROR',
            ('no-active', None),
            *(('ha-device-down', host) for host in scene.names),
        )

    def test_floating_ip_missing(self):
        scene = Scene.of('floating-ip-missing')
        self.check(
            'floating-ip-missing',
            'ERROR',
            ('floating-ip-missing', scene.reported),
        )
        (found,) = scene.judge().findings
        self.assertIn(scene.floating_ip, found.summary)

    def test_internal_device_down(self):
        scene = Scene.of('internal-device-down')
        host = node_with(
            scene,
            lambda v: any(
                x.name.startswith('qr-') and not x.up for x in v.links
            ),
        )
        self.check(
            'internal-device-down', 'ERROR', ('internal-device-down', host)
        )

    def test_namespace_absent(self):
        scene = Scene.of('namespace-absent')
        host = node_with(scene, lambda v: v.namespace is None)
        # keepalived may have gone with it, or run on where nobody looks
        astray = runs(scene.shown(host), 'keepalived-astray')
        self.check(
            'namespace-absent',
            'ERROR' if astray else 'WARNING',
            ('namespace-absent', host),
            *([('keepalived-astray', host)] if astray else []),
        )
        self.assertEqual('absent', scene.observed(host))

    def test_monitor_dead(self):
        host = node_with(
            Scene.of('monitor-dead'), lambda v: not runs(v, 'monitor')
        )
        self.check('monitor-dead', 'WARNING', ('monitor-dead', host))

    def test_sshd_stopped(self):
        scene = Scene.of('sshd-stopped')
        host = only([h.host for h in scene.hosts if h.failure])
        self.check('sshd-stopped', 'UNKNOWN', ('node-unreachable', host))
        self.assertEqual('unknown', scene.observed(host))

    def test_agent_disabled(self):
        host = agent_with(
            Scene.of('agent-disabled'), lambda a: not a.admin_state_up
        )
        self.check('agent-disabled', 'WARNING', ('agent-disabled', host))

    def test_dvr(self):
        """Freshly made: Neutron lets the standbys forward IPv6."""
        scene = Scene.of('dvr')
        expected = {('ipv6-forwarding-on', host) for host in scene.standbys}
        self.check('dvr', 'WARNING', *expected)
        self.assertEqual(expected, scene.found())
        for host in scene.names:
            namespace = scene.shown(host).namespace
            self.assertEqual(f'snat-{scene.router.id}', namespace)

    def test_dvr_compute(self):
        """A node that serves instances only has nothing left over."""
        scene = self.check('dvr-compute', 'OK')
        self.assertEqual(set(), scene.found())
        host = only([h.host for h in scene.hosts if h.host not in scene.names])
        namespace = scene.shown(host).namespace
        self.assertEqual(f'qrouter-{scene.router.id}', namespace)
        self.assertTrue(runs(scene.shown(host), 'haproxy'))
        hosts = [replica.host for replica in scene.judge().replicas]
        self.assertNotIn(host, hosts)

    def test_debian(self):
        """Neutron 21.0.0, whose monitor has a title of one string."""
        scene = self.check('debian', 'OK')
        self.assertEqual(set(), scene.found())
        for host in scene.names:
            monitors = [
                p for p in scene.shown(host).processes if p.role == 'monitor'
            ]
            self.assertEqual([1, 1], [len(p.command) for p in monitors])

    def test_debian_incident(self):
        scene = Scene.of('debian-incident')
        host = dead_agent(scene)
        expected = {
            (name, host)
            for name in (
                'stale-vip-dead-keepalived',
                'agent-dead',
                'monitor-dead',
            )
        }
        self.check('debian-incident', 'ERROR', *expected)
        self.assertEqual(expected, scene.found())

    def test_leftover_replica(self):
        scene = Scene.of('leftover-replica')
        host = only([h.host for h in scene.hosts if h.host not in scene.names])
        self.check('leftover-replica', 'WARNING', ('leftover-replica', host))

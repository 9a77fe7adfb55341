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

"""What a repair does about processes."""

from tests.unit.repair import base
from tests.unit.scene import Scene

Op = base.Op


class ProcessTest(base.PlanTest):
    def dead(self, **agent: object) -> Scene:
        scene = self.healthy.without_keepalived(self.standby)
        return scene.with_agent(self.standby, **agent) if agent else scene

    def test_keepalived_dead(self):
        found = self.assert_planned(self.dead(), (Op.PROVOKE, None))
        (provoke,) = found.values()
        self.assertIn(self.standby, provoke.waits_for)
        self.assertIn('SIGHUP', provoke.risks[0])
        tried = {(Op.PROVOKE, None): True}
        self.assert_planned(self.dead(), (Op.WAIT, self.standby), tried=tried)

    def test_nobody_starts_it(self):
        self.assert_left(self.dead(alive=False), 'RHA203', 'RHA301')
        self.assert_left(self.dead(admin_state_up=False), 'RHA204', 'RHA301')
        port = self.healthy.ha_port(self.standby)
        scene = self.dead().with_port(port.id, status='DOWN')
        self.assert_left(scene, 'RHA301', 'RHA402', words='ACTIVE')

    def test_childless(self):
        scene = self.healthy.without_processes(self.standby, 'keepalived-vrrp')
        found = self.assert_planned(
            scene, (Op.END, self.standby), (Op.PROVOKE, None)
        )
        self.assertEqual(
            [scene.pid(self.standby, 'keepalived')],
            found[Op.END, self.standby].fields['pids'],
        )

    def test_orphan(self):
        for host in (self.standby, self.active):
            scene = self.healthy.without_processes(host, 'keepalived')
            found = self.assert_planned(
                scene, (Op.END, host), (Op.PROVOKE, None)
            )
            end = found[Op.END, host]
            self.assertEqual(
                [scene.pid(host, 'keepalived-vrrp')], end.fields['pids']
            )
            # on the active node that is a failover
            self.assertEqual(host == self.active, bool(end.risks))

    def test_orphan_that_nobody_could_follow(self):
        scene = self.healthy.without_processes(self.active, 'keepalived')
        for host in self.healthy.standbys:
            scene = scene.without_keepalived(host).with_agent(
                host, alive=False
            )
        made = base.make(scene)
        self.assertNotIn((Op.END, self.active), made.approved)
        self.assertIn('RHA303', {each.code for each in made.refusals})

    def stopped(self, scene: Scene, host: str, state: str = 'T') -> Scene:
        for role in ('keepalived', 'keepalived-vrrp'):
            scene = scene.with_process(host, role, state=state)
        return scene

    def test_hung_standby(self):
        for state in 'TtD':
            scene = self.stopped(self.healthy, self.standby, state)
            found = self.planned(scene)
            end = found[Op.END, self.standby]
            self.assertEqual(2, len(end.fields['pids']))
            self.assertNotIn((Op.WAKE, self.standby), found)

    def test_hung_holder_beside_an_active_one(self):
        scene = self.stopped(
            self.healthy.with_role(self.standby), self.standby
        )
        self.assert_planned(
            scene,
            (Op.END, self.standby),
            (Op.CLEAN, self.standby),
            (Op.ANNOUNCE, self.active),
            (Op.PROVOKE, None),
        )

    def test_several(self):
        scene = self.healthy.with_new_process(self.standby, 'keepalived')
        scene = scene.with_new_process(
            self.standby, 'keepalived-vrrp', 987655, 987654
        )
        found = self.assert_planned(scene, (Op.END, self.standby))
        end = found[Op.END, self.standby].fields
        self.assertTrue(end['extra'])
        self.assertEqual(2, len(end['pids']))
        scene = self.healthy.with_new_process(self.active, 'keepalived')
        scene = scene.with_new_process(
            self.active, 'keepalived-vrrp', 987655, 987654
        )
        self.assert_left(scene, 'RHA312', words='holds the VIP')

    def test_astray(self):
        scene = self.healthy.with_new_process(
            self.standby, 'keepalived-astray'
        )
        found = self.assert_planned(scene, (Op.END, self.standby))
        self.assertEqual([987654], found[Op.END, self.standby].fields['pids'])
        self.assertEqual((), found[Op.END, self.standby].risks)

    def test_astray_that_may_serve(self):
        """Nobody else is active."""
        scene = self.healthy.without_role(self.active).with_agent(
            self.active, ha_state='standby'
        )
        scene = scene.with_new_process(self.active, 'keepalived-astray')
        (end,) = self.planned(scene).values()
        self.assertTrue(end.risks)
        for host in scene.names:
            scene = scene.with_link_down(host, scene.device(host, 'ha-'))
        self.assertNotIn((Op.END, self.active), base.make(scene).approved)

    def test_monitor(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        self.assert_planned(scene, (Op.WAIT, self.standby))
        self.assertFalse(base.make(scene).changes)
        scene = scene.with_agent(self.standby, alive=False)
        self.assert_left(scene, 'RHA203', 'RHA305')

    def test_what_the_agent_sets(self):
        """All of it is one report."""
        scene = (
            self.healthy.with_state_file(self.active, 'backup')
            .without_processes(self.active, 'haproxy', 'radvd')
            .with_view(self.active, ipv6_forwarding=())
        )
        found = self.assert_planned(scene, (Op.REPORT, self.active))
        self.assertEqual(
            {'RHA306', 'RHA308', 'RHA309', 'RHA310'},
            set(found[Op.REPORT, self.active].codes),
        )

    def test_without_the_agent(self):
        dead = {'alive': False, 'ha_state': 'standby'}
        scene = self.healthy.with_view(self.active, ipv6_forwarding=())
        found = self.planned(scene.with_agent(self.active, **dead))
        self.assertEqual(
            {'device': 'all'}, found[Op.FORWARD, self.active].fields
        )
        gateway = self.healthy.device(self.standby, 'qg-')
        scene = self.healthy.with_view(
            self.standby, ipv6_forwarding=('all', gateway)
        ).with_new_process(self.standby, 'radvd')
        found = self.planned(scene.with_agent(self.standby, **dead))
        self.assertEqual(
            {'device': gateway}, found[Op.FORWARD, self.standby].fields
        )
        self.assertEqual([987654], found[Op.END, self.standby].fields['pids'])

    def test_an_agent_that_does_not_do_it(self):
        scene = self.healthy.with_view(self.active, ipv6_forwarding=())
        self.assertIn((Op.FORWARD, self.active), self.later(scene))
        tried = {(Op.REPORT, self.active): True}
        self.assert_planned(scene, (Op.FORWARD, self.active), tried=tried)

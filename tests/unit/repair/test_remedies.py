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

"""What is done about who is active, and about what Neutron says."""

from osc_ha_router import errors
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import report
from osc_ha_router.repair import remedies
from tests.unit.repair import base
from tests.unit.scene import Scene

Op = base.Op


class TableTest(base.PlanTest):
    def test_every_finding_that_counts(self):
        counted = {
            entry.name
            for entry in catalogue.entries().values()
            if entry.severity.rank >= report.Severity.UNKNOWN.rank
        }
        self.assertEqual(counted, set(remedies.REMEDIES))

    def test_told_to_users(self):
        for name in remedies.REMEDIES:
            told = remedies.told(name)
            self.assertRegex(told, r'^[A-Zk].*[a-z]\.$', name)
            self.assertNotIn('\n', told)
        self.assertEqual('', remedies.told('failover-undone'))


class RoleTest(base.PlanTest):
    def stale(self) -> Scene:
        """The standby was active, its keepalived is dead."""
        return self.healthy.with_role(self.standby).without_keepalived(
            self.standby
        )

    def test_healthy(self):
        made = base.make(self.healthy)
        self.assertTrue(made.healthy)
        self.assertEqual(
            ((), (), ()), (made.actions, made.later, made.refusals)
        )

    def test_dead_keepalived(self):
        scene = self.stale()
        found = self.assert_planned(
            scene,
            (Op.CLEAN, self.standby),
            (Op.ANNOUNCE, self.active),
            (Op.PROVOKE, None),
        )
        clean = found[Op.CLEAN, self.standby].fields
        conf = scene.conf(self.standby)
        self.assertEqual(
            sorted(a.address for a in (*conf.vips, *conf.excluded)),
            sorted(a['address'] for a in clean['addresses']),
        )
        self.assertEqual(
            [route.destination for route in conf.routes],
            [route['destination'] for route in clean['routes']],
        )
        self.assertEqual(
            {(Op.REPORT, self.active), (Op.REPORT, self.standby)},
            self.later(scene),
        )

    def test_only_what_the_file_names(self):
        scene = self.stale().with_address(
            self.standby,
            '10.9.9.9/24',
            self.healthy.device(self.standby, 'qr-'),
        )
        clean = self.planned(scene)[Op.CLEAN, self.standby].fields
        self.assertNotIn(
            '10.9.9.9/24', [a['address'] for a in clean['addresses']]
        )

    def test_dead_keepalived_and_agent(self):
        """What the agent would turn off is turned off without it."""
        scene = self.stale().with_agent(
            self.standby, alive=False, ha_state='standby'
        )
        made = base.make(scene)
        self.assertEqual(
            [
                (Op.END, self.standby),
                (Op.CLEAN, self.standby),
                (Op.FORWARD, self.standby),
                (Op.ANNOUNCE, self.active),
            ],
            [each.key for each in made.actions],
        )
        found = self.planned(scene)
        radvd = [
            process.pid
            for process in scene.shown(self.standby).processes
            if process.role == 'radvd'
        ]
        self.assertEqual(radvd, found[Op.END, self.standby].fields['pids'])
        (refusal,) = made.refusals
        self.assertEqual(
            ('RHA203', self.standby), (refusal.code, refusal.host)
        )

    def test_file_cannot_be_read(self):
        scene = self.stale().with_view(self.standby, keepalived_conf=None)
        made = base.make(scene)
        self.assertNotIn(Op.CLEAN, [each.op for each in made.actions])
        self.assertIn('RHA101', [each.code for each in made.refusals])

    def test_backup_that_holds_the_vip(self):
        scene = self.healthy.with_vip(self.standby).with_state_file(
            self.standby, 'primary'
        )
        for host in scene.names:
            scene = scene.hearing(host, self.active)
        self.assertIn(('stale-vip-beside-backup', self.standby), scene.found())
        self.assert_planned(
            scene,
            (Op.CLEAN, self.standby),
            (Op.ANNOUNCE, self.active),
        )

    def test_nobody_picks_a_winner(self):
        both = self.healthy.with_role(self.standby)
        deaf, alike = both, both
        for host in both.names:
            deaf = deaf.hearing(host, host)
            alike = alike.hearing(host, self.active, self.standby)
        for scene, code in (
            (deaf, 'RHA104'),
            (alike, 'RHA105'),
            (both, 'RHA106'),
        ):
            for keep in (None, self.active):
                made = base.make(scene, keep=keep)
                self.assertEqual((), made.actions)
                self.assertIn(code, [each.code for each in made.refusals])
                for each in made.refusals:
                    self.assertTrue(each.passing)

    def test_nothing_else_while_it_is_contested(self):
        scene = self.healthy.with_role(self.standby).with_link_down(
            self.other, self.healthy.device(self.other, 'qr-')
        )
        made = base.make(scene)
        self.assertEqual((), made.actions)
        codes = {each.code: each for each in made.refusals}
        self.assertIn('several', codes['RHA406'].reason)

    def test_several_dead_holders(self):
        scene = self.stale().without_keepalived(self.active)
        made = self.assert_left(scene, 'RHA101', words='provably')
        self.assertIn(
            f'--keep {self.active}', ' '.join(made.refusals[0].steps)
        )
        for keep, other in (
            (self.active, self.standby),
            (self.standby, self.active),
        ):
            found = self.planned(scene, keep=keep)
            self.assertIn((Op.CLEAN, other), found)
            self.assertNotIn((Op.CLEAN, keep), found)
            # then the agents start keepalived, one of which takes over
            self.assertIn((Op.PROVOKE, None), found)
            # which one that is nobody has said
            risks = ' '.join(found[Op.PROVOKE, None].risks)
            self.assertIn('for VRRP to choose', risks)

    def test_keep_where_nobody_else_could_follow(self):
        scene = self.stale().without_keepalived(self.active)
        for host in (self.active, self.other):
            scene = scene.with_agent(host, alive=False)
        found = self.planned(scene, keep=self.standby)
        risks = ' '.join(found[Op.PROVOKE, None].risks)
        self.assertIn('7 s', risks)
        self.assertNotIn('VRRP to choose', risks)

    def test_keep_what_is_not_right(self):
        for host, words in (
            ('net9', 'does not hold the VIP'),
            (self.other, 'does not hold the VIP'),
            (self.standby, 'is active'),
        ):
            refused = self.assertRaises(
                errors.Refused, base.make, self.stale(), keep=host
            )
            self.assertIn(words, str(refused))

    def test_alone(self):
        scene = self.healthy.without_keepalived(self.active)
        found = self.assert_planned(scene, (Op.PROVOKE, None))
        (provoke,) = found.values()
        self.assertIn('7 s', ' '.join(provoke.risks))

    def test_alone_with_a_dead_agent(self):
        """The others take over; only then is it a leftover."""
        scene = self.healthy.without_keepalived(self.active).with_agent(
            self.active, alive=False, ha_state='standby'
        )
        made = base.make(scene)
        self.assertEqual(
            [(Op.PROVOKE, None)], [each.key for each in made.actions]
        )
        self.assertIn((Op.CLEAN, self.active), made.approved)
        self.assertEqual({'RHA203'}, {r.code for r in made.refusals})

    def test_alone_and_stopped(self):
        """It goes on: nobody else would."""
        scene = self.healthy.with_process(
            self.active, 'keepalived', state='T'
        ).with_process(self.active, 'keepalived-vrrp', state='T')
        for host in self.healthy.standbys:
            scene = scene.with_link_down(host, scene.device(host, 'ha-'))
        found = self.planned(scene)
        self.assertEqual(2, len(found[Op.WAKE, self.active].fields['pids']))
        self.assertNotIn(Op.END, {op for op, _ in found})

    def test_alone_and_another_out_of_sight(self):
        scene = self.healthy.without_keepalived(self.active).with_unreachable(
            self.other
        )
        self.assert_left(scene, 'RHA102', 'RHA901', words='may be active')

    def test_nobody_is_active(self):
        scene = self.healthy.without_role(self.active)
        for host in scene.names:
            scene = scene.with_agent(host, ha_state='standby')
            scene = scene.with_link_down(host, scene.device(host, 'ha-'))
        self.assert_planned(
            scene, *((Op.LINK_UP, host) for host in scene.names)
        )

    def test_nobody_is_active_and_nothing_is_wrong(self):
        scene = self.healthy.without_role(self.active).with_agent(
            self.active, ha_state='standby'
        )
        made = self.assert_left(scene, 'RHA107', words='nothing')
        self.assertTrue(made.refusals[0].passing)


class ClaimsTest(base.PlanTest):
    def test_claim(self):
        scene = self.healthy.with_agent(self.active, ha_state='standby')
        self.assert_planned(scene, (Op.REPORT, self.active))

    def test_claim_that_was_reported(self):
        scene = self.healthy.with_agent(self.active, ha_state='standby')
        for spent in (False, True):
            self.assert_planned(
                scene,
                (Op.WAIT, self.active),
                tried={(Op.REPORT, self.active): spent},
            )

    def test_agents(self):
        for changes, words in (
            ({'alive': False}, 'start it'),
            ({'admin_state_up': False}, 'on purpose'),
        ):
            scene = self.healthy.with_agent(self.standby, **changes)
            code = 'RHA203' if 'alive' in changes else 'RHA204'
            made = self.assert_left(scene, code, words=words)
            self.assertNotIn('<agent>', ' '.join(made.refusals[0].steps))

    def test_hidden_active(self):
        scene = self.healthy.with_agent(
            self.active, alive=False, ha_state='standby'
        )
        self.assert_left(scene, 'RHA201', 'RHA203')

    def bound(self) -> Scene:
        (port,) = self.healthy.ports('network:router_gateway')
        return self.healthy.with_port(port.id, host=self.standby)

    def test_bindings(self):
        """First by the agent, then by hand, as it were."""
        scene = self.bound()
        found = self.assert_planned(scene, (Op.REPORT, self.active))
        self.assertTrue(found[Op.REPORT, self.active].fields['guard'])
        self.assertIn((Op.REBIND, self.active), self.later(scene))
        tried = {(Op.REPORT, self.active): False}
        self.assert_planned(scene, (Op.WAIT, None), tried=tried)
        tried = {(Op.REPORT, self.active): True}
        found = self.assert_planned(
            scene, (Op.REBIND, self.active), tried=tried
        )
        (port,) = scene.ports('network:router_gateway')
        self.assertEqual(
            [port.id], found[Op.REBIND, self.active].fields['ports']
        )

    def test_bindings_without_an_agent(self):
        scene = self.bound().with_agent(self.active, alive=False)
        self.assertIn((Op.REBIND, self.active), self.planned(scene))

    def test_ha_port_missing(self):
        port = self.healthy.ha_port(self.standby)
        scene = self.healthy.without_port(port.id)
        self.assert_planned(scene, (Op.RESEAT, self.standby))
        port = self.healthy.ha_port(self.active)
        self.assert_left(
            self.healthy.without_port(port.id), 'RHA214', words='safe only'
        )

    def test_without_rights(self):
        scene = self.healthy.with_router(
            agents=None, ports=None, gaps=('which agents: no right',)
        ).without_keepalived(self.standby)
        made = base.make(scene)
        self.assertEqual((), made.actions)
        self.assertIn('RHA903', {each.code for each in made.refusals})

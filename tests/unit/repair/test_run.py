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

"""A repair from its plan to its result."""

from osc_ha_router import errors
from osc_ha_router.repair import plan
from tests.unit import lines
from tests.unit.repair import mending


class MendTest(mending.MendTest):
    """What works out."""

    def stale(self):
        return self.well.with_role(self.standby).without_keepalived(
            self.standby
        )

    def test_stale(self):
        mended = self.mend(self.stale())
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual(
            [
                ('clean', self.standby),
                ('announce', self.active),
                ('provoke', None),
            ],
            self.steps(mended)[:3],
        )
        self.assertEqual((), mended.report.findings)
        # multicast reports are held off before anything is removed
        asked = self.nodes.ops(self.standby)
        self.assertLess(asked.index('quiet'), asked.index('clean'))
        # and the active node was seen to be that, under the lock
        asked = self.nodes.ops()
        self.assertLess(asked.index('watch'), asked.index('clean'))
        phases = [phase for phase, _ in self.told]
        self.assertLess(phases.index('act'), phases.index('verify'))

    def test_every_node_is_locked_in_order(self):
        self.mend(self.stale())
        begun = [host for host, op, _ in self.nodes.asked if op == 'begin']
        self.assertEqual(sorted(self.well.names), begun[:3])

    def test_second_time(self):
        self.mend(self.stale())
        before = self.nodes.scene
        made = self.look()
        self.assertTrue(made.healthy)
        self.assertEqual((), made.actions)
        self.assertEqual(before, self.nodes.scene)

    def test_dead_agent(self):
        """What can be done without it is done, and the rest said."""
        mended = self.mend(
            self.stale().with_agent(
                self.standby, alive=False, ha_state='standby'
            )
        )
        self.assert_outcome('INCOMPLETE', 4, mended)
        self.assertEqual(
            {('RHA203', self.standby), ('RHA301', self.standby)},
            {(each.code, each.host) for each in mended.refusals},
        )
        self.assertEqual([], self.neutron.done)

    def test_nobody_is_active(self):
        scene = self.well.without_role(self.active)
        for host in scene.names:
            scene = scene.with_agent(host, ha_state='standby')
            scene = scene.with_link_down(host, scene.device(host, 'ha-'))
        self.broken(scene)
        self.nodes.fault(self.other, 'finish', call=self._elected)
        mended = self.mend()
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual(
            [('link-up', host) for host in scene.names],
            self.steps(mended)[:3],
        )

    def _elected(self):
        self.nodes.move(self.active)

    def test_addresses(self):
        scene = self.well.without_address(
            self.active, self.well.floating_ip
        ).without_route(self.active, '0.0.0.0/0')
        mended = self.mend(scene)
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual(
            [
                ('add', self.active),
                ('reload', self.active),
                ('announce', self.active),
            ],
            self.steps(mended),
        )
        (add, reload_, announce) = mended.steps
        self.assertIn('1 address set', add.words)
        self.assertTrue(add.changed)
        self.assertFalse(announce.changed)

    def test_namespace(self):
        mended = self.mend(self.well.without_namespace(self.standby))
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual(
            [('reseat', self.well.router.id, self.standby)],
            self.neutron.done,
        )

    def test_claim(self):
        scene = self.well.with_agent(
            self.active, ha_state='standby'
        ).with_state_file(self.active, 'backup')
        mended = self.mend(scene)
        self.assert_outcome('MENDED', 0, mended)
        (step,) = mended.steps
        self.assertIn('primary', step.words)

    def test_bindings_by_hand(self):
        """Without an agent that would report."""
        (port,) = self.well.ports('network:router_gateway')
        scene = self.well.with_port(port.id, host=self.standby)
        scene = scene.with_agent(self.active, alive=False)
        mended = self.mend(scene)
        self.assertIn(('rebind', self.active, port.id), self.neutron.done)
        self.assertNotIn('RHA208', {f.code for f in mended.report.findings})
        # while the node looks after its ports
        self.assertIn('takeover', self.nodes.ops(self.active))

    def test_neutron_has_believed_another_node(self):
        """Approved with the plan, and done when it turns out so."""
        (port,) = self.well.ports('network:router_gateway')
        scene = self.stale().with_port(port.id, host=self.standby)
        mended = self.mend(scene)
        self.assert_outcome('MENDED', 0, mended)
        self.assertIn(('report', self.active), self.steps(mended))

    def test_waits(self):
        """For a monitor that only the agent can start."""
        self.broken(self.well.without_processes(self.standby, 'monitor'))
        looks = []

        def look():
            looks.append(1)
            if len(looks) == 3:
                self.nodes.edit(lambda s: self.well)
            return [self.nodes.scene.router]

        self.neutron._next = look
        mended = self.mend()
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual([('wait', self.standby)], self.steps(mended))
        self.assertIn('come about', mended.steps[0].words)
        self.assertEqual([], self.nodes.ops())

    def test_in_vain(self):
        mended = self.mend(
            self.well.without_processes(self.standby, 'monitor'), 0.6
        )
        self.assert_outcome('WAITING', 3, mended, 'monitor')
        (step,) = mended.steps
        self.assertTrue(step.failed)
        # looked for again and again, and spoken of once
        said = [words for phase, words in self.told if phase == 'wait']
        self.assertEqual(1, len(said), said)

    def test_out_of_sight(self):
        self.broken(
            self.well.without_address(self.active, self.well.floating_ip)
        )
        self.nodes.dark.add(self.other)
        mended = self.mend()
        self.assert_outcome('UNKNOWN', 3, mended)
        self.assertEqual(['RHA901'], [r.code for r in mended.refusals])
        self.assertNotIn(self.other, self.nodes.opened)


class LeftoverTest(mending.MendTest):
    """By whoever can remove it without stumbling."""

    def setUp(self):
        super().setUp()
        self.broken(self.well.without_agents(self.standby))

    def evict(self, **told):
        if told:
            self.nodes.told[self.standby] = told
        mended = self.mend(seconds=2)
        return mended, [
            fields['whole']
            for fields in self.nodes.fields(self.standby, 'evict')
        ]

    def test_agent_that_does_not_know_it(self):
        mended, whole = self.evict(answered=True, known=False)
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual([False, True], whole)
        self.assertEqual([], self.neutron.done)

    def test_agent_that_believes_in_it(self):
        mended, whole = self.evict(answered=True, known=True)
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual([False], whole)
        self.assertEqual(
            [('expel', self.well.router.id, self.standby)],
            self.neutron.done,
        )

    def test_dead_agent(self):
        self.neutron.alive = (self.active, self.other)
        mended, whole = self.evict(answered=False, known=None)
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual([False, True], whole)

    def test_agent_that_hangs(self):
        """It may believe in it, and cannot be told."""
        mended, whole = self.evict(answered=False, known=None)
        self.assertEqual([False], whole)
        self.assertIn('does not answer', mended.steps[0].words)
        self.assertTrue(mended.steps[0].failed)
        self.assertNotEqual('MENDED', mended.outcome.name)

    def test_agent_that_neutron_does_not_hear(self):
        self.neutron.alive = (self.active, self.other)
        mended, whole = self.evict(answered=True, known=True)
        self.assertEqual([False], whole)
        self.assertIn('does not hear', mended.steps[0].words)

    def test_without_a_file(self):
        """Whether the agent knows it cannot be asked: Neutron tells it."""
        self.nodes.edit(
            lambda s: s.with_view(self.standby, keepalived_conf=None)
        )
        mended, whole = self.evict()
        self.assert_outcome('MENDED', 0, mended)
        self.assertEqual('expel', self.neutron.done[0][0])


class TroubleTest(mending.MendTest):
    """What does not work out."""

    def setUp(self):
        super().setUp()
        self.broken(
            self.well.without_address(
                self.active, self.well.floating_ip
            ).with_address(self.standby, self.well.internal)
        )

    def test_locked(self):
        self.nodes.locks[self.other] = ('anna', 'noon')
        refused = self.assertRaises(errors.Locked, self.mend)
        self.assertIn('anna', str(refused))
        self.assertNotIn('clean', self.nodes.ops())

    def test_not_active_any_more(self):
        made = self.look()
        self.nodes.move(self.other)
        refused = self.assertRaises(errors.Refused, self.mend, planned=made)
        self.assertIn('not active any more', str(refused))
        self.assertNotIn('clean', self.nodes.ops())

    def test_no_way_to_a_node_that_is_needed(self):
        self.nodes.fault(
            self.standby, 'open', trouble=lines.trouble(self.standby)
        )
        self.assertRaises(errors.Refused, self.mend)

    def test_no_way_to_a_node_that_is_not(self):
        self.nodes.fault(self.other, 'open', trouble=lines.trouble(self.other))
        self.assert_outcome('MENDED', 0, self.mend())

    def test_refused_by_the_node(self):
        """It has seen more than the look; the rest is done."""
        self.nodes.fault(
            self.standby,
            'clean',
            trouble=lines.refusal(self.standby, 'unsafe', 'it is active'),
        )
        mended = self.mend(seconds=2)
        self.assert_outcome('INCOMPLETE', 4, mended)
        clean, add, announce = mended.steps
        self.assertTrue(clean.failed)
        self.assertIn('it is active', clean.words)
        self.assertTrue(add.changed)
        # it is not tried again and again
        self.assertEqual(1, self.nodes.ops().count('clean'))

    def test_lost_in_the_middle(self):
        self.nodes.fault(
            self.active, 'add', trouble=lines.trouble(self.active)
        )
        mended = self.mend(seconds=2)
        self.assert_outcome('INCOMPLETE', 4, mended)
        self.assertEqual(
            [False, True, True], [step.failed for step in mended.steps]
        )
        self.assertIn('not begun', mended.steps[2].words)
        # whoever cannot be asked is not asked to finish
        self.assertNotIn('finish', self.nodes.ops(self.active))
        self.assertIn('finish', self.nodes.ops(self.standby))

    def test_nothing_changed(self):
        self.broken(self.well.without_keepalived(self.standby))
        self.neutron.refuses = errors.CloudError('Neutron refuses this')
        mended = self.mend(seconds=2)
        self.assert_outcome('FAILED', 1, mended)
        self.assertIn('Neutron refuses', mended.steps[0].words)

    def test_agents_do_nothing(self):
        self.broken(self.well.without_keepalived(self.standby))
        self.neutron.deaf = True
        mended = self.mend(seconds=1)
        self.assert_outcome('WAITING', 3, mended, 'start keepalived')
        self.assertEqual(1, len(self.neutron.done))

    def test_neutron_is_gone_afterwards(self):
        made = self.look()
        self.neutron.trouble = errors.CloudUnreachable('it is down')
        mended = self.mend(seconds=1, planned=made)
        self.assert_outcome('UNKNOWN', 3, mended, 'it is down')
        self.assertTrue(mended.steps[0].changed)

    def test_more_than_was_in_the_plan(self):
        """Nobody has said yes to it: it is told, and not done."""
        made = self.look()
        device = self.well.device(self.standby, 'qr-')
        self.nodes.fault(
            self.standby,
            'finish',
            call=lambda: self.nodes.edit(
                lambda s: s.with_link_down(self.standby, device)
            ),
        )
        mended = self.mend(seconds=2, planned=made)
        self.assert_outcome('INCOMPLETE', 4, mended, 'run the command')
        self.assertNotIn('link-up', self.nodes.ops())

    def test_too_little_time(self):
        refused = self.assertRaises(errors.Refused, self.mend, seconds=0.1)
        self.assertIn('--timeout', str(refused))
        self.assertEqual([], self.nodes.ops())

    def test_interrupted(self):
        self.nodes.fault(self.active, 'add', trouble=KeyboardInterrupt())
        self.assertRaises(KeyboardInterrupt, self.mend)

    def test_quiet_is_not_possible(self):
        self.nodes.fault(
            self.standby,
            'quiet',
            end={'quiet': False, 'reason': 'there is no ip6tables'},
        )
        mended = self.mend()
        self.assert_outcome('MENDED', 0, mended, 'ip6tables')

    def test_ignored(self):
        made = self.look(ignore=frozenset(('RHA502',)))
        self.assertNotIn('add', {each.op for each in made.actions})
        mended = self.mend(planned=made)
        self.assert_outcome('MENDED', 0, mended)
        self.assertNotIn('add', self.nodes.ops())
        self.assertIsInstance(made, plan.Plan)

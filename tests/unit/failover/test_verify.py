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

"""Whether a move is judged for what it has come to."""

from osc_ha_router.failover import result
from osc_ha_router.failover import verify
from tests.unit import moving
from tests.unit.failover import base
from tests.unit.failover import move
from tests.unit.scene import Scene

Outcome = result.Outcome


class VerifyTest(move.MoveTest):
    def setUp(self):
        super().setUp()
        self.nodes.move(self.target)
        self.after = self.nodes.scene
        self.made = base.make(self.well, to=self.target)

    def judge(
        self, after: Scene, winner: str | None = '', made=None
    ) -> verify.Verdict:
        return verify.judge(
            made or self.made,
            self.target if winner == '' else winner,
            after.judge(
                *(f.code for f in made.report.findings if f.ignored)
                if made
                else ()
            ),
        )

    def assert_verdict(
        self, name: str, verdict: verify.Verdict, *words: str
    ) -> None:
        self.assertEqual(name, verdict.outcome.name, verdict.reasons)
        self.assertEqual(len(words), len(verdict.reasons), verdict.reasons)
        for word, reason in zip(words, verdict.reasons, strict=True):
            self.assertIn(word, reason)

    # -- it moved ----------------------------------------------------------

    def test_verified(self):
        self.assertEqual(set(), self.after.found())
        self.assert_verdict('VERIFIED', self.judge(self.after))

    def test_verified_though_nobody_saw_it_arrive(self):
        self.assert_verdict('VERIFIED', self.judge(self.after, None))

    def test_neutron_lags_with_states(self):
        scene = self.after.with_agent(self.target, ha_state='standby')
        scene = scene.with_agent(self.active, ha_state='active')
        self.assert_verdict(
            'LAGGING',
            self.judge(scene),
            *(
                f'Neutron says {state} for {host}'
                for host, state in sorted(
                    ((self.active, 'active'), (self.target, 'standby'))
                )
            ),
        )

    def test_neutron_lags_with_ports(self):
        bound = [
            p
            for p in self.after.router.ports
            if p.owner in verify.FOLLOWING and p.host is not None
        ]
        scene = self.after.with_port(bound[0].id, host=self.active)
        self.assert_verdict(
            'LAGGING',
            self.judge(scene),
            f'1 ports of the router bound to {self.active}',
        )

    def test_caller_who_may_not_see_the_bindings(self):
        scene = self.after
        for port in scene.router.ports:
            if port.owner in verify.FOLLOWING:
                scene = scene.with_port(port.id, host=None)
        self.assertTrue(verify.caught_up(scene.router, self.target))
        self.assertFalse(verify.caught_up(scene.router, self.active))
        blind = scene.with_router(agents=None, ports=None).router
        self.assertTrue(verify.caught_up(blind, self.target))

    def test_keepalived_is_not_started_again_yet(self):
        scene = self.after.without_keepalived(self.active)
        self.assert_verdict(
            'LAGGING',
            self.judge(scene),
            f'keepalived on {self.active} has not been started again',
        )

    def test_keepalived_that_was_dead_before_is_not_waited_for(self):
        before = self.well.without_keepalived(self.other)
        made = base.make(
            before, to=self.target, ignore=frozenset(('RHA301', 'RHA302'))
        )
        scene = self.after.without_keepalived(self.other)
        self.assert_verdict('VERIFIED', self.judge(scene, made=made))

    # -- it moved, but -----------------------------------------------------

    def test_address_left_on_the_old_node(self):
        scene = self.after.with_vip(self.active)
        verdict = self.judge(scene.without_keepalived(self.active))
        self.assert_verdict(
            'INCOMPLETE', verdict, f'{self.active} still holds the HA address'
        )

    def test_configuration_not_put_back(self):
        for changes, words in (
            (
                {'priority': 254},
                'priority 254 with nopreempt, not priority 50',
            ),
            ({'nopreempt': False}, '50 without nopreempt, not priority 50 w'),
        ):
            scene = self.after.with_conf(self.target, **changes)
            self.assert_verdict('INCOMPLETE', self.judge(scene), words)

    def test_configuration_that_neutron_has_written(self):
        scene = self.after.with_conf(self.target, sha256='d' * 64)
        self.assert_verdict('VERIFIED', self.judge(scene))

    def test_configuration_that_was_not_seen_before(self):
        before = self.well.with_view(self.other, keepalived_conf=None)
        codes = frozenset(f.code for f in before.judge().findings)
        made = base.make(before, to=self.target, ignore=codes)
        scene = self.after.with_conf(self.other, priority=99)
        self.assert_verdict('VERIFIED', self.judge(scene, made=made))

    def test_active_elsewhere(self):
        self.nodes.move(self.other)
        self.assert_verdict(
            'INCOMPLETE',
            self.judge(self.nodes.scene, None),
            f'active on {self.other}',
        )

    def test_active_twice(self):
        scene = self.after.with_role(self.active)
        both = ' and '.join(sorted((self.active, self.target)))
        self.assert_verdict('INCOMPLETE', self.judge(scene), both)

    def test_active_nowhere(self):
        scene = self.after.without_role(self.target)
        self.assert_verdict('INCOMPLETE', self.judge(scene), 'on no node')

    def test_something_got_worse(self):
        port = self.after.ha_port(self.other)
        scene = self.after.with_port(port.id, status='DOWN')
        verdict = self.judge(scene)
        (finding,) = scene.judge().findings
        self.assert_verdict('INCOMPLETE', verdict, finding.code)
        self.assertIn(finding.summary, verdict.reasons[0])

    def test_what_was_bad_before_is_not_worse(self):
        port = self.after.ha_port(self.other)
        before = self.well.with_port(port.id, status='DOWN')
        codes = frozenset(f.code for f in before.judge().findings)
        made = base.make(before, to=self.target, ignore=codes)
        scene = self.after.with_port(port.id, status='DOWN')
        self.assert_verdict('VERIFIED', self.judge(scene, made=made))

    # -- it is not known ---------------------------------------------------

    def test_node_out_of_sight(self):
        for host in (self.active, self.target, self.other):
            verdict = self.judge(self.after.with_unreachable(host))
            self.assertIs(Outcome.UNKNOWN, verdict.outcome)
            self.assertEqual(
                (f'{host} cannot be looked at: nobody listens',),
                verdict.reasons,
            )

    def test_node_that_was_out_of_sight_from_the_beginning(self):
        before = self.well.with_unreachable(self.other)
        codes = frozenset(f.code for f in before.judge().findings)
        made = base.make(before, to=self.target, ignore=codes)
        scene = self.after.with_unreachable(self.other)
        self.assert_verdict('VERIFIED', self.judge(scene, made=made))

    def test_address_left_counts_more_than_a_node_out_of_sight(self):
        scene = self.after.with_vip(self.active)
        scene = scene.without_keepalived(self.active)
        scene = scene.with_unreachable(self.other)
        self.assertIs(Outcome.INCOMPLETE, self.judge(scene).outcome)

    # -- it did not move ---------------------------------------------------

    def test_failed(self):
        self.assert_verdict(
            'FAILED',
            self.judge(self.well, None),
            f'still active on {self.active}',
        )

    def test_failed_and_left_changed(self):
        scene = self.well.with_conf(self.target, priority=254)
        self.assert_verdict(
            'INCOMPLETE', self.judge(scene, None), 'has priority 254'
        )

    def test_failed_and_got_worse(self):
        scene = self.well.without_keepalived(self.other)
        verdict = self.judge(scene, None)
        self.assertIs(Outcome.INCOMPLETE, verdict.outcome)
        self.assertIn(f'keepalived on {self.other}', verdict.reasons[0])

    def test_failed_with_a_node_out_of_sight(self):
        verdict = self.judge(self.well.with_unreachable(self.target), None)
        self.assertIs(Outcome.UNKNOWN, verdict.outcome)

    def test_there_and_back(self):
        self.assert_verdict(
            'INCOMPLETE', self.judge(self.well), f'to {self.target}, and back'
        )

    # -- release -----------------------------------------------------------

    def test_release(self):
        made = base.make(self.well, method='release')
        # of two equals the other one may have been active for a moment
        for winner in (self.target, None, self.other):
            verdict = self.judge(self.after, winner, made)
            self.assert_verdict('VERIFIED', verdict)
            self.assertEqual(
                self.target,
                verify.arrived(made, winner, self.after.judge()),
            )
        self.assert_verdict(
            'INCOMPLETE',
            self.judge(self.after.without_role(self.target), None, made),
            'on no node',
        )

    def test_where_it_went(self):
        made = base.make(self.well, method='release')
        after = self.after.judge()
        self.assertEqual(
            self.target, verify.arrived(self.made, None, self.well.judge())
        )
        self.assertEqual(
            self.other, verify.arrived(self.made, self.other, after)
        )
        self.assertEqual(self.target, verify.arrived(made, None, after))
        self.assertIsNone(verify.arrived(made, None, self.well.judge()))
        many = self.after.with_role(self.other).judge()
        self.assertIsNone(verify.arrived(made, None, many))


class CatchingUpTest(move.MoveTest):
    def test_until_all_is_said(self):
        self.assertTrue(verify.caught_up(self.well.router, self.active))
        self.assertFalse(verify.caught_up(self.well.router, self.target))
        self.nodes.learns = False
        self.nodes.move(self.target)
        scene = self.nodes.scene
        self.assertFalse(verify.caught_up(scene.router, self.target))
        scene = moving.claimed(scene, self.target)
        self.assertTrue(verify.caught_up(scene.router, self.target))

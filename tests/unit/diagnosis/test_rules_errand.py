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

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import view
from tests.unit.diagnosis import base
from tests.unit.scene import Scene

BY = 'admin@control1'
SINCE = '2026-07-01T02:03:04Z'
MESSAGE = f'a change by {BY}, begun {SINCE}, was cut off'


class ErrandTest(base.RuleTest):
    def with_errand(
        self, state: str, host: str | None = None, **changes
    ) -> Scene:
        fields = {'by': BY, 'since': SINCE, 'message': MESSAGE} | changes
        return self.healthy.with_view(
            host or self.standby, errand=view.Errand(state=state, **fields)
        )

    def test_under_way(self):
        scene = self.with_errand('under-way')
        found = self.finding(scene, 'failover-under-way', self.standby)
        self.assertIn(BY, found.summary)
        self.assertIn(SINCE, found.summary)
        self.assert_only(scene, ('failover-under-way', self.standby))
        self.assertEqual('INFO', scene.judge().health)

    def test_undone(self):
        scene = self.with_errand('undone')
        found = self.finding(scene, 'failover-undone', self.standby)
        self.assertIn(MESSAGE, found.summary)
        self.assert_only(scene, ('failover-undone', self.standby))
        self.assertEqual('INFO', scene.judge().health)

    def test_left(self):
        scene = self.with_errand('left')
        found = self.finding(scene, 'failover-left', self.standby)
        self.assertIn(MESSAGE, found.summary)
        self.assertIn(scene.router.id, found.hint)
        self.assertEqual('WARNING', scene.judge().health)

    def test_nobody_knows_whose(self):
        for state in ('under-way', 'left'):
            self.with_errand(state, by=None, since=None).judge()
            scene = self.with_errand(state, by=None, since=None)
            (found,) = scene.judge().findings
            self.assertNotIn('None', found.summary)

    def test_a_state_that_is_not_known_is_not_well(self):
        scene = self.with_errand('half-done')
        self.finding(scene, 'failover-left', self.standby)

    def test_one_for_each_node(self):
        scene = self.with_errand('under-way')
        for host in scene.names:
            errand = scene.shown(self.standby).errand
            scene = scene.with_view(host, errand=errand)
        self.assert_only(
            scene, *(('failover-under-way', host) for host in scene.names)
        )

    def test_of_a_disabled_router(self):
        scene = self.with_errand('left').with_router(admin_state_up=False)
        self.finding(scene, 'failover-left', self.standby)

    def test_on_a_node_that_does_not_host_it(self):
        scene = self.with_errand('left').without_agents(self.standby)
        self.finding(scene, 'failover-left', self.standby)

    def test_what_a_move_shows_meanwhile_is_looked_at_again(self):
        """So nothing of it is reported unless it stays."""
        entries = catalogue.entries()
        target = self.with_errand('under-way').with_role(self.standby)
        for scene in (
            # the target has the role, Neutron does not know yet
            target.without_role(self.active),
            # both for one advertisement
            target,
            # nobody, and no keepalived on the old node
            self.with_errand('under-way')
            .without_role(self.active)
            .without_keepalived(self.active),
        ):
            found = scene.judge().findings
            self.assertIn('failover-under-way', [f.name for f in found])
            for finding in found:
                self.assertTrue(
                    entries[finding.name].settles
                    or finding.severity == 'INFO',
                    finding,
                )

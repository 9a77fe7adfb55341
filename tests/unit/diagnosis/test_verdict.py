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

"""All findings of a router put in order, and its health."""

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from tests.unit.diagnosis import base


class JudgeTest(base.RuleTest):
    def test_worst_first(self):
        scene = (
            self.healthy.without_address(self.active, self.healthy.floating_ip)
            .without_processes(self.standby, 'monitor')
            .with_unreachable(self.other)
            .with_peers(4, 4)
        )
        ranks = [f.severity for f in scene.judge().findings]
        self.assertEqual(['ERROR', 'WARNING', 'UNKNOWN', 'INFO'], ranks)
        self.assertEqual('ERROR', scene.judge().health)

    def test_same_finding_by_host(self):
        scene = self.healthy
        for host in reversed(scene.names):
            scene = scene.without_processes(host, 'monitor')
        hosts = [f.host for f in scene.judge().findings]
        self.assertEqual(self.healthy.names, hosts)
        # whatever the order in which Neutron names the agents
        agents = scene.router.agents
        scene = scene.with_router(agents=agents[::-1])
        self.assertEqual(hosts, [f.host for f in scene.judge().findings])

    def test_warning_is_worse_than_unknown(self):
        scene = self.healthy.without_processes(
            self.standby, 'monitor'
        ).with_unreachable(self.other)
        self.assertEqual('WARNING', scene.judge().health)

    def test_ignored_findings_are_shown_last_and_do_not_count(self):
        scene = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        ).without_processes(self.standby, 'monitor')
        codes = {n: e.code for n, e in catalogue.entries().items()}
        verdict = scene.judge(codes['floating-ip-missing'])
        self.assertEqual(
            [('monitor-dead', False), ('floating-ip-missing', True)],
            [(f.name, f.ignored) for f in verdict.findings],
        )
        self.assertEqual('WARNING', verdict.health)

    def test_nothing_left_to_count(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        (found,) = scene.judge().findings
        self.assertEqual('OK', scene.judge(found.code).health)

    def test_same_for_any_order_of_hosts(self):
        scene = self.healthy.with_role(self.standby).without_keepalived(
            self.active
        )
        self.assertEqual(
            scene.judge(), verdict.judge(scene.router, scene.hosts[::-1])
        )


class DisabledRouterTest(base.RuleTest):
    def test_nothing_else_is_expected(self):
        scene = self.healthy.with_router(admin_state_up=False)
        for host in scene.names:
            scene = scene.without_namespace(host)
        found = self.finding(scene, 'router-disabled', None)
        self.assertIn(scene.router.id, found.hint)
        self.assert_only(scene, ('router-disabled', None))
        self.assertEqual('INFO', scene.judge().health)

    def test_node_that_still_serves_it(self):
        scene = self.healthy.with_router(admin_state_up=False)
        self.finding(scene, 'leftover-active', self.healthy.reported)
        self.assertEqual('ERROR', scene.judge().health)

    def test_node_that_nobody_saw(self):
        scene = self.healthy.with_router(admin_state_up=False)
        for host in scene.names:
            scene = scene.without_namespace(host)
        scene = scene.with_unreachable(self.standby)
        self.assertEqual('UNKNOWN', scene.judge().health)

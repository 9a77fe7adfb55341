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

"""Neutron's claim against the evidence, and the agents."""

from tests.unit import scene as scenes
from tests.unit.diagnosis import base


class ClaimedTest(base.RuleTest):
    def test_active_behind_a_dead_agent(self):
        scene = self.healthy.with_agent(
            self.active, alive=False, ha_state='standby'
        )
        found = self.finding(scene, 'hidden-active', self.active)
        self.assertIn('Neutron says standby', found.summary)
        self.assertIn('is dead', found.summary)
        self.assert_not_found(scene, 'claim-differs')
        self.assertEqual([], scene.judge().reported_active)
        self.assertEqual([self.active], scene.judge().active_hosts)

    def test_active_behind_a_disabled_agent(self):
        scene = self.healthy.with_agent(
            self.active, admin_state_up=False, ha_state='standby'
        )
        found = self.finding(scene, 'hidden-active', self.active)
        self.assertIn('is disabled', found.summary)

    def test_lost_notification(self):
        scene = self.healthy.with_agent(self.active, ha_state='standby')
        found = self.finding(scene, 'claim-differs', self.active)
        self.assertIn('Neutron says standby', found.summary)
        self.assertIn('shows active', found.summary)
        self.assert_not_found(scene, 'hidden-active')

    def test_standby_claimed_active(self):
        scene = self.healthy.with_agent(self.standby, ha_state='active')
        found = self.finding(scene, 'claim-differs', self.standby)
        self.assertIn('shows standby', found.summary)

    def test_nothing_claimed(self):
        scene = self.healthy.with_agent(self.active, ha_state=None)
        found = self.finding(scene, 'claim-differs', self.active)
        self.assertIn('Neutron says nothing', found.summary)

    def test_not_said_of_a_node_not_seen(self):
        scene = self.healthy.with_unreachable(self.active)
        self.assert_not_found(scene, 'claim-differs')


class AgentsTest(base.RuleTest):
    def test_dead(self):
        scene = self.healthy.with_agent(self.standby, alive=False)
        self.finding(scene, 'agent-dead', self.standby)
        self.assert_only(scene, ('agent-dead', self.standby))

    def test_disabled(self):
        scene = self.healthy.with_agent(self.standby, admin_state_up=False)
        found = self.finding(scene, 'agent-disabled', self.standby)
        (agent,) = (a for a in scene.router.agents if a.host == self.standby)
        self.assertIn(agent.id, found.hint)
        self.assert_only(scene, ('agent-disabled', self.standby))

    def test_none(self):
        scene = self.healthy.without_agents(*self.healthy.names)
        found = self.finding(scene, 'no-agents', None)
        self.assertIn(scene.router.id, found.hint)

    def test_only_one(self):
        scene = self.healthy.without_agents(self.standby, self.other)
        scene = scene.without_host(self.standby).without_host(self.other)
        self.finding(scene, 'single-replica', None)
        self.assert_only(scene, ('single-replica', None))

    def test_two_are_enough(self):
        scene = self.healthy.without_agents(self.other).without_host(
            self.other
        )
        self.assert_only(scene)

    def test_fewer_than_the_neighbours(self):
        found = self.finding(
            self.healthy.with_peers(4, 4), 'fewer-replicas', None
        )
        self.assertIn('3 L3 agents', found.summary)
        self.assertIn('its 2 neighbours', found.summary)
        self.assertIn('are on 4', found.summary)
        self.assertEqual('INFO', found.severity)

    def test_more_than_the_neighbours(self):
        self.finding(self.healthy.with_peers(2, 2, 2), 'more-replicas', None)

    def test_neighbours_that_tell_nothing(self):
        for peers in ((), (4,), (2, 4), (3, 3)):
            self.assert_only(self.healthy.with_peers(*peers))


class RedundancyTest(base.RuleTest):
    def test_no_standby(self):
        scene = self.healthy.without_keepalived(
            self.standby
        ).without_namespace(self.other)
        found = self.finding(scene, 'no-standby', None)
        self.assertIn(self.active, found.summary)
        self.assertIn(f'{self.standby} is fault', found.summary)
        self.assertIn(f'{self.other} is absent', found.summary)

    def test_one_standby_is_enough(self):
        scene = self.healthy.without_keepalived(self.standby)
        self.assert_not_found(scene, 'no-standby')

    def test_a_node_not_seen_may_be_one(self):
        scene = self.healthy.without_keepalived(self.standby).with_unreachable(
            self.other
        )
        self.assert_not_found(scene, 'no-standby')


class BindingsTest(base.RuleTest):
    def test_ports_bound_to_a_standby(self):
        (gateway,) = self.healthy.ports(scenes.GATEWAY_PORT)
        internal = self.healthy.ports(scenes.INTERNAL_PORT)[0]
        scene = self.healthy.with_port(gateway.id, host=self.standby)
        scene = scene.with_port(internal.id, host=self.standby)
        found = self.finding(scene, 'binding-differs', None)
        self.assertIn('2 of the', found.summary)
        self.assertIn(f'bound to {self.standby}', found.summary)
        self.assertIn(f'node is {self.active}', found.summary)
        self.assertIn(gateway.id, found.summary)
        self.assertIn(internal.id, found.summary)

    def test_port_without_a_host(self):
        (gateway,) = self.healthy.ports(scenes.GATEWAY_PORT)
        scene = self.healthy.with_port(gateway.id, host=None)
        found = self.finding(scene, 'binding-differs', None)
        self.assertIn('bound to no host', found.summary)

    def test_not_said_while_two_hold_the_vip(self):
        (gateway,) = self.healthy.ports(scenes.GATEWAY_PORT)
        scene = self.healthy.with_role(self.standby).with_port(
            gateway.id, host=self.standby
        )
        self.assert_not_found(scene, 'binding-differs')


class RouterTest(base.RuleTest):
    def test_error(self):
        scene = self.healthy.with_router(status='ERROR')
        self.assert_only(scene, ('router-error', None))
        self.finding(scene, 'router-error', None)


class HaPortsTest(base.RuleTest):
    def test_two_networks(self):
        port = self.healthy.ha_port(self.standby)
        elsewhere = 'f' * 8 + port.network_id[8:]
        scene = self.healthy.with_port(port.id, network_id=elsewhere)
        found = self.finding(scene, 'several-ha-networks', None)
        self.assertIn('on 2 networks', found.summary)
        self.assertIn(elsewhere, found.summary)
        self.assertIn(port.network_id, found.summary)

    def test_missing(self):
        port = self.healthy.ha_port(self.standby)
        scene = self.healthy.without_port(port.id)
        found = self.finding(scene, 'ha-port-missing', self.standby)
        self.assertIn(scene.router.id, found.hint)
        self.assert_only(scene, ('ha-port-missing', self.standby))

    def test_down(self):
        port = self.healthy.ha_port(self.standby)
        scene = self.healthy.with_port(port.id, status='DOWN')
        found = self.finding(scene, 'ha-port-not-active', self.standby)
        self.assertIn(f'{port.id} in status DOWN', found.summary)

    def test_unbound(self):
        port = self.healthy.ha_port(self.standby)
        for vif_type in ('unbound', 'binding_failed'):
            scene = self.healthy.with_port(port.id, vif_type=vif_type)
            found = self.finding(scene, 'ha-port-not-active', self.standby)
            self.assertIn(f'binding {vif_type}', found.summary)

    def test_not_judged_without_the_ports(self):
        scene = self.healthy.with_router(ports=None)
        self.assert_only(scene, ('claim-unknown', None))

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

"""Who is active: none, one or several, and why."""

import dataclasses

from tests.unit.diagnosis import base


class StaleTest(base.RuleTest):
    def test_dead_keepalived_beside_an_active_node(self):
        scene = self.healthy.with_role(self.standby).without_keepalived(
            self.active
        )
        found = self.finding(scene, 'stale-vip-dead-keepalived', self.active)
        self.assertIn(self.healthy.vip, found.summary)
        self.assertIn(f'the active node is {self.standby}', found.summary)
        excluded = len(self.healthy.conf(self.active).excluded)
        self.assertIn(f'{excluded} more of', found.summary)
        self.assertIn(f'on {self.active}', found.hint)
        device = self.healthy.device(self.active, 'ha-')
        self.assertIn(f'dev {device}', found.hint)
        self.assertEqual([self.standby], scene.judge().active_hosts)

    def test_stopped_keepalived_is_as_good_as_dead(self):
        for state in 'TtZ':
            scene = self.healthy.with_role(self.standby).with_process(
                self.active, 'keepalived-vrrp', state=state
            )
            self.finding(scene, 'stale-vip-dead-keepalived', self.active)

    def test_two_dead_holders_guard_each_other_not(self):
        scene = (
            self.healthy.with_role(self.standby)
            .without_keepalived(self.standby)
            .without_keepalived(self.active)
        )
        hosts = {
            f.host
            for f in scene.judge().findings
            if f.name == 'stale-vip-dead-keepalived'
        }
        self.assertEqual({self.active, self.standby}, hosts)
        self.assertEqual([], scene.judge().active_hosts)

    def test_alone(self):
        scene = self.healthy.without_keepalived(self.active)
        found = self.finding(scene, 'stale-vip-alone', self.active)
        self.assertIn(self.healthy.vip, found.summary)
        self.assertIn('do not remove the addresses', found.hint)
        self.assert_not_found(scene, 'no-active')
        self.assertEqual([], scene.judge().active_hosts)

    def test_beside_a_living_backup(self):
        """The VIP on a node that is silent while the other one sends."""
        scene = (
            self.healthy.with_vip(self.standby)
            .hearing(self.active, self.active)
            .hearing(self.standby, self.active)
        )
        found = self.finding(scene, 'stale-vip-beside-backup', self.standby)
        self.assertIn(f'{self.active} sends them', found.summary)
        self.assertEqual('stale', scene.observed(self.standby))
        self.assertEqual([self.active], scene.judge().active_hosts)

    def test_silence_of_the_only_holder_proves_nothing(self):
        scene = self.healthy.hearing(self.active)
        self.assert_only(scene)
        self.assertEqual([self.active], scene.judge().active_hosts)


class SeveralTest(base.RuleTest):
    def setUp(self):
        super().setUp()
        self.two = self.healthy.with_role(self.standby)

    def test_each_hears_only_itself(self):
        scene = self.two.hearing(self.active, self.active).hearing(
            self.standby, self.standby
        )
        found = self.finding(scene, 'ha-network-cut', None)
        self.assertIn(f'{self.active} hears only itself', found.summary)
        self.assertIn(f'{self.standby} hears only itself', found.summary)
        self.assertEqual(
            sorted((self.active, self.standby)), scene.judge().active_hosts
        )

    def test_cut_in_one_direction(self):
        scene = self.two.hearing(self.active, self.active).hearing(
            self.standby, self.standby, self.active
        )
        found = self.finding(scene, 'ha-network-cut', None)
        self.assertIn(f'{self.standby} hears {self.active}', found.summary)

    def test_both_hear_both(self):
        scene = self.two.hearing(
            self.active, self.active, self.standby
        ).hearing(self.standby, self.active, self.standby)
        found = self.finding(scene, 'adverts-ignored', None)
        self.assertIn(f'{self.standby} hears {self.active}', found.summary)
        self.assert_not_found(scene, 'ha-network-cut')

    def test_adverts_of_another_virtual_router_do_not_count(self):
        vrid = self.healthy.conf(self.active).vrid
        scene = self.two.hearing(
            self.active, self.active, self.standby
        ).hearing(self.standby, self.active, self.standby)
        for host in (self.active, self.standby):
            listening = scene.shown(host).listening
            scene = scene.with_view(
                host,
                listening=dataclasses.replace(
                    listening,
                    adverts=tuple(
                        a
                        if a.own
                        else dataclasses.replace(a, vrid=vrid % 255 + 1)
                        for a in listening.adverts
                    ),
                ),
            )
        self.finding(scene, 'ha-network-cut', None)

    def test_nobody_listened(self):
        found = self.finding(self.two, 'multiple-active', None)
        self.assertIn('nobody listened', found.summary)
        self.assertIn(self.healthy.vip, found.summary)
        self.assertIn('2 nodes', found.summary)
        self.assertIn('--listen', found.hint)

    def test_only_one_was_listened_on(self):
        scene = self.two.hearing(self.active, self.active)
        self.finding(scene, 'multiple-active', None)

    def test_none_sends(self):
        scene = self.two.hearing(self.active).hearing(self.standby)
        found = self.finding(scene, 'multiple-active', None)
        self.assertIn('none of them sends', found.summary)

    def test_processes_not_looked_at(self):
        scene = self.two.with_view(self.standby, processes=None)
        found = self.finding(scene, 'multiple-active', None)
        self.assertIn(
            f'processes on {self.standby} were not looked at', found.summary
        )
        # listening would not tell more
        self.assertNotIn('--listen', found.hint)

    def test_not_said_of_a_dead_holder(self):
        scene = self.two.without_keepalived(self.active)
        self.assert_not_found(scene, 'multiple-active')


class NobodyTest(base.RuleTest):
    def test_no_node_holds_the_vip(self):
        scene = self.healthy.without_role(self.active)
        found = self.finding(scene, 'no-active', None)
        for host in self.healthy.names:
            self.assertIn(f'{host} is standby', found.summary)
            self.assertIn(host, found.hint)

    def test_not_claimed_while_one_node_was_not_seen(self):
        blind = self.healthy.without_role(self.active).with_unreachable(
            self.standby
        )
        self.assert_not_found(blind, 'no-active')

    def test_not_claimed_while_addresses_were_not_seen(self):
        blind = self.healthy.with_view(self.active, addresses=None)
        self.assert_not_found(blind, 'no-active')

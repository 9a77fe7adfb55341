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

"""Processes and what they keep up to date."""

from tests.unit import scene as scenes
from tests.unit.diagnosis import base
from tests.unit.scene import Scene

PID = scenes.PID


class KeepalivedTest(base.RuleTest):
    def test_dead_on_a_standby(self):
        scene = self.healthy.without_keepalived(self.standby)
        found = self.finding(scene, 'keepalived-dead', self.standby)
        self.assertIn(f'qrouter-{scene.router.id}', found.summary)
        self.assert_only(scene, ('keepalived-dead', self.standby))
        self.assertEqual('fault', scene.observed(self.standby))

    def test_a_holder_without_keepalived_is_stale_instead(self):
        scene = self.healthy.without_keepalived(self.active)
        self.assert_not_found(scene, 'keepalived-dead')

    def test_without_its_child(self):
        scene = self.healthy.without_processes(self.standby, 'keepalived-vrrp')
        found = self.finding(scene, 'vrrp-child-dead', self.standby)
        pid = self.healthy.pid(self.standby, 'keepalived')
        self.assertIn(f'(pid {pid})', found.summary)
        self.assert_only(scene, ('vrrp-child-dead', self.standby))
        self.assertEqual('fault', scene.observed(self.standby))

    def test_without_its_parent(self):
        scene = self.healthy.without_processes(self.active, 'keepalived')
        found = self.finding(scene, 'keepalived-orphan', self.active)
        pid = self.healthy.pid(self.active, 'keepalived-vrrp')
        self.assertIn(f'(pid {pid})', found.summary)
        self.assert_only(scene, ('keepalived-orphan', self.active))
        self.assertEqual('active', scene.observed(self.active))

    def test_stopped(self):
        scene = self.healthy.with_process(
            self.standby, 'keepalived-vrrp', state='T'
        )
        found = self.finding(scene, 'keepalived-hung', self.standby)
        pid = self.healthy.pid(self.standby, 'keepalived-vrrp')
        self.assertIn(f'(pid {pid})', found.summary)
        self.assertIn('state T', found.summary)
        self.assertEqual('fault', scene.observed(self.standby))

    def test_several(self):
        scene = self.healthy.with_new_process(
            self.standby, 'keepalived', PID
        ).with_new_process(self.standby, 'keepalived-vrrp', PID + 1, PID)
        found = self.finding(scene, 'several-keepalived', self.standby)
        pid = self.healthy.pid(self.standby, 'keepalived')
        self.assertIn('2 keepalived run', found.summary)
        self.assertIn(f'{pid}, {PID}', found.summary)
        self.assert_only(scene, ('several-keepalived', self.standby))

    def test_astray(self):
        """In a namespace that was deleted while it ran."""
        scene = self.healthy.with_view(
            self.standby, namespace=None, processes=()
        ).with_new_process(self.standby, 'keepalived-astray')
        found = self.finding(scene, 'keepalived-astray', self.standby)
        self.assertIn(f'(pid {PID})', found.summary)
        self.assertIn(('namespace-absent', self.standby), scene.found())

    def test_astray_beside_a_new_namespace(self):
        scene = self.healthy.with_new_process(
            self.standby, 'keepalived-astray'
        )
        self.assert_only(scene, ('keepalived-astray', self.standby))

    def test_astray_on_a_node_that_does_not_host_the_router(self):
        scene = (
            self.healthy.without_agents(self.standby)
            .with_view(self.standby, namespace=None, processes=())
            .with_new_process(self.standby, 'keepalived-astray')
        )
        self.finding(scene, 'keepalived-astray', self.standby)


class MonitorTest(base.RuleTest):
    def test_dead(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        self.finding(scene, 'monitor-dead', self.standby)
        self.assert_only(scene, ('monitor-dead', self.standby))

    def test_zombie(self):
        scene = self.healthy.with_process(self.active, 'monitor', state='Z')
        self.finding(scene, 'monitor-dead', self.active)

    def test_state_file_of_an_active_node(self):
        scene = self.healthy.with_state_file(self.active, 'backup')
        found = self.finding(scene, 'state-file-differs', self.active)
        self.assertIn('says backup', found.summary)
        self.assertIn('is active', found.summary)

    def test_state_file_of_a_standby(self):
        scene = self.healthy.with_state_file(self.standby, 'primary')
        self.finding(scene, 'state-file-differs', self.standby)

    def test_state_file_missing(self):
        scene = self.healthy.with_view(self.standby, state_file=None)
        found = self.finding(scene, 'state-file-differs', self.standby)
        self.assertIn('(no file)', found.summary)

    def test_state_file_garbled(self):
        scene = self.healthy.with_state_file(self.standby, 'x')
        self.finding(scene, 'state-file-differs', self.standby)

    def test_words_of_other_releases(self):
        """``master`` was written up to Ussuri."""
        self.assert_only(self.healthy.with_state_file(self.active, 'master'))
        self.assert_only(self.healthy.with_state_file(self.standby, 'fault'))


class HelpersTest(base.RuleTest):
    def test_radvd_on_a_standby(self):
        scene = self.healthy.with_new_process(self.standby, 'radvd')
        found = self.finding(scene, 'radvd-on-standby', self.standby)
        self.assertIn(f'(pid {PID})', found.summary)
        self.assertIn('is standby', found.summary)
        self.assert_only(scene, ('radvd-on-standby', self.standby))

    def test_radvd_missing(self):
        scene = self.healthy.without_processes(self.active, 'radvd')
        scene = scene.with_view(self.active, radvd_conf=True)
        self.finding(scene, 'radvd-missing', self.active)
        self.assert_only(scene, ('radvd-missing', self.active))

    def test_radvd_not_wanted(self):
        scene = self.healthy.without_processes(self.active, 'radvd')
        self.assert_only(scene.with_view(self.active, radvd_conf=False))

    def test_metadata_proxy_missing(self):
        scene = self.healthy.without_processes(self.active, 'haproxy')
        scene = scene.with_view(self.active, metadata_conf=True)
        self.finding(scene, 'metadata-proxy-missing', self.active)
        self.assert_only(scene, ('metadata-proxy-missing', self.active))

    def test_metadata_proxy_not_wanted(self):
        scene = self.healthy.without_processes(self.active, 'haproxy')
        self.assert_only(scene.with_view(self.active, metadata_conf=False))

    def test_configured_but_standby(self):
        self.assert_only(
            self.healthy.with_view(
                self.standby, radvd_conf=True, metadata_conf=True
            )
        )


class ForwardingTest(base.RuleTest):
    def test_off_on_the_active_node(self):
        scene = self.healthy.with_view(self.active, ipv6_forwarding=())
        found = self.finding(scene, 'ipv6-forwarding-off', self.active)
        self.assertIn(f'qrouter-{scene.router.id}', found.hint)
        self.assert_only(scene, ('ipv6-forwarding-off', self.active))

    def test_off_without_ipv6_addresses(self):
        scene = self.healthy.with_view(self.active, ipv6_forwarding=())
        for host in scene.names:
            conf = scene.conf(host)
            scene = scene.with_conf(
                host,
                excluded=tuple(
                    a
                    for a in conf.excluded
                    if ':' not in a.address or a.address.startswith('fe80:')
                ),
            )
        self.assert_not_found(scene, 'ipv6-forwarding-off')

    def test_on_for_the_gateway_of_a_standby(self):
        device = self.healthy.device(self.standby, 'qg-')
        scene = self.healthy.with_view(
            self.standby, ipv6_forwarding=('all', device)
        )
        found = self.finding(scene, 'ipv6-forwarding-on', self.standby)
        self.assertIn(f'device {device} ', found.summary)
        self.assertIn('is standby', found.summary)
        self.assert_only(scene, ('ipv6-forwarding-on', self.standby))

    def test_cure(self):
        """With DVR restarting the agent would switch it on again."""
        device = self.healthy.device(self.standby, 'qg-')
        scene = self.healthy.with_view(
            self.standby, ipv6_forwarding=('all', device)
        )
        found = self.finding(scene, 'ipv6-forwarding-on', self.standby)
        self.assertIn(f'restart the L3 agent on {self.standby}', found.hint)
        scene = Scene.of('dvr')
        host, other = scene.standbys
        scene = scene.with_view(other, ipv6_forwarding=())
        found = self.finding(scene, 'ipv6-forwarding-on', host)
        self.assertIn(f'switch it off on {host} ', found.hint)
        self.assertIn('not by a restart', found.hint)

    def test_on_for_the_rest_of_a_standby(self):
        """As a former active node is left, to send no MLD reports."""
        for on in ((), ('all',), ('all', 'default', 'lo')):
            self.assert_only(
                self.healthy.with_view(self.standby, ipv6_forwarding=on)
            )


class StaleNodeTest(base.RuleTest):
    def test_a_stale_node_is_not_nagged_about_the_rest(self):
        """What it still runs goes when the stale VIP is mended."""
        scene = self.healthy.with_role(self.standby).without_keepalived(
            self.active
        )
        scene = scene.with_agent(self.active, ha_state='standby').with_agent(
            self.standby, ha_state='active'
        )
        for port in scene.router.ports:
            if port.owner != scenes.HA_PORT:
                scene = scene.with_port(port.id, host=self.standby)
        self.assert_only(scene, ('stale-vip-dead-keepalived', self.active))

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

"""What is there and should not be, or the other way round."""

from osc_ha_router.model import view
from tests.unit.diagnosis import base
from tests.unit.scene import Scene


class NamespacesTest(base.RuleTest):
    def test_absent(self):
        scene = self.healthy.without_namespace(self.standby)
        self.finding(scene, 'namespace-absent', self.standby)
        self.assert_only(scene, ('namespace-absent', self.standby))
        self.assertEqual('absent', scene.observed(self.standby))

    def test_view_without_namespace(self):
        scene = self.healthy.with_view(self.standby, namespace=None)
        self.finding(scene, 'namespace-absent', self.standby)

    def test_not_claimed_of_a_host_that_did_not_list_all(self):
        scene = self.healthy.with_host(self.standby, views=(), residents=None)
        self.assert_only(scene, ('not-looked-at', self.standby))


class LeftoversTest(base.RuleTest):
    def test_replica(self):
        scene = self.healthy.without_agents(self.standby)
        found = self.finding(scene, 'leftover-replica', self.standby)
        self.assertIn(f'qrouter-{scene.router.id}', found.summary)
        self.assertIn('keepalived', found.summary)
        self.assert_only(scene, ('leftover-replica', self.standby))

    def test_process_without_namespace(self):
        scene = self.healthy.without_agents(self.standby).with_view(
            self.standby, namespace=None
        )
        self.finding(scene, 'leftover-replica', self.standby)

    def test_active(self):
        scene = self.healthy.without_agents(self.active)
        found = self.finding(scene, 'leftover-active', self.active)
        self.assertIn(self.healthy.vip, found.summary)
        self.assertEqual([self.active], scene.judge().active_hosts)

    def test_a_forgotten_folder_does_no_harm(self):
        scene = self.healthy.without_agents(self.standby).with_view(
            self.standby, namespace=None, processes=()
        )
        self.assert_only(scene)

    def test_with_dvr(self):
        """What serves instances is no leftover, what can be active is."""
        dvr = Scene.of('dvr-compute')
        (host,) = {h.host for h in dvr.hosts} - {*dvr.names}
        self.assert_only(dvr)
        ha_device = dvr.device(dvr.reported, 'ha-')
        for scene in (
            dvr.with_new_process(host, 'keepalived'),
            dvr.with_new_process(host, 'keepalived-astray'),
            dvr.with_new_process(host, 'monitor'),
            dvr.with_new_link(host, ha_device),
            dvr.with_view(host, namespace=f'snat-{dvr.router.id}'),
            dvr.with_router(distributed=False),
        ):
            self.finding(scene, 'leftover-replica', host)

    def test_not_claimed_without_the_agents(self):
        scene = self.healthy.with_router(agents=None)
        self.assert_only(scene, ('claim-unknown', None))


class DuplicateVridTest(base.RuleTest):
    def crowded(self, vrid: int | None, peers: int = 3):
        scene = self.healthy.with_peers(peers)
        (peer,) = scene.router.peers
        (shown,) = (h for h in scene.hosts if h.host == self.standby)
        resident = view.Resident(peer.router_id, ('qrouter-x',), vrid)
        return peer, scene.with_host(
            self.standby, residents=(*shown.residents, resident)
        )

    def test_same_number_on_the_same_network(self):
        vrid = self.healthy.conf(self.active).vrid
        peer, scene = self.crowded(vrid)
        found = self.finding(scene, 'duplicate-vrid', None)
        self.assertIn(f'router id {vrid} ', found.summary)
        self.assertIn(peer.router_id, found.summary)
        self.assert_only(scene, ('duplicate-vrid', None))

    def test_other_number(self):
        vrid = self.healthy.conf(self.active).vrid
        for other in (vrid % 255 + 1, None):
            _, scene = self.crowded(other)
            self.assert_only(scene)

    def test_same_number_on_another_network(self):
        _, scene = self.crowded(self.healthy.conf(self.active).vrid)
        self.assert_only(scene.with_peers())


class ConfigurationTest(base.RuleTest):
    def test_missing(self):
        scene = self.healthy.with_view(self.standby, keepalived_conf=None)
        found = self.finding(scene, 'conf-missing', self.standby)
        self.assertEqual('keepalived.conf is missing', found.summary)
        self.assert_only(scene, ('conf-missing', self.standby))

    def test_unusable(self):
        scene = self.healthy.with_view(
            self.standby,
            keepalived_conf=None,
            problems=(view.Problem('keepalived_conf', 'no } for {'),),
        )
        (found,) = (
            f for f in scene.judge().findings if f.name == 'conf-missing'
        )
        self.assertIn('cannot be used: no } for {', found.summary)

    def test_virtual_router_id_differs(self):
        vrid = self.healthy.conf(self.active).vrid
        other = vrid % 255 + 1
        scene = self.healthy.with_conf(self.standby, vrid=other)
        found = self.finding(scene, 'conf-differs', None)
        self.assertIn(f'{vrid} on {self.active}', found.summary)
        self.assertIn(f'{other} on {self.standby}', found.summary)
        self.assertNotIn('advert_int', found.summary)

    def test_interval_differs(self):
        scene = self.healthy.with_conf(self.standby, advert_int=9.0)
        found = self.finding(scene, 'conf-differs', None)
        self.assertIn(f'9.0 on {self.standby}', found.summary)

    def test_addresses_differ(self):
        conf = self.healthy.conf(self.standby)
        scene = self.healthy.with_conf(
            self.standby,
            excluded=tuple(
                a
                for a in conf.excluded
                if a.address != self.healthy.floating_ip
            ),
        )
        found = self.finding(scene, 'conf-differs', None)
        self.assertIn(
            f'{self.standby} lacks {self.healthy.floating_ip}', found.summary
        )

    def test_no_addresses_at_all(self):
        scene = self.healthy.with_conf(self.standby, vips=(), excluded=())
        found = self.finding(scene, 'conf-differs', None)
        self.assertIn(f'{self.standby} lacks ', found.summary)
        self.assertIn(' more', found.summary)

    def test_order_of_addresses_does_not_matter(self):
        conf = self.healthy.conf(self.standby)
        self.assert_only(
            self.healthy.with_conf(self.standby, excluded=conf.excluded[::-1])
        )

    def test_a_leftover_file_does_not_count(self):
        scene = self.healthy.with_conf(self.standby, vrid=1, advert_int=9.0)
        scene = scene.without_agents(self.standby)
        self.assert_not_found(scene, 'conf-differs')

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

"""Network devices in the namespaces."""

from tests.unit import scene as scenes
from tests.unit.diagnosis import base


class HaDevicesTest(base.RuleTest):
    def setUp(self):
        super().setUp()
        self.device = self.healthy.device(self.standby, 'ha-')

    def test_down(self):
        scene = self.healthy.with_link_down(self.standby, self.device)
        found = self.finding(scene, 'ha-device-down', self.standby)
        self.assertIn(f'{self.device} is administratively down', found.summary)
        self.assertIn(f'link set {self.device} up', found.hint)
        self.assertEqual('fault', scene.observed(self.standby))

    def test_without_carrier(self):
        for oper in ('DOWN', 'LOWERLAYERDOWN'):
            scene = self.healthy.with_link(
                self.standby, self.device, oper=oper
            )
            found = self.finding(scene, 'ha-device-down', self.standby)
            self.assertIn('without carrier', found.summary)

    def test_missing(self):
        """The name is made of the HA port's id."""
        scene = self.healthy.without_link(self.standby, self.device)
        found = self.finding(scene, 'ha-device-down', self.standby)
        self.assertIn(f'{self.device} is missing', found.summary)

    def test_without_an_address(self):
        own = self.healthy.ha_port(self.standby).addresses[0]
        (address,) = (
            a.address
            for a in self.healthy.shown(self.standby).addresses
            if a.address.startswith(own + '/')
        )
        scene = self.healthy.without_address(self.standby, address)
        found = self.finding(scene, 'ha-address-missing', self.standby)
        self.assertIn(self.device, found.summary)
        self.assert_only(scene, ('ha-address-missing', self.standby))
        self.assertEqual('fault', scene.observed(self.standby))

    def test_several(self):
        scene = self.healthy.with_new_link(self.standby, 'ha-00000000-00')
        found = self.finding(scene, 'several-ha-devices', self.standby)
        self.assertIn(f'{self.device}, ha-00000000-00', found.summary)
        self.assert_only(scene, ('several-ha-devices', self.standby))

    def test_the_configured_one_counts(self):
        """Another ha- device that is down does no harm by itself."""
        scene = self.healthy.with_new_link(self.standby, 'ha-00000000-00')
        scene = scene.with_link_down(self.standby, 'ha-00000000-00')
        self.assert_only(scene, ('several-ha-devices', self.standby))
        self.assertEqual('standby', scene.observed(self.standby))


class TrackedTest(base.RuleTest):
    def setUp(self):
        super().setUp()
        self.device = self.healthy.device(self.standby, 'qg-')
        self.tracked = self.healthy.with_conf(
            self.standby, tracked=(self.device,)
        )

    def test_up(self):
        self.assert_only(self.tracked)

    def test_down(self):
        """keepalived.conf without no_track, as old releases write it."""
        scene = self.tracked.with_link_down(self.standby, self.device)
        found = self.finding(scene, 'tracked-device-down', self.standby)
        self.assertIn(
            f'{self.device}, which is administratively down', found.summary
        )
        self.assert_only(scene, ('tracked-device-down', self.standby))
        self.assertEqual('fault', scene.observed(self.standby))

    def test_down_but_not_tracked(self):
        scene = self.healthy.with_link_down(self.standby, self.device)
        self.assertEqual('standby', scene.observed(self.standby))


class RouterDevicesTest(base.RuleTest):
    def setUp(self):
        super().setUp()
        self.gateway = self.healthy.device(self.active, 'qg-')
        self.internal = self.healthy.device(self.active, 'qr-')

    def test_gateway_down(self):
        scene = self.healthy.with_link_down(self.active, self.gateway)
        found = self.finding(scene, 'gateway-device-down', self.active)
        self.assertIn(self.gateway, found.summary)
        self.assertIn('administratively down', found.summary)
        self.assert_only(scene, ('gateway-device-down', self.active))

    def test_internal_down(self):
        scene = self.healthy.with_link_down(self.active, self.internal)
        found = self.finding(scene, 'internal-device-down', self.active)
        self.assertIn(self.internal, found.summary)
        self.assert_only(scene, ('internal-device-down', self.active))

    def test_missing_on_the_active_node(self):
        (port,) = self.healthy.ports(scenes.GATEWAY_PORT)
        scene = self.healthy.without_link(self.active, self.gateway)
        found = self.finding(scene, 'device-missing', self.active)
        self.assertIn(self.gateway, found.summary)
        self.assertIn(f'router_gateway port {port.id}', found.summary)

    def test_missing_on_a_standby(self):
        scene = self.healthy.without_link(self.standby, self.gateway)
        found = self.finding(scene, 'device-not-ready', self.standby)
        self.assertIn(f'{self.gateway} is missing', found.summary)
        self.assert_only(scene, ('device-not-ready', self.standby))

    def test_internal_down_on_a_standby(self):
        scene = self.healthy.with_link_down(self.standby, self.internal)
        found = self.finding(scene, 'device-not-ready', self.standby)
        self.assertIn('administratively down', found.summary)

    def test_gateway_down_on_a_standby_is_by_design(self):
        """Neutron from Queens to Yoga does this itself."""
        self.assert_only(
            self.healthy.with_link_down(self.standby, self.gateway)
        )

    def test_down_where_it_is_not_known_who_serves(self):
        """With the VIP it would be active, without it a standby."""
        for host, name in (
            (self.active, 'internal-device-down'),
            (self.standby, 'device-not-ready'),
        ):
            scene = self.healthy.with_link_down(host, self.internal)
            scene = scene.with_view(host, processes=None)
            self.finding(scene, name, host)

    def test_other_devices_do_not_matter(self):
        scene = self.healthy.with_new_link(self.active, 'rfp-0')
        self.assert_only(scene.with_link_down(self.active, 'rfp-0'))

    def test_dead_loopback_does_not_matter(self):
        self.assert_only(self.healthy.with_link_down(self.active, 'lo'))


class SnatTest(base.RuleTest):
    """A DVR+HA router: keepalived works in the snat- namespace."""

    def setUp(self):
        super().setUp()
        scene = self.healthy
        internal = scene.ports(scenes.INTERNAL_PORT)
        scene = scene.with_new_port(
            internal[0],
            owner=scenes.SNAT_PORT,
            addresses=('10.1.1.99',),
        )
        self.device = 'sg-' + scene.router.ports[-1].id[:11]
        for port in internal:
            for host in scene.names:
                name = 'qr-' + port.id[:11]
                scene = scene.without_link(host, name)
        self.address = '10.1.1.99/24'
        for host in scene.names:
            conf = scene.conf(host)
            scene = scene.with_conf(
                host,
                excluded=(
                    *(
                        a
                        for a in conf.excluded
                        if a.device.startswith('qg-')
                        and a.address != self.healthy.floating_ip
                    ),
                    type(conf.vips[0])(self.address, self.device),
                ),
            )
            scene = scene.with_new_link(host, self.device).with_view(
                host, namespace=f'snat-{scene.router.id}'
            )
        self.dvr = scene.with_address(self.active, self.address).with_router(
            distributed=True
        )

    def test_healthy(self):
        """Internal devices and floating IPs live in other namespaces."""
        self.assert_only(
            self.dvr.without_address(self.active, self.healthy.floating_ip)
        )

    def test_snat_device_down(self):
        scene = self.dvr.with_link_down(self.active, self.device)
        found = self.finding(scene, 'internal-device-down', self.active)
        self.assertIn(self.device, found.summary)

    def test_snat_device_missing(self):
        scene = self.dvr.without_link(self.active, self.device)
        found = self.finding(scene, 'device-missing', self.active)
        self.assertIn('router_centralized_snat port', found.summary)

    def test_snat_address_missing(self):
        scene = self.dvr.without_address(self.active, self.address)
        found = self.finding(scene, 'address-missing', self.active)
        self.assertIn(self.address, found.summary)

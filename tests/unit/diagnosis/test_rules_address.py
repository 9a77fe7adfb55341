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

"""Addresses and routes: all on the active node, none elsewhere."""

import dataclasses

from tests.unit import scene as scenes
from tests.unit.diagnosis import base

DEFAULT = '0.0.0.0/0'


class MissingTest(base.RuleTest):
    def test_floating_ip(self):
        address = self.healthy.floating_ip
        scene = self.healthy.without_address(self.active, address)
        found = self.finding(scene, 'floating-ip-missing', self.active)
        self.assertIn(address, found.summary)
        self.assertIn('ip address add', found.hint)
        self.assert_only(scene, ('floating-ip-missing', self.active))

    def test_gateway_and_internal_address(self):
        for address in (
            self.healthy.gateway,
            self.healthy.internal,
            self.healthy.internal_ipv6,
        ):
            scene = self.healthy.without_address(self.active, address)
            found = self.finding(scene, 'address-missing', self.active)
            self.assertIn(address, found.summary)
            self.assert_only(scene, ('address-missing', self.active))

    def test_another_prefix_length_will_do(self):
        bare = self.healthy.floating_ip.removesuffix('/32')
        scene = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        ).with_address(
            self.active, bare + '/24', self.healthy.device(self.active, 'qg-')
        )
        self.assert_only(scene)

    def test_other_spelling_of_an_ipv6_address_will_do(self):
        scene = self.healthy.with_conf(
            self.active,
            excluded=(
                *self.healthy.conf(self.active).excluded,
                type(self.healthy.conf(self.active).vips[0])(
                    '2001:DB8:0::0:7/64', 'qr-x'
                ),
            ),
        ).with_address(self.active, '2001:db8::7/64', 'qr-x')
        self.assert_not_found(scene, 'address-missing')

    def test_floating_ip_that_keepalived_was_not_told(self):
        address = self.healthy.floating_ip
        scene = self.healthy.without_address(self.active, address)
        for host in scene.names:
            scene = scene.with_conf(
                host,
                excluded=tuple(
                    a
                    for a in scene.conf(host).excluded
                    if a.address != address
                ),
            )
        found = self.finding(scene, 'floating-ip-missing', self.active)
        self.assertIn('keepalived.conf does not name', found.summary)
        self.assertIn('do not add it by hand', found.hint)

    def test_floating_ip_without_neutrons_word(self):
        """A lone IPv4 address of keepalived.conf is one."""
        address = self.healthy.floating_ip
        scene = self.healthy.without_address(
            self.active, address, self.healthy.internal
        )
        for floating_ips in (None, ()):
            blind = scene.with_router(floating_ips=floating_ips)
            found = self.finding(blind, 'floating-ip-missing', self.active)
            self.assertIn(address, found.summary)
            found = self.finding(blind, 'address-missing', self.active)
            self.assertIn(self.healthy.internal, found.summary)

    def test_without_keepalived_conf(self):
        """Neutron's word is enough to miss an address."""
        scene = self.healthy.without_address(
            self.active, self.healthy.gateway
        ).with_view(self.active, keepalived_conf=None)
        found = self.finding(scene, 'address-missing', self.active)
        self.assertIn('no keepalived.conf was read', found.summary)

    def test_not_asked_of_a_standby(self):
        self.assertEqual(
            [],
            [
                a
                for a in self.healthy.shown(self.standby).addresses
                if a.address == self.healthy.gateway
            ],
        )
        self.assert_only(self.healthy)


class RoutesTest(base.RuleTest):
    def test_default_route_missing(self):
        scene = self.healthy.without_route(self.active, DEFAULT)
        found = self.finding(scene, 'route-missing', self.active)
        (route,) = (
            r
            for r in self.healthy.conf(self.active).routes
            if r.destination == DEFAULT
        )
        self.assertIn(f'{DEFAULT} via {route.gateway}', found.summary)
        pid = self.healthy.pid(self.active, 'keepalived')
        self.assertIn(f'(pid {pid})', found.hint)
        self.assert_only(scene, ('route-missing', self.active))

    def test_route_without_a_gateway(self):
        conf = self.healthy.conf(self.active)
        route = dataclasses.replace(
            conf.routes[0], destination='198.51.100.0/24', gateway=None
        )
        scene = self.healthy.with_conf(self.active, routes=(route,))
        found = self.finding(scene, 'route-missing', self.active)
        self.assertIn('198.51.100.0/24', found.summary)
        self.assertNotIn('via', found.summary)
        # any route there will do
        there = self.healthy.shown(self.active).routes
        scene = scene.with_view(
            self.active,
            routes=(
                *there,
                dataclasses.replace(
                    there[0],
                    destination='198.51.100.0/24',
                    gateway='192.0.2.1',
                ),
            ),
        )
        self.assert_only(scene)

    def test_route_through_another_gateway(self):
        active = self.healthy.shown(self.active)
        scene = self.healthy.with_view(
            self.active,
            routes=tuple(
                type(r)(r.destination, '192.0.2.1', r.device, r.protocol)
                if r.destination == DEFAULT
                else r
                for r in active.routes
            ),
        )
        self.finding(scene, 'route-missing', self.active)


class LeftoversTest(base.RuleTest):
    def test_addresses_without_the_vip(self):
        address = self.healthy.internal
        scene = self.healthy.with_address(self.standby, address)
        found = self.finding(scene, 'address-on-standby', self.standby)
        self.assertIn(address, found.summary)
        self.assert_only(scene, ('address-on-standby', self.standby))

    def test_link_local(self):
        address = next(
            a.address
            for a in self.healthy.conf(self.active).excluded
            if a.address.startswith('fe80:')
        )
        scene = self.healthy.with_address(self.standby, address)
        found = self.finding(scene, 'link-local-on-standby', self.standby)
        self.assertIn(address, found.summary)
        self.assert_only(scene, ('link-local-on-standby', self.standby))

    def test_addresses_of_its_own_do_not_matter(self):
        scene = self.healthy.with_address(
            self.standby,
            'fe80::1234/64',
            self.healthy.device(self.standby, 'ha-'),
        )
        self.assert_only(scene)

    def test_learned_from_the_other_nodes(self):
        """The standby's own keepalived.conf need not be readable."""
        scene = self.healthy.with_address(
            self.standby, self.healthy.internal
        ).with_view(self.standby, keepalived_conf=None)
        self.finding(scene, 'address-on-standby', self.standby)


class DetectionTest(base.RuleTest):
    def test_failed(self):
        address = self.healthy.internal_ipv6
        scene = self.healthy.with_flags(
            self.active, address, 'tentative', 'dadfailed'
        )
        found = self.finding(scene, 'dadfailed', self.active)
        self.assertIn(address, found.summary)
        self.assert_only(scene, ('dadfailed', self.active))

    def test_under_way(self):
        address = self.healthy.internal_ipv6
        scene = self.healthy.with_flags(self.active, address, 'tentative')
        found = self.finding(scene, 'address-tentative', self.active)
        self.assertIn(address, found.summary)
        self.assert_only(scene, ('address-tentative', self.active))

    def test_under_way_on_a_standby(self):
        scene = self.healthy.with_address(
            self.standby,
            'fe80::1/64',
            self.healthy.device(self.standby, 'ha-'),
            ('tentative',),
        )
        self.assert_only(scene)


class SceneTest(base.RuleTest):
    def test_the_capture_has_what_the_tests_break(self):
        self.assertEqual(1, len(self.healthy.ports(scenes.GATEWAY_PORT)))
        self.assertNotEqual((), self.healthy.router.floating_ips)
        self.assertIn(':', self.healthy.internal_ipv6)

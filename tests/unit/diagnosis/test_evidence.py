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

"""What one node's view proves."""

import dataclasses
import ipaddress

import hypothesis
from hypothesis import strategies

from osc_ha_router.diagnosis import evidence
from tests.unit.diagnosis import base

#: addresses in any spelling, and what only looks like one
spellings = strategies.one_of(
    strategies.ip_addresses().map(str),
    strategies.ip_addresses(v=6).map(lambda ip: ip.exploded.upper()),
    strategies.builds(
        '{}/{}'.format,
        strategies.ip_addresses(),
        strategies.integers(-1, 130),
    ),
    strategies.text('0123456789abF:./%', max_size=20),
    strategies.text(max_size=5),
)


class ObserveTest(base.RuleTest):
    def test_each_state(self):
        healthy = self.healthy
        for scene, host, expected in (
            (healthy, self.active, 'active'),
            (healthy, self.standby, 'standby'),
            (healthy.without_keepalived(self.active), self.active, 'stale'),
            (healthy.without_keepalived(self.standby), self.standby, 'fault'),
            (healthy.without_namespace(self.standby), self.standby, 'absent'),
            (healthy.with_unreachable(self.standby), self.standby, 'unknown'),
            (healthy.without_host(self.standby), self.standby, 'unknown'),
        ):
            self.assertEqual(expected, scene.observed(host))

    def test_a_living_keepalived_that_cannot_work_is_in_fault(self):
        device = self.healthy.device(self.standby, 'ha-')
        own = self.healthy.ha_port(self.standby).addresses[0]
        (address,) = (
            a.address
            for a in self.healthy.shown(self.standby).addresses
            if a.address.startswith(own + '/')
        )
        for scene in (
            self.healthy.with_link_down(self.standby, device),
            self.healthy.without_link(self.standby, device),
            self.healthy.without_address(self.standby, address),
        ):
            self.assertEqual('fault', scene.observed(self.standby))

    def test_unknown_without_addresses_or_processes(self):
        for field in ('addresses', 'processes'):
            scene = self.healthy.with_view(self.active, **{field: None})
            self.assertEqual('unknown', scene.observed(self.active))
            self.assertEqual([], scene.judge().active_hosts)

    def test_standby_needs_a_look_at_its_devices(self):
        scene = self.healthy.with_view(self.standby, links=None)
        self.assertEqual('unknown', scene.observed(self.standby))


class NormalTest(base.RuleTest):
    def test_spellings(self):
        for given, expected in (
            ('10.0.0.1/24', '10.0.0.1/24'),
            ('10.0.0.1', '10.0.0.1/32'),
            ('2001:DB8:0:0::1/64', '2001:db8::1/64'),
            ('not an address', 'not an address'),
            ('', ''),
        ):
            self.assertEqual(expected, evidence.normal(given))

    @hypothesis.given(spellings)
    @hypothesis.example('1.2.3.4/255.255.255.0')
    @hypothesis.example('::ffff:1.2.3.4/96')
    @hypothesis.example('::1.2.3.4')
    @hypothesis.example('01.2.3.4/24')
    @hypothesis.example('1.2.3.4/024')
    @hypothesis.example('1.2.3.4/')
    @hypothesis.example('fe80::1%eth0/64')
    @hypothesis.example('1.2.3')
    @hypothesis.example('\0')
    def test_is_what_the_library_says(self, address):
        """The quick way agrees with the one that takes ten times as long."""
        try:
            expected = ipaddress.ip_interface(address).with_prefixlen
        except ValueError:
            expected = address
        self.assertEqual(expected, evidence.normal(address))
        self.assertEqual(expected.partition('/')[0], evidence.bare(address))

    def test_bare(self):
        self.assertEqual('2001:db8::1', evidence.bare('2001:DB8::1/64'))


class GuessedVipsTest(base.RuleTest):
    def test_by_the_port(self):
        shown = self.healthy.shown(self.active)
        port = self.healthy.ha_port(self.active)
        self.assertEqual(
            {self.healthy.vip}, evidence.guessed_vips(shown, port)
        )
        shown = self.healthy.shown(self.standby)
        port = self.healthy.ha_port(self.standby)
        self.assertEqual(set(), evidence.guessed_vips(shown, port))

    def test_by_the_default_block(self):
        shown = self.healthy.shown(self.active)
        self.assertEqual(
            {self.healthy.vip}, evidence.guessed_vips(shown, None)
        )

    def test_garbage_is_no_vip(self):
        shown = self.healthy.shown(self.active)
        addresses = tuple(
            dataclasses.replace(a, address='garbage') for a in shown.addresses
        )
        self.assertEqual(
            set(),
            evidence.guessed_vips(
                dataclasses.replace(shown, addresses=addresses), None
            ),
        )

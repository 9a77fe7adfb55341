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

"""Reading keepalived.conf, as several releases of Neutron write it."""

import ipaddress
import pathlib

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import codec
from osc_ha_router.model import view
from osc_ha_router.node import blocks
from osc_ha_router.node import keepalived

SAMPLES = pathlib.Path(__file__).parent / 'samples'
TEXTS = {path.stem: path.read_text() for path in SAMPLES.glob('*.conf')}

BLOCK = """
vrrp_instance VR_1 {
    interface ha-1
    virtual_router_id 1
    virtual_ipaddress {
        %s
    }
    virtual_routes {
        %s
    }
}
"""


#: releases of the samples that wrote no no_track
TRACKING = ('rocky', '2023.1')


def routes_of(text: str) -> list:
    return keepalived.parse(BLOCK % ('169.254.0.1/24', text))['routes']


def vips_of(text: str) -> list:
    return keepalived.parse(BLOCK % (text, ''))['vips']


class ReleasesTest(testtools.TestCase):
    """The samples are what Neutron 13, 22 and 29 write for one router."""

    def test_all_releases_say_the_same(self):
        self.assertEqual({'rocky', '2023.1', '2026.2'}, set(TEXTS))
        for release, text in TEXTS.items():
            conf = keepalived.parse(text)
            tracked = conf.pop('tracked')
            self.assertEqual(
                release in TRACKING, 'qg-aabbccdd-ee' in tracked, release
            )
            self.assertIn('ha-0a1b2c3d-4e', tracked)
            expected = {
                'interface': 'ha-0a1b2c3d-4e',
                'vrid': 14,
                'priority': 50,
                'advert_int': 2.0,
                'nopreempt': True,
                'vips': [
                    {'address': '169.254.0.14/24', 'device': 'ha-0a1b2c3d-4e'}
                ],
                'excluded': [
                    {'address': address, 'device': device}
                    for address, device in (
                        ('192.168.50.1/24', 'qr-11223344-55'),
                        ('2001:db8:5::1/64', 'qr-66778899-aa'),
                        ('203.0.113.14/24', 'qg-aabbccdd-ee'),
                        ('203.0.113.77/32', 'qg-aabbccdd-ee'),
                        ('fe80::f816:3eff:fe12:3456/64', 'qg-aabbccdd-ee'),
                        ('fe80::f816:3eff:feab:cdef/64', 'qr-66778899-aa'),
                    )
                ],
                'routes': [
                    {
                        'destination': destination,
                        'gateway': gateway,
                        'device': device,
                    }
                    for destination, gateway, device in (
                        ('0.0.0.0/0', '203.0.113.1', 'qg-aabbccdd-ee'),
                        ('::/0', '2001:db8::1', 'qg-aabbccdd-ee'),
                        ('10.20.0.0/16', '192.168.50.254', None),
                        ('198.51.100.0/24', None, 'qg-aabbccdd-ee'),
                    )
                ],
            }
            self.assertEqual(expected, conf, release)

    def test_shape(self):
        for text in TEXTS.values():
            conf = dict(keepalived.parse(text), path='/x', sha256='00')
            decoded = codec.decode(view.KeepalivedConf, conf)
            self.assertEqual(conf, codec.encode(decoded))

    def test_secret_stays(self):
        self.assertIn('auth_pass', TEXTS['2026.2'])
        self.assertNotIn('ss#w', str(keepalived.parse(TEXTS['2026.2'])))


class GrammarTest(testtools.TestCase):
    """What the manual allows beyond what Neutron writes."""

    def test_comments_and_space(self):
        conf = keepalived.parse(
            '! a comment { with a brace\n'
            '# another }\r\n'
            'vrrp_instance   VR_9\n'
            '\n'
            '{ # opened on a line of its own\r\n'
            '\tinterface\tha-9\t! the device\n'
            'virtual_router_id 9\r\n'
            'advert_int 0.5\n'
            'virtual_ipaddress { 169.254.0.9/24 }\n'
            'virtual_ipaddress_excluded{\n10.0.0.9\n\n# 10.0.0.8\n}}\n'
        )
        self.assertEqual('ha-9', conf['interface'])
        self.assertEqual(9, conf['vrid'])
        self.assertEqual(0.5, conf['advert_int'])
        self.assertFalse(conf['nopreempt'])
        self.assertIsNone(conf['priority'])
        # no device: keepalived takes the one of the instance
        self.assertEqual(
            [{'address': '169.254.0.9/24', 'device': 'ha-9'}], conf['vips']
        )
        self.assertEqual(
            [{'address': '10.0.0.9/32', 'device': 'ha-9'}], conf['excluded']
        )

    def test_the_instance_on_the_ha_device_counts(self):
        other = BLOCK.replace('ha-1', 'eth0').replace('_id 1', '_id 7')
        for text in (other + BLOCK, BLOCK + other):
            conf = keepalived.parse(text % (('10.0.0.1', '') * 2))
            self.assertEqual(1, conf['vrid'])
        self.assertEqual(7, keepalived.parse(other % ('10.0.0.1', ''))['vrid'])

    def test_addresses_are_normalised(self):
        for written, expected in (
            ('10.0.0.1', '10.0.0.1/32'),
            ('10.0.0.1/8', '10.0.0.1/8'),
            ('2001:DB8:0:0::0001', '2001:db8::1/128'),
            ('FE80::1/64 dev qr-1 scope link', 'fe80::1/64'),
        ):
            self.assertEqual(expected, vips_of(written)[0]['address'])

    def test_no_address(self):
        for text in (
            '10.0.0',
            '10.0.0.256/24',
            '10.0.0.1/33',
            '10.0.0.1/',
            '10.0.0.1/255.255.255.0',
            '::1/129',
            'fe80::1%ha-1/64',
            'localhost',
            '10.0.0.1/-1',
        ):
            self.assertRaises(blocks.ConfError, vips_of, text)

    def test_routes(self):
        for text, expected in (
            ('default via 10.0.0.1', ('0.0.0.0/0', '10.0.0.1', None)),
            ('default via fe80::1 dev q', ('::/0', 'fe80::1', 'q')),
            (
                '10.1.2.3/16 dev qr-1 scope link src 10.1.0.1',
                ('10.1.0.0/16', None, 'qr-1'),
            ),
            (
                'src 10.0.0.1 to 10.9.0.0/24 via 10.0.0.2 dev qr-1',
                ('10.9.0.0/24', '10.0.0.2', 'qr-1'),
            ),
            (
                '10.8.0.0/24 no_track via 10.0.0.2 table main metric 5',
                ('10.8.0.0/24', '10.0.0.2', None),
            ),
        ):
            (route,) = routes_of(text)
            self.assertEqual(
                expected,
                (route['destination'], route['gateway'], route['device']),
            )

    def test_routes_elsewhere_are_left_out(self):
        self.assertEqual([], routes_of('10.0.0.0/8 via 10.0.0.1 table 17'))
        self.assertEqual([], routes_of('blackhole 10.0.0.0/8'))

    def test_garbled(self):
        whole = TEXTS['2026.2']
        for text in (
            '',
            'global_defs { router_id neutron }',
            whole + '}',
            whole.rstrip()[:-1],
            '{' + whole,
            whole[: len(whole) // 2],
            whole.replace('virtual_router_id 14', 'virtual_router_id x14'),
            whole.replace('virtual_router_id 14', 'virtual_router_id 256'),
            whole.replace('virtual_router_id 14', 'virtual_router_id ²'),
            whole.replace('advert_int 2', 'advert_int nan'),
            whole.replace('via 203.0.113.1 ', 'via 203.0.113 '),
        ):
            error = self.assertRaises(blocks.ConfError, keepalived.parse, text)
            self.assertNotIn('pa{ss', str(error))


class AnyTextTest(testtools.TestCase):
    """Whatever the file holds, there is one kind of error."""

    @hypothesis.given(strategies.text())
    def test_noise(self, text):
        self._check(text)

    @hypothesis.given(
        strategies.lists(
            strategies.sampled_from(
                sorted(
                    {
                        word
                        for text in TEXTS.values()
                        for line in text.splitlines()
                        for word in [*line.split(), '\n']
                    }
                )
            )
        )
    )
    def test_shuffled_words(self, words):
        self._check('vrrp_instance x {\n' + ' '.join(words) + '\n}')

    @hypothesis.given(strategies.data())
    def test_damaged(self, data):
        text = TEXTS[data.draw(strategies.sampled_from(sorted(TEXTS)))]
        position = data.draw(strategies.integers(0, len(text) - 1))
        length = data.draw(strategies.integers(0, 20))
        new = data.draw(strategies.text(max_size=5))
        self._check(text[:position] + new + text[position + length :])

    def _check(self, text):
        try:
            conf = keepalived.parse(text)
        except blocks.ConfError:
            return
        codec.decode(view.KeepalivedConf, dict(conf, path='/x', sha256='00'))

    @hypothesis.given(
        strategies.lists(strategies.ip_addresses(), min_size=1),
        strategies.integers(1, 255),
    )
    def test_round_trip(self, addresses, vrid):
        conf = keepalived.parse(
            '\n'.join(
                [
                    'vrrp_instance x {',
                    '    interface ha-x',
                    f'    virtual_router_id {vrid}',
                    '    virtual_ipaddress_excluded {',
                    *(f'        {each} dev q' for each in addresses),
                    '    }',
                    '}',
                ]
            )
        )
        self.assertEqual(vrid, conf['vrid'])
        # compared as numbers: the standard library and the C library spell
        # IPv4 addresses within IPv6 in different ways
        self.assertEqual(
            [(each, each.max_prefixlen) for each in addresses],
            [
                (interface.ip, interface.network.prefixlen)
                for interface in (
                    ipaddress.ip_interface(each['address'])
                    for each in conf['excluded']
                )
            ],
        )

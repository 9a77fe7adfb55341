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


"""Announcements and neighbours on real devices."""

import json
import time

from osc_ha_router.node import announce
from osc_ha_router.node import neighbours
from osc_ha_router.node import netlink
from tests.functional.node import spaces
from tests.functional.node import wires

MAC, OTHER = wires.MACS[spaces.QR], 'fa:16:3e:99:99:99'
SIX = '2001:db8:5::1/64'


class AnnounceTest(spaces.SpaceTest):
    def setUp(self):
        super().setUp()
        lines = self.useFixture(wires.Wires(f'a{time.monotonic_ns()}'))
        self.client, self.router = lines.client, lines.router()
        self.router.ip('link', 'set', spaces.QR, 'up')

    def announcer(self, *addresses):
        conf = {
            'vips': [{'device': spaces.HA, 'address': '169.254.0.14/24'}],
            'excluded': [
                {'device': spaces.QR, 'address': each} for each in addresses
            ],
        }
        with wires.inside(self.router.name):
            found = announce.Announcer(conf)
        self.addCleanup(found.__exit__)
        return found

    def add(self, address):
        self.router.ip('addr', 'add', address, 'dev', spaces.QR, 'nodad')

    def known(self, address):
        """The MAC that the client has for an address."""
        found = json.loads(
            self.client.ip('-json', 'neigh', 'show', 'to', address)
        )
        return found[0]['lladdr'] if found else None

    def mistake(self, address):
        """Let the client believe that the address is somewhere else."""
        self.client.ip(
            *('neigh', 'replace', address, 'lladdr', OTHER, 'dev', 'eth0'),
            *('nud', 'stale'),
        )
        self.assertEqual(OTHER, self.known(address))

    def corrected(self, address):
        return spaces.eventually(lambda: self.known(address) == MAC, 1)

    def test_ipv4(self):
        self.add(f'{wires.INSIDE}/24')
        self.mistake(wires.INSIDE)
        announcer = self.announcer(SIX, f'{wires.INSIDE}/24')
        announcer.look()
        self.assertEqual({spaces.QR}, announcer.devices())
        # the neighbour believes nobody again within a second
        time.sleep(1.1)
        self.assertEqual(1, announcer.announce())
        self.assertTrue(self.corrected(wires.INSIDE))

    def test_ipv6_only(self):
        """The client's kernel checks the sum, and goes by the frame."""
        self.add(SIX)
        self.client.ip('addr', 'add', '2001:db8:5::2/64', 'dev', 'eth0')
        self.mistake('2001:db8:5::1')
        announcer = self.announcer(SIX)
        announcer.look()
        self.assertEqual(1, announcer.announce())
        self.assertTrue(self.corrected('2001:db8:5::1'))

    def test_only_what_is_there(self):
        announcer = self.announcer(f'{wires.INSIDE}/24', '10.9.9.9/24')
        announcer.look()
        self.assertEqual(0, announcer.announce())
        self.add(f'{wires.INSIDE}/24')
        self.assertIn((spaces.QR, f'{wires.INSIDE}/24'), announcer.look())
        self.assertEqual(1, announcer.announce())
        self.router.ip('addr', 'flush', 'dev', spaces.QR)
        announcer.look()
        self.assertEqual(0, announcer.announce())
        # what nobody asked for
        self.add('10.1.1.7/24')
        announcer.look()
        self.assertEqual(set(), announcer.devices())

    def test_address_that_is_somebody_elses(self):
        self.client.ip('addr', 'add', '2001:db8:5::1/64', 'dev', 'eth0')
        time.sleep(2)
        self.router.execute(
            *('sysctl', '-qw', f'net.ipv6.conf.{spaces.QR}.accept_dad=1'),
        )
        self.router.ip('addr', 'add', SIX, 'dev', spaces.QR)
        announcer = self.announcer(SIX)
        for _ in range(3):
            announcer.look()
            self.assertEqual(set(), announcer.devices())
            time.sleep(1)

    def test_device_that_goes(self):
        self.add(f'{wires.INSIDE}/24')
        announcer = self.announcer(f'{wires.INSIDE}/24')
        announcer.look()
        self.router.ip('link', 'set', spaces.QR, 'down')
        self.assertEqual(0, announcer.announce())
        self.router.ip('link', 'set', spaces.QR, 'up')
        self.assertEqual(1, announcer.announce())
        self.router.ip('link', 'del', spaces.QR)
        self.assertEqual(0, announcer.announce())
        announcer.look()
        self.assertEqual(0, announcer.announce())

    def test_news(self):
        with wires.inside(self.router.name):
            news = netlink.News(0x110)
        with news:
            self.assertFalse(news.drain())
            self.add('10.1.1.7/24')
            self.assertTrue(news.drain())
            self.assertFalse(news.drain())
            # more than the socket holds is told as well
            for number in range(40):
                self.router.ip(
                    *('-batch', self.batch(number * 250)),
                )
            self.assertTrue(news.drain())
            self.assertFalse(news.drain())

    def batch(self, start):
        path = self.router.folder / 'batch'
        path.write_text(
            ''.join(
                f'addr add 10.{2 + i // 250}.0.{1 + i % 250}/32 dev lo\n'
                for i in range(start, start + 250)
            )
        )
        return str(path)


class NeighboursTest(spaces.SpaceTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = (
            self.useFixture(spaces.Space(f'n{time.monotonic_ns()}'))
            for _ in range(2)
        )
        for space in (self.left, self.right):
            for device in (spaces.QG, spaces.QR, spaces.HA):
                space.tap(device)

    def add(self, space, address, device, mac, state='reachable'):
        space.ip(
            *('neigh', 'add', address, 'lladdr', mac, 'dev', device),
            *('nud', state),
        )

    def test_carried(self):
        self.add(self.left, '10.0.0.9', spaces.QR, MAC)
        self.add(self.left, '2001:db8::9', spaces.QG, MAC, 'stale')
        # the other replicas are no business of the new node
        self.add(self.left, '169.254.192.6', spaces.HA, MAC)
        self.add(self.left, '10.0.0.10', spaces.QR, MAC, 'permanent')
        self.left.ip(
            'neigh', 'add', '10.0.0.8', 'dev', spaces.QR, 'nud', 'failed'
        )
        with wires.inside(self.left.name):
            found = neighbours.read()
        self.assertEqual(
            [(spaces.QG, '2001:db8::9', MAC), (spaces.QR, '10.0.0.9', MAC)],
            sorted(tuple(each.values()) for each in found),
        )
        self.add(self.right, '10.0.0.9', spaces.QR, OTHER)
        strange = {'device': 'qr-00000000-00', 'address': '10.0.0.7'}
        entries = neighbours.check([*found, {**strange, 'mac': MAC}])
        with wires.inside(self.right.name):
            self.assertEqual((2, 1), neighbours.write(entries))
            now = {each['address']: each['mac'] for each in neighbours.read()}
        self.assertEqual({'10.0.0.9': OTHER, '2001:db8::9': MAC}, now)
        self.assertIn(
            'STALE', self.right.ip('-6', 'neigh', 'show', '2001:db8::9')
        )
        self.assertIn(
            'REACHABLE', self.right.ip('neigh', 'show', 'to', '10.0.0.9')
        )

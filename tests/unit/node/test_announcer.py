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

"""Which of a router's addresses are announced, from which devices."""

import contextlib

import fixtures
import testtools

from osc_ha_router.node import announce
from tests.unit.node import kernel

HA, QG, QR = 'ha-11111111-11', 'qg-22222222-22', 'qr-33333333-33'


class AnnouncerTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.kernel = self.useFixture(kernel.Kernel(HA, QG, QR))
        self.sent = []
        self.down = set()
        channel = contextlib.ExitStack()
        channel.sendto = self.send
        self.useFixture(
            fixtures.MockPatchObject(
                announce.socket, 'socket', lambda *_: channel
            )
        )
        self.kernel.held = {
            (HA, '169.254.0.14/24'): [],
            (QG, '2001:db8:5::7/64'): [],
            (QG, '203.0.113.10/24'): [],
            (QR, '10.0.0.1/24'): [],
        }
        named = [
            {'device': device, 'address': address}
            for device, address in self.kernel.held
        ]
        self.announcer = announce.Announcer(
            {'vips': named[:1], 'excluded': named[1:]}
        )

    def send(self, content, target):
        if target[0] in self.down:
            raise OSError(100, 'Network is down')
        self.sent.append((target[0], content))

    def test_two_frames_from_each_device(self):
        self.assertEqual(0, self.announcer.announce())
        self.assertEqual(set(self.kernel.held), self.announcer.look())
        self.assertEqual({QG, QR}, self.announcer.devices())
        self.assertEqual(2, self.announcer.announce())
        self.assertEqual([QG, QG, QR, QR], [name for name, _ in self.sent])
        # of the two addresses of one device that of IPv4
        self.assertEqual(
            announce.claim('fa:16:3e:00:00:03', '203.0.113.10'),
            self.sent[0][1],
        )

    def test_no_round_is_like_the_last_one(self):
        self.announcer.look()
        self.announcer.announce()
        first, self.sent = self.sent, []
        self.announcer.announce()
        self.assertNotEqual(first[1], self.sent[1])

    def test_device_that_is_down(self):
        self.announcer.look()
        self.down = {QG}
        self.assertEqual(1, self.announcer.announce())

    def test_address_that_nobody_may_use_yet(self):
        self.kernel.held[QR, '10.0.0.1/24'] = ['tentative']
        self.announcer.look()
        self.assertEqual({QG}, self.announcer.devices())

    def test_address_that_is_gone(self):
        del self.kernel.held[QG, '203.0.113.10/24']
        self.announcer.look()
        self.announcer.announce()
        self.assertEqual(
            announce.claim('fa:16:3e:00:00:03', '2001:db8:5::7'),
            dict(reversed(self.sent))[QG],
        )

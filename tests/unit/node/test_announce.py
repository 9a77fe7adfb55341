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


"""The bytes of announcements."""

import struct

import testtools

from osc_ha_router.node import announce

MAC = 'fa:16:3e:04:fd:ab'
RAW = bytes.fromhex('fa163e04fdab')


class FramesTest(testtools.TestCase):
    def test_arp(self):
        address = bytes((203, 0, 113, 10))
        self.assertEqual(
            b'\xff' * 6
            + RAW
            + bytes.fromhex('0806 0001 0800 06 04 0001')
            + RAW
            + address
            + bytes(6)
            + address,
            announce.claim(MAC, '203.0.113.10'),
        )

    def test_advertisement(self):
        found = announce.claim(MAC, 'fe80::f816:3eff:fe04:fdab')
        source = bytes.fromhex('fe80000000000000f8163efffe04fdab')
        nodes = bytes.fromhex('ff02' + '00' * 13 + '01')
        self.assertEqual(
            bytes.fromhex('333300000001') + RAW + b'\x86\xdd', found[:14]
        )
        self.assertEqual(
            bytes.fromhex('60000000 0020 3a ff') + source + nodes, found[14:54]
        )
        body = found[54:]
        self.assertEqual(bytes.fromhex('8800'), body[:2])
        self.assertEqual(
            bytes.fromhex('a0000000') + source + b'\x02\x01' + RAW, body[4:]
        )
        # with the sum in it everything sums up to nothing
        pseudo = source + nodes + struct.pack('!II', len(body), 58)
        self.assertEqual(0, announce._checksum(pseudo + body))

    def test_question(self):
        """Asks for another one each time, and never for its own."""
        source = bytes((203, 0, 113, 10))
        found = [
            announce.question(MAC, '203.0.113.10', number)
            for number in range(254)
        ]
        self.assertEqual(
            {
                b'\xff' * 6
                + RAW
                + bytes.fromhex('0806 0001 0800 06 04 0001')
                + RAW
                + source
                + bytes(6)
                + bytes((192, 0, 2, last))
                for last in range(1, 255)
            },
            set(found),
        )

    def test_solicitation(self):
        found = announce.question(MAC, 'fe80::f816:3eff:fe04:fdab', 6)
        source = bytes.fromhex('fe80000000000000f8163efffe04fdab')
        wanted = bytes.fromhex('20010db8' + '00' * 11 + '07')
        group = bytes.fromhex('ff02' + '00' * 9 + '01ff000007')
        self.assertEqual(
            bytes.fromhex('3333ff000007') + RAW + b'\x86\xdd', found[:14]
        )
        self.assertEqual(
            bytes.fromhex('60000000 0020 3a ff') + source + group, found[14:54]
        )
        body = found[54:]
        self.assertEqual(bytes.fromhex('8700'), body[:2])
        self.assertEqual(bytes(4) + wanted + b'\x01\x01' + RAW, body[4:])
        pseudo = source + group + struct.pack('!II', len(body), 58)
        self.assertEqual(0, announce._checksum(pseudo + body))

    def test_checksum(self):
        # the example of RFC 1071
        data = bytes.fromhex('0001f203f4f5f6f7')
        self.assertEqual(0xFFFF - 0xDDF2, announce._checksum(data))

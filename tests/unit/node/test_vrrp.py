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

"""VRRP advertisements on the wire, and the filter that picks them."""

import ctypes
import ipaddress
import socket
import struct

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import vrrp

MULTICAST = bytes.fromhex('01005e000012')
SENDER = bytes.fromhex('fa163e04fdab')


def body(version: int = 2, vrid: int = 67, priority: int = 50) -> bytes:
    return struct.pack(
        '!BBBBBBH', version << 4 | 1, vrid, priority, 1, 0, 2, 0
    )


def ipv4(content: bytes, protocol: int = 112, fragment: int = 0) -> bytes:
    return (
        struct.pack(
            '!BBHHHBBH4s4s',
            0x45,
            0xC0,
            20 + len(content),
            1,
            fragment,
            255,
            protocol,
            0,
            socket.inet_aton('169.254.194.155'),
            socket.inet_aton('224.0.0.18'),
        )
        + content
    )


def ipv6(content: bytes, protocol: int = 112) -> bytes:
    return (
        struct.pack(
            '!IHBB16s16s',
            6 << 28,
            len(content),
            protocol,
            255,
            ipaddress.ip_address('fe80::1').packed,
            ipaddress.ip_address('ff02::12').packed,
        )
        + content
    )


def frame(packet: bytes, kind: int = 0x0800, tag: int | None = None) -> bytes:
    tagged = struct.pack('!HH', tag, 7) if tag else b''
    # Ethernet frames are padded to 60 bytes
    head = MULTICAST + SENDER + tagged + struct.pack('!H', kind)
    return (head + packet).ljust(60, b'\0')


def authenticated(content: bytes) -> bytes:
    """AH with the 12 bytes of HMAC-MD5-96, as keepalived writes it."""
    return struct.pack('!BBHII12s', 112, 4, 0, 0, 1, bytes(12)) + content


FOUND = ('169.254.194.155', 67, 50)
ADVERTISEMENTS = {
    'version 2': (frame(ipv4(body())), FOUND),
    'version 3': (frame(ipv4(body(3))), FOUND),
    'leaving': (frame(ipv4(body(priority=0))), ('169.254.194.155', 67, 0)),
    'AH': (frame(ipv4(authenticated(body()), 51)), FOUND),
    'tagged': (frame(ipv4(body()), tag=0x8100), FOUND),
    'provider tag': (frame(ipv4(body()), tag=0x88A8), FOUND),
    'IPv6': (frame(ipv6(body(3)), 0x86DD), ('fe80::1', 67, 50)),
    'IPv6 tagged': (
        frame(ipv6(body(3)), 0x86DD, 0x8100),
        ('fe80::1', 67, 50),
    ),
}
#: these do not pass the filter
OTHERS = {
    'ARP': frame(bytes(28), 0x0806),
    'UDP': frame(ipv4(bytes(8), 17)),
    'UDP over IPv6': frame(ipv6(bytes(8), 17), 0x86DD),
    'tagged UDP': frame(ipv4(bytes(8), 17), tag=0x8100),
    'tagged ARP': frame(bytes(28), 0x0806, 0x8100),
}
#: these pass the filter, which does not look that deep
IMPOSTORS = {
    'version 1': frame(ipv4(body(1))),
    'not an advertisement': frame(ipv4(b'\x22' + body()[1:])),
    'fragment': frame(ipv4(body(), fragment=10)),
    'cut off': frame(ipv4(body()[:7])),
    'longer than the frame': frame(ipv4(bytes(500)))[:60],
    'AH around something else': frame(ipv4(b'\x11' + bytes(30), 51)),
    'AH cut off': frame(ipv4(b'\x70', 51)),
}


class DecodeTest(testtools.TestCase):
    def test_advertisements(self):
        for name, (data, expected) in ADVERTISEMENTS.items():
            self.assertEqual(expected, vrrp.decode(data), name)

    def test_others(self):
        for name, data in {**OTHERS, **IMPOSTORS}.items():
            self.assertIsNone(vrrp.decode(data), name)

    @hypothesis.given(strategies.binary(max_size=100))
    def test_noise(self, data):
        self._check(vrrp.decode(data))

    @hypothesis.given(strategies.data())
    def test_damaged(self, data):
        name = data.draw(strategies.sampled_from(sorted(ADVERTISEMENTS)))
        damaged = bytearray(ADVERTISEMENTS[name][0])
        position = data.draw(strategies.integers(12, len(damaged) - 1))
        damaged[position] = data.draw(strategies.integers(0, 255))
        length = data.draw(strategies.integers(0, len(damaged)))
        self._check(vrrp.decode(bytes(damaged[:length])))

    def _check(self, found):
        if found is not None:
            ipaddress.ip_address(found.source)
            self.assertIn(found.vrid, range(256))
            self.assertIn(found.priority, range(256))


class FilterTest(testtools.TestCase):
    """The filter, run by the kernel on a socket that needs no rights."""

    def setUp(self):
        super().setUp()
        self.sender, self.receiver = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_DGRAM
        )
        self.addCleanup(self.sender.close)
        self.addCleanup(self.receiver.close)
        rows = b''.join(struct.pack('=HBBI', *row) for row in vrrp.FILTER)
        kept = ctypes.create_string_buffer(rows, len(rows))
        self.receiver.setsockopt(
            socket.SOL_SOCKET,
            26,
            struct.pack('@HP', len(vrrp.FILTER), ctypes.addressof(kept)),
        )
        self.receiver.setblocking(False)

    def passes(self, data: bytes) -> bool:
        self.sender.send(data)
        try:
            received = self.receiver.recv(4096)
        except BlockingIOError:
            return False
        self.assertEqual(data, received)
        return True

    def test_advertisements_pass(self):
        for name, (data, _) in ADVERTISEMENTS.items():
            self.assertTrue(self.passes(data), name)

    def test_others_do_not(self):
        for name, data in OTHERS.items():
            self.assertFalse(self.passes(data), name)

    def test_short_frames_do_not(self):
        whole = ADVERTISEMENTS['version 2'][0]
        for length in range(1, 24):
            self.assertFalse(self.passes(whole[:length]), length)

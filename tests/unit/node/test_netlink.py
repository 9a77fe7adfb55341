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

"""Netlink messages: what the kernel says, and what it never would."""

import errno
import socket
import struct

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import codec
from osc_ha_router.model import view
from osc_ha_router.node import netlink
from osc_ha_router.node import routes
from osc_ha_router.node import rtnetlink

NAMES = {2: 'qg-12', 3: 'ha-34'}
MAC = bytes.fromhex('fa163e04fdab')


def attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack('=HH', size, kind) + value + bytes(-size % 4)


def ip(text: str) -> bytes:
    family = socket.AF_INET6 if ':' in text else socket.AF_INET
    return socket.inet_pton(family, text)


class MessagesTest(testtools.TestCase):
    def test_messages(self):
        one = struct.pack('=IHHII', 18, 16, 2, 7, 0) + b'ab'
        two = struct.pack('=IHHII', 20, 3, 2, 7, 0) + b'wxyz'
        self.assertEqual(
            [(16, 2, 7, b'ab'), (3, 2, 7, b'wxyz')],
            list(netlink.messages(one + bytes(2) + two)),
        )

    def test_attributes(self):
        data = b'head' + attribute(1, b'a') + attribute(0x8002, b'bcde')
        self.assertEqual(
            {1: b'a', 2: b'bcde'}, netlink.attributes(data, 4, (1, 2))
        )
        self.assertEqual({2: b'bcde'}, netlink.attributes(data, 4, (2, 9)))

    def test_wrong_lengths(self):
        for data in (b'x', bytes(16), struct.pack('=IHHII', 99, 0, 0, 0, 0)):
            self.assertRaises(
                netlink.NetlinkError, list, netlink.messages(data)
            )
        for data in (bytes(4), struct.pack('=HH', 99, 1)):
            self.assertRaises(
                netlink.NetlinkError, netlink.attributes, data, 0, (1,)
            )

    @hypothesis.given(strategies.binary())
    def test_noise(self, data):
        try:
            found = list(netlink.messages(data))
        except netlink.NetlinkError:
            return
        self.assertTrue(all(len(each[3]) < len(data) for each in found))

    @hypothesis.given(strategies.binary(), strategies.integers(0, 9))
    def test_noisy_attributes(self, data, offset):
        try:
            found = netlink.attributes(data, offset, range(99))
        except netlink.NetlinkError:
            return
        self.assertTrue(all(value in data for value in found.values()))


class DecodersTest(testtools.TestCase):
    def test_link(self):
        body = struct.pack('=BxHiII', 0, 1, 3, 0x1003, 0)
        body += attribute(3, b'ha-34\0') + attribute(16, b'\6')
        body += attribute(4, struct.pack('=I', 1450)) + attribute(1, MAC)
        self._same(
            view.Link('ha-34', 3, True, 'UP', 'fa:16:3e:04:fd:ab', 1450),
            rtnetlink.link(body),
        )

    def test_link_without_anything(self):
        self._same(
            view.Link('', 3, False, 'UNKNOWN'),
            rtnetlink.link(struct.pack('=BxHiII', 0, 1, 3, 0x1002, 0)),
        )

    def test_address(self):
        body = struct.pack('=BBBBI', 2, 24, 0x80, 0, 2)
        body += attribute(1, ip('10.0.0.2')) + attribute(2, ip('10.0.0.1'))
        self._same(
            # the local address, not that of a peer
            view.Address('qg-12', '10.0.0.1/24', 'global', ('permanent',)),
            rtnetlink.address(body, NAMES),
        )

    def test_address_flags(self):
        body = struct.pack('=BBBBI', 10, 64, 0xC8, 253, 9)
        body += attribute(1, ip('fe80::1'))
        body += attribute(8, struct.pack('=I', 0x2C8))
        self._same(
            view.Address(
                'if9',
                'fe80::1/64',
                'link',
                ('dadfailed', 'tentative', 'permanent', 'noprefixroute'),
            ),
            rtnetlink.address(body, NAMES),
        )

    def test_temporary_address(self):
        body = struct.pack('=BBBBI', 2, 32, 0x01, 0, 2)
        body += attribute(2, ip('10.0.0.1'))
        flags = rtnetlink.address(body, NAMES)['flags']
        self.assertEqual(['secondary', 'dynamic'], flags)

    def test_route(self):
        body = self._route() + attribute(5, ip('203.0.113.1'))
        body += attribute(4, struct.pack('=I', 2))
        (found,) = routes.route(body, NAMES)
        self._same(
            view.Route('0.0.0.0/0', '203.0.113.1', 'qg-12', 'keepalived'),
            found,
        )

    def test_route_through_the_other_family(self):
        via = struct.pack('=H', socket.AF_INET6) + ip('fe80::1')
        (found,) = routes.route(self._route() + attribute(18, via), NAMES)
        self.assertEqual('fe80::1', found['gateway'])

    def test_route_with_two_hops(self):
        hops = b''
        for index, gateway in ((2, '10.0.0.1'), (3, '10.0.0.2')):
            rest = attribute(5, ip(gateway))
            hops += struct.pack('=HBBi', 8 + len(rest), 0, 0, index) + rest
        found = routes.route(self._route() + attribute(9, hops), NAMES)
        self.assertEqual(
            [('10.0.0.1', 'qg-12'), ('10.0.0.2', 'ha-34')],
            [(route['gateway'], route['device']) for route in found],
        )

    def test_routes_of_no_interest(self):
        local = attribute(15, struct.pack('=I', 255))
        self.assertEqual([], routes.route(self._route() + local, NAMES))
        self.assertEqual([], routes.route(self._route(kind=3), NAMES))
        self.assertEqual([], routes.route(self._route(table=255), NAMES))
        self.assertEqual([], routes.route(self._route(flags=512), NAMES))
        kernel = self._route(family=10, bits=64, protocol=2)
        for destination, count in (('fe80::', 0), ('fd00::', 1)):
            body = kernel + attribute(1, ip(destination))
            self.assertEqual(count, len(routes.route(body, NAMES)))

    def test_neighbour(self):
        self._same(
            view.Neighbour('ha-34', 'fe80::1', 'fa:16:3e:04:fd:ab', 'STALE'),
            rtnetlink.neighbour(self._neighbour(4), NAMES),
        )

    def test_hidden_neighbours(self):
        self.assertIsNone(rtnetlink.neighbour(self._neighbour(0x40), NAMES))
        self.assertIsNone(rtnetlink.neighbour(self._neighbour(0), NAMES))

    def test_forwarding(self):
        index = next(iter(NAMES))
        for number, device in ((-1, 'all'), (-2, None), (index, NAMES[index])):
            for value in (0, 1):
                body = (
                    bytes(4)
                    + attribute(1, struct.pack('=i', number))
                    + attribute(2, struct.pack('=I', value))
                )
                self.assertEqual(
                    device if value else None,
                    rtnetlink.configuration(body, NAMES),
                )

    @hypothesis.given(strategies.binary())
    def test_noise(self, data):
        for decode in (
            rtnetlink.link,
            lambda body: rtnetlink.configuration(body, NAMES),
            lambda body: rtnetlink.address(body, NAMES),
            lambda body: routes.route(body, NAMES),
            lambda body: rtnetlink.neighbour(body, NAMES),
        ):
            try:
                decode(data)
            except netlink.NetlinkError as error:
                self.assertIsNone(error.errno)

    @hypothesis.given(
        strategies.lists(
            strategies.tuples(
                strategies.integers(0, 31), strategies.binary(max_size=20)
            )
        ),
        strategies.sampled_from([socket.AF_INET, socket.AF_INET6]),
    )
    def test_noise_in_attributes(self, found, family):
        tail = b''.join(attribute(*each) for each in found)
        for decode, head in (
            (rtnetlink.address, struct.pack('=BBBBI', family, 24, 0, 0, 2)),
            (routes.route, self._route(family=family)),
            (
                rtnetlink.neighbour,
                struct.pack('=BxxxiHBB', family, 3, 4, 0, 0),
            ),
        ):
            try:
                decode(head + tail, NAMES)
            except netlink.NetlinkError as error:
                self.assertIsNone(error.errno)

    @staticmethod
    def _route(family=2, bits=0, table=254, protocol=18, kind=1, flags=0):
        return struct.pack(
            '=BBBBBBBBI', family, bits, 0, 0, table, protocol, 0, kind, flags
        )

    @staticmethod
    def _neighbour(state):
        body = struct.pack('=BxxxiHBB', socket.AF_INET6, 3, state, 0, 0)
        return body + attribute(1, ip('fe80::1')) + attribute(2, MAC)

    def _same(self, expected, found):
        self.assertEqual(codec.encode(expected), found)


class KernelTest(testtools.TestCase):
    """The kernel that runs the tests; this needs no rights."""

    def test_loopback(self):
        with netlink.Socket() as channel:
            links = {
                link['index']: link['name']
                for link in rtnetlink.links(channel)
            }
            addresses = rtnetlink.addresses(channel, links)
            found = routes.routes(channel, links)
        self.assertEqual(dict(socket.if_nameindex()), links)
        self.assertIn('lo', links.values())
        for address in addresses:
            codec.decode(view.Address, address)
        for route in found:
            codec.decode(view.Route, route)

    def test_refusal(self):
        with netlink.Socket() as channel:
            # a link that cannot exist
            body = struct.pack('=BxHiII', 0, 0, 0x7FFFFFFF, 0, 0)
            error = self.assertRaises(
                netlink.NetlinkError, channel.get, 18, body, 16
            )
            self.assertIn('No such device', str(error))
            # and the socket is as good as before
            self.assertNotEqual([], rtnetlink.links(channel))


class Channel:
    """A kernel that answers with this, or refuses."""

    def __init__(self, *answers, error=None):
        self.answers = answers
        self.error = error
        self.asked = []

    def dump(self, kind, body, wanted):
        self.asked.append((kind, wanted))
        if self.error:
            raise self.error
        return list(self.answers)

    def change(self, kind, flags, bodies):
        self.asked.append((kind, flags, bodies))
        return [0] * len(bodies)


class DumpTest(testtools.TestCase):
    """Questions to the kernel, and what is kept of its answers."""

    def neighbour(self, index, state=4, family=socket.AF_INET6):
        host = 'fe80::1' if family == socket.AF_INET6 else '10.0.0.1'
        return (
            struct.pack('=BxxxiHBB', family, index, state, 0, 0)
            + attribute(1, ip(host) if family != 7 else b'')
            + attribute(2, MAC)
        )

    def test_neighbours_of_what_neutron_plugs(self):
        channel = Channel(
            self.neighbour(2),
            self.neighbour(3, family=socket.AF_INET),
            # lo, a state that is hidden, a bridge's entry
            self.neighbour(1),
            self.neighbour(2, 0x40),
            self.neighbour(2, family=7),
        )
        found = rtnetlink.neighbours(channel, {1: 'lo', **NAMES})
        self.assertEqual(
            [('qg-12', 'fe80::1'), ('ha-34', '10.0.0.1')],
            [(each['device'], each['address']) for each in found],
        )
        self.assertEqual([(30, 28)], channel.asked)

    def test_added_neighbours_can_be_read_back(self):
        channel = Channel()
        entries = [
            (2, '10.0.0.1', 'fa:16:3e:04:fd:ab'),
            (3, 'fe80::1', 'fa:16:3e:04:fd:ac'),
        ]
        self.assertEqual([0, 0], rtnetlink.set_neighbours(channel, entries))
        ((_, flags, bodies),) = channel.asked
        self.assertEqual(netlink.REPLACE, flags)
        found = [rtnetlink.neighbour(body, NAMES) for body in bodies]
        self.assertEqual(
            [(NAMES[index], host, mac) for index, host, mac in entries],
            [(f['device'], f['address'], f['mac']) for f in found],
        )
        # they are confirmed when they are used
        self.assertEqual({'STALE'}, {each['state'] for each in found})

    def forwards(self, number, value=1):
        return (
            bytes(4)
            + attribute(1, struct.pack('=i', number))
            + attribute(2, struct.pack('=I', value))
        )

    def test_devices_that_forward(self):
        channel = Channel(
            self.forwards(3),
            self.forwards(-1),
            self.forwards(-2),
            self.forwards(2, 0),
        )
        self.assertEqual(
            ['all', 'ha-34'], rtnetlink.forwarding(channel, NAMES)
        )

    def test_kernel_without_ipv6(self):
        for number in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
            error = netlink.NetlinkError('not supported', number)
            self.assertEqual(
                [], rtnetlink.forwarding(Channel(error=error), NAMES)
            )

    def test_kernel_that_refuses(self):
        error = netlink.NetlinkError('not permitted', errno.EPERM)
        self.assertRaises(
            netlink.NetlinkError,
            rtnetlink.forwarding,
            Channel(error=error),
            NAMES,
        )

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


"""Connections: over the wire of the kernel and over that of the program."""

import errno
import json

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import connections
from osc_ha_router.node import ctnetlink
from osc_ha_router.node import errors
from osc_ha_router.node import neighbours
from osc_ha_router.node import netlink

WAY = ctnetlink.Way('10.1.1.15', 1000, '203.0.113.1', 22)
BACK = ctnetlink.Way('203.0.113.1', 22, '203.0.113.201', 2000)
GOOD = ctnetlink.Connection(
    protocol=ctnetlink.TCP,
    original=WAY,
    reply=BACK,
    status=0x16,
    timeout=300,
    mark=0x4000000,
    zone=0,
    state=3,
    pair=(7, 9),
    flags=(3, 3),
)
PING = GOOD._replace(
    protocol=ctnetlink.ICMP,
    original=WAY._replace(source_port=77, destination_port=8 << 8),
    reply=BACK._replace(source_port=77, destination_port=0),
    state=0,
    pair=(0, 0),
    flags=(0, 0),
)
SIX = GOOD._replace(
    original=ctnetlink.Way('2001:db8::1', 1, '2001:db8::2', 2),
    reply=ctnetlink.Way('2001:db8::2', 2, '2001:db8::1', 1),
    status=6,
    zone=5,
)


def told(**changes):
    """An entry as it comes in a request."""
    return json.loads(json.dumps(connections.entry(GOOD._replace(**changes))))


class WireTest(testtools.TestCase):
    def test_back_and_forth(self):
        """What the kernel is told, read as it would be told by it.

        Translation is asked for in other words than it is shown in.
        """
        for sent in (GOOD, PING, SIX):
            found = ctnetlink.decode(ctnetlink.encode(sent))
            self.assertEqual(
                sent._replace(
                    reply=ctnetlink.answered(sent.protocol, sent.original),
                    status=sent.status & 0x6,
                    flags=found.flags,
                ),
                found,
            )
            tcp = sent.protocol == ctnetlink.TCP
            # liberal, as after any loss of history
            self.assertEqual((11, 11) if tcp else (0, 0), found.flags)

    def test_sctp(self):
        sent = GOOD._replace(
            protocol=ctnetlink.SCTP,
            pair=(1 << 31, 5),
            flags=(0, 0),
            status=6,
            reply=ctnetlink.answered(ctnetlink.SCTP, WAY),
        )
        self.assertEqual(sent, ctnetlink.decode(ctnetlink.encode(sent)))

    def test_answers(self):
        self.assertEqual(
            ctnetlink.Way('203.0.113.1', 22, '10.1.1.15', 1000),
            ctnetlink.answered(ctnetlink.TCP, WAY),
        )
        self.assertEqual(
            ctnetlink.Way('203.0.113.1', 77, '10.1.1.15', 0),
            ctnetlink.answered(ctnetlink.ICMP, PING.original),
        )
        six = SIX.original._replace(destination_port=128 << 8)
        self.assertEqual(
            129 << 8,
            ctnetlink.answered(ctnetlink.ICMP6, six).destination_port,
        )

    def test_what_does_not_stand_alone(self):
        body = ctnetlink.encode(GOOD)
        self.assertIsNotNone(ctnetlink.decode(body))
        # a master
        self.assertIsNone(ctnetlink.decode(body + netlink.attribute(14, b'')))
        for status in (0, 0x48):
            changed = body + netlink.attribute(3, bytes((0, 0, 0, status)))
            self.assertIsNone(ctnetlink.decode(changed))
        self.assertIsNone(ctnetlink.decode(body[:4]))

    @hypothesis.given(strategies.binary())
    def test_noise(self, data):
        try:
            ctnetlink.decode(data)
        except netlink.NetlinkError:
            pass

    @hypothesis.given(strategies.data())
    def test_noise_inside(self, data):
        body = bytearray(ctnetlink.encode(SIX))
        for _ in range(3):
            place = data.draw(strategies.integers(0, len(body) - 1))
            body[place] = data.draw(strategies.integers(0, 255))
        try:
            ctnetlink.decode(bytes(body))
        except netlink.NetlinkError:
            pass


class EntryTest(testtools.TestCase):
    def test_journey(self):
        for each in (GOOD, PING, SIX):
            entry = json.loads(json.dumps(connections.entry(each)))
            self.assertEqual([each], connections.check([entry]))

    def test_spelling(self):
        entry = told(
            original=('2001:DB8::0001', 1, '2001:db8::2', 2),
            reply=SIX.reply,
        )
        (found,) = connections.check([entry])
        self.assertEqual('2001:db8::1', found.original.source)

    def test_refused(self):
        way = list(WAY)
        for changes in (
            {'protocol': 256},
            {'protocol': '6'},
            {'protocol': True},
            {'protocol': 112},
            {'protocol': ctnetlink.ICMP6},
            {'timeout': 0},
            {'timeout': 1 << 31},
            {'mark': -1},
            {'mark': 1 << 32},
            {'mark': 1.0},
            {'zone': 1 << 16},
            {'status': 1},
            {'status': 0x200},
            {'state': 7},
            {'state': 256},
            {'pair': [15, 0]},
            {'pair': [1]},
            {'pair': None},
            {'flags': [256, 0]},
            {'flags': 'ab'},
            {'original': way[:3]},
            {'original': [*way, 1]},
            {'original': 'abcd'},
            {'original': ['10.1.1.15; id', *way[1:]]},
            {'original': ['-j', *way[1:]]},
            {'original': [7, *way[1:]]},
            {'original': ['10.1.1.1\0', *way[1:]]},
            {'original': ['127.0.0.1', *way[1:]]},
            {'original': ['224.0.0.18', *way[1:]]},
            {'original': ['2001:db8::1', *way[1:]]},
            {'original': ['10.1.1.15', -1, *way[2:]]},
            {'original': ['10.1.1.15', 65536, *way[2:]]},
            {'reply': list(SIX.reply)},
        ):
            entry = {**told(), **changes}
            error = self.assertRaises(
                errors.BadRequest, connections.check, [told(), entry]
            )
            self.assertIn('no connection', error.message)
        for name in told():
            entry = told()
            del entry[name]
            self.assertRaises(errors.BadRequest, connections.check, [entry])
        for value in (None, {}, 'x', [None], [[]], ['x']):
            self.assertRaises(errors.BadRequest, connections.check, value)

    def test_too_many(self):
        self.patch(connections, 'MOST', 2)
        self.assertEqual(2, len(connections.check([told()] * 2)))
        self.assertRaises(errors.BadRequest, connections.check, [told()] * 3)

    @hypothesis.given(
        strategies.recursive(
            strategies.none()
            | strategies.booleans()
            | strategies.integers()
            | strategies.floats()
            | strategies.text(),
            lambda inner: (
                strategies.lists(inner)
                | strategies.dictionaries(
                    strategies.sampled_from(sorted(told())), inner
                )
            ),
        )
    )
    def test_noise(self, value):
        for check in (connections.check, neighbours.check):
            try:
                check(value)
            except errors.BadRequest:
                continue

    def test_worth(self):
        self.assertTrue(connections.worth(GOOD))
        self.assertTrue(connections.worth(SIX))
        for changes in (
            {'protocol': 2},
            {'protocol': 112},
            {'protocol': 33},
            {'timeout': 0},
            # TIME_WAIT
            {'state': 7},
            {'original': WAY._replace(source='127.0.0.1')},
            {'original': WAY._replace(destination='224.0.0.22')},
            {'original': WAY._replace(destination='255.255.255.255')},
            {'original': SIX.original._replace(destination='ff02::1')},
            {'reply': SIX.original._replace(source='::1')},
        ):
            self.assertFalse(
                connections.worth(GOOD._replace(**changes)), changes
            )
        # only TCP has such states
        udp = GOOD._replace(protocol=17, state=0)
        self.assertTrue(connections.worth(udp))

    def test_kernel_that_does_not(self):
        self.patch(ctnetlink, 'NETLINK_NETFILTER', 999)
        error = self.assertRaises(connections.Unable, connections.read)
        self.assertIn('cannot be read', str(error))
        self.assertRaises(connections.Unable, connections.write, [GOOD])
        self.assertEqual((0, 0, None), connections.write([]))


class Kernel:
    """A table of connections, in place of the kernel's own.

    :param there: what it has
    """

    def __init__(self, *there):
        self.table = list(there)
        self.added, self.forgotten = [], []

    def patch(self, test):
        for name in ('read', 'write', 'forget'):
            test.patch(ctnetlink, name, getattr(self, name))

    def read(self):
        return iter(list(self.table))

    def write(self, wanted):
        return [self._add(each) for each in wanted]

    def _add(self, one):
        if one.state == 200:
            return errno.EINVAL
        ways = {each.original for each in self.table}
        if one.original in ways | {each.reply for each in self.table}:
            return errno.EEXIST
        self.added.append(one)
        self.table.append(one._replace(flags=(11, 11)))
        return 0

    def forget(self, unwanted):
        self.forgotten += unwanted
        ways = {
            way for each in unwanted for way in (each.original, each.reply)
        }
        self.table = [
            each
            for each in self.table
            if not ways & {each.original, each.reply}
        ]


class WriteTest(testtools.TestCase):
    """What is there may be of another time."""

    def write(self, kernel, *wanted):
        kernel.patch(self)
        return connections.write(wanted)

    def test_twice(self):
        kernel = Kernel()
        udp = GOOD._replace(
            protocol=17,
            state=0,
            flags=(0, 0),
            original=WAY._replace(source_port=3),
        )
        self.assertEqual((2, 0, None), self.write(kernel, GOOD, udp))
        self.assertEqual([GOOD, udp], kernel.added)
        later = GOOD._replace(timeout=GOOD.timeout + 5)
        self.assertEqual((2, 0, None), self.write(kernel, later, udp))
        # the first has come to stay
        self.assertEqual([GOOD, udp], kernel.added)
        self.assertEqual([], kernel.forgotten)

    def test_out_of_date(self):
        for changes in (
            # it goes by the numbers of that time
            {'flags': (3, 3)},
            {'flags': (11, 3)},
            {'flags': (11, 11), 'timeout': GOOD.timeout - 60},
            {'flags': (11, 11), 'state': 4},
            {'flags': (11, 11), 'mark': 0},
            {
                'flags': (11, 11),
                'reply': BACK._replace(destination_port=2001),
            },
        ):
            kernel = Kernel(GOOD._replace(**changes))
            self.assertEqual((1, 0, None), self.write(kernel, GOOD), changes)
            self.assertEqual([GOOD], kernel.forgotten)
            self.assertEqual([GOOD], kernel.added)

    def test_in_the_way_of_the_answers(self):
        """Another connection, of which nothing else is known."""
        other = GOOD._replace(original=WAY._replace(source_port=3), reply=WAY)
        kernel = Kernel(other)
        self.assertEqual((1, 0, None), self.write(kernel, GOOD))
        self.assertEqual([GOOD._replace(flags=(11, 11))], kernel.table)

    def test_refused(self):
        bad = GOOD._replace(state=200, original=WAY._replace(source_port=3))
        kernel = Kernel(GOOD)
        written, refused, reason = self.write(kernel, GOOD, bad)
        self.assertEqual((1, 1), (written, refused))
        self.assertIn('Invalid argument', reason)

    def test_comes_back_at_once(self):
        """Somebody adds it again before it can be replaced."""
        kernel = Kernel(GOOD)
        kernel.forget = lambda unwanted: None
        written, refused, reason = self.write(kernel, GOOD)
        self.assertEqual((0, 1), (written, refused))
        self.assertIn('File exists', reason)

    def test_what_is_forgotten(self):
        """Each by both of its directions, and by its zone."""
        asked = []

        class Socket:
            def __init__(self, number):
                asked.append(number)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def change(self, request, flags, bodies):
                asked.extend([request, flags, *bodies])

        self.patch(netlink, 'Socket', Socket)
        ctnetlink.forget([GOOD, SIX])
        number, request, flags, *bodies = asked
        self.assertEqual((12, 0x102, 0), (number, request, flags))
        self.assertEqual([2, 2, 10, 10], [body[0] for body in bodies])
        for body, one, kind in zip(
            bodies, (GOOD, GOOD, SIX, SIX), (1, 2, 1, 2), strict=True
        ):
            found = netlink.attributes(body, 4, (1, 2, 18))
            self.assertEqual(
                {kind, 18} if one.zone else {kind},
                set(found),
            )
            # the same as what it was added by
            if kind == 1:
                known = netlink.attributes(ctnetlink.encode(one), 4, (1,))
                self.assertEqual(known[1], found[1])

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


"""Connections through a router that moves, in real namespaces."""

import json
import shutil
import time

from osc_ha_router.node import connections
from osc_ha_router.node import ctnetlink
from osc_ha_router.node import neighbours
from tests.functional.node import spaces
from tests.functional.node import wires

MANY = 10000


def many(count: int) -> list[ctnetlink.Connection]:
    return [
        ctnetlink.Connection(
            protocol=ctnetlink.TCP,
            original=ctnetlink.Way(
                f'10.1.{1 + i // 200}.{1 + i % 200}', 1000 + i, '192.0.2.1', 22
            ),
            reply=ctnetlink.Way('192.0.2.1', 22, '192.0.2.9', 20000 + i),
            status=0x16,
            timeout=4000,
            mark=0x4000000,
            zone=0,
            state=3,
            pair=(7, 9),
            flags=(3, 3),
        )
        for i in range(count)
    ]


class ConnectionsTest(spaces.SpaceTest):
    def setUp(self):
        super().setUp()
        for program in ('iptables', 'conntrack'):
            if shutil.which(program) is None:
                self.fail(f'{program} is not installed')

    def carry(self, left, right):
        """Take what one router remembers to the other."""
        with wires.inside(left.name):
            found, reason = connections.read()
            near = neighbours.read()
        self.assertIsNone(reason)
        self.assertEqual([ctnetlink.TCP], [each.protocol for each in found])
        # as it travels
        told = json.loads(json.dumps([*map(connections.entry, found)]))
        with wires.inside(right.name):
            self.assertEqual(
                (1, 0, None), connections.write(connections.check(told))
            )
        return near

    def move(self, lines, connection, left, right, carry=True):
        """Move an open connection; return whether it still works."""
        self.assertTrue(wires.echoes(connection))
        near = self.carry(left, right) if carry else []
        lines.passivate(left)
        lines.activate(right)
        if carry:
            with wires.inside(right.name):
                self.assertEqual((len(near), 0), neighbours.write(near))
                # what there is stays, and counts
                self.assertEqual((len(near), 0), neighbours.write(near))
        return wires.echoes(connection)

    def opened(self):
        """Return two places of a router, and a connection through one."""
        lines = self.useFixture(wires.Wires(f'carry{time.monotonic_ns()}'))
        left, right = lines.router(), lines.router()
        lines.activate(left)
        lines.serve()
        return lines, lines.connect(), left, right

    def test_carried(self):
        self.assertTrue(self.move(*self.opened()))

    def test_not_carried(self):
        # or the test above would prove nothing
        self.assertFalse(self.move(*self.opened(), carry=False))

    def test_there_and_back(self):
        """What the first router knows of the connection is out of date."""
        lines, connection, left, right = self.opened()
        self.assertTrue(self.move(lines, connection, left, right))
        self.assertTrue(self.move(lines, connection, right, left))
        self.assertTrue(self.move(lines, connection, left, right))

    def test_not_the_same_connection(self):
        """The other router knows one that was there before, by another way.

        Its client has the port again, and the router gave it another.
        """
        lines, connection, left, right = self.opened()
        with wires.inside(left.name):
            ((found,), _) = connections.read()
        reply = found.reply._replace(
            destination_port=found.reply.destination_port ^ 1
        )
        with wires.inside(right.name):
            connections.write([found._replace(reply=reply)])
        self.assertTrue(self.move(lines, connection, left, right))

    def test_neighbours_that_are_of_no_use(self):
        """Nobody answered, or somebody else has the address by now."""
        lines = self.useFixture(wires.Wires(f'near{time.monotonic_ns()}'))
        router = lines.router()
        router.ip('link', 'set', spaces.QR, 'up')
        wanted = {}
        for number, words in enumerate(
            (
                ('lladdr', 'fa:16:3e:00:00:99', 'nud', 'stale'),
                ('nud', 'failed'),
                ('lladdr', 'fa:16:3e:00:00:99', 'nud', 'permanent'),
                ('lladdr', 'fa:16:3e:00:00:01', 'nud', 'reachable'),
            ),
            start=1,
        ):
            host = f'10.1.1.{number}'
            router.ip('neigh', 'add', host, 'dev', spaces.QR, *words)
            wanted[host] = 'fa:16:3e:00:00:01'
        wanted['fe80::7'] = 'fa:16:3e:00:00:02'
        entries = [
            {'device': spaces.QR, 'address': host, 'mac': mac}
            for host, mac in wanted.items()
        ]
        absent = {**entries[0], 'device': 'qr-55443322-11'}
        with wires.inside(router.name):
            self.assertEqual((5, 1), neighbours.write([*entries, absent]))
        listed = router.ip('-json', 'neigh', 'show', 'dev', spaces.QR)
        # somebody has set it, and means it
        wanted['10.1.1.3'] = 'fa:16:3e:00:00:99'
        found = {each['dst']: each for each in json.loads(listed)}
        self.assertEqual(
            wanted, {host: each['lladdr'] for host, each in found.items()}
        )
        # what is known to be right need not be asked for again
        self.assertEqual(['REACHABLE'], found['10.1.1.4']['state'])

    def test_same_on_the_other_side(self):
        """What the conntrack tool makes is the same after the journey."""
        left = self.useFixture(spaces.Space(f'ct{time.monotonic_ns()}'))
        right = self.useFixture(spaces.Space(f'ct{time.monotonic_ns()}'))
        tcp = ('-p', 'tcp', '--sport', '1000', '--dport', '22', '--state')
        tcp += ('ESTABLISHED', '-u', 'SEEN_REPLY,ASSURED')
        udp = ('-p', 'udp', '--sport', '1000', '--dport', '53')
        ping = ('--icmp-type', '8', '--icmp-code', '0', '--icmp-id', '77')
        ping6 = ('--icmpv6-type', '128', '--icmpv6-code', '0')
        inner = ('-s', '10.1.1.15', '-d', '203.0.113.1')
        outer = ('-s', '203.0.113.9', '-d', '203.0.113.231')
        six = ('-s', '2001:db8::1', '-d', '2001:db8::2')
        for words in (
            (*inner, *tcp, '-n', '203.0.113.201', '-m', '7'),
            (*outer, *tcp, '-g', '10.1.1.15'),
            (*outer, *udp, '-g', '10.1.1.15', '-n', '10.1.1.1'),
            (*inner, *udp, '-n', '203.0.113.201:2000', '-w', '5'),
            (*inner, *udp),
            (*inner, '-p', 'icmp', *ping, '-n', '203.0.113.201'),
            (*six, *tcp, '-m', '67108864'),
            (*six, '-p', 'icmpv6', *ping6, '--icmpv6-id', '9'),
            (*inner, '-p', '50'),
        ):
            left.execute('conntrack', '-I', '-t', '300', *words)
        # nobody else's business
        left.execute(
            *('conntrack', '-I', '-t', '300', '-p', '112'),
            *('-s', '169.254.192.5', '-d', '224.0.0.18'),
        )
        left.execute(
            *('conntrack', '-I', '-t', '300', '-s', '127.0.0.1', '-d'),
            *('127.0.0.1', *udp),
        )
        with wires.inside(left.name):
            found, reason = connections.read()
        self.assertEqual(9, len(found))
        with wires.inside(right.name):
            self.assertEqual((9, 0, None), connections.write(found))
            self.assertEqual((9, 0, None), connections.write(found))
            again, _ = connections.read()
        self.assertEqual(self.essence(found), self.essence(again))
        for family in ('ipv4', 'ipv6'):
            words = ('conntrack', '-L', '-f', family)
            self.assertEqual(
                self.listed(left.execute(*words)),
                self.listed(right.execute(*words)),
            )

    def test_many(self):
        space = self.useFixture(spaces.Space(f'ct{time.monotonic_ns()}'))
        entries = many(MANY)
        with wires.inside(space.name):
            began = time.monotonic()
            self.assertEqual((MANY, 0, None), connections.write(entries))
            written = time.monotonic()
            found, reason = connections.read()
            read = time.monotonic()
        self.assertEqual((MANY, None), (len(found), reason))
        # 0.2 and 0.3 s were measured
        self.assertLess(written - began, 3)
        self.assertLess(read - written, 3)

    def test_too_many(self):
        space = self.useFixture(spaces.Space(f'ct{time.monotonic_ns()}'))
        self.patch(connections, 'MOST', 10)
        with wires.inside(space.name):
            connections.write(many(11))
            found, reason = connections.read()
            self.assertEqual(10, len(found))
            self.assertIn('more than 10', reason)

    def test_refused(self):
        """What the kernel does not take is counted, and the rest is in."""
        space = self.useFixture(spaces.Space(f'ct{time.monotonic_ns()}'))
        good, bad = many(2)
        bad = bad._replace(state=200)
        with wires.inside(space.name):
            written, refused, reason = connections.write([good, bad])
        self.assertEqual((1, 1), (written, refused))
        self.assertIn('refuses', reason)

    @staticmethod
    def essence(found):
        # the kernel makes windows liberal, and time goes by
        return sorted(each._replace(timeout=0, flags=(0, 0)) for each in found)

    @staticmethod
    def listed(text):
        """Without the seconds that are left, and what is no one's."""
        return sorted(
            ' '.join(line.split()[:2] + line.split()[3:])
            for line in text.splitlines()
            if '127.0.0.1' not in line and '224.0.0.18' not in line
        )

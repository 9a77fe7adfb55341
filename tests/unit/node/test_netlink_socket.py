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

"""Conversations with the kernel: this machine's, and one that is odd."""

import errno
import os
import socket
import struct

import fixtures
import testtools

from osc_ha_router.node import netlink
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import writes
from tests.unit.node.test_netlink import attribute

ERROR, DONE, LINK = 2, 3, 16
INTERRUPTED = 0x10
ASK = 18


def message(kind, body=b'', sequence=1, flags=0):
    size = 16 + len(body)
    head = struct.pack('=IHHII', size, kind, flags, sequence, 0)
    return head + body + bytes(-size % 4)


def error(number):
    return struct.pack('=i', -number)


class Answers:
    """A socket whose other end says what the test wants."""

    def __init__(self):
        self.answers = []
        self.sent = []
        self.old = False

    def setsockopt(self, level, *_):
        if self.old and level != socket.SOL_SOCKET:
            raise OSError(errno.ENOPROTOOPT, 'unknown option')

    def send(self, data):
        self.sent.append(data)

    def recv(self, size):
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def bind(self, address):
        raise PermissionError('no')

    def close(self):
        self.closed = True


class RealTest(testtools.TestCase):
    """What everybody may ask of the kernel."""

    def setUp(self):
        super().setUp()
        self.channel = self.enterContext(netlink.Socket())

    def test_devices(self):
        # others may come and go meanwhile
        before = socket.if_nameindex()
        found = rtnetlink.links(self.channel)
        after = socket.if_nameindex()
        names = {each['name'] for each in found}
        self.assertIn('lo', names)
        for _, name in set(before) & set(after):
            self.assertIn(name, names)

    def test_addresses_are_of_devices(self):
        names = {
            each['index']: each['name']
            for each in rtnetlink.links(self.channel)
        }
        for each in rtnetlink.addresses(self.channel, names):
            self.assertIn(each['device'], names.values())

    def test_no_news(self):
        with netlink.News(0x1) as news:
            self.assertGreater(news.fileno(), 2)
            while news.drain():
                pass
            self.assertFalse(news.drain())


class AnswersTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.kernel = Answers()
        self.useFixture(
            fixtures.MockPatchObject(
                netlink.socket, 'socket', lambda *_: self.kernel
            )
        )
        self.channel = netlink.Socket()


class OddTest(AnswersTest):
    def dump(self, *answers):
        self.kernel.answers = list(answers)
        return self.channel.dump(ASK, b'head', LINK)

    def refused(self, *answers):
        return self.assertRaises(
            netlink.NetlinkError, lambda: self.dump(*answers)
        )

    def test_kernel_before_4_20(self):
        self.kernel.old = True
        self.channel = netlink.Socket()
        self.assertEqual([], self.dump(message(DONE)))

    def test_in_parts(self):
        found = self.dump(
            message(LINK, b'one.') + message(LINK, b'two.'),
            message(LINK, b'of another', sequence=9),
            message(LINK, b'six.') + message(DONE, error(0)),
        )
        self.assertEqual([b'one.', b'two.', b'six.'], found)

    def test_table_that_changed_meanwhile_is_read_again(self):
        found = self.dump(
            message(LINK, b'old.', flags=INTERRUPTED) + message(DONE),
            message(LINK, b'new.', sequence=2) + message(DONE, sequence=2),
        )
        self.assertEqual([b'new.'], found)

    def test_full_buffer_is_read_again(self):
        found = self.dump(
            OSError(errno.ENOBUFS, 'full'),
            message(DONE),
            message(LINK, b'new.', sequence=2) + message(DONE, sequence=2),
        )
        self.assertEqual([b'new.'], found)

    def test_changing_all_the_time(self):
        again = [
            message(DONE, sequence=number, flags=INTERRUPTED)
            for number in range(1, 100)
        ]
        self.assertIn('faster than it can be read', str(self.refused(*again)))

    def test_refused(self):
        for answer in (
            message(ERROR, error(errno.EPERM)),
            message(DONE, error(errno.EPERM)),
        ):
            self.channel = netlink.Socket()
            self.assertIn(os.strerror(errno.EPERM), str(self.refused(answer)))

    def test_nonsense(self):
        self.assertIn('cut off', str(self.refused(message(ERROR, b'x'))))
        self.channel = netlink.Socket()
        nonsense = message(ERROR, struct.pack('=i', 7))
        self.assertIn('holds no error', str(self.refused(nonsense)))

    def test_silence(self):
        self.assertIn(
            'no answer from the kernel', str(self.refused(BlockingIOError()))
        )

    def test_broken_socket(self):
        self.assertRaises(OSError, self.dump, OSError(errno.EBADF, 'closed'))

    def test_one(self):
        self.kernel.answers = [message(LINK, b'one.')]
        self.assertEqual(b'one.', self.channel.get(ASK, b'', LINK))
        self.kernel.answers = [message(DONE, sequence=2)]
        self.assertRaises(
            netlink.NetlinkError, self.channel.get, ASK, b'', LINK
        )

    def test_each_as_it_comes(self):
        self.kernel.answers = [
            message(LINK, b'one.') + message(LINK, b'old.', sequence=0),
            message(LINK, b'two.') + message(DONE),
        ]
        self.assertEqual(
            [b'one.', b'two.'], list(self.channel.each(ASK, b'', LINK))
        )
        self.kernel.answers = [message(ERROR, error(errno.EPERM), sequence=2)]
        self.assertRaises(
            netlink.NetlinkError, list, self.channel.each(ASK, b'', LINK)
        )

    def test_news_that_are_not_to_be_had(self):
        self.assertRaises(PermissionError, netlink.News, 1)
        self.assertTrue(self.kernel.closed)


class ChangeTest(AnswersTest):
    """Addresses and routes as the kernel is asked to change them."""

    PLACES = [('qg-1', '203.0.113.10/24'), ('qg-1', 'fe80::1/64')]
    INDICES = {'qg-1': 3}

    def answer(self, *numbers):
        self.kernel.answers = [
            message(ERROR, error(number), sequence)
            for sequence, number in enumerate(numbers, 1)
        ]

    def test_what_is_so_already_is_fine(self):
        self.answer(0, errno.EEXIST)
        writes.add_addresses(self.channel, self.INDICES, self.PLACES)
        self.channel = netlink.Socket()
        self.answer(0, errno.EADDRNOTAVAIL)
        writes.delete_addresses(self.channel, self.INDICES, self.PLACES)
        raw = socket.inet_aton('203.0.113.10')
        for sent in self.kernel.sent:
            self.assertIn(attribute(2, raw), sent)

    def test_what_is_refused(self):
        self.answer(0, errno.EPERM)
        found = self.assertRaises(
            netlink.NetlinkError,
            writes.delete_addresses,
            self.channel,
            self.INDICES,
            self.PLACES,
        )
        self.assertIn(os.strerror(errno.EPERM), str(found))

    def test_routes(self):
        self.answer(0, errno.ESRCH)
        writes.delete_routes(
            self.channel,
            self.INDICES,
            [
                ('0.0.0.0/0', '203.0.113.1', 'qg-1'),
                ('2001:db8::/64', None, None),
            ],
        )
        (sent,) = self.kernel.sent
        gateway = attribute(5, socket.inet_aton('203.0.113.1'))
        self.assertIn(gateway, sent)
        self.assertIn(attribute(4, struct.pack('=I', 3)), sent)
        self.assertEqual(2, len(list(netlink.messages(sent))))

    def test_devices(self):
        self.answer(0, 0)
        writes.set_up(self.channel, 3)
        writes.delete_link(self.channel, 3)
        self.assertEqual(2, len(self.kernel.sent))

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

"""Listening: which device, and what is said where there is none."""

import contextlib
import selectors
import socket
import struct
import types

import testtools

from osc_ha_router.node import listen
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import vrrp
from tests.unit.node import kernel
from tests.unit.node import test_vrrp


class Traveller:
    def inside(self, namespace):
        return contextlib.nullcontext()


class ListenTest(testtools.TestCase):
    def listen(self, *devices):
        self.useFixture(kernel.Kernel(*devices))
        return listen.listen(Traveller(), {'r1': ['space']}, 0.01)['r1']

    def test_no_device(self):
        heard = self.listen('lo', 'qr-1')
        self.assertEqual((None, 'there is no ha- device'), heard)

    def test_device_that_cannot_be_opened(self):
        def refuse(device):
            raise OSError(19, f'{device} has gone')

        self.patch(listen, '_socket', refuse)
        heard = self.listen('lo', 'ha-1')
        self.assertIsNone(heard.listening)
        self.assertIn('ha-1 has gone', heard.problem)

    def test_silence(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.patch(listen, '_socket', lambda device: ours)
        heard = self.listen('lo', 'ha-1')
        self.assertIsNone(heard.problem)
        self.assertEqual('ha-1', heard.listening['device'])
        self.assertEqual([], heard.listening['adverts'])
        self.assertEqual(-1, ours.fileno())

    def test_namespace_that_has_gone(self):
        """The others are listened on all the same."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.patch(listen, '_socket', lambda device: ours)
        self.useFixture(kernel.Kernel('ha-1'))

        class Leaving(Traveller):
            def inside(self, namespace):
                if namespace == 'gone':
                    raise namespaces.Stale('it has just gone')
                return super().inside(namespace)

        spaces = {'r1': ['gone'], 'r2': ['gone', 'space'], 'r3': []}
        heard = listen.listen(Leaving(), spaces, 0.01)
        self.assertEqual((None, 'it has just gone'), heard['r1'])
        # its other namespace has the device
        self.assertEqual('ha-1', heard['r2'].listening['device'])
        self.assertEqual((None, 'there is no ha- device'), heard['r3'])
        self.assertEqual(-1, ours.fileno())

    def test_the_device_that_is_up(self):
        """A leftover of an earlier port is down."""
        self.useFixture(kernel.Kernel())
        links = [
            {'name': 'ha-1', 'index': 2, 'up': False},
            {'name': 'qr-1', 'index': 3, 'up': True},
            {'name': 'ha-2', 'index': 4, 'up': True},
        ]
        self.patch(rtnetlink, 'links', lambda channel: links)
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.patch(listen, '_socket', lambda device: ours)
        heard = listen.listen(Traveller(), {'r1': ['space']}, 0.01)['r1']
        self.assertEqual('ha-2', heard.listening['device'])
        self.assertEqual(-1, ours.fileno())

    def test_kernel_refuses(self):
        def refuse(channel):
            raise netlink.NetlinkError('No buffer space available')

        self.useFixture(kernel.Kernel())
        self.patch(rtnetlink, 'links', refuse)
        heard = listen.listen(Traveller(), {'r1': ['space']}, 0.01)['r1']
        self.assertEqual((None, 'No buffer space available'), heard)


class Frames:
    """A packet socket from which these come, one after the other."""

    def __init__(self, *frames):
        self._frames = list(frames)

    def recvfrom(self, size):
        frame, kind = self._frames.pop(0)
        if isinstance(frame, OSError):
            raise frame
        return frame, ('ha-1', 0x0800, kind, 1, b'')

    def left(self):
        return len(self._frames)

    def close(self):
        pass


class HearingTest(testtools.TestCase):
    """Which frames count, and as whose."""

    def heard(self, *frames):
        socket_ = Frames(*frames)
        ear = listen.Ear('r1', 'ha-1', socket_, {})

        class Selector(contextlib.ExitStack):
            def register(self, opened, events, data):
                self.key = selectors.SelectorKey(opened, 0, events, data)

            def select(self, timeout):
                return [(self.key, 1)] if socket_.left() else []

        clock = iter(range(100))
        self.patch(
            listen,
            'selectors',
            types.SimpleNamespace(DefaultSelector=Selector, EVENT_READ=1),
        )
        self.patch(
            listen,
            'time',
            types.SimpleNamespace(monotonic=lambda: next(clock)),
        )
        listen._collect([ear], len(frames) + 1)
        self.assertEqual(0, socket_.left())
        return listen._report(ear, 1.0)['adverts']

    def test_each_sender_once(self):
        other, _ = test_vrrp.ADVERTISEMENTS['IPv6']
        frame, (source, vrid, priority) = test_vrrp.ADVERTISEMENTS['version 2']
        found = self.heard(
            (frame, socket.PACKET_MULTICAST),
            (other, socket.PACKET_MULTICAST),
            (frame, socket.PACKET_MULTICAST),
        )
        self.assertEqual([2, 1], [each['count'] for each in found])
        self.assertEqual(
            {
                'source': source,
                'vrid': vrid,
                'priority': priority,
                'own': False,
                'count': 2,
            },
            found[0],
        )

    def test_its_own(self):
        """What it sends is shown once, whatever comes back to it."""
        frame, _ = test_vrrp.ADVERTISEMENTS['version 2']
        (found,) = self.heard(
            (frame, socket.PACKET_OUTGOING), (frame, socket.PACKET_LOOPBACK)
        )
        self.assertEqual((True, 1), (found['own'], found['count']))

    def test_no_advertisements(self):
        self.assertEqual(
            [], self.heard((b'', socket.PACKET_HOST), (b'x' * 60, 0))
        )

    def test_device_that_goes_down_meanwhile(self):
        """Reading the error clears it, and what comes then is heard."""
        frame, _ = test_vrrp.ADVERTISEMENTS['version 3']
        down = OSError(100, 'Network is down')
        (found,) = self.heard((down, 0), (frame, socket.PACKET_MULTICAST))
        self.assertEqual(1, found['count'])


class SocketTest(testtools.TestCase):
    """A socket that is deaf until it hears what it is to hear."""

    def setUp(self):
        super().setUp()
        self.calls = []
        self.fails = None
        calls, test = self.calls, self

        class Opened:
            def __init__(self, *kind):
                calls.append(('open', kind))

            def setsockopt(self, level, option, value):
                rules, _ = struct.unpack('@HP', value)
                calls.append(('filter', rules))

            def setblocking(self, blocking):
                calls.append(('blocking', blocking))

            def bind(self, address):
                calls.append(('bind', address))
                if test.fails:
                    raise test.fails

            def close(self):
                calls.append(('close', None))

        self.patch(
            listen,
            'socket',
            types.SimpleNamespace(
                socket=Opened,
                **{
                    name: getattr(socket, name)
                    for name in (
                        'AF_PACKET',
                        'SOCK_RAW',
                        'SOCK_CLOEXEC',
                        'SOL_SOCKET',
                    )
                },
            ),
        )

    def test_filter_comes_before_the_device(self):
        self.assertIsNotNone(listen._socket('ha-1'))
        (_, kind), *others = self.calls
        # no protocol: nothing is heard yet
        self.assertEqual(0, kind[2])
        every = 0x0003
        self.assertEqual(
            [
                ('filter', len(vrrp.FILTER)),
                ('blocking', False),
                ('bind', ('ha-1', every)),
            ],
            others,
        )

    def test_device_that_has_gone(self):
        self.fails = OSError(19, 'No such device')
        error = self.assertRaises(OSError, listen._socket, 'ha-1')
        self.assertEqual(19, error.errno)
        self.assertEqual('close', self.calls[-1][0])

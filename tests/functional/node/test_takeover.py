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


"""Takeovers by a real keepalived, with the program as it is sent to nodes."""

import contextlib
import select
import signal
import socket
import time

from tests.functional.node import spaces
from tests.functional.node import talk as talking
from tests.functional.node import wires

ARP = 0x0806


class TakeoverTest(spaces.SpaceTest):
    def begin(self, router):
        talk = self.useFixture(talking.Talk())
        self.begun = talk.ask(
            'begin', router=router.router_id, by='a test', seconds=60
        )
        self.assertIn('sha256', self.begun)
        return talk

    def raised(self, router):
        """An errand on a router that will soon be active."""
        talk = self.begin(router)
        found = talk.ask(
            'raise',
            router=router.router_id,
            priority=254,
            preempt=True,
            sha256=self.begun['sha256'],
        )
        self.assertIn('sha256', found)
        return talk

    def replies(self, talk, until='end'):
        """The replies up to one of that kind, with when they came."""
        found = []
        while True:
            reply = talk.reply()
            found.append((reply, time.monotonic()))
            if until in reply or reply.get('event') == until:
                return found


class MoveTest(TakeoverTest):
    """The data plane of a failover, all of it."""

    def setUp(self):
        super().setUp()
        self.lines = self.useFixture(wires.Wires(f'm{time.monotonic_ns()}'))
        self.left, self.right = self.lines.router(), self.lines.router()
        self.lines.keepalived(self.left, '169.254.192.5/18')
        self.assertTrue(spaces.eventually(self.left.active))
        self.lines.keepalived(self.right, '169.254.192.6/18')
        self.lines.serve()
        with wires.inside(self.lines.client.name):
            self.ear = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)
            )
        self.addCleanup(self.ear.close)
        self.ear.bind(('eth0', ARP))

    def test_move(self):
        before = self.right.conf.read_bytes()
        connection = self.lines.connect()
        self.assertTrue(wires.echoes(connection))
        left, right = self.begin(self.left), self.raised(self.right)
        raised = time.monotonic()
        left.send(
            'export',
            router=self.left.router_id,
            neighbours=True,
            connections=True,
        )
        exported = [reply for reply, _ in self.replies(left)]
        (near,) = [x['neighbours'] for x in exported if 'neighbours' in x]
        (tracked,) = [x['connections'] for x in exported if 'connections' in x]
        self.assertEqual(
            {
                'neighbours': len(near),
                'connections': len(tracked),
                'reason': None,
            },
            exported[-1]['end'],
        )
        self.assertEqual(
            {
                'neighbours': len(near),
                'connections': len(tracked),
                'refused': 0,
                'reason': None,
            },
            right.ask(
                'import',
                router=self.right.router_id,
                neighbours=near,
                connections=tracked,
            ),
        )
        right.send(
            'takeover',
            router=self.right.router_id,
            timeout=20,
            hold=1,
            stay=3,
        )
        ((active, at),) = self.replies(right, 'active')
        self.assertEqual({'event': 'active'}, active)
        self.assertLess(at - raised, 5)
        self.assertTrue(wires.echoes(connection))
        replies = self.replies(right)
        (restored, held), (end, stayed) = replies
        self.assertEqual({'event': 'restored', 'kept': False}, restored)
        self.assertAlmostEqual(1, held - at, delta=0.2)
        self.assertAlmostEqual(3, stayed - at, delta=0.2)
        self.assertEqual(
            {
                'active': True,
                'reason': None,
                'restored': True,
                'revived': [],
                'guarded': False,
            },
            end['end'],
        )
        self.assertEqual(before, self.right.conf.read_bytes())
        self.assertTrue(wires.echoes(connection))
        # every 25 ms for 2 s, every 250 ms for another one, and one of
        # keepalived's own here or there
        self.assertTrue(70 <= self.announced() <= 95, self.announced())
        for talk, router in ((left, self.left), (right, self.right)):
            self.assertEqual(
                {'undone': []}, talk.ask('finish', router=router.router_id)
            )
        self.assertTrue(self.right.active())
        self.assertFalse(self.left.active())

    def announced(self):
        """How often the inner address was announced since the beginning."""
        if not hasattr(self, 'count'):
            self.count = 0
            address = socket.inet_aton(wires.INSIDE)
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame = self.ear.recv(100, socket.MSG_DONTWAIT)
                    self.count += frame.startswith(b'\xff' * 6) and (
                        frame[28:32] == frame[38:42] == address
                    )
        return self.count


class WaitTest(TakeoverTest):
    """One router, whose keepalived takes three seconds to be active."""

    def setUp(self):
        super().setUp()
        self.router = self.useFixture(spaces.Router())
        self.router.plug('169.254.192.5/18')
        self.router.write()
        self.before = self.router.conf.read_bytes()
        self.router.keepalived()
        self.assertTrue(
            spaces.eventually(lambda: len(self.router.pids()) == 2)
        )

    def takeover(self, talk, timeout=10, hold=0.3, stay=0.3):
        talk.send(
            'takeover',
            router=self.router.router_id,
            timeout=timeout,
            hold=hold,
            stay=stay,
        )

    def ended(self, talk):
        *events, (end, _) = self.replies(talk)
        return [event for event, _ in events], end['end']

    def test_in_vain(self):
        talk = self.raised(self.router)
        self.takeover(talk, timeout=0.4)
        events, end = self.ended(talk)
        self.assertEqual([{'event': 'restored', 'kept': False}], events)
        self.assertEqual((False, True), (end['active'], end['restored']))
        self.assertEqual(
            'its HA address did not come within 0.4 s', end['reason']
        )
        self.assertEqual(self.before, self.router.conf.read_bytes())

    def test_rewritten(self):
        """Neutron has something to say meanwhile: it stands."""
        talk = self.raised(self.router)
        self.takeover(talk)
        time.sleep(0.3)
        self.router.conf.write_bytes(self.before + b'# new\n')
        watch = talk.stopwatch()
        events, end = self.ended(talk)
        self.assertLess(watch.seconds(), 0.6)
        self.assertEqual('changed', end['reason'])
        self.assertEqual([{'event': 'restored', 'kept': True}], events)
        self.assertEqual(
            self.before + b'# new\n', self.router.conf.read_bytes()
        )

    def test_another_word(self):
        talk = self.raised(self.router)
        self.takeover(talk)
        time.sleep(0.3)
        talk.send('stop')
        _, end = self.ended(talk)
        self.assertEqual('stopped', end['reason'])
        self.assertEqual({'end': {}}, talk.reply())
        self.assertEqual(self.before, self.router.conf.read_bytes())

    def test_another_word_when_it_is_active(self):
        talk = self.raised(self.router)
        self.takeover(talk, hold=30, stay=30)
        self.replies(talk, 'active')
        talk.send('stop')
        events, end = self.ended(talk)
        self.assertEqual([{'event': 'restored', 'kept': False}], events)
        self.assertTrue(end['active'])
        self.assertEqual({'end': {}}, talk.reply())
        self.assertEqual(self.before, self.router.conf.read_bytes())

    def test_active_before(self):
        self.assertTrue(spaces.eventually(self.router.active))
        talk = self.begin(self.router)
        watch = talk.stopwatch()
        self.takeover(talk)
        self.replies(talk, 'active')
        self.assertLess(watch.seconds(), 0.3)
        events, end = self.ended(talk)
        # nothing was changed, nothing is put back
        self.assertEqual([], events)
        self.assertEqual((True, False), (end['active'], end['restored']))

    def test_prompt(self):
        """The event comes within milliseconds of the address."""
        talk = self.begin(self.router)
        self.router.empty()
        self.takeover(talk)
        time.sleep(0.3)
        for _ in range(3):
            # the other addresses of the device are not the one
            self.router.ip('addr', 'add', '169.254.7.7/24', 'dev', spaces.HA)
            self.router.ip('addr', 'del', '169.254.7.7/24', 'dev', spaces.HA)
        self.assertEqual([], select.select([talk.stdout], [], [], 0.2)[0])
        self.router.ip(
            *('addr', 'add', f'169.254.0.{spaces.VRID}/24'),
            *('dev', spaces.HA),
        )
        watch = talk.stopwatch()
        self.replies(talk, 'active')
        self.assertLess(watch.seconds(), 0.05)

    def test_hung_up(self):
        for seconds in (0.2, 5):
            # while it waits, and when it is active
            talk = self.raised(self.router)
            self.takeover(talk, hold=30, stay=30)
            if seconds > 1:
                self.replies(talk, 'active')
            else:
                time.sleep(seconds)
            self.assertNotEqual(self.before, self.router.conf.read_bytes())
            talk.hang_up()
            self.assertEqual(0, talk.process.wait(5))
            self.assertEqual(self.before, self.router.conf.read_bytes())

    def test_signal(self):
        talk = self.raised(self.router)
        self.takeover(talk)
        time.sleep(0.2)
        talk.process.send_signal(signal.SIGTERM)
        talk.process.wait(5)
        self.assertEqual(self.before, self.router.conf.read_bytes())

    def test_without_an_errand(self):
        talk = self.useFixture(talking.Talk())
        for op in ('takeover', 'export', 'import'):
            found = talk.ask(op, router=self.router.router_id)
            self.assertEqual('no-errand', found['kind'], op)

    def test_bad_fields(self):
        talk = self.begin(self.router)
        for op, fields in (
            ('takeover', {'timeout': -1}),
            ('takeover', {'hold': 901}),
            ('takeover', {'stay': '1'}),
            ('export', {'neighbours': 1}),
            ('import', {'neighbours': {}}),
            ('import', {'connections': [None]}),
        ):
            found = talk.ask(op, router=self.router.router_id, **fields)
            self.assertEqual('bad-request', found['kind'], fields)

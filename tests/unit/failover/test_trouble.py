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

"""Trouble in the middle of a move, and Ctrl-C.

Whatever happens, everybody who can be reached is told to undo what is left,
and a last look says what has come of it.
"""

import itertools
import signal
import threading
import time

from osc_ha_router import errors
from tests.unit import lines
from tests.unit.failover import move

#: kinds that end a conversation
BROKEN = ('truncated', 'timeout')
#: what is asked before the role can move
BEFORE = {
    'promote': (
        ('source', 'quiet'),
        ('source', 'export'),
        ('target', 'import'),
        ('target', 'raise'),
    ),
    'handover': (
        ('source', 'quiet'),
        ('source', 'export'),
        ('target', 'import'),
        ('target', 'raise'),
        ('source', 'terminate'),
    ),
    'release': (
        ('source', 'quiet'),
        ('source', 'export'),
        ('target', 'import'),
        ('other', 'import'),
        ('source', 'terminate'),
    ),
}


class TroubleTest(move.MoveTest):
    def host(self, role: str) -> str:
        return {
            'source': self.active,
            'target': self.target,
            'other': self.other,
        }[role]

    def break_(self, role: str, op: str, **how) -> str:
        """Let it break, and return what is said of it."""
        host = self.host(role)
        how.setdefault('trouble', lines.trouble(host, detail='lost'))
        self.nodes.fault(host, op, **how)
        return how['trouble'].failure.message

    def move_with(self, method: str, *broken: str):
        """Move with what was broken: everybody else is told to finish."""
        before = len(self.nodes.requests)
        moved = self.move(method, wait=False)
        told = [host for host, op, _ in self.nodes.asked if op == 'finish']
        self.assertEqual(sorted(self.well.names), told)
        self.assertEqual(before + 2, len(self.nodes.requests))
        for words in broken:
            count = sum(words in note for note in moved.notes)
            self.assertEqual(1, count, moved.notes)
        for host in self.well.names:
            self.assertEqual(self.well.conf(host), self.nodes.scene.conf(host))
        return moved

    def test_before_it_can_move(self):
        for method, steps in BEFORE.items():
            for (role, op), kind in itertools.product(steps, BROKEN):
                with self.subTest(method=method, role=role, op=op):
                    self.renew()
                    trouble = lines.trouble(self.host(role), kind, 'lost')
                    words = self.break_(role, op, trouble=trouble)
                    moved = self.move_with(method, words)
                    self.assert_outcome('FAILED', 1, moved)
                    self.assertEqual(
                        (None, None), (moved.outage, moved.takeover)
                    )

    def test_refused_by_a_node(self):
        for method, role, op, kind in (
            ('promote', 'target', 'raise', 'changed'),
            ('promote', 'target', 'raise', 'no-keepalived'),
            ('handover', 'source', 'terminate', 'no-keepalived'),
            ('release', 'source', 'terminate', 'no-keepalived'),
            ('promote', 'source', 'quiet', 'absent'),
            ('promote', 'target', 'takeover', 'internal'),
        ):
            with self.subTest(method=method, op=op, kind=kind):
                self.renew()
                host = self.host(role)
                words = self.break_(
                    role, op, trouble=lines.refusal(host, kind, 'for this')
                )
                self.assertIn('for this', words)
                moved = self.move_with(method, words)
                self.assert_outcome('FAILED', 1, moved)

    def test_old_node_is_lost_while_waiting(self):
        """With nobody to see the role go, a promotion is not gone on with."""
        self.nodes.willing = False
        words = self.break_('source', 'watch', skip=1)
        moved = self.move_with('promote', words)
        self.assert_outcome('FAILED', 1, moved)

    def test_old_node_is_lost_after_it_has_resigned(self):
        """The role is on its way, and is looked after."""
        for method in ('handover', 'release'):
            self.renew()
            words = self.break_('source', 'watch', skip=1)
            self.nodes.willing = False
            timer = threading.Timer(0.3, setattr, (self.nodes, 'willing', 1))
            self.nodes.fault(self.active, 'terminate', call=timer.start)
            moved = self.move_with(method, words)
            self.assert_outcome('VERIFIED', 0, moved)
            self.assertEqual(self.target, moved.target)
            self.assertIsNotNone(moved.takeover)
            self.assertIsNone(moved.outage)

    def test_old_node_is_lost_after_it_has_gone(self):
        for method in move.METHODS:
            self.renew()
            words = self.break_('source', 'watch', skip=1, after='gone')
            moved = self.move_with(method, words)
            self.assert_outcome('VERIFIED', 0, moved)

    def test_new_node_is_lost_while_waiting(self):
        for method, name in (
            ('promote', 'FAILED'),
            ('handover', 'INCOMPLETE'),
        ):
            self.renew()
            words = self.break_('target', 'takeover')
            moved = self.move_with(method, words)
            self.assertEqual(name, moved.outcome.name)

    def test_new_node_is_lost_after_it_has_come(self):
        for method in move.METHODS:
            self.renew()
            words = self.break_('target', 'takeover', after='active')
            moved = self.move_with(method, words)
            self.assert_outcome('VERIFIED', 0, moved)
            self.assertEqual(self.target, moved.target)
            self.assertIsNotNone(moved.takeover)

    def test_one_of_several_is_lost_in_a_release(self):
        words = self.break_('other', 'takeover')
        moved = self.move_with('release', words)
        self.assert_outcome('VERIFIED', 0, moved)
        self.assertIn(self.target, moved.report.active_hosts)

    def test_all_are_lost_in_a_release(self):
        words = [self.break_(r, 'takeover') for r in ('target', 'other')]
        moved = self.move_with('release', *words)
        self.assert_outcome('INCOMPLETE', 4, moved, 'active on no node')

    def test_lost_at_the_end(self):
        for method in move.METHODS:
            for role in ('source', 'target', 'other'):
                self.renew()
                words = self.break_(role, 'finish')
                moved = self.move_with(method, words)
                self.assert_outcome('VERIFIED', 0, moved)

    def test_something_is_left(self):
        words = self.break_(
            'other',
            'finish',
            trouble=lines.refusal(self.other, 'left', 'a rule stays'),
        )
        self.assertIn('a rule stays', words)
        self.assert_outcome(
            'VERIFIED', 0, self.move_with('promote', words), 'a rule stays'
        )

    def test_node_that_does_not_answer_takes_no_time_from_others(self):
        host = min(self.well.names)
        self.nodes.fault(host, 'finish', seconds=60)
        began = time.monotonic()
        moved = self.move('promote', wait=False)
        self.assertLess(time.monotonic() - began, 5)
        silent = [n for n in moved.notes if 'did not answer' in n]
        self.assertEqual(1, len(silent), moved.notes)
        self.assertIn(host, silent[0])

    def test_answers_that_are_not_understood(self):
        for role, op, end, name in (
            ('source', 'quiet', {'quiet': 'yes'}, 'FAILED'),
            ('target', 'takeover', {'active': None}, 'VERIFIED'),
            ('source', 'watch', {'gone': 1}, 'VERIFIED'),
            ('other', 'finish', {'undone': None}, 'VERIFIED'),
        ):
            self.renew()
            skip = 1 if op == 'watch' else 0
            self.nodes.fault(self.host(role), op, end=end, skip=skip)
            moved = self.move('promote', wait=False)
            self.assert_outcome(
                name,
                0 if name == 'VERIFIED' else 1,
                moved,
                f'{self.host(role)} answered something else',
            )

    def test_neutron_does_not_answer_meanwhile(self):
        def away(host):
            self.neutron.trouble = errors.CloudError('away')
            threading.Timer(
                0.2, setattr, (self.neutron, 'trouble', None)
            ).start()

        self.nodes.moved = away
        self.assert_outcome('VERIFIED', 0, self.move())
        self.assertIn(('wait', 'Neutron has learned of it'), self.told)


class InterruptTest(move.MoveTest):
    def interrupted(self, method: str) -> float:
        """Return how long it took, in seconds, all lines being closed."""
        plan = self.plan(method)
        began = time.monotonic()
        self.assertRaises(KeyboardInterrupt, self.carry_out, plan)
        took = time.monotonic() - began
        while time.monotonic() < began + 5 and self.threads():
            time.sleep(0.01)
        self.assertEqual(set(), self.threads())
        return took

    def setUp(self):
        super().setUp()
        self.before = set(threading.enumerate())
        # a shell has what it starts in the background ignore it
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def threads(self) -> set[threading.Thread]:
        return set(threading.enumerate()) - self.before

    def test_in_every_step(self):
        for host, op in (
            (self.active, 'begin'),
            (self.active, 'watch'),
            (self.active, 'quiet'),
            (self.active, 'export'),
            (self.target, 'import'),
            (self.target, 'raise'),
            (self.other, 'finish'),
        ):
            with self.subTest(op=op):
                self.renew()
                self.nodes.fault(host, op, trouble=KeyboardInterrupt())
                self.assertLess(self.interrupted('promote'), 1.5)
                for name in self.well.names:
                    self.assertEqual(
                        self.well.conf(name), self.nodes.scene.conf(name)
                    )

    def press(self) -> None:
        """Press Ctrl-C, as seen from any thread."""
        signal.raise_signal(signal.SIGINT)

    def test_while_the_role_moves(self):
        for method, host, op in (
            ('promote', self.target, 'takeover'),
            ('handover', self.active, 'terminate'),
            ('release', self.active, 'terminate'),
        ):
            for after in (None, 'active') if op == 'takeover' else (None,):
                self.renew()
                self.nodes.willing = after is not None
                self.nodes.fault(host, op, call=self.press, after=after)
                self.assertLess(self.interrupted(method), 1)
                self.assertEqual(
                    self.well.conf(self.target),
                    self.nodes.scene.conf(self.target),
                )

    def test_while_a_node_says_nothing(self):
        self.nodes.fault(
            self.target, 'takeover', call=self.press, after='active'
        )
        self.nodes.fault(self.active, 'watch', skip=1, seconds=60)
        self.assertLess(self.interrupted('promote'), 1)

    def test_while_neutron_says_nothing(self):
        asked, answers = threading.Event(), threading.Event()
        self.addCleanup(answers.set)

        def again(ids):
            asked.set()
            answers.wait(60)
            return ()

        self.neutron.again = again

        def press():
            asked.wait(10)
            self.press()

        self.nodes.ports = [{'device': 'qg-1', 'seconds': 0.1}]
        self.nodes.fault(self.target, 'takeover', call=press, after='revived')
        plan = self.plan()
        began = time.monotonic()
        self.assertRaises(KeyboardInterrupt, self.carry_out, plan)
        self.assertLess(time.monotonic() - began, 2)

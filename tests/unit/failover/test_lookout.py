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

"""Watching both ends at the same time."""

import threading
import time

from osc_ha_router.backends import base as backends
from osc_ha_router.failover import lookout
from tests.unit import lines
from tests.unit.failover import move


class LookoutTest(move.MoveTest):
    def setUp(self):
        super().setUp()
        self.made = self.begun('release')
        self.made.settled = threading.Event()

    def watch(
        self,
        *hosts: str,
        timeout: float = 0.5,
        hold: float = 0.1,
        stay: float = 0.2,
        resign: bool = True,
    ) -> lookout.Lookout:
        return lookout.Lookout(
            self.made,
            [self.made.hosts[host] for host in hosts or self.well.standbys],
            timeout=timeout,
            hold=hold,
            stay=stay,
            resign=resign,
        )

    def test_result(self):
        with self.watch() as watching:
            took = watching.result()
        self.assertIs(True, took.active)
        self.assertEqual(self.target, self.made.winner)
        moments = self.made.moments
        self.assertLessEqual(moments.started, moments.gone)
        # here nothing lies between: either may be told first
        self.assertEqual(max(0.0, moments.active - moments.gone), moments.gap)
        self.assertEqual(moments.active - moments.started, moments.takeover)
        self.assertEqual([], self.made.notes)

    def test_everywhere_in_vain(self):
        self.nodes.willing = False
        with self.watch() as watching:
            took = watching.result()
        self.assertIs(False, took.active)
        self.assertIn('within 0.5 s', took.reason)
        moments = self.made.moments
        self.assertIsNotNone(moments.gone)
        self.assertEqual((None, None), (moments.gap, moments.takeover))

    def test_old_node_does_not_resign(self):
        self.nodes.willing = False
        with self.watch(resign=False) as watching:
            took = watching.result()
        self.assertIs(False, took.active)
        self.assertNotIn('terminate', self.nodes.ops())
        self.assertIsNone(self.made.moments.gone)

    def test_losers_wait_no_longer_than_the_winner(self):
        began = time.monotonic()
        with self.watch(timeout=60) as watching:
            watching.result()
        self.assertLess(time.monotonic() - began, 2)

    def test_two_equals(self):
        """Both become active, and the second one stays."""
        there = threading.Event()

        def second() -> None:
            self.nodes.edit(lambda s: s.with_vip(self.other))
            there.set()

        self.nodes.ports = [{'device': 'qg-1', 'seconds': 1}]
        self.nodes.fault(self.target, 'takeover', after='active', call=second)
        self.nodes.fault(self.other, 'takeover', call=lambda: there.wait(10))
        with self.watch(timeout=5, stay=0.6) as watching:
            took = watching.result()
        self.assertEqual([self.target, self.other], self.made.arrivals)
        self.assertEqual(self.other, self.made.winner)
        self.assertIs(True, took.active)
        # what both say of ports is told of both
        self.assertEqual(
            2, len([1 for _, words in self.told if 'cut off' in words])
        )

    def test_end_of_the_winner_counts(self):
        """Not that of one who was active for a moment."""
        self.made.is_active(self.other)
        with self.watch(timeout=0.3, stay=0.5) as watching:
            took = watching.result()
        self.assertEqual(self.target, self.made.winner)
        self.assertIs(True, took.active)

    def test_winner_is_lost_and_the_other_was_active(self):
        self.nodes.fault(
            self.target, 'takeover', trouble=lines.trouble(self.target)
        )
        self.nodes.heir = self.other
        with self.watch() as watching:
            self.made.arrivals.append(self.target)
            took = watching.result()
        self.assertIs(True, took.active)

    def test_settled(self):
        self.made.settled.set()
        began = time.monotonic()
        with self.watch(hold=0.3, stay=60) as watching:
            watching.result()
        # not before the others have heard it long enough
        self.assertGreater(time.monotonic() - began, 0.3)
        self.assertLess(time.monotonic() - began, 2)

    def test_stay(self):
        began = time.monotonic()
        with self.watch(stay=0.5) as watching:
            watching.result()
        self.assertGreater(time.monotonic() - began, 0.5)

    def test_leaving_early(self):
        self.nodes.willing = False
        began = time.monotonic()
        with self.watch(timeout=60):
            pass
        self.assertLess(time.monotonic() - began, 1)
        self.assertIs(False, self.made.stop.is_set())

    def test_error_is_no_interruption(self):
        def fail():
            with self.watch():
                raise ValueError

        self.assertRaises(ValueError, fail)
        self.assertIs(False, self.made.stop.is_set())

    def test_interruption(self):
        def press():
            with self.watch(timeout=60):
                raise KeyboardInterrupt

        began = time.monotonic()
        self.assertRaises(KeyboardInterrupt, press)
        self.assertIs(True, self.made.stop.is_set())
        self.assertLess(time.monotonic() - began, 1)

    def test_interruption_before_all_watch(self):
        class Pressed(lookout.Lookout):
            def _leave(self):
                return None

            def _send_out(self):
                super()._send_out()
                raise KeyboardInterrupt

        watching = Pressed(self.made, [], timeout=1.0, hold=0.1, stay=0.1)
        self.assertRaises(KeyboardInterrupt, watching.__enter__)
        self.assertIs(True, self.made.stop.is_set())

    def test_time_is_nearly_up(self):
        """Waits are ended, not cut off, so that the lines stay in order."""
        self.nodes.willing = False
        self.made.until = backends.Deadline.after(0.6)
        with self.watch(timeout=60) as watching:
            took = watching.result()
        self.assertEqual('stopped', took.reason)
        self.assertGreater(self.made.until.left(), 0)
        for node in self.made.hosts.values():
            node.finish(backends.Deadline.after(5))

    def test_trouble_with_the_old_node(self):
        for op, resigned in (('terminate', False), ('watch', True)):
            self.renew()
            self.setUpAgain()
            trouble = lines.trouble(self.active)
            self.nodes.fault(self.active, op, trouble=trouble)
            with self.watch() as watching:
                if resigned:
                    self.assertIs(True, watching.result().active)
                else:
                    found = self.assertRaises(
                        backends.Trouble, watching.result
                    )
                    self.assertIs(trouble, found)
            self.assertEqual(1, len(self.made.notes))
            self.assertIn(self.active, self.made.notes[0])

    def setUpAgain(self) -> None:
        self.made = self.begun('release')
        self.made.settled = threading.Event()

    def test_trouble_everywhere(self):
        for host in self.well.standbys:
            self.nodes.fault(host, 'takeover', trouble=lines.trouble(host))
        with self.watch() as watching:
            self.assertRaises(backends.Trouble, watching.result)
        self.assertEqual(2, len(self.made.notes))

    def test_trouble_on_one_of_two_and_the_other_in_vain(self):
        self.nodes.willing = False
        self.nodes.fault(
            self.other, 'takeover', trouble=lines.trouble(self.other)
        )
        with self.watch() as watching:
            took = watching.result()
        self.assertIn('did not come', took.reason)

    def test_mistakes_are_not_hidden(self):
        self.nodes.fault(self.target, 'takeover', trouble=ValueError('bug'))
        with self.watch(self.target) as watching:
            self.assertRaises(ValueError, watching.result)
        self.assertEqual([], self.made.notes)

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

"""Who waits for a turn, and who is told to come again."""

import threading
import time

from osc_ha_router.agent import queue
from osc_ha_router.backends import base
from tests.unit import quiet


def soon():
    return base.Deadline.after(5)


class QueueTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.queue = queue.Queue(1)
        self.done = []

    def waiter(self, name, seconds=5.0, owner=None):
        """Start somebody who waits for a turn, and return when it waits."""

        def work():
            try:
                deadline = base.Deadline.after(seconds)
                with queue.Turn(self.queue, deadline, owner or name):
                    self.done.append(name)
            except queue.Busy:
                self.done.append(f'not {name}')

        before = self.queue.waiting
        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        end = time.monotonic() + 5
        while self.queue.waiting == before and thread.is_alive():
            self.assertTrue(time.monotonic() < end)
            time.sleep(0.001)
        return thread

    def test_as_many_as_may(self):
        two = queue.Queue(2)
        with queue.Turn(two, soon()), queue.Turn(two, soon()):
            self.assertRaises(
                queue.Busy, queue.Turn(two, base.Deadline.after(0)).__enter__
            )
        with queue.Turn(two, soon()):
            pass

    def test_first_come_first_served(self):
        with queue.Turn(self.queue, soon()):
            threads = [self.waiter(str(number)) for number in range(5)]
        for thread in threads:
            thread.join(5)
        self.assertEqual(['0', '1', '2', '3', '4'], self.done)

    def test_nobody_waits_beyond_the_deadline(self):
        with queue.Turn(self.queue, soon()):
            thread = self.waiter('late', 0.05)
            thread.join(5)
            self.assertEqual(['not late'], self.done)
        # and the turn is not lost to somebody who has gone
        with queue.Turn(self.queue, base.Deadline.after(0)):
            pass

    def test_turn_is_given_back_after_an_exception(self):
        for _ in range(3):
            try:
                with queue.Turn(self.queue, base.Deadline.after(0)):
                    raise KeyError
            except KeyError:
                pass

    def test_others_work_while_one_sleeps(self):
        with queue.Turn(self.queue, soon()) as turn:
            thread = self.waiter('other')
            turn.sleep(0.05)
            self.assertEqual(['other'], self.done)
            self.assertRaises(
                queue.Busy,
                queue.Turn(self.queue, base.Deadline.after(0)).__enter__,
            )
        thread.join(5)

    def test_no_turn_after_sleep(self):
        """The queue is whole even then."""
        inside = threading.Event()
        over = threading.Event()

        def hold():
            with queue.Turn(self.queue, soon()):
                inside.set()
                over.wait(5)

        def sleepy():
            with queue.Turn(self.queue, base.Deadline.after(0.2)) as turn:
                holder = threading.Thread(target=hold)
                holder.start()
                self.addCleanup(holder.join)
                self.addCleanup(over.set)
                turn.sleep(0.05)

        self.assertRaises(queue.Busy, sleepy)
        self.assertTrue(inside.is_set())
        over.set()
        with queue.Turn(self.queue, soon()):
            pass


class ShareTest(QueueTest):
    """One owner does not keep all others from their turn."""

    def test_who_has_fewest_is_next(self):
        self.queue = queue.Queue(2)
        with queue.Turn(self.queue, soon(), 'greedy'):
            with queue.Turn(self.queue, soon(), 'other'):
                threads = [
                    self.waiter('greedy 1', owner='greedy'),
                    self.waiter('greedy 2', owner='greedy'),
                    self.waiter('modest'),
                ]
            for thread in threads:
                thread.join(5)
        self.assertEqual(['modest', 'greedy 1', 'greedy 2'], self.done)

    def test_alone_one_may_have_all(self):
        self.queue = queue.Queue(3)
        now = base.Deadline.after(0)
        with (
            queue.Turn(self.queue, now, 'one'),
            queue.Turn(self.queue, now, 'one'),
            queue.Turn(self.queue, now, 'one'),
        ):
            pass

    def test_room_for_others_to_wait(self):
        self.queue = queue.Queue(1, share=3)
        with queue.Turn(self.queue, soon(), 'greedy'):
            self.waiter('1', owner='greedy')
            self.waiter('2', owner='greedy')
            self.waiter('3', owner='greedy').join(5)
            self.assertEqual(['not 3'], self.done)
            self.waiter('modest')
            self.assertEqual(3, self.queue.waiting)

    def test_room_is_free_again(self):
        self.queue = queue.Queue(1, share=1)
        for _ in range(3):
            with queue.Turn(self.queue, base.Deadline.after(0), 'one') as turn:
                self.assertRaises(
                    queue.Busy,
                    queue.Turn(self.queue, soon(), 'one').__enter__,
                )
                turn.sleep(0)

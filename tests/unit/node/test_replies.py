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

"""Waiting, while the client may say something or hang up."""

import io
import os
import signal
import threading
import time

import testtools

from osc_ha_router.node import ending
from osc_ha_router.node import lines
from osc_ha_router.node import replies


class WaitTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.input, self.client = self.pipe()
        self.reader, self.output = self.pipe()
        self.source = lines.Input(self.input)
        self.replies = replies.Replies(self.output, 1, self.source)
        self.iterator = iter(self.source)

    def pipe(self):
        read, write = os.pipe()
        one, two = open(read, 'rb'), open(write, 'wb', buffering=0)
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        return one, two

    def wait(self, seconds, *descriptors):
        started = time.monotonic()
        found = self.replies.wait(seconds, descriptors)
        return found, time.monotonic() - started

    def test_in_vain(self):
        found, took = self.wait(0.05)
        self.assertEqual([], found)
        self.assertGreaterEqual(took, 0.05)
        self.assertFalse(self.replies.asked())

    def test_descriptors(self):
        one, two = self.pipe()
        two.write(b'x')
        found, took = self.wait(60, one.fileno())
        self.assertEqual([one.fileno()], found)
        self.assertLess(took, 10)
        self.assertFalse(self.replies.asked())

    def test_the_client_speaks(self):
        timer = threading.Timer(0.05, self.client.write, [b'one\ntw'])
        timer.start()
        self.addCleanup(timer.join)
        for _ in range(2):
            found, took = self.wait(60)
            self.assertEqual([], found)
            self.assertLess(took, 10)
            self.assertTrue(self.replies.asked())
        self.assertEqual(b'one\n', next(self.iterator))
        # half of a line is something, too
        self.assertTrue(self.replies.asked())
        self.client.write(b'o\n')
        self.assertEqual(b'two\n', next(self.iterator))
        self.assertFalse(self.replies.asked())

    def test_two_lines_at_once(self):
        self.client.write(b'one\ntwo\n')
        self.assertEqual(b'one\n', next(self.iterator))
        self.assertTrue(self.replies.asked())
        self.assertEqual(b'two\n', next(self.iterator))
        self.assertFalse(self.replies.asked())

    def test_last_words(self):
        self.client.write(b'one\ntwo')
        self.client.close()
        self.assertEqual(b'one\n', next(self.iterator))
        self.assertTrue(self.replies.asked())
        self.assertEqual(b'two', next(self.iterator))
        self.assertRaises(replies.Gone, self.replies.asked)
        self.assertRaises(StopIteration, next, self.iterator)

    def test_the_client_hangs_up(self):
        timer = threading.Timer(0.05, self.client.close)
        timer.start()
        self.addCleanup(timer.join)
        self.assertRaises(replies.Gone, self.replies.wait, 60)
        self.assertRaises(replies.Gone, self.replies.wait, 60)

    def test_nobody_reads(self):
        timer = threading.Timer(0.05, self.reader.close)
        timer.start()
        self.addCleanup(timer.join)
        self.assertRaises(replies.Gone, self.replies.wait, 60)

    def test_streams_without_descriptors(self):
        source = lines.Input(io.BytesIO(b'one\ntwo\n'))
        talk = replies.Replies(io.BytesIO(), 1, source)
        iterator = iter(source)
        self.assertEqual(b'one\n', next(iterator))
        self.assertTrue(talk.asked())
        self.assertEqual([], talk.wait(60))
        self.assertEqual(b'two\n', next(iterator))
        self.assertRaises(replies.Gone, talk.wait, 60)
        self.assertEqual([], replies.Replies(io.BytesIO()).wait(0.01))


class TrapTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.before = signal.getsignal(signal.SIGTERM)
        self.trap = ending.Trap()
        self.addCleanup(self.trap.disarm)

    def kill(self):
        os.kill(os.getpid(), signal.SIGTERM)
        # where the interpreter has a chance to notice
        time.sleep(0.01)

    def test_once(self):
        self.trap.arm()
        self.trap.arm()
        self.assertRaises(ending.Ended, self.kill)
        self.kill()
        self.trap.check()
        self.trap.disarm()
        self.assertEqual(self.before, signal.getsignal(signal.SIGTERM))

    def test_held(self):
        self.trap.arm()
        done = []

        def work():
            with self.trap.held():
                with self.trap.held():
                    self.kill()
                done.append(1)
            done.append(2)

        self.assertRaises(ending.Ended, work)
        self.assertEqual([1], done)

    def test_held_by_what_fails(self):
        self.trap.arm()

        def work():
            with self.trap.held():
                self.kill()
                raise ValueError

        self.assertRaises(ending.Ended, work)

    def test_ignored_signals_stay_ignored(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, signal.SIG_DFL)
        self.trap.arm()
        self.assertEqual(signal.SIG_IGN, signal.getsignal(signal.SIGHUP))

    def test_alarm(self):
        self.trap.alarm(0.01)
        time.sleep(0.05)
        self.trap.arm()
        self.trap.alarm(0.01)
        self.assertRaises(ending.Ended, time.sleep, 5)

    def test_other_threads_are_not_signalled(self):
        thread = threading.Thread(target=self.trap.arm)
        thread.start()
        thread.join()
        self.assertEqual(self.before, signal.getsignal(signal.SIGTERM))

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

"""Signals that come at the wrong moment come afterwards."""

import os
import signal
import threading

import testtools

from osc_ha_router import errors
from osc_ha_router.repair import whole


class WholeTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.heard = []
        self.came = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.signal(
                number, lambda number, frame: self.came.append(number)
            )
            self.addCleanup(signal.signal, number, before)

    def test_each_comes_afterwards(self):
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
        with whole.whole(lambda: self.heard.append(True)):
            for number in (*numbers, signal.SIGINT):
                os.kill(os.getpid(), number)
            self.assertEqual([], self.came)
        self.assertEqual(numbers, self.came)
        self.assertEqual([True], self.heard)

    def test_nothing_comes(self):
        with whole.whole(lambda: self.heard.append(True)):
            pass
        os.kill(os.getpid(), signal.SIGINT)
        self.assertEqual([], self.heard)
        self.assertEqual([signal.SIGINT], self.came)

    def test_ignored_ones_stay_ignored(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with whole.whole(lambda: self.heard.append(True)):
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual([], self.heard)
        self.assertEqual(signal.SIG_IGN, signal.getsignal(signal.SIGHUP))

    def test_trouble_is_not_lost(self):
        def work():
            with whole.whole(lambda: None):
                raise errors.CloudError('no')

        self.assertRaises(errors.CloudError, work)
        self.assertNotEqual(
            signal.default_int_handler, signal.getsignal(signal.SIGINT)
        )

    def test_in_another_thread(self):
        done = []

        def work():
            with whole.whole(lambda: None):
                done.append(True)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual([True], done)

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

"""Who may wait for a client, and what waits without a thread."""

import selectors
import socket
import time

from osc_ha_router.agent import connections
from osc_ha_router.agent import slow
from tests.unit import quiet


class TestSlow(quiet.TestCase):
    """Who may wait for a client, and for how long."""

    def test_places(self):
        places = slow.Slow(3, 2)
        with places.place('a') as one, places.place('a') as two:
            with places.place('a') as third, places.place('b') as other:
                self.assertEqual(
                    [True, True, False, True], [one, two, third, other]
                )
                with places.place('c') as full:
                    self.assertFalse(full)
        self.assertEqual({}, dict(places._taken))

    def test_with_a_place(self):
        grace = slow.Grace(slow.Slow(1, 1), lambda: 'a')
        for _ in range(3):
            with grace.waiting(20.0) as seconds:
                self.assertEqual(20.0, seconds)

    def test_without(self):
        self.patch(slow, 'GRACE', 0.1)
        grace = slow.Grace(slow.Slow(0, 0), lambda: 'a')
        for _ in range(2):
            with grace.waiting(20.0) as seconds:
                self.assertTrue(0 < seconds <= 0.1)
                time.sleep(0.06)
        self.assertRaises(TimeoutError, grace.waiting(20.0).__enter__)
        grace.start()
        with grace.waiting(20.0):
            pass


class TestSelector(quiet.TestCase):
    """Connections that are closed while others are looked after."""

    def setUp(self):
        super().setUp()
        self.selector = connections._Selector()
        self.addCleanup(self.selector.close)
        self.pairs = [socket.socketpair() for _ in range(3)]
        for one, other in self.pairs:
            self.addCleanup(one.close)
            self.addCleanup(other.close)
            other.send(b'x')
            self.selector.register(one, selectors.EVENT_READ, one)

    def test_all(self):
        self.assertEqual(
            {one for one, _ in self.pairs},
            {conn for _, conn in self.selector.select(0)},
        )

    def test_those_that_are_gone_are_not_told_of(self):
        ready = self.selector.select(0)
        number, conn = next(ready)
        gone, other = (one for one, _ in self.pairs if one is not conn)
        self.selector.unregister(gone)
        # and its number is that of a new one
        self.selector.register(gone, selectors.EVENT_READ, 'new')
        self.assertEqual([other], [conn for _, conn in ready])

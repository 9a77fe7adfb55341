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


import threading
import time
from unittest import mock

import fixtures

from osc_ha_router.agent import sharing
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.model import view
from tests.unit import quiet

A, B, C = 'a', 'b', 'c'
#: seconds; long enough for a run to follow another that hangs
SHORT = sharing._GAP + 0.4


class Node:
    """Stands for the node program: what is asked, and when."""

    def __init__(self):
        self.lock = threading.Lock()
        #: (when it began, request), of every run
        self.runs = []
        self.now = 0
        self.most = 0
        #: let runs end
        self.go = threading.Event()
        self.stopped = []
        self.broken = None

    def work(self, request, until, stop, answer, tell):
        with self.lock:
            self.runs.append((time.monotonic(), request))
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            answer.hostname = 'net1'
            for router in request.routers or (A, B, C):
                answer.take({'view': {'router_id': router, 'namespace': None}})
                while not self.go.wait(0.01):
                    if stop.is_set():
                        self.stopped.append(request)
                        tell(failures.Broken('interrupted'))
                        return
                    if not until.left():
                        tell(failures.Broken('timeout'))
                        return
            if isinstance(self.broken, failures.Broken):
                tell(self.broken)
            elif self.broken:
                raise self.broken
            answer.take({'end': {'residents': []}})
        finally:
            with self.lock:
                self.now -= 1


class Asker(threading.Thread):
    """Somebody who asks, in a thread."""

    def __init__(self, house, *routers, seconds=10.0, listen=0.0, all_=False):
        super().__init__()
        self.house = house
        self.request = base.Request('net1', None if all_ else routers, listen)
        self.seconds = seconds
        self.stop = threading.Event()
        self.asked = time.monotonic()
        self.start()

    def run(self):
        self.asked = time.monotonic()
        self.answer, self.broken = self.house.look(
            self.request, base.Deadline.after(self.seconds), self.stop
        )
        self.took = time.monotonic() - self.asked

    @property
    def kind(self):
        self.join(10)
        return self.broken.kind if self.broken else None

    def saw(self):
        self.join(10)
        return [each.router_id for each in self.answer.views]


class SharingTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.node = Node()
        self.addCleanup(self.assert_nothing_left)
        self.addCleanup(self.node.go.set)
        self.house = sharing.Sharing('net1', self.node.work, 2)

    def assert_nothing_left(self):
        self.until(lambda: not self.house._running)
        self.assertEqual([], self.house._running)
        self.assertEqual([], self.house._waiting)

    def until(self, question, seconds=5.0):
        end = time.monotonic() + seconds
        while not question() and time.monotonic() < end:
            time.sleep(0.005)
        self.assertTrue(question())

    def ask(self, *routers, **more):
        return Asker(self.house, *routers, **more)

    def begun(self, count=1):
        self.until(lambda: len(self.node.runs) >= count)

    def waiting(self, count):
        self.until(lambda: sum(r.askers for r in self.house._waiting) >= count)

    def requests(self):
        return [request for _, request in self.node.runs]


class SharedTest(SharingTest):
    def test_alone(self):
        self.node.go.set()
        one = self.ask(A, B)
        self.assertIsNone(one.kind)
        self.assertEqual([A, B], one.saw())
        self.assertEqual('net1', one.answer.hostname)
        self.assertEqual([base.Request('net1', (A, B), 0.0)], self.requests())

    def test_those_who_ask_meanwhile_share_the_next(self):
        first = self.ask(A)
        self.begun()
        others = [self.ask(B), self.ask(B, C), self.ask(C)]
        self.waiting(3)
        self.node.go.set()
        self.assertEqual([A], first.saw())
        for other in others:
            self.assertIsNone(other.kind)
            self.assertEqual({B, C}, set(other.saw()))
        self.assertEqual(2, len(self.node.runs))
        self.assertEqual({B, C}, set(self.requests()[1].routers))

    def test_nobody_gets_what_was_seen_before(self):
        """Under a storm of questions, whatever the order of threads."""
        self.node.go.set()
        askers = []
        for number in range(100):
            askers.append(self.ask(f'router{number}'))
            time.sleep(0.0005)
        for asker in askers:
            self.assertIsNone(asker.kind)
        for number, asker in enumerate(askers):
            mine = [
                began
                for began, request in self.node.runs
                if f'router{number}' in request.routers
            ]
            self.assertEqual(1, len(mine))
            self.assertLessEqual(asker.asked, mine[0])
        self.assertLessEqual(self.node.most, 2)

    def test_many_at_once_take_few_runs(self):
        first = self.ask(A)
        self.begun()
        askers = [self.ask(f'router{number}') for number in range(200)]
        self.waiting(200)
        self.node.go.set()
        self.assertEqual([None] * 200, [asker.kind for asker in askers])
        self.assertIsNone(first.kind)
        self.assertEqual(2, len(self.node.runs))

    def test_no_run_grows_beyond_bounds(self):
        first = self.ask(A)
        self.begun()
        sizes = (600, 300, 600)
        many = [
            self.ask(*(f'{number}-{each}' for each in range(size)))
            for number, size in enumerate(sizes)
        ]
        self.waiting(3)
        self.node.go.set()
        self.assertEqual([None] * 3, [asker.kind for asker in many])
        self.assertIsNone(first.kind)
        sizes = sorted(len(request.routers) for request in self.requests())
        self.assertEqual([1, 600, 900], sizes)

    def test_more_than_a_run_takes_goes_alone(self):
        self.node.go.set()
        one = self.ask(*map(str, range(1500)))
        self.assertIsNone(one.kind)
        self.assertEqual(1500, len(one.saw()))

    def test_what_cannot_be_shared(self):
        first = self.ask(A)
        self.begun()
        different = [
            self.ask(B),
            self.ask(all_=True),
            self.ask(B, listen=2.0),
            self.ask(B, listen=3.0),
        ]
        self.begun(4)
        self.node.go.set()
        self.assertEqual([None] * 4, [asker.kind for asker in different])
        self.assertIsNone(first.kind)
        self.assertEqual(
            {
                base.Request('net1', (A,), 0.0),
                base.Request('net1', (B,), 0.0),
                base.Request('net1', None, 0.0),
                base.Request('net1', (B,), 2.0),
                base.Request('net1', (B,), 3.0),
            },
            set(self.requests()),
        )

    def test_all_gets_all(self):
        self.node.go.set()
        self.assertEqual([A, B, C], self.ask(all_=True).saw())

    def test_one_that_takes_long_is_followed(self):
        first = self.ask(A)
        self.begun()
        second = self.ask(A)
        self.begun(2)
        (one, _), (two, _) = self.node.runs
        self.assertGreaterEqual(two - one, sharing._GAP)
        self.node.go.set()
        self.assertEqual([None, None], [first.kind, second.kind])


class LeavingTest(SharingTest):
    def test_deadline_of_one(self):
        short, long = self.together(self.ask(B, seconds=SHORT), self.ask(C))
        self.assertEqual('timeout', short.kind)
        self.assertLess(short.took, SHORT + 0.4)
        self.node.go.set()
        self.assertIsNone(long.kind)
        self.assertIn(C, long.saw())
        self.assertEqual([], self.node.stopped)

    def test_what_was_there_at_the_deadline(self):
        one = self.ask(A, B, seconds=SHORT)
        self.assertEqual('timeout', one.kind)
        self.assertEqual([A], one.saw())

    def test_cancel_of_one(self):
        first, second = self.together(self.ask(B), self.ask(C))
        first.stop.set()
        self.assertEqual('interrupted', first.kind)
        self.node.go.set()
        self.assertIsNone(second.kind)
        self.assertEqual([], self.node.stopped)

    def test_cancel_of_all(self):
        both = self.together(self.ask(B), self.ask(C))
        for one in both:
            one.stop.set()
        self.assertEqual(['interrupted'] * 2, [one.kind for one in both])
        self.until(lambda: self.node.stopped)
        self.assertEqual({B, C}, set(self.node.stopped[0].routers))

    def test_gone_before_it_began(self):
        first = self.ask(A)
        self.begun()
        second, third = self.ask(B), self.ask(C, listen=1.0)
        self.waiting(1)
        second.stop.set()
        self.assertEqual('interrupted', second.kind)
        self.node.go.set()
        self.assertEqual([None, None], [first.kind, third.kind])
        self.assertNotIn((B,), [r.routers for r in self.requests()])

    def test_bound_of_a_run_is_that_of_who_waits_longest(self):
        short, long = self.together(
            self.ask(B, seconds=SHORT), self.ask(C, seconds=SHORT + 0.6)
        )
        self.assertEqual(('timeout', 'timeout'), (short.kind, long.kind))
        self.assertLess(short.took, SHORT + 0.4)
        self.assertGreaterEqual(long.took, SHORT + 0.6)

    def together(self, *askers):
        """Let them share one run, which does not end by itself."""
        self.until(lambda: self.node.now == 2)
        return askers

    def setUp(self):
        super().setUp()
        # those who come behind it are in one run
        self.first = self.ask(A, seconds=30)
        self.begun()
        self.addCleanup(self.first.stop.set)


class BoundTest(SharingTest):
    def test_places(self):
        """No more at once, whatever is asked; a place that is free is used."""
        hanging = [self.ask(A, seconds=30), self.ask(all_=True, seconds=30)]
        self.begun(2)
        time.sleep(sharing._GAP + 0.1)
        late = self.ask(B, seconds=0.3)
        self.assertEqual('agent-busy', late.kind)
        waiting = self.ask(C)
        self.waiting(1)
        hanging[0].stop.set()
        self.begun(3)
        self.node.go.set()
        self.assertIsNone(waiting.kind)
        self.assertIsNone(hanging[1].kind)
        self.assertEqual(2, self.node.most)

    def test_listening_has_places_of_its_own(self):
        ears = [self.ask(A, listen=each) for each in (1.0, 2.0, 3.0)]
        self.begun(2)
        self.waiting(1)
        quick = self.ask(A)
        self.begun(3)
        self.assertEqual(0.0, self.requests()[2].listen)
        self.assertEqual(1, len(self.house._waiting))
        self.node.go.set()
        for asker in (*ears, quick):
            self.assertIsNone(asker.kind)

    def test_first_come_first_served(self):
        hanging = [self.ask(A), self.ask(all_=True)]
        self.begun(2)
        early = self.ask(A, listen=0.0)
        self.waiting(1)
        late = self.ask(all_=True)
        self.waiting(2)
        hanging[1].stop.set()
        # a place is free, and the one that is first follows its like
        self.begun(3)
        self.node.go.set()
        for asker in (hanging[0], early, late):
            self.assertIsNone(asker.kind)

    def test_place_is_held_until_the_program_has_ended(self):
        house = sharing.Sharing('net1', self.linger, 1)
        self.ending = threading.Event()
        first = Asker(house, A)
        self.assertEqual('truncated', first.kind)
        second = Asker(house, A, seconds=0.8)
        self.assertEqual('agent-busy', second.kind)
        self.ending.set()
        third = Asker(house, A)
        self.assertEqual('truncated', third.kind)

    def linger(self, request, until, stop, answer, tell):
        tell(failures.Broken('truncated'))
        self.ending.wait(10)


class BrokenTest(SharingTest):
    def test_everybody_is_told(self):
        self.node.broken = failures.Broken('truncated', 'killed')
        self.node.go.set()
        one = self.ask(A)
        self.assertEqual('truncated', one.kind)
        self.assertEqual('killed', one.broken.detail)
        self.assertEqual([A], one.saw())

    def test_mistake_of_our_own(self):
        self.useFixture(fixtures.FakeLogger())
        self.node.broken = ZeroDivisionError('oh')
        self.node.go.set()
        one = self.ask(A)
        self.assertEqual('node-error', one.kind)
        self.assertEqual('oh', one.broken.detail)

    def test_no_thread_to_be_had(self):
        house = sharing.Sharing('net1', self.node.work, 2)
        with mock.patch.object(
            sharing.threading, 'Thread', side_effect=RuntimeError('no more')
        ):
            _, broken = house.look(
                base.Request('net1', (A,)),
                base.Deadline.after(5),
                threading.Event(),
            )
        self.assertEqual('agent-busy', broken.kind)
        self.assertEqual([], house._running)
        self.assertEqual([], house._waiting)

    def test_the_next_one_is_a_new_one(self):
        self.node.broken = failures.Broken('truncated')
        self.node.go.set()
        self.assertEqual('truncated', self.ask(A).kind)
        self.node.broken = None
        one = self.ask(A)
        self.assertIsNone(one.kind)
        self.assertIsInstance(one.answer.views[0], view.NodeView)

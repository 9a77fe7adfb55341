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

from collections.abc import Iterator
import threading
import time

import testtools

from osc_ha_router.backends import fanout


class FanoutTest(testtools.TestCase):
    def test_in_order_of_readiness(self) -> None:
        gates = {name: threading.Event() for name in 'abc'}

        def work(name: str, stop: threading.Event) -> str:
            gates[name].wait(10)
            return name

        results = fanout.run(work, 'abc', 3)
        for name in 'bca':
            gates[name].set()
            self.assertEqual(name, next(results))
        self.assertEqual([], list(results))

    def test_no_items(self) -> None:
        self.assertEqual([], list(fanout.run(lambda a, b: a, [], 3)))

    def test_one_result_for_each_item(self) -> None:
        results = fanout.run(lambda item, stop: item, range(500), 7)
        self.assertEqual(list(range(500)), sorted(results))

    def test_no_more_in_hand_than_allowed(self) -> None:
        lock = threading.Lock()
        counts = {'now': 0, 'most': 0, 'begun': 0}

        def work(item: int, stop: threading.Event) -> int:
            with lock:
                counts['begun'] += 1
                counts['now'] += 1
                counts['most'] = max(counts['most'], counts['now'])
            time.sleep(0.002)
            with lock:
                counts['now'] -= 1
            return item

        results = fanout.run(work, range(100), 4)
        next(results)
        # results that nobody takes keep further work from being begun
        time.sleep(0.2)
        self.assertLessEqual(counts['begun'], 5)
        self.assertEqual(99, len(list(results)))
        self.assertEqual(4, counts['most'])

    def test_items_are_taken_as_they_are_needed(self) -> None:
        taken = []

        def items() -> Iterator[int]:
            for item in range(1000):
                taken.append(item)
                yield item

        results = fanout.run(lambda item, stop: item, items(), 3)
        next(results)
        self.assertLessEqual(len(taken), 4)
        results.close()  # type: ignore[attr-defined]

    def test_closing_ends_what_is_under_way(self) -> None:
        ended = []

        def work(item: int, stop: threading.Event) -> int:
            if item:
                stop.wait(30)
                ended.append(item)
            return item

        results = fanout.run(work, range(50), 4)
        self.assertEqual(0, next(results))
        began = time.monotonic()
        results.close()  # type: ignore[attr-defined]
        self.assertLess(time.monotonic() - began, 1)
        # all that had begun have ended, and no other has begun
        self.assertTrue(set(ended) <= {1, 2, 3, 4})
        self.assertGreaterEqual(len(ended), 3)

    def test_what_work_raises(self) -> None:
        stopped = threading.Event()

        def work(item: int, stop: threading.Event) -> int:
            if item == 0:
                raise KeyError('a mistake')
            if stop.wait(30):
                stopped.set()
            return item

        self.assertRaises(KeyError, list, fanout.run(work, range(3), 3))
        self.assertTrue(stopped.is_set())

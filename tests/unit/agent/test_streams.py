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

"""Answers that come line by line."""

import json
import threading
import time

import fixtures

from osc_ha_router.agent.api import streams
from tests.unit import quiet


class TestBeating(quiet.TestCase):
    """Signs of life while something is waited for."""

    def test_items_as_they_come(self):
        self.assertEqual([1, 2, 3], list(streams.beating(iter([1, 2, 3]))))

    def test_signs_of_life(self):
        def slow():
            time.sleep(0.25)
            yield 1

        found = list(streams.beating(slow(), 0.1))
        self.assertEqual([None, None, 1], found)

    def test_what_is_raised(self):
        def bad():
            yield 1
            raise ValueError('x')

        found = streams.beating(bad())
        self.assertEqual(1, next(found))
        self.assertRaises(ValueError, next, found)

    def test_nobody_reads_any_more(self):
        closed = threading.Event()

        def endless():
            try:
                while True:
                    yield 1
                    time.sleep(0.01)
            finally:
                closed.set()

        found = streams.beating(endless())
        next(found)
        found.close()
        self.assertTrue(closed.wait(5))


class TestLines(quiet.TestCase):
    """The body of an answer."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.FakeLogger())

    def test_lines(self):
        found = streams.Lines(iter([None, {'a': 'ü'}, {'end': {}}]))
        self.assertEqual(
            [b'\n', b'{"a":"\\u00fc"}\n', b'{"end":{}}\n'], list(found)
        )

    def test_nothing(self):
        self.assertEqual([], list(streams.Lines(iter([]))))

    def test_what_is_raised_first_is_raised(self):
        def bad():
            raise ValueError('x')
            yield

        self.assertRaises(ValueError, streams.Lines, bad())

    def test_what_is_raised_later_is_the_last_line(self):
        def bad():
            yield {'a': 1}
            raise ValueError('secret')

        first, last = streams.Lines(bad())
        self.assertEqual('agent-error', json.loads(last)['error']['kind'])
        self.assertNotIn(b'secret', last)

    def test_close(self):
        closed = []

        def some():
            try:
                yield {}
                yield {}
            finally:
                closed.append(1)

        found = streams.Lines(some())
        found.close()
        self.assertEqual([1], closed)
        self.assertEqual([b'{}\n'], list(found))

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

import os
import time
from unittest import mock

import testtools

from osc_ha_router.backends import child


class ChildTest(testtools.TestCase):
    def start(self, script: str) -> child.Child:
        process = child.Child(['sh', '-c', script], 1000)
        self.addCleanup(process.kill)
        return process

    def await_end(self, process: child.Child) -> None:
        options = os.WEXITED | os.WNOWAIT
        os.waitid(os.P_PID, process._process.pid, options)

    def test_what_is_left_in_the_pipes_at_the_end(self) -> None:
        process = self.start('echo one; echo two; echo three >&2; exit 4')
        self.await_end(process)
        # as if it had ended just after the look whether there is something
        with mock.patch.object(process._selector, 'select', return_value=[]):
            process.pump(0)
        self.assertEqual([b'one', b'two'], list(process.lines))
        self.assertEqual(b'three\n', process.stderr)
        self.assertEqual(4, process.code)

    def test_somebody_else_floods_the_pipes(self) -> None:
        process = self.start('timeout 5 yes >&2 & exit 3')
        self.await_end(process)
        began = time.monotonic()
        process.pump(0.1)
        self.assertEqual(3, process.code)
        self.assertLess(time.monotonic() - began, 2)

    def test_long_input(self) -> None:
        # more than the pipes hold in both directions
        process = child.Child(['cat'], 4 << 20)
        self.addCleanup(process.kill)
        process.send(b'x' * (1 << 20) + b'\n')
        process.send(b'y' * (1 << 20) + b'\n')
        until = time.monotonic() + 10
        while len(process.lines) < 2 and time.monotonic() < until:
            process.pump(0.1)
        self.assertEqual([1 << 20] * 2, [len(line) for line in process.lines])
        process.hang_up(5)
        process.pump(0)
        self.assertEqual(0, process.code)

    def test_input_that_nobody_reads(self) -> None:
        process = self.start('exec <&-; exec sleep 60')
        until = time.monotonic() + 10
        while not process._stdin.closed and time.monotonic() < until:
            process.send(b'x')
            process.pump(0.1)
        self.assertTrue(process._stdin.closed)
        self.assertIsNone(process.code)

    def test_what_came_before_a_flood(self) -> None:
        process = self.start('echo one; echo two; yes | tr -d "\\n"')
        until = time.monotonic() + 10
        while not process.flooded and time.monotonic() < until:
            process.pump(0.1)
        self.assertTrue(process.flooded)
        self.assertEqual([b'one', b'two'], list(process.lines))

    def test_killed_twice(self) -> None:
        process = self.start('sleep 60')
        process.kill()
        process.kill()
        process.send(b'nobody reads this')

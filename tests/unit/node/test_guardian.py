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

"""A change whose program cannot undo it any more is undone all the same."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import fixtures
import testtools

from osc_ha_router.node import guardian

GUARDED = """
import os, sys, time
from osc_ha_router.node import guardian
def rescue():
    with open(sys.argv[1], 'w') as made:
        made.write('undone')
one = guardian.Guardian(float(sys.argv[2]), [], rescue)
if sys.argv[3] == 'ends':
    one.dismiss()
    sys.exit(0)
if sys.argv[3] == 'dies':
    os.kill(os.getpid(), 9)
time.sleep(60)
"""


class GuardianTest(testtools.TestCase):
    """What becomes of a change whose program cannot undo it any more."""

    def guarded(self, how, seconds='60'):
        folder = self.useFixture(fixtures.TempDir()).path
        self.mark = pathlib.Path(folder, 'undone')
        result = subprocess.run(
            [sys.executable, '-c', GUARDED, self.mark, seconds, how],
            cwd=pathlib.Path(__file__).parents[3],
            timeout=30,
        )
        return result.returncode

    def undone(self):
        for _ in range(200):
            if self.mark.exists():
                return True
            time.sleep(0.05)
        return False

    def test_nothing_is_left(self):
        self.assertEqual(0, self.guarded('ends'))
        self.assertFalse(self.mark.exists())

    def test_program_is_killed(self):
        self.assertEqual(-signal.SIGKILL, self.guarded('dies'))
        self.assertTrue(self.undone())

    def test_program_hangs(self):
        self.assertEqual(-signal.SIGKILL, self.guarded('hangs', '0'))
        self.assertTrue(self.undone())


class GuardTest(testtools.TestCase):
    """What the guardian makes of what it hears, seen from inside it."""

    def setUp(self):
        super().setUp()
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.rescued = 0
        self.killed = []
        self.patch(guardian, '_END', 0.01)
        self.patch(
            guardian.os, 'kill', lambda *asked: self.killed.append(asked)
        )

    def rescue(self):
        self.rescued += 1

    def guard(self, program, seconds=30.0):
        guardian._guard(
            self.theirs, program, time.monotonic() + seconds, self.rescue
        )
        self.ours.settimeout(5)
        self.assertEqual(b'r', self.ours.recv(1))

    def test_told_that_nothing_is_left(self):
        self.ours.send(b'd')
        self.guard(os.getppid())
        self.assertEqual((0, []), (self.rescued, self.killed))

    def test_program_has_ended(self):
        self.ours.shutdown(socket.SHUT_WR)
        self.guard(os.getppid())
        self.assertEqual((1, []), (self.rescued, self.killed))

    def test_program_hangs(self):
        """It must be at its end before anybody undoes what it did."""
        self.guard(os.getppid(), 0)
        self.assertEqual(1, self.rescued)
        self.assertEqual([(os.getppid(), signal.SIGKILL)], self.killed)

    def test_another_has_its_number(self):
        """A process that is not the parent is nobody's to kill."""
        self.guard(os.getppid() + 1, 0)
        self.assertEqual((1, []), (self.rescued, self.killed))

    def test_line_that_is_cut(self):
        cut = threading.Thread(target=self.ours.close)
        self.theirs.settimeout(5)
        self.theirs.send(b'r')
        cut.start()
        cut.join()
        # with something unread the other end is reset, not ended
        self.assertEqual(b'', guardian._hear(self.theirs, 5))

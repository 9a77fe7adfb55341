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

"""Processes ended, and leftovers removed, on a node."""

import os
import signal
import subprocess
import time

from tests.functional.node import mended
from tests.functional.node import spaces


class EndTest(mended.MendTest):
    """keepalived that does no good, and that which does."""

    def end(self, *pids):
        return self.ask('end', pids=list(pids))

    def test_the_healthy_one_is_never_ended(self):
        for pid in self.pids():
            self.assert_refused('unsafe', str(pid), self.end(pid))
        self.active()
        for pid in self.pids():
            self.assert_refused('unsafe', str(pid), self.end(pid))
        self.assertEqual(self.started, self.pids())

    def test_somebody_elses(self):
        child = subprocess.Popen(['sleep', '60'])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.assertEqual({'pids': []}, self.end(child.pid, os.getpid()))
        self.assertIsNone(child.poll())
        inside = subprocess.Popen(
            ['ip', 'netns', 'exec', self.router.name, 'sleep', '60']
        )
        self.addCleanup(inside.wait)
        self.addCleanup(inside.kill)
        self.assertTrue(
            spaces.eventually(lambda: inside.pid in self.router.pids())
        )
        refused = self.end(inside.pid)
        self.assert_refused('unsafe', 'no keepalived', refused)
        self.assertIsNone(inside.poll())

    def test_stopped(self):
        self.active()
        before = mended.addresses(self.router)
        for pid in self.started:
            os.kill(pid, signal.SIGSTOP)
        done = self.end(*self.started)
        self.assertEqual(self.started, done['pids'])
        self.assertEqual([], self.pids())
        # killed: it did not act any more
        self.assertEqual(before, mended.addresses(self.router))
        self.assertEqual({'pids': []}, self.end(*self.started))

    def test_wake(self):
        for pid in self.started:
            os.kill(pid, signal.SIGSTOP)
        for expected in (self.started, []):
            done = self.ask('wake', pids=self.started)
            self.assertEqual({'pids': expected}, done)
        states = [state for _, _, state in self.roles(self.router)]
        self.assertNotIn('T', states)
        refused = self.ask('wake', pids=[1])
        self.assert_refused('bad-request', '', refused)

    def test_one_too_many(self):
        """Beside the one that the agent knows, on a standby."""
        pair = self.useFixture(spaces.Pair())
        for router in (pair.left, pair.right):
            router.write()
        pair.left.keepalived()
        self.assertTrue(spaces.eventually(pair.left.active))
        self.router, self.uuid = pair.right, pair.right.router_id
        pair.right.keepalived()
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2))
        known = self.pids()
        pair.right.pid_file += '-other'
        pair.right.keepalived()
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 4))
        extra = [
            pid
            for pid, role, _ in self.roles(pair.right)
            if role == 'keepalived' and pid not in known
        ]
        refused = self.end(known[0])
        self.assert_refused('unsafe', 'pid file', refused)
        self.assertEqual({'pids': extra}, self.end(*extra))
        self.assertTrue(spaces.eventually(lambda: self.pids() == known))

    def test_without_a_namespace(self):
        self.active()
        os_ns = f'/run/netns/{self.router.name}'
        parent = self.started[0]
        spaces.run('umount', os_ns)
        os.unlink(os_ns)
        done = self.end(parent)
        self.assertEqual({'pids': [parent]}, done)
        self.assert_gone(parent)
        self.assertEqual({'pids': []}, self.end(parent))


class EvictTest(mended.MendTest):
    """A router that is hosted elsewhere by now."""

    def evict(self, whole=True, name=None):
        return self.ask(
            'evict', namespace=name or self.router.name, whole=whole
        )

    def test_the_role_only(self):
        self.active()
        done = self.evict(whole=False)
        self.assertEqual(self.started, done['pids'])
        self.assertFalse(done['namespace'])
        self.assertEqual([], self.pids())
        left = {address for _, address in mended.addresses(self.router)}
        self.assertIn('169.254.192.5/18', left)
        self.assertEqual(
            set(), left & {place['address'] for place in mended.PLACES}
        )
        self.assertIn(spaces.QG, self.router.ip('link'))

    def test_of_a_dead_keepalived(self):
        self.active()
        self.kill(*self.pids())
        done = self.evict(whole=False)
        self.assertEqual([], done['pids'])
        self.assertEqual(6, len(done['addresses']))
        left = {address for _, address in mended.addresses(self.router)}
        self.assertIn('169.254.192.5/18', left)
        self.assertNotIn(mended.VIP, left)

    def test_all_of_it(self):
        self.active()
        done = self.evict()
        self.assertTrue(done['namespace'])
        self.assertEqual(
            [spaces.HA, spaces.QG, spaces.QR], sorted(done['devices'])
        )
        self.assertNotIn(self.router.name, spaces.run('ip', 'netns', 'list'))
        found, _ = self.probe(self.uuid)
        self.assertIsNone(found[0].namespace)
        self.assertEqual((), found[0].processes)
        # what is gone already is no error
        again = self.evict()
        self.assertEqual([], again['pids'])

    def test_after_half_of_it(self):
        """Killed in the middle: the rest goes the second time."""
        self.kill(*self.pids())
        self.router.ip('link', 'del', spaces.QR)
        self.router.ip('link', 'del', spaces.HA)
        done = self.evict()
        self.assertEqual([spaces.QG], done['devices'])
        self.assertNotIn(self.router.name, spaces.run('ip', 'netns', 'list'))

    def test_somebody_works_in_it(self):
        inside = subprocess.Popen(
            ['ip', 'netns', 'exec', self.router.name, 'sleep', '60']
        )
        self.addCleanup(inside.wait)
        self.addCleanup(inside.kill)
        time.sleep(0.3)
        refused = self.evict()
        self.assert_refused('left', str(inside.pid), refused)
        self.assertIsNone(inside.poll())
        self.assertIn(spaces.QG, self.router.ip('link'))

    def test_another_namespace(self):
        other = self.useFixture(spaces.Space('qrouter-x'))
        for name in (other.name, '../x', f'fip-{self.uuid}', 7):
            refused = self.evict(name=name)
            self.assert_refused('bad-request', 'namespace', refused)
        self.assertEqual(self.started, self.pids())

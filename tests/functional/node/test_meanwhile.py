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

"""What others do while a router is changed for a while."""

import os
import pathlib
import shutil
import signal

import fixtures

from tests.functional.node import errands
from tests.functional.node import spaces


class MeanwhileTest(errands.ErrandTest):
    """What Neutron does in between."""

    def setUp(self):
        super().setUp()
        self.one = self.talk()
        self.promote(self.one)
        self.theirs = self.before.replace(b'203.0.113.20', b'203.0.113.21')

    def rewrite(self):
        """As Neutron does: another file in its place."""
        new = self.router.folder / 'tmp'
        new.write_bytes(self.theirs)
        new.rename(self.router.conf)

    def test_rewritten(self):
        self.rewrite()
        done = self.one.ask('finish', router=self.uuid)
        self.assertIn('that version stays', done['undone'][0])
        self.assertEqual(self.theirs, self.router.conf.read_bytes())
        self.assertFalse(self.journal.exists())
        # keepalived has read it
        self.assertTrue(
            spaces.eventually(
                lambda: '203.0.113.21' in self.router.ip('addr'), 5
            )
        )

    def test_rewritten_and_killed(self):
        self.rewrite()
        self.one.kill()
        spaces.eventually(lambda: not self.lock.exists(), 2)
        self.assertEqual(self.theirs, self.router.conf.read_bytes())
        self.assertFalse(self.journal.exists())

    def test_rewritten_and_both_killed(self):
        self.rewrite()
        self.one.kill(self.one.guardian())
        shown = self.errand(recover=True)
        self.assertEqual('undone', shown['state'])
        self.assertIn('that version stays', shown['message'])
        self.assertEqual(self.theirs, self.router.conf.read_bytes())

    def test_keepalived_restarted(self):
        os.kill(self.started[0], signal.SIGTERM)
        # told to end while it reloads, it gives its child five seconds
        self.assertTrue(spaces.eventually(lambda: not self.pids()))
        self.router.keepalived()
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2, 5))
        again = self.pids()
        self.assertNotEqual(self.started, again)
        self.assertTrue(spaces.eventually(self.router.active))
        self.one.kill()
        self.started = again
        self.assert_as_before()
        self.assertEqual(50, self.priority())

    def test_keepalived_dead(self):
        os.kill(self.started[0], signal.SIGTERM)
        self.assertTrue(spaces.eventually(lambda: not self.pids()))
        self.started = []
        self.one.ask('finish', router=self.uuid)
        self.assert_as_before(0)

    def test_keepalived_of_another_file(self):
        """One that reads another file is none of ours."""
        os.kill(self.started[0], signal.SIGTERM)
        self.assertTrue(spaces.eventually(lambda: not self.pids()))
        other = self.useFixture(fixtures.TempDir()).join('keepalived.conf')
        pathlib.Path(other).write_bytes(self.router.conf.read_bytes())
        self.router.keepalived(conf=other)
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2, 5))
        refused = self.one.ask('terminate', router=self.uuid)
        self.assertEqual('no-keepalived', refused['kind'])
        self.assertTrue(spaces.eventually(self.router.active))
        self.one.ask('finish', router=self.uuid)
        self.assertEqual(200, self.priority())

    def test_router_deleted(self):
        for kill in (False, True):
            if kill:
                self.router._setUp()
                self.router.plug('169.254.192.5/18')
                self.router.conf.write_bytes(self.before)
                self.router.keepalived()
                self.one = self.talk()
                self.promote(self.one)
            self.router.remove()
            shutil.rmtree(self.router.folder)
            if kill:
                self.one.kill()
            else:
                done = self.one.ask('finish', router=self.uuid)
                self.assertEqual([], done['undone'])
            self.assertTrue(
                spaces.eventually(lambda: not self.lock.exists(), 2)
            )
            self.assertFalse(self.router.folder.exists())

    def test_router_deleted_and_back(self):
        """Another folder under the same name is another matter."""
        raised = self.router.conf.read_bytes()
        shutil.rmtree(self.router.folder)
        self.router.folder.mkdir()
        self.router.conf.write_bytes(raised)
        done = self.one.ask('finish', router=self.uuid)
        self.assertEqual([], done['undone'])
        self.assertEqual(raised, self.router.conf.read_bytes())

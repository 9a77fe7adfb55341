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

"""A router with a real keepalived, and conversations that change it."""

import json
import os
import pathlib
import stat
import time

from tests.functional.node import spaces
from tests.functional.node import talk

LOCKS = pathlib.Path('/run/osc-ha-router')


class ErrandTest(spaces.SpaceTest):
    """One router with a real keepalived."""

    def setUp(self):
        super().setUp()
        self.router = self.useFixture(spaces.Router())
        self.router.plug('169.254.192.5/18')
        self.router.write()
        self.before = self.router.conf.read_bytes()
        os.chown(self.router.conf, 65534, 65534)
        self.router.conf.chmod(0o640)
        self.router.keepalived()
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2))
        self.started = self.pids()
        self.uuid = self.router.router_id
        self.lock = LOCKS / f'{self.uuid}.lock'
        self.journal = self.router.folder / '.osc-ha-router.json'

    def pids(self):
        return [pid for pid, _, _ in self.roles(self.router)]

    def talk(self, *python):
        return self.useFixture(talk.Talk(*python))

    def begin(self, one, seconds=60, by='somebody@somewhere'):
        return one.ask('begin', router=self.uuid, by=by, seconds=seconds)

    def promote(self, one, seconds=60, priority=200, preempt=True):
        begun = self.begin(one, seconds)
        return one.ask(
            'raise',
            router=self.uuid,
            priority=priority,
            preempt=preempt,
            sha256=begun['sha256'],
        )

    def errand(self, recover=False):
        # not by the process of a conversation that may have ended
        one = self.talk()
        one.send('probe', routers=[self.uuid], recover=recover)
        shown = one.reply()['view']
        self.assertIn('end', one.reply())
        self.assertEqual([], shown['problems'])
        self.assertNotIn('original', json.dumps(shown))
        one.hang_up()
        return shown['errand']

    def priority(self):
        """What keepalived itself thinks, by what it sends."""
        self.assertTrue(spaces.eventually(self.router.active))
        listening = self.look(self.router, listen=2.2).listening
        return listening.adverts[-1].priority

    def assert_as_before(self, seconds=2.0):
        """Everything as it was, at once or very soon."""

        def same():
            return (
                self.router.conf.read_bytes() == self.before
                and not self.journal.exists()
                and not self.lock.exists()
            )

        started = time.monotonic()
        spaces.eventually(same, seconds)
        self.assertEqual(self.before, self.router.conf.read_bytes())
        self.assertFalse(self.journal.exists())
        self.assertFalse(self.lock.exists())
        status = self.router.conf.stat()
        self.assertEqual(0o640, stat.S_IMODE(status.st_mode))
        self.assertEqual((65534, 65534), (status.st_uid, status.st_gid))
        self.assertEqual(
            ['keepalived.conf'], sorted(os.listdir(self.router.folder))
        )
        self.assertEqual(self.started, self.pids())
        return time.monotonic() - started

    def assert_gone(self, pid):
        self.assertTrue(
            spaces.eventually(lambda: not os.path.exists(f'/proc/{pid}'), 2)
        )

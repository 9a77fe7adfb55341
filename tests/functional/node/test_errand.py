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

"""Changes for a while, the way they are meant."""

import glob
import hashlib
import json
import os
import stat
import time

from tests.functional.node import errands
from tests.functional.node import spaces


class CourseTest(errands.ErrandTest):
    """The way it is meant."""

    def test_begin(self):
        one = self.talk()
        begun = self.begin(one)
        self.assertEqual([], begun['undone'])
        self.assertEqual(self.started, begun['keepalived'])
        self.assertEqual(
            hashlib.sha256(self.before).hexdigest(), begun['sha256']
        )
        self.assertEqual((50, True), (begun['priority'], begun['nopreempt']))
        self.assertEqual(1, begun['advert_int'])
        self.assertEqual(self.router.name, begun['namespace'])
        self.assertEqual(0o600, stat.S_IMODE(self.lock.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(errands.LOCKS.stat().st_mode))
        guardian = one.guardian()
        self.assertEqual({'undone': []}, one.ask('finish', router=self.uuid))
        self.assertFalse(os.path.exists(f'/proc/{guardian}'))
        self.assert_as_before(0)

    def test_raised_and_put_back(self):
        self.assertEqual(50, self.priority())
        one = self.talk()
        raised = self.promote(one)
        now = self.router.conf.read_bytes()
        self.assertEqual(hashlib.sha256(now).hexdigest(), raised['sha256'])
        expected = self.before.replace(b'priority 50', b'priority 200')
        expected = expected.replace(b'    nopreempt\n', b'')
        self.assertEqual(expected, now)
        status = self.router.conf.stat()
        self.assertEqual(0o640, stat.S_IMODE(status.st_mode))
        self.assertEqual((65534, 65534), (status.st_uid, status.st_gid))
        status = self.journal.stat()
        self.assertEqual(0o600, stat.S_IMODE(status.st_mode))
        self.assertEqual(self.started, self.pids())
        self.assertEqual(200, self.priority())
        done = one.ask('finish', router=self.uuid)
        self.assertEqual(['keepalived.conf was put back'], done['undone'])
        self.assert_as_before(0)
        self.assertEqual(50, self.priority())
        self.assertEqual(
            'no-errand', one.ask('finish', router=self.uuid)['kind']
        )

    def test_raised_twice(self):
        one = self.talk()
        first = self.promote(one)
        stale = one.ask(
            *('raise',),
            router=self.uuid,
            priority=9,
            sha256=hashlib.sha256(self.before).hexdigest(),
        )
        self.assertEqual('changed', stale['kind'])
        one.ask('raise', router=self.uuid, priority=9, sha256=first['sha256'])
        self.assertIn(b'priority 9\n', self.router.conf.read_bytes())
        one.ask('finish', router=self.uuid)
        self.assert_as_before(0)

    def test_without_preempt(self):
        one = self.talk()
        self.promote(one, preempt=False, priority=254)
        self.assertEqual(
            self.before.replace(b'priority 50', b'priority 254'),
            self.router.conf.read_bytes(),
        )
        one.ask('finish', router=self.uuid)
        self.assert_as_before(0)

    def test_locked(self):
        one = self.talk()
        self.begin(one, by='anna@bastion')
        since = json.loads(self.lock.read_text())['since']
        refused = self.begin(self.talk(), by='bob@desk')
        self.assertEqual('locked', refused['kind'])
        self.assertIn('anna@bastion', refused['message'])
        self.assertIn(since, refused['message'])
        # nor by the same conversation
        self.assertEqual('locked', self.begin(one)['kind'])
        shown = self.errand(recover=True)
        self.assertEqual(
            ('anna@bastion', since, 'under-way'),
            (shown['by'], shown['since'], shown['state']),
        )
        one.ask('finish', router=self.uuid)
        self.assertEqual([], self.begin(self.talk())['undone'])

    def test_under_way(self):
        one = self.talk()
        self.promote(one)
        now = self.router.conf.read_bytes()
        for recover in (False, True):
            self.assertEqual('under-way', self.errand(recover)['state'])
        self.assertEqual(now, self.router.conf.read_bytes())
        one.ask('finish', router=self.uuid)
        self.assertIsNone(self.errand())

    def test_quiet(self):
        def rules():
            return self.router.execute('ip6tables', '-S', 'OUTPUT')

        one = self.talk()
        self.begin(one)
        for _ in range(2):
            self.assertEqual(
                {'quiet': True, 'reason': None},
                one.ask('quiet', router=self.uuid),
            )
        self.assertEqual(2, rules().count('osc-ha-router'))
        self.assertIn('143', rules())
        done = one.ask('finish', router=self.uuid)
        self.assertEqual(1, len(done['undone']))
        self.assertNotIn('osc-ha-router', rules())
        self.assert_as_before(0)
        # and so does the guardian
        two = self.talk()
        self.begin(two)
        two.ask('quiet', router=self.uuid)
        two.kill()
        self.assertTrue(
            spaces.eventually(lambda: 'osc-ha-router' not in rules(), 2)
        )
        self.assert_as_before()

    def test_terminate(self):
        one = self.talk()
        self.begin(one)
        asked = one.ask('terminate', router=self.uuid)
        self.assertEqual({'pid': self.started[0]}, asked)
        self.assertTrue(spaces.eventually(lambda: not self.pids(), 5))
        for op in ('terminate', 'raise'):
            refused = one.ask(
                *(op,),
                router=self.uuid,
                priority=200,
                sha256=hashlib.sha256(self.before).hexdigest(),
            )
            self.assertEqual('no-keepalived', refused['kind'], op)
        self.assertEqual(self.before, self.router.conf.read_bytes())

    def test_watch(self):
        self.assertTrue(spaces.eventually(self.router.active))
        one = self.talk()
        self.begin(one)
        self.assertEqual(
            {'gone': False}, one.ask('watch', router=self.uuid, timeout=0.1)
        )
        one.send('watch', router=self.uuid, timeout=60)
        one.send('stop')
        self.assertEqual({'end': {'gone': False}}, one.reply())
        self.assertEqual({'end': {}}, one.reply())
        one.send('watch', router=self.uuid, timeout=60)
        time.sleep(0.3)
        self.router.ip('addr', 'del', '169.254.0.14/24', 'dev', spaces.HA)
        watch = one.stopwatch()
        self.assertEqual({'event': 'gone'}, one.reply())
        self.assertEqual({'end': {'gone': True}}, one.reply())
        self.assertLess(watch.seconds(), 0.2)

    def test_absent(self):
        one = self.talk()
        refused = one.ask(
            *('begin',),
            router='00000000-0000-4000-8000-000000000000',
            by='me',
            seconds=9,
        )
        self.assertEqual('absent', refused['kind'])
        # nor the folder, where nothing was ever done
        self.assertEqual([], glob.glob(f'{errands.LOCKS}/00000000*'))

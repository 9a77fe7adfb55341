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

"""However a conversation ends, everything is as it was found."""

import hashlib
import json
import os
import signal
import time
import uuid

import fixtures

from tests.functional.node import errands
from tests.functional.node import spaces
from tests.unit.node import test_oldest


class EndTest(errands.ErrandTest):
    """Every way in which a conversation may end."""

    def setUp(self):
        super().setUp()
        self.one = self.talk()

    def test_input_ends(self):
        self.promote(self.one)
        guardian = self.one.guardian()
        self.one.hang_up()
        self.assertEqual(0, self.one.process.wait(2))
        self.assert_as_before(0)
        self.assert_gone(guardian)
        self.assertEqual(b'', self.one.stderr.read())

    def test_input_ends_while_it_waits(self):
        self.assertTrue(spaces.eventually(self.router.active))
        self.promote(self.one)
        self.one.send('watch', router=self.uuid, timeout=60)
        time.sleep(0.3)
        self.one.hang_up()
        self.assertEqual(0, self.one.process.wait(2))
        self.assert_as_before(0)
        self.assertEqual(b'', self.one.stderr.read())

    def test_nobody_reads(self):
        self.assertTrue(spaces.eventually(self.router.active))
        self.promote(self.one)
        self.one.send('watch', router=self.uuid, timeout=60)
        time.sleep(0.3)
        self.one.stdout.close()
        self.assertEqual(0, self.one.process.wait(2))
        self.assert_as_before(0)

    def test_signals(self):
        self.assertTrue(spaces.eventually(self.router.active))
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            for waits in (False, True):
                one = self.talk()
                self.promote(one)
                guardian = one.guardian()
                if waits:
                    one.send('watch', router=self.uuid, timeout=60)
                    time.sleep(0.2)
                # to its session, as when a connection is lost
                os.killpg(one.process.pid, number)
                self.assertEqual(0, one.process.wait(2))
                self.assert_as_before(0)
                self.assert_gone(guardian)
                self.assertEqual(b'', one.stderr.read())

    def test_signals_without_an_errand(self):
        self.promote(self.one)
        self.one.ask('finish', router=self.uuid)
        self.one.process.terminate()
        self.assertEqual(-signal.SIGTERM, self.one.process.wait(2))

    def test_deadline(self):
        self.promote(self.one, seconds=1)
        self.assertEqual(0, self.one.process.wait(2))
        self.assert_as_before(0)

    def test_deadline_of_one_that_hangs(self):
        self.promote(self.one, seconds=1)
        guardian = self.one.guardian()
        os.kill(self.one.process.pid, signal.SIGSTOP)
        self.assertEqual(-signal.SIGKILL, self.one.process.wait(4))
        self.assert_as_before()
        self.assert_gone(guardian)

    def test_killed(self):
        self.promote(self.one)
        guardian = self.one.guardian()
        os.killpg(self.one.process.pid, signal.SIGKILL)
        # nothing keeps the pipes: the client's ssh ends
        self.one.process.wait()
        self.assertEqual(b'', self.one.stdout.read())
        self.assertEqual(b'', self.one.stderr.read())
        self.assertLess(self.assert_as_before(), 2)
        self.assert_gone(guardian)
        self.assertEqual(50, self.priority())

    def test_guardian_cannot_be_asked_to_end(self):
        self.promote(self.one)
        guardian = self.one.guardian()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(guardian, number)
        self.assertNotEqual(
            os.getsid(guardian), os.getsid(self.one.process.pid)
        )
        self.one.kill()
        self.assert_as_before()
        self.assert_gone(guardian)

    def test_guardian_killed(self):
        self.promote(self.one)
        os.kill(self.one.guardian(), signal.SIGKILL)
        self.one.ask('finish', router=self.uuid)
        self.assert_as_before(0)
        two = self.talk()
        self.promote(two)
        os.kill(two.guardian(), signal.SIGKILL)
        two.hang_up()
        self.assertEqual(0, two.process.wait(2))
        self.assert_as_before(0)

    def test_guardian_costs_nothing(self):
        self.promote(self.one)
        with open(f'/proc/{self.one.guardian()}/status') as stream:
            before = [x for x in stream if 'ctxt_switches' in x]
        time.sleep(1)
        with open(f'/proc/{self.one.guardian()}/status') as stream:
            after = [x for x in stream if 'ctxt_switches' in x]
        self.assertEqual(before, after)
        self.one.ask('finish', router=self.uuid)

    def test_every_python(self):
        for path in test_oldest.interpreters():
            for kill in (False, True):
                one = self.talk(path)
                self.promote(one)
                one.ask('quiet', router=self.uuid)
                if kill:
                    one.kill()
                else:
                    one.process.terminate()
                    self.assertEqual(0, one.process.wait(5), path)
                    self.assertEqual(b'', one.stderr.read(), path)
                self.assert_as_before()

    def test_two_routers(self):
        other = self.useFixture(spaces.Router())
        other.plug('169.254.192.6/18')
        other.write()
        before = other.conf.read_bytes()
        other.keepalived()
        self.assertTrue(spaces.eventually(other.active))
        self.promote(self.one)
        begun = self.one.ask(
            'begin', router=other.router_id, by='me', seconds=60
        )
        self.one.ask(
            *('raise',),
            router=other.router_id,
            priority=200,
            preempt=True,
            sha256=begun['sha256'],
        )
        self.assertNotEqual(before, other.conf.read_bytes())
        self.one.kill()
        self.assert_as_before()
        spaces.eventually(lambda: other.conf.read_bytes() == before, 2)
        self.assertEqual(before, other.conf.read_bytes())


class LeftTest(errands.ErrandTest):
    """Program and guardian killed: whoever comes next undoes it."""

    def setUp(self):
        super().setUp()
        self.one = self.talk()

    def leave(self):
        self.promote(self.one)
        guardian = self.one.guardian()
        self.one.kill(guardian)
        self.assert_gone(guardian)
        self.assertTrue(self.journal.exists())

    def test_check(self):
        self.leave()
        shown = self.errand()
        self.assertEqual('left', shown['state'])
        self.assertEqual('somebody@somewhere', shown['by'])
        self.assertNotEqual(self.before, self.router.conf.read_bytes())
        shown = self.errand(recover=True)
        self.assertEqual('undone', shown['state'])
        self.assertEqual('somebody@somewhere', shown['by'])
        self.assertIn('keepalived.conf was put back', shown['message'])
        self.assert_as_before(0)
        self.assertEqual(50, self.priority())
        self.assertIsNone(self.errand(recover=True))

    def test_next(self):
        self.leave()
        two = self.talk()
        begun = self.begin(two)
        self.assertEqual(['keepalived.conf was put back'], begun['undone'])
        self.assertEqual(
            hashlib.sha256(self.before).hexdigest(), begun['sha256']
        )
        self.assertEqual(50, begun['priority'])
        two.ask('finish', router=self.uuid)
        self.assert_as_before(0)

    def test_keepalived_dead_as_well(self):
        """Nothing that runs shows the way to the folder."""
        for recover in (True, False):
            self.leave()
            os.kill(self.started[0], signal.SIGTERM)
            self.assertTrue(spaces.eventually(lambda: not self.pids(), 5))
            if recover:
                self.assertEqual('left', self.errand()['state'])
                shown = self.errand(recover=True)
                self.assertEqual('undone', shown['state'])
                self.started = []
                self.assert_as_before(0)
                self.restart()
                self.one = self.talk()
            else:
                self.restart()
                begun = self.begin(self.talk())
                self.assertEqual(1, len(begun['undone']))

    def restart(self):
        self.router.keepalived()
        self.assertTrue(spaces.eventually(lambda: len(self.pids()) == 2))
        self.started = self.pids()

    def test_lock_alone(self):
        self.begin(self.one)
        self.one.kill(self.one.guardian())
        self.assertTrue(self.lock.exists())
        self.assertIsNone(self.errand())
        self.assertIsNone(self.errand(recover=True))
        self.assert_as_before(0)

    def test_cut_off_before_the_change(self):
        """The journal speaks of a change that was not made any more."""
        self.leave()
        self.router.conf.write_bytes(self.before)
        self.assertEqual('undone', self.errand(recover=True)['state'])
        self.assert_as_before(0)

    def test_cut_off_before_keepalived_was_told(self):
        """The file is back, and keepalived does not know it yet."""
        self.leave()
        self.router.conf.write_bytes(self.before)
        self.assertEqual(200, self.priority())
        self.assertEqual('undone', self.errand(recover=True)['state'])
        self.assertEqual(50, self.priority())

    def test_half_written(self):
        self.leave()
        half = self.router.folder / '.osc-ha-router.new'
        half.write_text('half')
        self.errand(recover=True)
        self.assert_as_before(0)

    def test_garbled(self):
        self.leave()
        whole = self.journal.read_bytes()
        raised = self.router.conf.read_bytes()
        content = json.loads(whole)
        elsewhere = dict(content, router=str(uuid.uuid4()))
        odd = dict(content, namespace='qrouter-../../../etc')
        for data in (
            b'',
            whole[:100],
            b'[]',
            b'\xff' * 100,
            b'[' * 100_000,
            json.dumps(elsewhere).encode(),
            json.dumps(odd).encode(),
            json.dumps(dict(content, version=2)).encode(),
            json.dumps(dict(content, file={})).encode(),
            json.dumps(dict(content, file='x')).encode(),
        ):
            self.journal.write_bytes(data)
            for recover in (False, True):
                shown = self.errand(recover)
                self.assertEqual('left', shown['state'], data)
                self.assertIn(str(self.journal.name), shown['message'])
            refused = self.begin(self.talk())
            self.assertEqual('left', refused['kind'])
            self.assertEqual(data, self.journal.read_bytes())
            self.assertEqual(raised, self.router.conf.read_bytes())
            self.assertFalse(self.lock.exists())

    def test_not_roots(self):
        self.leave()
        raised = self.router.conf.read_bytes()
        target = self.useFixture(fixtures.TempDir()).join('journal')

        def link():
            os.rename(self.journal, target)
            os.symlink(target, self.journal)

        for spoil in (
            lambda: self.journal.chmod(0o644),
            lambda: os.chown(self.journal, 65534, 65534),
            link,
        ):
            spoil()
            self.assertEqual('left', self.errand(recover=True)['state'])
            self.assertEqual(raised, self.router.conf.read_bytes())
            if self.journal.is_symlink():
                continue
            os.chown(self.journal, 0, 0)
            self.journal.chmod(0o600)

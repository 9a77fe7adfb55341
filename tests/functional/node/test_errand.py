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

"""Changes for a while: whatever happens, everything is as it was found."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import stat
import time
import uuid

import fixtures

from tests.functional.node import spaces
from tests.functional.node import talk
from tests.unit.node import test_oldest

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


class CourseTest(ErrandTest):
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
        for name, tool in (('ip6tables', 'ip6tables'), ('ovs', 'ovs-vsctl')):
            there = shutil.which(tool) is not None
            self.assertEqual(there, begun['tools'][name])
        self.assertEqual(0o600, stat.S_IMODE(self.lock.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(LOCKS.stat().st_mode))
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
        started = time.monotonic()
        self.assertEqual({'event': 'gone'}, one.reply())
        self.assertEqual({'end': {'gone': True}}, one.reply())
        self.assertLess(time.monotonic() - started, 0.2)

    def test_absent(self):
        one = self.talk()
        refused = one.ask(
            *('begin',),
            router='00000000-0000-4000-8000-000000000000',
            by='me',
            seconds=9,
        )
        self.assertEqual('absent', refused['kind'])
        self.assertEqual(
            [], [x for x in os.listdir(LOCKS) if x.startswith('00000000')]
        )


class EndTest(ErrandTest):
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


class LeftTest(ErrandTest):
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


class MeanwhileTest(ErrandTest):
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
        self.assertTrue(spaces.eventually(lambda: not self.pids(), 5))
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
        self.assertTrue(spaces.eventually(lambda: not self.pids(), 5))
        self.started = []
        self.one.ask('finish', router=self.uuid)
        self.assert_as_before(0)

    def test_keepalived_of_another_file(self):
        """One that reads another file is none of ours."""
        os.kill(self.started[0], signal.SIGTERM)
        self.assertTrue(spaces.eventually(lambda: not self.pids(), 5))
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

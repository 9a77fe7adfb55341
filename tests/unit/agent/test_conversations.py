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


import contextlib
import threading
import time
from unittest import mock

import fixtures

from osc_ha_router import config
from osc_ha_router.agent import conversations
from osc_ha_router.agent import keeper as keepers
from osc_ha_router.agent import local
from osc_ha_router.backends import base
from tests.unit import quiet
from tests.unit.agent import programs

ME, SHE = 'me', 'she'


def talkative(program):
    """Be a node program that does what the operation says."""
    program.say(hello=programs.HELLO)
    while request := program.hear():
        number = request['id']
        if request['op'] == 'wait':
            other = program.hear()
            if not other:
                return
            program.say(id=number, end={'gone': False})
            program.say(id=other['id'], end={})
        elif request['op'] == 'refuse':
            error = {'kind': 'locked', 'message': 'by somebody'}
            program.say(id=number, error=error)
        elif request['op'] == 'die':
            return
        else:
            program.say(id=number, event='seen')
            program.say(id=number, end={'op': request['op']})


class ConversationsTest(quiet.TestCase):
    lease = 10.0
    limit = 4

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.keeper = self.useFixture(programs.Keeper(talkative))
        self.all = conversations.Conversations(
            local.Local('net1', self.keeper, config.Settings()),
            limit=self.limit,
            lease=self.lease,
        )
        self.addCleanup(self.all.close_all)

    def open(self, owner=ME):
        return self.all.open(owner).id

    def ask(self, id_, op, owner=ME, timeout=10.0):
        return self.all.request(id_, owner, op, {}, timeout)

    def assert_unknown(self, id_, owner=ME):
        for call in (
            lambda: self.ask(id_, 'look', owner),
            lambda: self.all.stop(id_, owner),
            lambda: self.all.renew(id_, owner),
            lambda: self.all.close(id_, owner),
        ):
            self.assertRaises(conversations.Unknown, call)

    def assert_gone(self, number=0):
        self.assertTrue(self.keeper.programs[number].gone.wait(2))


class CallTest(ConversationsTest):
    def test_from_call_to_call(self):
        opened = self.all.open(ME)
        self.assertEqual('net1.example', opened.hostname)
        self.assertEqual(10.0, opened.lease)
        for op in ('look', 'begin'):
            self.assertEqual(
                [{'event': 'seen'}, {'end': {'op': op}}],
                list(self.ask(opened.id, op)),
            )
        self.all.close(opened.id, ME)
        self.assert_gone()
        self.assert_unknown(opened.id)

    def test_of_its_owner_alone(self):
        id_ = self.open()
        self.assert_unknown(id_, SHE)
        self.assert_unknown('no-such-id', ME)
        self.assertEqual(2, len(list(self.ask(id_, 'look'))))

    def test_ids_are_new(self):
        self.assertNotEqual(self.open(), self.open())

    def test_one_request_at_a_time(self):
        id_ = self.open()
        replies = self.ask(id_, 'look')
        self.assertRaises(conversations.Busy, self.ask, id_, 'look')
        next(replies)
        self.assertRaises(conversations.Busy, self.ask, id_, 'look')
        list(replies)
        list(self.ask(id_, 'look'))

    def test_refusal_goes_on(self):
        id_ = self.open()
        error = {'kind': 'locked', 'message': 'by somebody'}
        self.assertEqual([{'error': error}], list(self.ask(id_, 'refuse')))
        self.assertEqual(2, len(list(self.ask(id_, 'look'))))

    def test_program_dies(self):
        id_ = self.open()
        (reply,) = self.ask(id_, 'die')
        self.assertEqual('truncated', reply['error']['kind'])
        self.assertIn('net1', reply['error']['message'])
        self.assert_unknown(id_)

    def test_timeout(self):
        id_ = self.open()
        *beats, last = self.ask(id_, 'wait', timeout=0.3)
        self.assertEqual([], beats)
        self.assertEqual('timeout', last['error']['kind'])
        self.assert_gone()
        self.assert_unknown(id_)

    def test_stop(self):
        id_ = self.open()
        threading.Timer(0.2, self.all.stop, (id_, ME)).start()
        self.assertEqual(
            [{'end': {'gone': False}}], list(self.ask(id_, 'wait'))
        )
        # it is not for what is asked next
        self.all.stop(id_, ME)
        (reply,) = self.ask(id_, 'wait', timeout=0.3)
        self.assertEqual('timeout', reply['error']['kind'])

    def test_signs_of_life(self):
        id_ = self.open()
        replies = self.ask(id_, 'wait')
        began = time.monotonic()
        self.assertIsNone(next(replies))
        self.assertIsNone(next(replies))
        self.assertAlmostEqual(2.0, time.monotonic() - began, delta=0.5)

    def test_opened_in_vain(self):
        self.keeper.trouble = keepers.Gone('it has ended')
        for _ in range(self.limit + 1):
            trouble = self.assertRaises(base.Trouble, self.all.open, ME)
            self.assertEqual('keeper-gone', trouble.failure.kind)
        self.keeper.trouble = None
        self.open()

    def test_no_process_left(self):
        self.keeper.trouble = programs.BUSY
        self.assertRaises(conversations.Busy, self.all.open, ME)


class EndTest(ConversationsTest):
    def test_nobody_reads_any_more(self):
        id_ = self.open()
        replies = self.ask(id_, 'wait')
        next(replies)
        replies.close()
        self.assert_gone()
        self.assert_unknown(id_)
        self.assertRaises(StopIteration, next, replies)

    def test_nobody_has_begun_to_read(self):
        id_ = self.open()
        self.ask(id_, 'look').close()
        self.assert_gone()
        self.assert_unknown(id_)

    def test_closed_when_all_is_read(self):
        id_ = self.open()
        replies = self.ask(id_, 'look')
        list(replies)
        replies.close()
        list(self.ask(id_, 'look'))

    def test_closed_by_another_thread(self):
        id_ = self.open()
        replies = self.ask(id_, 'wait')
        threading.Timer(0.2, self.all.close, (id_, ME)).start()
        began = time.monotonic()
        (reply,) = replies
        self.assertLess(time.monotonic() - began, 0.9)
        self.assertEqual('interrupted', reply['error']['kind'])
        self.assert_gone()

    def test_closed_between_two_replies(self):
        id_ = self.open()
        replies = self.ask(id_, 'look')
        next(replies)
        self.all.close(id_, ME)
        self.assert_gone()
        (reply,) = replies
        self.assertEqual('interrupted', reply['error']['kind'])

    def test_all(self):
        ids = [self.open() for _ in range(3)]
        replies = self.ask(ids[0], 'wait')
        next(replies)
        self.all.close_all()
        for number, id_ in enumerate(ids):
            self.assert_gone(number)
            self.assert_unknown(id_)
        self.assertRaises(conversations.Busy, self.all.open, ME)
        self.all.close_all()

    def test_all_while_one_is_opened(self):
        late = threading.Event()

        def slow(program):
            late.wait(5)
            talkative(program)

        self.keeper._scripts = [slow]
        raised = []

        def begin():
            try:
                self.open()
            except conversations.Busy as exc:
                raised.append(exc)

        opening = threading.Thread(target=begin)
        opening.start()
        time.sleep(0.1)
        self.all.close_all()
        late.set()
        opening.join(5)
        self.assertEqual(1, len(raised))
        self.assert_gone()

    def test_all_without_threads(self):
        for _ in range(3):
            self.open()
        with mock.patch.object(
            threading.Thread, 'start', side_effect=RuntimeError('no more')
        ):
            self.all.close_all()
        for number in range(3):
            self.assert_gone(number)

    def test_nobody_to_watch_it(self):
        # the stand-in for the keeper needs its own
        opened = local.Local('net1', self.keeper, config.Settings())
        with opened.converse(
            base.Deadline.after(5), threading.Event()
        ) as talk:
            house = conversations.Conversations(self.lender(talk))
            with mock.patch.object(
                threading.Thread, 'start', side_effect=RuntimeError('no more')
            ):
                self.assertRaises(RuntimeError, house.open, ME)
        self.assertEqual({}, house._talks)
        self.assertTrue(self.left)

    def lender(self, talk):
        @contextlib.contextmanager
        def converse(deadline, stop):
            try:
                yield talk
            finally:
                self.left = True

        return mock.Mock(converse=converse)

    def test_slow_ends_at_the_same_time(self):
        """What one undoes does not keep the others waiting."""

        def slow(program):
            program.say(hello=programs.HELLO)
            program.hear()
            time.sleep(0.6)

        self.keeper._scripts = [slow]
        for _ in range(4):
            self.open()
        began = time.monotonic()
        self.all.close_all()
        self.assertLess(time.monotonic() - began, 1.2)


class LeaseTest(ConversationsTest):
    lease = 0.6

    def test_nobody_there(self):
        id_ = self.open()
        self.assert_gone()
        self.assert_unknown(id_)
        self.assertIn(id_, self.log.output)

    def test_renewed(self):
        id_ = self.open()
        other = self.open()
        for _ in range(6):
            time.sleep(0.2)
            self.all.renew(id_, ME)
        list(self.ask(id_, 'look'))
        self.assert_unknown(other)

    def test_not_renewed_by_somebody_else(self):
        id_ = self.open()
        for _ in range(5):
            time.sleep(0.2)
            with contextlib.suppress(conversations.Unknown):
                self.all.renew(id_, SHE)
        self.assert_unknown(id_)

    def test_request_under_way(self):
        # one sign of life a second, so that a lease is never shorter
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.agent.conversations._BEAT', 0.1
            )
        )
        id_ = self.open()
        replies = self.ask(id_, 'wait')
        until = time.monotonic() + 3 * self.lease
        while time.monotonic() < until:
            self.assertIsNone(next(replies))
        self.all.stop(id_, ME)
        self.assertEqual([{'end': {'gone': False}}], [r for r in replies if r])

    def test_reader_stands_still(self):
        """As one whose machine is off: the answer cannot be written."""
        id_ = self.open()
        replies = self.ask(id_, 'look')
        next(replies)
        self.assert_gone()
        self.assert_unknown(id_)
        (reply,) = replies
        self.assertEqual('interrupted', reply['error']['kind'])

    def test_never_read(self):
        id_ = self.open()
        self.ask(id_, 'look')
        self.assert_gone()
        self.assert_unknown(id_)


class LimitTest(ConversationsTest):
    def test_limit(self):
        ids = [self.open() for _ in range(self.limit)]
        self.assertRaises(conversations.Busy, self.all.open, SHE)
        self.assertEqual(self.limit, len(self.keeper.programs))
        self.all.close(ids[0], ME)
        self.open(SHE)

    def test_limit_counts_those_that_are_being_opened(self):
        late = threading.Event()

        def slow(program):
            late.wait(5)
            talkative(program)

        self.keeper._scripts = [slow]
        outcomes = []

        def begin():
            try:
                outcomes.append(self.open())
            except conversations.Busy:
                outcomes.append(None)

        threads = [threading.Thread(target=begin) for _ in range(10)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        late.set()
        for thread in threads:
            thread.join(5)
        self.assertEqual(6, outcomes.count(None))
        self.assertEqual(4, len(self.keeper.programs))

    def test_storm(self):
        """Threads that open, ask, stop and close, all at once."""
        wrong = []

        def work(number):
            owner = f'owner{number % 3}'
            for turn in range(15):
                try:
                    id_ = self.all.open(owner).id
                except conversations.Busy:
                    time.sleep(0.002)
                    continue
                replies = self.ask(id_, 'look', owner)
                if turn % 3 == 0:
                    next(replies)
                    replies.close()
                    continue
                if list(replies) != [
                    {'event': 'seen'},
                    {'end': {'op': 'look'}},
                ]:
                    wrong.append(number)
                self.all.close(id_, owner)

        threads = [
            threading.Thread(target=work, args=(number,))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual([], wrong)
        self.assertEqual({}, self.all._talks)
        self.assertEqual(0, self.all._opening)
        for number in range(len(self.keeper.programs)):
            self.assert_gone(number)

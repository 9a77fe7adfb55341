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


import concurrent.futures
import threading
import time
import uuid

from osc_ha_router import config
from osc_ha_router.agent import keeper as keepers
from osc_ha_router.agent import local
from osc_ha_router.agent import trouble
from osc_ha_router.backends import base
from osc_ha_router.node import errors
from tests.unit import quiet
from tests.unit.agent import programs

ONE, TWO = (str(uuid.uuid4()) for _ in range(2))


class LocalTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.stop = threading.Event()

    def node(self, *scripts, **settings):
        self.keeper = self.useFixture(programs.Keeper(*scripts))
        self.local = local.Local(
            'net1', self.keeper, config.Settings(**settings)
        )

    def look(self, *routers, listen=0.0, seconds=10.0):
        return self.local.look(
            base.Request('net1', routers, listen),
            base.Deadline.after(seconds),
            self.stop,
        )

    def fail(self, *routers, **more):
        """Return the kind; the sentences are left in ``self.failure``."""
        found = self.look(*routers, **more)
        self.assertIsNotNone(found.failure)
        self.failure = found.failure
        self.found = found
        return found.failure.kind


class LookTest(LocalTest):
    def test_what_it_asks(self):
        heard = []

        def script(program):
            program.say(hello=programs.HELLO)
            request = program.hear()
            heard.append(request)
            program.say(id=request['id'], view=programs.seen(ONE))
            resident = {'router_id': TWO, 'namespaces': ['x'], 'vrid': 7}
            program.say(id=request['id'], end={'residents': [resident]})
            self.assertEqual({}, program.hear())

        self.node(script)
        found = self.look(ONE, listen=0.5)
        self.assertIsNone(found.failure)
        self.assertEqual('net1', found.host)
        self.assertEqual('net1.example', found.hostname)
        self.assertEqual([ONE], [each.router_id for each in found.views])
        self.assertEqual([7], [each.vrid for each in found.residents])
        self.assertLess(0, found.seconds)
        (request,) = heard
        self.assertEqual('probe', request['op'])
        self.assertEqual([ONE], request['routers'])
        self.assertEqual(0.5, request['listen'])
        self.assertIs(True, request['residents'])
        self.assertIs(True, request['recover'])

    def test_everybody_gets_their_own(self):
        self.node()
        routers = [str(uuid.uuid4()) for _ in range(100)]
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            found = list(
                pool.map(lambda i: self.look(*routers[i : i + 3]), range(98))
            )
        for number, each in enumerate(found):
            self.assertIsNone(each.failure)
            self.assertEqual(
                set(routers[number : number + 3]),
                {seen.router_id for seen in each.views},
            )
            self.assertEqual(3, len(each.views))
        self.assertLess(len(self.keeper.programs), 98)

    def test_bad_id_of_one_is_not_of_the_others(self):
        self.node()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            found = list(
                pool.map(self.look, (ONE, 'r1; reboot', TWO, ONE.upper()) * 10)
            )
        self.assertEqual(
            [None, 'invalid-router', None, 'invalid-router'] * 10,
            [each.failure and each.failure.kind for each in found],
        )

    def test_nothing_left_open(self):
        self.node()
        for _ in range(3):
            self.look(ONE)
        for program in self.keeper.programs:
            self.assertTrue(program.gone.wait(2))


class FailureTest(LocalTest):
    def test_keeper_gone(self):
        self.node()
        self.keeper.trouble = keepers.Gone('it has ended')
        self.assertEqual('keeper-gone', self.fail(ONE))
        self.assertIn('net1', self.failure.message)
        self.assertIn('it has ended', self.failure.message)
        self.assertIn('restart', self.failure.advice)
        self.assertEqual('net1', self.found.host)

    def test_keeper_busy(self):
        self.node()
        self.keeper.trouble = programs.BUSY
        self.assertEqual('agent-busy', self.fail(ONE))

    def test_no_files_left(self):
        self.node()
        self.keeper.trouble = OSError(24, 'Too many open files')
        self.assertEqual('keeper-gone', self.fail(ONE))

    def test_not_root(self):
        def script(program):
            program.say(hello={**programs.HELLO, 'uid': 1000})
            program.say(
                id=program.hear()['id'],
                error={
                    'kind': errors.NO_RIGHTS,
                    'message': 'this needs root: user id 1000 may not',
                },
            )

        self.node(script)
        self.assertEqual('no-rights', self.fail(ONE))
        self.assertIn('1000', self.failure.message)
        self.assertIn('as root', self.failure.advice)

    def test_killed_before_it_begins(self):
        self.node(lambda program: None)
        self.assertEqual('truncated', self.fail(ONE))

    def test_killed_in_between(self):
        def script(program):
            program.say(hello=programs.HELLO)
            request = program.hear()
            program.say(id=request['id'], view=programs.seen(ONE))

        self.node(script)
        self.assertEqual('truncated', self.fail(ONE, TWO))
        self.assertEqual([ONE], [v.router_id for v in self.found.views])
        self.assertEqual('net1.example', self.found.hostname)

    def test_silence(self):
        self.node(programs.Program.hear, probe_timeout=0.3)
        began = time.monotonic()
        self.assertEqual('timeout', self.fail(ONE))
        self.assertLess(time.monotonic() - began, 1)

    def test_silence_until_the_deadline(self):
        self.node(programs.Program.hear)
        self.assertEqual('deadline', self.fail(ONE, seconds=0.3))

    def test_no_time(self):
        self.node()
        self.assertEqual('deadline', self.fail(ONE, seconds=0))
        self.assertEqual([], self.keeper.programs)

    def test_time_to_listen_is_not_that_of_the_look(self):
        def script(program):
            program.say(hello=programs.HELLO)
            request = program.hear()
            time.sleep(0.5)
            program.say(id=request['id'], end={'residents': []})

        self.node(script, probe_timeout=0.3)
        self.assertIsNone(self.look(ONE, listen=0.5).failure)

    def test_interrupted(self):
        self.node(programs.Program.hear)
        threading.Timer(0.2, self.stop.set).start()
        self.assertEqual('interrupted', self.fail(ONE))
        self.assertTrue(self.keeper.programs[0].gone.wait(2))

    def test_program_that_goes_on_holds_its_place(self):
        """Nobody has many of them run by asking and going away."""

        def deaf(program):
            program.say(hello=programs.HELLO)
            program.hear()
            time.sleep(1.2)

        self.patch(local, '_AT_ONCE', 1)
        self.node(deaf, programs.answer, probe_timeout=0.3)
        self.assertEqual('timeout', self.fail(ONE))
        self.assertEqual('agent-busy', self.fail(ONE))
        self.assertEqual(1, len(self.keeper.programs))
        time.sleep(0.8)
        self.assertIsNone(self.look(ONE).failure)

    def test_garbled(self):
        def script(program):
            program.say(hello=programs.HELLO)
            program.say(id=program.hear()['id'], view={'router_id': 7})

        self.node(script)
        self.assertEqual('garbled', self.fail(ONE))

    def test_router_nobody_asked_about(self):
        def script(program):
            program.say(hello=programs.HELLO)
            request = program.hear()
            program.say(id=request['id'], view=programs.seen(TWO))

        self.node(script)
        self.assertEqual('garbled', self.fail(ONE))
        self.assertEqual((), self.found.views)

    def test_older_program(self):
        self.node(lambda p: p.say(hello={**programs.HELLO, 'protocol': 0}))
        self.assertEqual('version', self.fail(ONE))

    def test_floods(self):
        def script(program):
            while not program.gone.is_set():
                program.say(flood='x' * 50_000)

        self.node(script)
        self.assertEqual('noise', self.fail(ONE))

    def test_words_of_every_kind(self):
        for kind in trouble.KINDS:
            failure = trouble.describe(kind, 'net1', 'seen this\n')
            self.assertIn('net1', failure.message)
            self.assertIn('seen this', failure.message)
            self.assertNotIn('\n', failure.message + failure.advice)
            self.assertRegex(failure.advice, r'\.$')


class ConverseTest(LocalTest):
    def test_conversation(self):
        self.node()
        until = base.Deadline.after(5)
        with self.local.converse(until, self.stop) as talk:
            self.assertEqual('net1', talk.host)
            self.assertEqual('net1.example', talk.hostname)
            for _ in range(2):
                replies = list(talk.call('probe', {'routers': [ONE]}, until))
                self.assertEqual(ONE, replies[0]['view']['router_id'])
                self.assertIn('end', replies[1])
        self.assertTrue(self.keeper.programs[0].gone.is_set())

    def test_cannot_be_opened(self):
        self.node()
        self.keeper.trouble = keepers.Gone('it has ended')
        talk = self.local.converse(base.Deadline.after(5), self.stop)
        trouble = self.assertRaises(base.Trouble, talk.__enter__)
        self.assertEqual('keeper-gone', trouble.failure.kind)

    def test_signs_of_life(self):
        def script(program):
            program.say(hello=programs.HELLO)
            request = program.hear()
            time.sleep(0.35)
            program.say(id=request['id'], event='gone')
            program.say(id=request['id'], end={})

        self.node(script)
        until = base.Deadline.after(5)
        with self.local.converse(until, self.stop) as talk:
            replies = list(talk.replies('watch', {}, until, beat=0.1))
        self.assertEqual([None] * 3, replies[:-2])
        self.assertEqual(['gone', None], [r.get('event') for r in replies[3:]])

    def test_fields_do_not_replace_the_envelope(self):
        heard = []

        def script(program):
            program.say(hello=programs.HELLO)
            heard.append(program.hear())
            program.say(id=1, end={})

        self.node(script)
        until = base.Deadline.after(5)
        with self.local.converse(until, self.stop) as talk:
            list(talk.call('probe', {'op': 'begin', 'id': 7, 'x': 1}, until))
        self.assertEqual([{'op': 'probe', 'id': 1, 'x': 1}], heard)

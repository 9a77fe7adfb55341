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

"""Conversations on other nodes: passed on as they are, ended at once."""

import socket
import threading
import time

import fixtures

from osc_ha_router.agent import relay
from osc_ha_router.agent.api import problems
from osc_ha_router.agent.api import streams
from osc_ha_router.backends import base
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.backends import agents

HOST = 'net2'
ID = '00000000-0000-0000-0000-00000000000a'
SILENCE = 'osc_ha_router.backends.request.SILENCE'
BEGIN = '/v1/hosts/net2/conversations'


class RelayTest(quiet.TestCase):
    def talks(self, answer, who=None):
        self.agent = self.useFixture(agents.Agent(answer))
        self.peers = parts.Peers({HOST: self.agent.url})
        return relay.Relay(self.peers).conversations(
            HOST, who or parts.caller()
        )

    def request(self, answer, timeout=5.0):
        return self.talks(answer).request(
            ID, 'owner', 'watch', {'router': 'x'}, timeout
        )


class StepsTest(RelayTest):
    def test_begin(self):
        opened = {'id': ID, 'hostname': 'n2', 'lease': 10.0}
        talks = self.talks(lambda a, line: line.json(opened, '201 Created'))
        found = talks.open('owner')
        self.assertEqual((ID, 'n2', 10.0), (found.id, found.hostname, 10.0))
        (asked,) = self.agent.asked
        self.assertEqual(('POST', BEGIN), (asked.method, asked.path))
        self.assertEqual({}, asked.body)

    def test_the_rest(self):
        talks = self.talks(lambda asked, line: line.empty())
        talks.stop(ID, 'owner')
        talks.renew(ID, 'owner')
        talks.close(ID, 'owner')
        self.assertEqual(
            [
                ('POST', f'{BEGIN}/{ID}/stop'),
                ('PUT', f'{BEGIN}/{ID}/lease'),
                ('DELETE', f'{BEGIN}/{ID}'),
            ],
            [(asked.method, asked.path) for asked in self.agent.asked],
        )

    def test_always_for_its_own_node_and_with_the_callers_token(self):
        """Agents do not pass a question on twice."""
        talks = self.talks(lambda asked, line: line.empty())
        talks.renew(ID, 'owner')
        (asked,) = self.agent.asked
        self.assertEqual({'direct': 'true'}, asked.query)
        self.assertEqual('token-of-somebody', asked.headers['x-auth-token'])

    def test_what_is_no_name_of_a_host(self):
        exc = self.assertRaises(
            base.Trouble,
            relay.Relay(parts.Peers({})).conversations,
            'net2/..',
            parts.caller(),
        )
        self.assertEqual('agent-unresolved', exc.failure.kind)


class RepliesTest(RelayTest):
    def test_passed_on_as_they_come(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def answer(asked, line):
            line.stream()
            line.piece(b'\n')
            line.line({'event': 'begun', 'other': [1, None, 'ü']})
            go_on.wait(10)
            line.line({'end': {'changed': True}})
            line.finish()

        replies = self.request(answer)
        self.assertIsNone(next(replies))
        self.assertEqual(
            {'event': 'begun', 'other': [1, None, 'ü']}, next(replies)
        )
        go_on.set()
        self.assertEqual([{'end': {'changed': True}}], list(replies))
        (asked,) = self.agent.asked
        self.assertEqual(f'{BEGIN}/{ID}/requests', asked.path)
        self.assertEqual(
            {'op': 'watch', 'fields': {'router': 'x'}, 'timeout': 5.0},
            asked.body,
        )

    def test_refusal_of_the_node_program_stays_what_it_is(self):
        """The client goes by its kind."""
        error = {'error': {'kind': 'locked', 'message': 'by alice'}}
        replies = self.request(lambda a, line: line.whole(error))
        self.assertEqual([error], list(replies))

    def test_long_replies(self):
        """One at a time, whatever their length."""
        many = [{'neighbours': ['x' * 1000] * 1000, 'n': n} for n in range(9)]

        def answer(asked, line):
            line.whole(*many, {'end': {}})

        replies = self.request(answer)
        self.assertEqual([*many, {'end': {}}], list(replies))

    def test_a_line_without_end(self):
        over = threading.Event()

        def answer(asked, line):
            line.stream()
            line.piece(b'\n')
            try:
                while not over.is_set():
                    line.piece(b'x' * 100_000)
            except OSError:
                over.set()

        replies = self.request(answer, timeout=30.0)
        exc = self.assertRaises(base.Trouble, list, replies)
        self.assertEqual('agent-oversized', exc.failure.kind)
        self.assertTrue(over.wait(5))

    def test_reader_goes_away(self):
        """The other agent notices at once, and the node undoes."""
        gone = threading.Event()

        def answer(asked, line):
            line.stream()
            line.piece(b'\n')
            if line.gone(10):
                gone.set()

        body = streams.Lines(self.request(answer))
        self.assertEqual(b'\n', next(body))
        with agents.within(2):
            body.close()
            self.assertTrue(gone.wait(5))

    def test_other_agent_goes_away(self):
        def answer(asked, line):
            line.stream()
            line.line({'event': 'begun'})
            line._sock.shutdown(socket.SHUT_RDWR)

        replies = self.request(answer)
        self.assertEqual({'event': 'begun'}, next(replies))
        exc = self.assertRaises(base.Trouble, next, replies)
        self.assertEqual('agent-truncated', exc.failure.kind)

    def test_other_agent_goes_silent(self):
        """A node that has lost its power says so to nobody."""
        self.useFixture(fixtures.MonkeyPatch(SILENCE, 0.3))

        def answer(asked, line):
            line.stream()
            line.line({'event': 'begun'})
            line.rest(20)

        replies = self.request(answer, timeout=60.0)
        next(replies)
        with agents.within(3):
            exc = self.assertRaises(base.Trouble, next, replies)
        self.assertEqual('agent-timeout', exc.failure.kind)


class RefusedTest(RelayTest):
    def refused(self, code, message='Words of the other.', *headers):
        return self.assertRaises(
            problems.Problem,
            self.talks(
                lambda a, line: line.error(code, message, *headers)
            ).renew,
            ID,
            'owner',
        )

    def test_with_the_same_status_and_words(self):
        for code in (400, 403, 404, 409, 421, 500):
            exc = self.refused(code)
            self.assertEqual(code, exc.code)
            self.assertIn('Words of the other', exc.message)
            # by which its log is found
            self.assertIn('req-1', exc.message)

    def test_token_that_is_not_taken(self):
        exc = self.refused(401)
        self.assertEqual(401, exc.code)
        # nobody but the caller can get another one
        self.assertEqual(1, len(self.agent.asked))

    def test_before_there_is_any_reply(self):
        """The status of an answer is not decided before."""
        replies = self.request(lambda a, line: line.error(409, 'One is.'))
        exc = self.assertRaises(problems.Problem, streams.Lines, replies)
        self.assertEqual(409, exc.code)

    def test_busy(self):
        """How long to try again is for the client to say."""
        exc = self.refused(503, 'Busy.', 'Retry-After: 1')
        self.assertEqual((503, '1'), (exc.code, exc.headers['Retry-After']))
        self.assertEqual(1, len(self.agent.asked))

    def test_something_else_than_an_agent(self):
        def page(asked, line):
            line.head('404 Not Found', 'Content-Length: 4')
            line.send(b'oops')

        exc = self.assertRaises(
            base.Trouble, self.talks(page).renew, ID, 'owner'
        )
        self.assertEqual('agent-not-found', exc.failure.kind)

    def test_status_that_the_api_does_not_have(self):
        def answer(asked, line):
            line.error(429, 'Too fast.')

        exc = self.assertRaises(
            base.Trouble, self.talks(answer).renew, ID, 'owner'
        )
        self.assertEqual('agent-error', exc.failure.kind)

    def test_nobody_there(self):
        talks = self.talks(lambda a, line: line.empty())
        self.agent._server.shutdown()
        self.agent._server.server_close()
        began = time.monotonic()
        exc = self.assertRaises(base.Trouble, talks.renew, ID, 'owner')
        self.assertEqual('agent-unreachable', exc.failure.kind)
        self.assertTrue(time.monotonic() - began < 2)

    def test_answer_of_another_shape(self):
        talks = self.talks(lambda a, line: line.json({'id': 1}))
        exc = self.assertRaises(base.Trouble, talks.open, 'owner')
        self.assertEqual('agent-garbled', exc.failure.kind)

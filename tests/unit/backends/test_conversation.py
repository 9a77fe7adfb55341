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

"""Conversations by way of node agents: over real sockets."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import fixtures

from osc_ha_router.backends import base
from osc_ha_router.backends import request as asking
from osc_ha_router.backends import steps
from osc_ha_router.node import errors as program
from tests.unit.backends import agents
from tests.unit.backends import test_remote

ID = 'c0ffee00-0000-4000-8000-000000000001'
LEASE = 0.9


class Node:
    """Answers as an agent and the node program behind it.

    :param lease: seconds
    """

    def __init__(self, lease: float = LEASE) -> None:
        self._lease = lease
        self._stopped = threading.Event()
        #: operations that have begun
        self.begun = threading.Semaphore(0)
        #: how often the reader of an answer went away
        self.gone = threading.Semaphore(0)
        #: statuses to give to what comes next, by its last word
        self.statuses: dict[str, list[int]] = {}

    def __call__(self, asked: agents.Asked, line: agents.Line) -> None:
        word = asked.path.rpartition('/')[2]
        if self.statuses.get(word):
            line.error(self.statuses[word].pop(0), 'Not now.')
            return
        if word == 'conversations':
            opened = {'id': ID, 'hostname': 'n1', 'lease': self._lease}
            line.json(opened, '201 Created')
        elif word == 'requests':
            self._operate(asked.body, line)
        else:
            if word == 'stop':
                self._stopped.set()
            line.empty()

    def _operate(self, body: Any, line: agents.Line) -> None:
        op, fields = body['op'], body['fields']
        if op == 'wait':
            self._wait(line)
        elif op == 'refuse':
            line.whole({'error': {**fields, 'message': 'because'}})
        elif op == 'silence':
            line.stream()
            self.begun.release()
            line.rest(20)
        elif op == 'cut':
            line.stream()
            raise ConnectionResetError
        else:
            line.whole({'event': op}, {'end': fields})

    def _wait(self, line: agents.Line) -> None:
        self._stopped.clear()
        line.stream()
        line.line({'event': 'waiting'})
        self.begun.release()
        while not self._stopped.wait(0.05):
            if line.gone(0.01):
                self.gone.release()
                return
            line.piece(b'\n')
        line.line({'end': {'stopped': True}})
        line.finish()


class TalkTest(test_remote.AgentTest):
    def setUp(self) -> None:
        super().setUp()
        self.node = Node()
        self.agent = self.serve(self.node)
        self.stop = threading.Event()
        self.until = base.Deadline.after(10)

    def converse(self) -> Any:
        return self.remote(self.agent).converse(
            'net1', base.Deadline.after(5), self.stop
        )

    def asked(self, method: str, path: str = '') -> list[agents.Asked]:
        begin = f'/v1/hosts/net1/conversations{path}'
        return [
            a
            for a in self.agent.asked
            if a.method == method and a.path == begin
        ]

    def trouble(
        self, line: base.Conversation, op: str, **fields: Any
    ) -> base.Trouble:
        trouble = self.assertRaises(
            base.Trouble, list, line.call(op, fields, self.until)
        )
        for sentence in (trouble.failure.message, trouble.failure.advice):
            self.assertTrue(sentence.isprintable(), sentence)
        return trouble


class CallTest(TalkTest):
    def test_whole_conversation(self) -> None:
        with self.converse() as line:
            self.assertEqual('net1', line.host)
            for number in range(3):
                replies = list(
                    line.call('raise', {'number': number}, self.until)
                )
                self.assertEqual(
                    [{'event': 'raise'}, {'end': {'number': number}}], replies
                )
        requests = self.asked('POST', f'/{ID}/requests')
        self.assertEqual(3, len(requests))
        self.assertTrue(9 < requests[0].body['timeout'] <= 10)
        self.assertEqual(1, len(self.asked('DELETE', f'/{ID}')))
        # the end of an answer frees its connection for the next request
        self.assertEqual(1, self.agent.connections)

    def test_enough(self) -> None:
        began = time.monotonic()
        with self.converse() as line:
            replies = list(
                line.call(
                    'wait',
                    {},
                    self.until,
                    lambda: time.monotonic() > began + 0.5,
                )
            )
            self.assertEqual(
                [{'event': 'waiting'}, {'end': {'stopped': True}}], replies
            )
            self.assertLess(time.monotonic() - began, 1)
            # and it goes on
            self.assertEqual(
                [{'event': 'x'}, {'end': {}}],
                list(line.call('x', {}, self.until)),
            )
        self.assertEqual(1, len(self.asked('POST', f'/{ID}/stop')))

    def test_enough_from_the_beginning(self) -> None:
        """A word that came before the operation had begun is said again."""
        with self.converse() as line:
            *_, end = line.call('wait', {}, self.until, lambda: True)
        self.assertEqual({'stopped': True}, end['end'])

    def test_word_that_does_not_arrive(self) -> None:
        self.node.statuses['stop'] = [500]
        with self.converse() as line:
            *_, end = line.call('wait', {}, self.until, lambda: True)
        self.assertEqual({'stopped': True}, end['end'])

    def test_never_enough(self) -> None:
        with self.converse() as line:
            list(line.call('x', {}, self.until, lambda: False))
        self.assertEqual([], self.asked('POST', f'/{ID}/stop'))

    def test_end_of_all_time(self) -> None:
        with self.converse() as line, agents.within(1.5):
            trouble = self.assertRaises(
                base.Trouble,
                list,
                line.call('wait', {}, base.Deadline.after(0.5)),
            )
        self.assertEqual('agent-timeout', trouble.failure.kind)
        self.assertIsNone(trouble.refusal)

    def test_answer_left_early(self) -> None:
        with self.converse() as line:
            replies = line.call('wait', {}, self.until)
            next(replies)
            replies.close()
            self.assertTrue(self.node.gone.acquire(timeout=5))


class EndTest(TalkTest):
    def test_stop_ends_a_wait(self) -> None:
        threading.Timer(0.3, self.stop.set).start()
        with self.converse() as line, agents.within(1):
            trouble = self.trouble(line, 'wait')
        self.assertEqual('agent-interrupted', trouble.failure.kind)
        self.assertTrue(self.node.gone.acquire(timeout=5))
        # the node need not wait for the end of the lease
        self.assertEqual(1, len(self.asked('DELETE', f'/{ID}')))

    def test_silence(self) -> None:
        self.useFixture(fixtures.MockPatchObject(asking, 'SILENCE', 0.5))
        with self.converse() as line, agents.within(2):
            trouble = self.trouble(line, 'silence')
        self.assertEqual('agent-timeout', trouble.failure.kind)

    def test_cut_off(self) -> None:
        with self.converse() as line:
            trouble = self.trouble(line, 'cut')
        self.assertEqual('agent-truncated', trouble.failure.kind)

    def test_lost(self) -> None:
        self.node.statuses['requests'] = [404]
        with self.converse() as line:
            trouble = self.trouble(line, 'x')
        self.assertEqual('agent-lost', trouble.failure.kind)
        self.assertIn('net1', trouble.failure.message)

    def test_ended_when_something_else_fails(self) -> None:
        def fail() -> None:
            with self.converse():
                raise KeyError('x')

        self.assertRaises(KeyError, fail)
        self.assertEqual(1, len(self.asked('DELETE', f'/{ID}')))

    def test_end_that_fails(self) -> None:
        self.node.statuses[ID] = [500]
        with self.converse() as line:
            list(line.call('x', {}, self.until))

    def test_no_thread_is_left(self) -> None:
        with self.converse():
            names = [t.name for t in threading.enumerate()]
            self.assertIn('lease-net1', names)
        names = [t.name for t in threading.enumerate()]
        self.assertNotIn('lease-net1', names)


class OpenTest(TalkTest):
    def refused(self) -> base.Trouble:
        return self.assertRaises(base.Trouble, self.converse().__enter__)

    def test_refused(self) -> None:
        self.node.statuses['conversations'] = [403]
        trouble = self.refused()
        self.assertEqual('agent-forbidden', trouble.failure.kind)
        self.assertIn('Not now', trouble.failure.message)

    def test_unknown_host(self) -> None:
        self.node.statuses['conversations'] = [404]
        self.assertEqual('agent-not-found', self.refused().failure.kind)

    def test_stop(self) -> None:
        self.stop.set()
        self.assertEqual('agent-interrupted', self.refused().failure.kind)
        self.assertEqual([], self.agent.asked)


class LeaseTest(TalkTest):
    def test_renewed(self) -> None:
        with self.converse():
            time.sleep(LEASE * 1.5)
        renewals = self.asked('PUT', f'/{ID}/lease')
        self.assertGreaterEqual(len(renewals), 3)
        count = len(renewals)
        time.sleep(LEASE)
        self.assertEqual(count, len(self.asked('PUT', f'/{ID}/lease')))

    def test_renewed_while_an_operation_runs(self) -> None:
        until = time.monotonic() + LEASE
        with self.converse() as line:
            list(
                line.call(
                    'wait', {}, self.until, lambda: time.monotonic() > until
                )
            )
        self.assertGreaterEqual(len(self.asked('PUT', f'/{ID}/lease')), 2)

    def test_renewal_that_fails_is_tried_again(self) -> None:
        self.node.statuses['lease'] = [500, 503, 404]
        with self.converse() as line:
            time.sleep(LEASE * 1.5)
            list(line.call('x', {}, self.until))
        self.assertGreaterEqual(len(self.asked('PUT', f'/{ID}/lease')), 4)


class RefusalTest(TalkTest):
    def test_kinds(self) -> None:
        with self.converse() as line:
            for kind, expected, refusal in (
                ('no-rights', 'no-rights', None),
                ('unknown-op', 'version', None),
                ('internal', 'node-error', None),
                ('agent-lost', 'agent-lost', None),
                ('agent-truncated', 'agent-truncated', None),
                # of the agent's own way to the program
                ('timeout', 'agent-lost', None),
                ('keeper-gone', 'agent-lost', None),
                ('something-newer', 'node-error', None),
                *(
                    (kind, 'node-refusal', kind)
                    for kind in (
                        program.LOCKED,
                        program.ABSENT,
                        program.CHANGED,
                        program.UNFIT,
                        program.NO_KEEPALIVED,
                        program.NO_ERRAND,
                        program.LEFT,
                        program.UNSAFE,
                    )
                ),
            ):
                trouble = self.trouble(line, 'refuse', kind=kind)
                self.assertEqual(
                    (expected, refusal),
                    (trouble.failure.kind, trouble.refusal),
                )
                self.assertIn('because', trouble.failure.message)
            # the conversation is in order after all of them
            list(line.call('x', {}, self.until))


#: says when its wait has begun, and is then interrupted or killed
PROGRAM = """
import sys, threading
from osc_ha_router.backends import base, remote
from tests.unit.backends import agents
talk = remote.Remote(agents.connect(sys.argv[1]))
until = base.Deadline.after(30)
with talk.converse('net1', until, threading.Event()) as line:
    for reply in line.call('wait', {}, until):
        print(reply, flush=True)
"""


class SignalTest(TalkTest):
    """A program that is ended leaves nothing behind."""

    def program(self) -> 'subprocess.Popen[bytes]':
        running = subprocess.Popen(
            [sys.executable, '-c', textwrap.dedent(PROGRAM), self.agent.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(running.communicate)
        self.addCleanup(running.kill)
        assert running.stdout is not None
        self.assertIn(b'waiting', running.stdout.readline())
        return running

    def test_interrupted(self) -> None:
        running = self.program()
        running.send_signal(signal.SIGINT)
        with agents.within(2):
            _, stderr = running.communicate()
        self.assertTrue(stderr.strip().endswith(b'KeyboardInterrupt'), stderr)
        self.assertTrue(self.node.gone.acquire(timeout=5))
        self.assertEqual(1, len(self.asked('DELETE', f'/{ID}')))

    def test_killed(self) -> None:
        running = self.program()
        running.kill()
        running.communicate()
        self.assertTrue(self.node.gone.acquire(timeout=5))
        count = len(self.asked('PUT', f'/{ID}/lease'))
        time.sleep(LEASE)
        self.assertEqual(count, len(self.asked('PUT', f'/{ID}/lease')))


class StepsTest(TalkTest):
    """What an agent that relays for others uses."""

    def test_signs_of_life(self) -> None:
        agent = self.remote(self.agent, direct=True)
        opened = agent.open('net1', self.until)
        self.assertEqual(steps.Opened(ID, 'n1', LEASE), opened)
        replies = agent.request('net1', ID, 'wait', {}, self.until)
        self.assertEqual({'event': 'waiting'}, next(replies))
        self.assertIsNone(next(replies))
        agent.renew('net1', ID, self.until)
        agent.stop('net1', ID, self.until)
        self.assertEqual(
            {'end': {'stopped': True}}, [r for r in replies if r][-1]
        )
        agent.close('net1', ID, self.until)
        self.assertEqual(
            {'true'}, {a.query['direct'] for a in self.agent.asked}
        )

    def test_garbled_beginning(self) -> None:
        good = {'id': ID, 'hostname': 'n1', 'lease': LEASE}
        for wrong in (
            {'id': 3},
            {**good, 'id': f'../../v1/{ID}'},
            {**good, 'id': f'{ID}\n'},
            # never to rest, or for ever
            {**good, 'lease': 0},
            {**good, 'lease': -1},
            {**good, 'lease': 1e300},
        ):
            agent = self.serve(lambda a, line, w=wrong: line.json(w))
            trouble = self.assertRaises(
                base.Trouble, self.remote(agent).open, 'net1', self.until
            )
            self.assertEqual('agent-garbled', trouble.failure.kind)

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

"""Long conversations: what waits is ended, and what was cut off goes on."""

from collections.abc import Callable
import itertools
import os
import threading
import time
from typing import Any

import fixtures

from osc_ha_router import config
from osc_ha_router.backends import archive
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import ssh
from osc_ha_router.model import view
from osc_ha_router.node import errors as program
from tests.unit.backends import fake
from tests.unit.backends import test_channel

#: answers everything at once, but waits for ``stop`` in ``wait``
TALK = """
say(hello=HELLO)
for line in sys.stdin.buffer:
    request = json.loads(line)
    number, op = request["id"], request["op"]
    err(op + " ")
    if op == "wait":
        say(id=number, event="waiting")
        waiting = number
        continue
    if op == "refuse":
        say(id=number, error=dict(kind=request["kind"], message="because"))
        continue
    if op == "stop" or "late" in request:
        say(id=waiting, event="late")
        say(id=waiting, end=dict(stopped=True))
    say(id=number, end={})
"""


class EnoughTest(test_channel.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.ssh(TALK)
        self.until = base.Deadline.after(10)

    def test_enough(self) -> None:
        began = time.monotonic()
        with self.channel() as talk:
            talk.open(self.until)
            calls = itertools.chain([False] * 3, itertools.repeat(True))
            replies = list(
                talk.call('wait', {}, self.until, lambda: next(calls))
            )
            self.assertEqual(
                [
                    {'id': 1, 'event': 'waiting'},
                    {'id': 1, 'event': 'late'},
                    {'id': 1, 'end': {'stopped': True}},
                ],
                replies,
            )
            # the answer to the stop itself is for nobody
            self.assertEqual(
                [{'id': 3, 'end': {}}], list(talk.call('x', {}, self.until))
            )
            talk.close()
        self.assertLess(time.monotonic() - began, 5)

    def test_enough_from_the_beginning(self) -> None:
        with self.channel() as talk:
            talk.open(self.until)
            *_, end = talk.call('wait', {}, self.until, lambda: True)
            self.assertEqual({'stopped': True}, end['end'])

    def test_not_asked_again_once_it_is_enough(self) -> None:
        asked = []

        def enough() -> bool:
            asked.append(time.monotonic())
            return len(asked) > 1

        with self.channel() as talk:
            talk.open(self.until)
            list(talk.call('wait', {}, self.until, enough))
        self.assertEqual(3, len(asked))

    def test_never_enough(self) -> None:
        with self.channel() as talk:
            talk.open(self.until)
            (end,) = talk.call('x', {}, self.until, lambda: False)
            self.assertEqual({'id': 1, 'end': {}}, end)

    def test_stop_ends_it(self) -> None:
        timer = threading.Timer(0.3, self.stop.set)
        timer.start()
        self.addCleanup(timer.join)
        began = time.monotonic()
        with self.channel() as talk:
            talk.open(self.until)
            broken = self.assertRaises(
                failures.Broken,
                list,
                talk.call('wait', {}, self.until, lambda: False),
            )
        self.assertEqual('interrupted', broken.kind)
        self.assertLess(time.monotonic() - began, 2)


class UnheardTest(test_channel.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.until = base.Deadline.after(10)

    def test_request_after_one_that_took_too_long(self) -> None:
        self.ssh(TALK)
        with self.channel() as talk:
            talk.open(self.until)
            broken = self.assertRaises(
                failures.Broken,
                list,
                talk.call('wait', {}, base.Deadline.after(0.5)),
            )
            self.assertEqual('timeout', broken.kind)
            replies = list(talk.call('x', {'late': True}, self.until))
            self.assertEqual([{'id': 2, 'end': {}}], replies)
            # and nothing is left of it
            (end,) = talk.call('x', {}, self.until)
            self.assertEqual(3, end['id'])

    def test_request_after_one_that_was_left(self) -> None:
        self.ssh(TALK)
        with self.channel() as talk:
            talk.open(self.until)
            replies = talk.call('wait', {}, self.until)
            self.assertEqual('waiting', next(replies)['event'])
            replies.close()  # type: ignore[attr-defined]
            (end,) = talk.call('x', {'late': 1}, self.until)
            self.assertEqual(2, end['id'])

    def test_request_after_a_refusal(self) -> None:
        self.ssh(TALK)
        with self.channel() as talk:
            talk.open(self.until)
            for _ in range(3):
                broken = self.assertRaises(
                    failures.Broken,
                    list,
                    talk.call('refuse', {'kind': 'locked'}, self.until),
                )
                self.assertEqual('locked', broken.refusal)
            (end,) = talk.call('x', {}, self.until)
            self.assertEqual(4, end['id'])

    def test_answer_to_what_has_its_end(self) -> None:
        self.ssh(
            'say(hello=HELLO)\n'
            'hear(); say(id=1, end={}); hear(); say(id=1, end={})'
        )
        with self.channel() as talk:
            talk.open(self.until)
            list(talk.call('x', {}, self.until))
            broken = self.assertRaises(
                failures.Broken, list, talk.call('x', {}, self.until)
            )
        self.assertEqual('garbled', broken.kind)

    def test_ids_that_are_no_numbers(self) -> None:
        for number in ('[]', '{}', 'null', '"1"', '1.5'):
            line = f'{{"id": {number}, "end": {{}}}}'
            self.ssh(f'say(hello=HELLO); hear(); out({line!r} + chr(10))')
            self.assertEqual('garbled', self.fail_to_call())


class RefusalTest(test_channel.TestCase):
    def refusal(self, kind: str) -> failures.Broken:
        self.ssh(TALK)
        until = base.Deadline.after(10)
        with self.channel() as talk:
            talk.open(until)
            return self.assertRaises(
                failures.Broken,
                list,
                talk.call('refuse', {'kind': kind}, until),
            )

    def test_refusals(self) -> None:
        for kind in failures.REFUSALS:
            broken = self.refusal(kind)
            self.assertEqual(
                ('node-refusal', kind, 'because'),
                (broken.kind, broken.refusal, broken.detail),
            )

    def test_other_errors(self) -> None:
        for kind, expected in (
            ('internal', 'node-error'),
            ('bad-request', 'node-error'),
            ('unknown-op', 'version'),
            ('no-rights', 'no-rights'),
        ):
            broken = self.refusal(kind)
            self.assertEqual((expected, None), (broken.kind, broken.refusal))

    def test_kinds_are_those_of_the_program(self) -> None:
        kinds = {v for k, v in vars(program).items() if k.isupper()}
        self.assertLessEqual(failures.REFUSALS, kinds)
        others = {'bad-request', 'unknown-op', 'no-rights', 'internal'}
        self.assertEqual(kinds, failures.REFUSALS | others)


class ConverseTest(test_channel.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.stop = threading.Event()

    def converse(self, host: str = 'net1', seconds: float = 10, **to: Any):
        backend = ssh.SshBackend(config.Settings(**to))
        return backend.converse(host, base.Deadline.after(seconds), self.stop)

    def trouble(self, call: Callable[[], object]) -> base.Trouble:
        trouble = self.assertRaises(base.Trouble, call)
        self.assertIsInstance(trouble.failure, view.Failure)
        self.assertEqual(trouble.failure.message, str(trouble))
        return trouble

    def opening(self, **how: Any) -> base.Trouble:
        def call() -> None:
            with self.converse(**how):
                self.fail('opened')

        return self.trouble(call)

    def test_conversation(self) -> None:
        self.ssh(TALK)
        until = base.Deadline.after(10)
        with self.converse() as line:
            self.assertEqual('net1', line.host)
            (end,) = line.call('x', {}, until)
            self.assertEqual({}, end['end'])
            *_, end = line.call('wait', {}, until, lambda: True)
            self.assertEqual({'stopped': True}, end['end'])

    def test_refusal(self) -> None:
        self.ssh(TALK)
        until = base.Deadline.after(10)
        with self.converse() as line:
            trouble = self.trouble(
                lambda: list(line.call('refuse', {'kind': 'locked'}, until))
            )
            self.assertEqual('locked', trouble.refusal)
            self.assertEqual('node-refusal', trouble.failure.kind)
            self.assertIn('net1 refuses: because', trouble.failure.message)
            # it goes on
            self.assertEqual(1, len(list(line.call('x', {}, until))))

    def test_broken_in_the_middle(self) -> None:
        self.ssh('say(hello=HELLO); hear()')
        with self.converse() as line:
            for _ in range(2):
                trouble = self.trouble(
                    lambda: list(line.call('x', {}, base.Deadline.after(10)))
                )
                self.assertIsNone(trouble.refusal)
                self.assertEqual('truncated', trouble.failure.kind)

    def test_cannot_be_opened(self) -> None:
        self.ssh(
            'err("ssh: connect to host net1 port 22: Connection refused\\n")\n'
            'sys.exit(255)'
        )
        trouble = self.opening()
        self.assertEqual('refused', trouble.failure.kind)
        self.assertIsNone(trouble.refusal)

    def test_invalid_host(self) -> None:
        self.ssh(TALK)
        trouble = self.opening(host='-oProxyCommand=\x1b')
        self.assertEqual('invalid-host', trouble.failure.kind)
        self.assertTrue(trouble.failure.message.isprintable())
        self.assertEqual([], self.program.pids)

    def test_bounds_for_opening(self) -> None:
        self.ssh('time.sleep(60)')
        for how in ({'seconds': 0.5}, {'probe_timeout': 0.5}):
            began = time.monotonic()
            trouble = self.opening(**how)
            self.assertEqual('connect-timeout', trouble.failure.kind)
            self.assertLess(time.monotonic() - began, 2)

    def test_stop_while_opening(self) -> None:
        self.ssh('time.sleep(60)')
        timer = threading.Timer(0.3, self.stop.set)
        timer.start()
        self.addCleanup(timer.join)
        self.assertEqual('interrupted', self.opening().failure.kind)

    def test_it_has_the_time_to_undo_what_is_left(self) -> None:
        folder = self.useFixture(fixtures.TempDir()).path
        self.ssh(
            'say(hello=HELLO)\n'
            'sys.stdin.buffer.read()\n'
            'time.sleep(0.3)\n'
            f'open({folder!r} + "/undone", "w").close()'
        )
        with self.converse():
            pass
        self.assertEqual(['undone'], os.listdir(folder))

    def test_ctrl_c_does_not_wait(self) -> None:
        self.ssh('say(hello=HELLO)\nsys.stdin.buffer.read(); time.sleep(60)')

        def press() -> None:
            with self.converse():
                raise KeyboardInterrupt

        began = time.monotonic()
        self.assertRaises(KeyboardInterrupt, press)
        self.assertLess(time.monotonic() - began, 1.5)

    def test_backend_that_can_only_look(self) -> None:
        class Looking(base.Backend):
            def probe(self, requests: Any, deadline: Any) -> Any:
                return iter(())

        backend = Looking(config.Settings())
        trouble = self.trouble(
            lambda: backend.converse('net1', base.Deadline.after(1), self.stop)
        )
        self.assertEqual('read-only', trouble.failure.kind)
        self.assertIn('--backend', trouble.failure.advice)
        self.ssh('')


class RealProgramTest(test_channel.TestCase):
    """The program itself, where it needs no rights."""

    def test_without_begin(self) -> None:
        archive.build()
        self.program = fake.FakeSsh(
            "os.execv('/bin/sh', ['sh', '-c', sys.argv[-1]])", eat=False
        )
        self.useFixture(self.program)
        self.addCleanup(self.assert_gone)
        router = 'aaaaaaaa-0000-4000-8000-000000000001'
        until = base.Deadline.after(30)
        with self.channel(become='') as talk:
            talk.open(until)
            for op, fields in (
                ('raise', {'priority': 254, 'preempt': True}),
                ('quiet', {}),
                ('terminate', {}),
                ('watch', {'timeout': 1}),
                ('takeover', {'timeout': 1, 'hold': 1, 'stay': 1}),
                ('export', {'neighbours': True, 'connections': True}),
                ('import', {'neighbours': [], 'connections': []}),
                ('finish', {}),
            ):
                broken = self.assertRaises(
                    failures.Broken,
                    list,
                    talk.call(op, {'router': router, **fields}, until),
                )
                self.assertEqual('no-errand', broken.refusal, op)
            (end,) = talk.call('stop', {'router': router}, until)
            self.assertEqual({}, end['end'])
            talk.close()

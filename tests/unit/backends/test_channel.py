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

from collections.abc import Iterator
import contextlib
import os
import threading
import time
from typing import Any
from unittest import mock

import fixtures
import testtools

from osc_ha_router import config
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.backends import login
from osc_ha_router.backends import wire
from tests.unit.backends import fake


class TestCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.stop = threading.Event()

    def ssh(self, script: str, eat: bool = True) -> fake.FakeSsh:
        """Have this program as ssh; nothing of it may be left over."""
        self.program = fake.FakeSsh(script, eat)
        # after the fixture's own clean-up there is no list any more
        self.useFixture(self.program)
        self.addCleanup(self.assert_gone)
        return self.program

    def assert_gone(self) -> None:
        self.assertEqual([], [p for p in self.program.pids if fake.alive(p)])

    @contextlib.contextmanager
    def channel(self, **settings: Any) -> Iterator[channel.Channel]:
        to = command.build(config.Settings(**settings), 'net1', 10.0)
        with channel.Channel(login.Login(to), self.stop) as talk:
            yield talk

    def fail_to_open(self, seconds: float = 10, **settings: Any) -> str:
        """Return the kind; its detail is left in ``self.detail``."""
        with self.channel(**settings) as talk:
            broken = self.assertRaises(
                failures.Broken, talk.open, base.Deadline.after(seconds)
            )
        self.detail = broken.detail
        return broken.kind

    def fail_to_call(self, seconds: float = 10) -> str:
        with self.channel() as talk:
            until = base.Deadline.after(seconds)
            talk.open(until)
            self.replies: list[Any] = []
            broken = self.assertRaises(
                failures.Broken,
                self.replies.extend,
                talk.call('probe', {}, until),
            )
        self.detail = broken.detail
        return broken.kind


class ConversationTest(TestCase):
    def test_several_requests(self) -> None:
        self.ssh(
            'say(hello=HELLO)\n'
            'for number in (1, 2):\n'
            '    request = hear()\n'
            '    say(id=number, view=request)\n'
            '    say(id=number, end={})\n'
            'assert sys.stdin.buffer.read() == b""\n'
        )
        until = base.Deadline.after(10)
        with self.channel() as talk:
            hello = talk.open(until)
            self.assertEqual(('net1', 0), (hello.hostname, hello.uid))
            for number, routers in ((1, None), (2, ['x'])):
                replies = list(talk.call('probe', {'routers': routers}, until))
                self.assertEqual(
                    [
                        {
                            'id': number,
                            'view': {
                                'id': number,
                                'op': 'probe',
                                'routers': routers,
                            },
                        },
                        {'id': number, 'end': {}},
                    ],
                    replies,
                )
            talk.close()

    def test_real_program(self) -> None:
        self.ssh("os.execv('/bin/sh', ['sh', '-c', sys.argv[-1]])", eat=False)
        until = base.Deadline.after(30)
        with self.channel(become='') as talk:
            self.assertEqual(os.uname().nodename, talk.open(until).hostname)
            for _ in range(2):
                broken = self.assertRaises(
                    failures.Broken,
                    list,
                    talk.call('no-such-operation', {}, until),
                )
                # an older program that does not know the operation
                self.assertEqual('version', broken.kind)
            talk.close()

    def test_drip(self) -> None:
        self.ssh(
            'def drip(**reply):\n'
            '    for char in json.dumps(reply) + chr(10):\n'
            '        out(char); time.sleep(0.002)\n'
            'drip(hello=HELLO); hear(); drip(id=1, view={}); drip(id=1, end=1)'
        )
        until = base.Deadline.after(10)
        with self.channel() as talk:
            talk.open(until)
            self.assertEqual(2, len(list(talk.call('probe', {}, until))))

    def test_noise_before_the_answer_is_passed_over(self) -> None:
        self.ssh(
            'out("Welcome" + chr(10) + chr(27) + "[1m" + chr(0) + "> ")\n'
            'say(hello=HELLO); hear(); say(id=1, end={})'
        )
        until = base.Deadline.after(10)
        with self.channel() as talk:
            talk.open(until)
            self.assertEqual(1, len(list(talk.call('probe', {}, until))))

    def test_line_as_long_as_may_be(self) -> None:
        self.ssh(
            'say(hello=HELLO); hear()\n'
            'say(id=1, view="x" * (4 * 2**20 - 100)); say(id=1, end=1)'
        )
        until = base.Deadline.after(20)
        with self.channel() as talk:
            talk.open(until)
            first, _ = talk.call('probe', {}, until)
            self.assertEqual(4 * 2**20 - 100, len(first['view']))

    def test_environment(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable('LC_ALL', 'de_DE.UTF-8'))
        self.ssh(
            'words = [os.environ["LC_ALL"], os.environ["SSH_ASKPASS_REQUIRE"]]'
            '\ntry:\n    os.open("/dev/tty", os.O_RDWR)\n'
            'except OSError:\n    words.append("no terminal")\n'
            'err(repr(words)); sys.exit(1)'
        )
        self.assertEqual('exit', self.fail_to_open())
        self.assertEqual("['C', 'never', 'no terminal']", self.detail)

    def test_not_opened(self) -> None:
        with self.channel() as talk:
            self.assertRaises(RuntimeError, talk.close)


class OpenFailureTest(TestCase):
    def test_no_ssh(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable('PATH', '/nonexistent'))
        self.assertEqual('ssh-missing', self.fail_to_open())

    def test_ssh_cannot_be_started(self) -> None:
        self.ssh('')
        with mock.patch(
            'subprocess.Popen', side_effect=OSError(24, 'Too many open files')
        ):
            self.assertEqual('local', self.fail_to_open())
        self.assertIn('Too many open files', self.detail)

    def test_no_file_left_for_the_pipes(self) -> None:
        self.ssh('time.sleep(60)')
        with mock.patch('selectors.DefaultSelector', side_effect=OSError(24)):
            self.assertEqual('local', self.fail_to_open())
        self.assertEqual([], self.program.pids)

    def test_ends_without_reading(self) -> None:
        # more than a pipe takes, so that writing fails
        with mock.patch(
            'osc_ha_router.backends.archive.build', lambda: b'x' * (1 << 20)
        ):
            self.ssh('err("no reason"); sys.exit(7)', eat=False)
            self.assertEqual('exit', self.fail_to_open())
        self.assertEqual('no reason', self.detail)

    def test_ends_without_a_word(self) -> None:
        self.ssh('sys.exit(7)')
        self.assertEqual('exit', self.fail_to_open())
        self.assertEqual('exit code 7, no message', self.detail)

    def test_is_killed(self) -> None:
        self.ssh('os.kill(os.getpid(), 9)')
        self.assertEqual('ssh', self.fail_to_open())
        self.assertIn('signal 9', self.detail)

    def test_silence(self) -> None:
        self.ssh('time.sleep(60)')
        began = time.monotonic()
        self.assertEqual('connect-timeout', self.fail_to_open(0.5))
        self.assertLess(time.monotonic() - began, 1.5)

    def test_silence_after_the_login(self) -> None:
        self.ssh('err("Authenticated to net1.\\n"); time.sleep(60)')
        self.assertEqual('timeout', self.fail_to_open(0.5))

    def test_noise_and_silence(self) -> None:
        self.ssh('out("Your choice? "); time.sleep(60)')
        self.assertEqual('noise', self.fail_to_open(0.5))
        self.assertEqual('Your choice?', self.detail)

    def test_flood_of_lines(self) -> None:
        self.ssh('while True: out("y\\n" * 99)')
        self.assertEqual('noise', self.fail_to_open())
        self.assertTrue(self.detail.startswith('y\ny\n'))

    def test_flood_without_lines(self) -> None:
        self.ssh('while True: out(b"\\0" * 9999)')
        self.assertEqual('noise', self.fail_to_open())

    def test_flood_of_errors(self) -> None:
        self.ssh(
            'for _ in range(999): err("x" * 9999 + "\\n")\n'
            'err("ssh: connect to host net1 port 22: Connection refused\\n")\n'
            'sys.exit(255)'
        )
        with self.channel() as talk:
            until = base.Deadline.after(10)
            broken = self.assertRaises(failures.Broken, talk.open, until)
            assert talk._wire is not None
            self.assertEqual(wire.STDERR_LIMIT, len(talk._wire.stderr))
        self.assertEqual('refused', broken.kind)

    def test_hello_of_another_shape(self) -> None:
        self.ssh('say(hello={"program": 1})')
        self.assertEqual('garbled', self.fail_to_open())

    def test_hello_cut_short(self) -> None:
        self.ssh('out(\'{"hello": {"prog\')')
        self.assertEqual('noise', self.fail_to_open())

    def test_other_program(self) -> None:
        self.ssh('say(hello=dict(HELLO, program="other"))')
        self.assertEqual('version', self.fail_to_open())

    def test_other_protocol(self) -> None:
        self.ssh('say(hello=dict(HELLO, protocol=2))')
        self.assertEqual('version', self.fail_to_open())

    def test_error_instead_of_hello(self) -> None:
        self.ssh('say(error={"kind": "python-old", "message": "3.4.10"})')
        self.assertEqual('python-old', self.fail_to_open())
        self.assertEqual('3.4.10', self.detail)

    def test_stop(self) -> None:
        self.ssh('time.sleep(60)')
        timer = threading.Timer(0.5, self.stop.set)
        timer.start()
        self.addCleanup(timer.join)
        began = time.monotonic()
        self.assertEqual('interrupted', self.fail_to_open())
        self.assertLess(time.monotonic() - began, 1.5)


class CallFailureTest(TestCase):
    def test_ends_in_the_middle(self) -> None:
        self.ssh('say(hello=HELLO); hear(); say(id=1, view={}); out("{")')
        self.assertEqual('truncated', self.fail_to_call())
        self.assertEqual([{'id': 1, 'view': {}}], self.replies)

    def test_connection_is_lost_in_the_middle(self) -> None:
        self.ssh(
            'say(hello=HELLO); hear(); say(id=1, view={})\n'
            'err("client_loop: send disconnect: Broken pipe\\r\\n")\n'
            'sys.exit(255)'
        )
        self.assertEqual('truncated', self.fail_to_call())
        self.assertIn('Broken pipe', self.detail)

    def test_silence_in_the_middle(self) -> None:
        self.ssh('say(hello=HELLO); hear(); say(id=1); time.sleep(60)')
        self.assertEqual('timeout', self.fail_to_call(1.0))

    def test_endless_line(self) -> None:
        self.ssh('say(hello=HELLO); hear()\nwhile True: out("x" * 65536)')
        self.assertEqual('oversized', self.fail_to_call())
        self.assertIn('a line of', self.detail)

    def test_endless_answer(self) -> None:
        self.ssh(
            'say(hello=HELLO); hear()\nwhile True: say(id=1, x="x" * 999)'
        )
        with mock.patch.object(channel, 'ANSWER_LIMIT', 1 << 20):
            self.assertEqual('oversized', self.fail_to_call())
        self.assertEqual('more than 1 MiB', self.detail)

    def test_limit_is_for_one_answer(self) -> None:
        self.ssh(
            'say(hello=HELLO)\n'
            'for number in range(1, 5):\n'
            '    hear(); say(id=number, x="x" * 60000); say(id=number, end=1)'
        )
        until = base.Deadline.after(10)
        with mock.patch.object(channel, 'ANSWER_LIMIT', 100_000):
            with self.channel() as talk:
                talk.open(until)
                for _ in range(4):
                    self.assertEqual(2, len([*talk.call('x', {}, until)]))

    def test_not_an_answer(self) -> None:
        for line in (
            'oops',
            '[]',
            '{"id": 1',
            '[' * 100_000,
            '{"id": 2, "view": {}}',
            '{"view": {}}',
            '{"id": 1, "error": "x"}',
            '{"id": 1, "view": ' + '9' * 10_000 + '}',
        ):
            with self.subTest(line=line[:20]):
                self.ssh(f'say(hello=HELLO); hear(); out({line!r} + chr(10))')
                self.assertEqual('garbled', self.fail_to_call())

    def test_bytes_that_are_no_text(self) -> None:
        self.ssh('say(hello=HELLO); hear(); out(b"\\xff\\xfe\\n")')
        self.assertEqual('garbled', self.fail_to_call())

    def test_errors_of_the_program(self) -> None:
        for kind, expected in (
            ('no-rights', 'no-rights'),
            ('unknown-op', 'version'),
            ('bad-request', 'node-error'),
            ('internal', 'node-error'),
        ):
            self.ssh(
                'say(hello=HELLO); hear()\n'
                f'say(id=1, error=dict(kind={kind!r}, message="because"))'
            )
            self.assertEqual(expected, self.fail_to_call())
            self.assertIn('because', self.detail)


class EndTest(TestCase):
    """Whatever it does, it is gone in the end."""

    def test_ignores_what_it_is_told(self) -> None:
        self.ssh(
            'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
            'say(hello=HELLO); time.sleep(60)'
        )
        began = time.monotonic()
        self.assertEqual('timeout', self.fail_to_call(1.0))
        self.assertLess(time.monotonic() - began, 2)

    def test_stopped(self) -> None:
        self.ssh('say(hello=HELLO); os.kill(os.getpid(), signal.SIGSTOP)')
        self.assertEqual('timeout', self.fail_to_call(1.0))

    def test_what_it_has_started(self) -> None:
        for handler in ('SIG_DFL', 'SIG_IGN'):
            with self.subTest(handler=handler):
                self.ssh(
                    'if os.fork():\n'
                    '    time.sleep(60)\n'
                    f'signal.signal(signal.SIGTERM, signal.{handler})\n'
                    'calls = open(calls.name, "a")\n'
                    'calls.write(json.dumps([os.getpid(), []]) + chr(10))\n'
                    'calls.close()\n'
                    'time.sleep(60)'
                )
                self.assertEqual('connect-timeout', self.fail_to_open(1.0))
                _, other = self.program.pids
                # it is not our child: whoever adopts it waits for it
                until = base.Deadline.after(5)
                while until.left() and fake.alive(other):
                    time.sleep(0.05)
                self.assertFalse(fake.alive(other))

    def test_something_else_holds_the_pipes(self) -> None:
        # as a ControlMaster in the background does
        self.ssh(
            'if os.fork() == 0:\n'
            '    os.setsid()\n'
            '    time.sleep(4)\n'
            '    os._exit(0)\n'
            'err("ssh: connect to host net1 port 22: Connection refused\\n")\n'
            'os._exit(255)'
        )
        began = time.monotonic()
        self.assertEqual('refused', self.fail_to_open(10))
        self.assertLess(time.monotonic() - began, 2)

    def test_something_else_writes_into_the_pipes(self) -> None:
        self.ssh(
            'if os.fork() == 0:\n'
            '    os.setsid()\n'
            '    end = time.monotonic() + 4\n'
            '    while time.monotonic() < end: err("x" * 9999)\n'
            '    os._exit(0)\n'
            'os._exit(3)'
        )
        began = time.monotonic()
        self.assertEqual('exit', self.fail_to_open(10))
        self.assertLess(time.monotonic() - began, 2)

    def test_does_not_end_after_the_answer(self) -> None:
        self.ssh('say(hello=HELLO); hear(); say(id=1, end=1); time.sleep(60)')
        until = base.Deadline.after(10)
        began = time.monotonic()
        with self.channel() as talk:
            talk.open(until)
            list(talk.call('probe', {}, until))
            talk.close()
        self.assertLess(time.monotonic() - began, 3)

    def test_closes_its_output_and_stays(self) -> None:
        self.ssh('say(hello=HELLO); os.close(1); os.close(2); time.sleep(60)')
        self.assertEqual('timeout', self.fail_to_call(1.0))

    def test_files_are_closed(self) -> None:
        self.ssh('say(hello=HELLO)')
        before = len(os.listdir('/proc/self/fd'))
        self.fail_to_call()
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))

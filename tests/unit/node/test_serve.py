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

"""Conversations with the program, in this process and through pipes."""

import io
import json
import os
import pathlib
import pwd
import subprocess
import sys

import fixtures
import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import main
from osc_ha_router.node import protocol
from osc_ha_router.node import serve

ROOT = pathlib.Path(__file__).parents[3]
NOBODY = pwd.getpwnam('nobody').pw_uid
#: imports first, because the sources may be where only root can read them
UNPRIVILEGED = f"""
import os, sys
from osc_ha_router.node import main
if os.geteuid() == 0:
    os.setgroups([])
    os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
sys.exit(main.main())
"""
PROBE = b'{"id": 4, "op": "probe", "routers": []}\n'


def converse(data: bytes) -> list:
    output = io.BytesIO()
    serve.serve(io.BytesIO(data), output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


class Echo:
    """An operation that shows what it was asked."""

    def __call__(self, fields, send, errands):
        if 'raise' in fields:
            raise fields['raise']
        for value in fields.get('views', ()):
            send({'view': value})
        return {'seconds': 0}


class ServeTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MockPatchObject(serve, 'OPERATIONS', {'echo': Echo()})
        )

    def test_hello(self):
        (line,) = converse(b'')
        self.assertEqual(
            {
                'program': 'osc-ha-router-node',
                'protocol': 1,
                'hostname': os.uname().nodename,
                'python': '.'.join(str(part) for part in sys.version_info[:3]),
                'uid': os.geteuid(),
            },
            line['hello'],
        )

    def test_replies_carry_the_id(self):
        replies = converse(b'{"id": 7, "op": "echo", "views": ["a", "b"]}\n')
        self.assertEqual(
            [
                {'id': 7, 'view': 'a'},
                {'id': 7, 'view': 'b'},
                {'id': 7, 'end': {'seconds': 0}},
            ],
            replies[1:],
        )

    def test_a_bad_line_does_not_end_it(self):
        replies = converse(
            b'rubbish\n'
            b'\n'
            b'{"op": "echo"}\n'
            b'{"id": 2}\n'
            b'{"id": 3, "op": "sh -c reboot"}\n'
            b'{"id": 4, "op": "echo"}'
        )
        self.assertEqual(
            [
                (None, 'bad-request'),
                (None, 'bad-request'),
                (None, 'bad-request'),
                (2, 'bad-request'),
                (3, 'unknown-op'),
            ],
            [(each['id'], each['error']['kind']) for each in replies[1:-1]],
        )
        self.assertEqual({'id': 4, 'end': {'seconds': 0}}, replies[-1])

    def test_long_lines(self):
        limit = protocol.LINE_LIMIT
        request = b'{"id": 1, "op": "echo", "x": "%s"}\n'
        fits = request % (b'x' * (limit - len(request) + 2))
        self.assertEqual(limit, len(fits))
        replies = converse(
            fits
            + fits.replace(b'"x"', b'"xy"')
            + b'x' * (3 * limit)
            + b'\n'
            + fits
        )
        self.assertEqual(
            ['end', 'error', 'error', 'end'],
            [list(reply)[1] for reply in replies[1:]],
        )
        self.assertIsNone(replies[2]['id'])

    def test_unexpected_errors(self):
        for error, kind, message in (
            (KeyError('x'), 'internal', "KeyError: 'x'"),
            (RecursionError('deep'), 'internal', 'RecursionError: deep'),
            (errors.NoRights('no'), 'no-rights', 'no'),
        ):
            self.useFixture(
                fixtures.MockPatchObject(
                    protocol,
                    'decode',
                    lambda line, error=error: {
                        'id': 1,
                        'op': 'echo',
                        'raise': error,
                    },
                )
            )
            (reply,) = converse(b'{}\n')[1:]
            self.assertEqual(
                {'id': 1, 'error': {'kind': kind, 'message': message}}, reply
            )

    @hypothesis.given(strategies.lists(strategies.binary()))
    def test_noise(self, lines):
        lines = [line.replace(b'\n', b'') + b'\n' for line in lines]
        replies = converse(b''.join(lines))
        self.assertEqual(1 + len(lines), len(replies))
        for reply in replies[1:]:
            self.assertIn(
                reply['error']['kind'], ('bad-request', 'unknown-op')
            )

    @hypothesis.given(
        strategies.fixed_dictionaries(
            {'id': strategies.integers(0, 9), 'op': strategies.text()}
        )
    )
    def test_unknown_operations(self, request):
        (reply,) = converse(json.dumps(request).encode() + b'\n')[1:]
        self.assertEqual(request['id'], reply['id'])
        known = request['op'] == 'echo'
        self.assertEqual('end' if known else 'error', list(reply)[1])


class OperationsTest(testtools.TestCase):
    """What the program can be asked for."""

    def test_all_can_be_loaded(self):
        for name, operation in serve.OPERATIONS.items():
            if isinstance(operation, serve.Later):
                operation = operation.load()
            self.assertTrue(callable(operation), name)

    def test_without_an_errand(self):
        sample = {
            'router': '7439ff46-8435-4052-a174-4ebc5a67337e',
            'priority': 1,
            'sha256': '0' * 64,
            'neighbours': [],
            'connections': [],
        }
        for name in set(serve.OPERATIONS) - {'probe', 'begin', 'stop'}:
            fields = dict(sample, id=1, op=name)
            if name == 'export':
                fields.update(neighbours=True, connections=True)
            (reply,) = converse(json.dumps(fields).encode())[1:]
            self.assertEqual('no-errand', reply['error']['kind'], name)
            odd = json.dumps(dict(fields, router='../etc')).encode()
            (reply,) = converse(odd)[1:]
            self.assertEqual('bad-request', reply['error']['kind'], name)

    def test_begin_is_refused(self):
        sample = {
            'router': '7439ff46-8435-4052-a174-4ebc5a67337e',
            'by': 'me',
            'seconds': 9,
        }
        for field, value in (
            ('router', '../etc'),
            ('router', None),
            ('by', ''),
            ('by', 'x' * 121),
            ('by', 'a\nb'),
            ('seconds', 0.5),
            ('seconds', 901),
            ('seconds', '9'),
        ):
            request = dict(sample, id=1, op='begin', **{field: value})
            (reply,) = converse(json.dumps(request).encode())[1:]
            self.assertEqual('bad-request', reply['error']['kind'], value)

    def test_stop_is_nothing(self):
        (reply,) = converse(b'{"id": 1, "op": "stop"}')[1:]
        self.assertEqual({'id': 1, 'end': {}}, reply)


class ProbeFieldsTest(testtools.TestCase):
    """The real operation refuses before it looks at anything."""

    def test_refused(self):
        for text in (
            '"listen": 1',
            '"routers": "all"',
            '"routers": ["x"]',
            '"routers": [], "listen": 61',
            '"routers": [], "listen": null',
            '"routers": [], "residents": 1',
            '"routers": [], "recover": "yes"',
        ):
            line = b'{"id": 1, "op": "probe", %s}\n' % text.encode()
            (reply,) = converse(line)[1:]
            self.assertEqual('bad-request', reply['error']['kind'], text)


class ProcessTest(testtools.TestCase):
    """The program as a process of its own, as SSH and sudo start it."""

    def start(self, *words: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, *(words or ('-m', 'osc_ha_router.node'))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for stream in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(stream.close)
        return process

    def test_conversation(self):
        process = self.start()
        self.assertIn('hello', json.loads(process.stdout.readline()))
        for number in range(3):
            process.stdin.write(b'{"id": %d, "op": "x"}\n' % number)
            process.stdin.flush()
            reply = json.loads(process.stdout.readline())
            self.assertEqual(number, reply['id'])
        process.stdin.close()
        self.assertEqual(b'', process.stdout.read())
        self.assertEqual(b'', process.stderr.read())
        self.assertEqual(0, process.wait(10))

    def test_nobody_reads(self):
        process = self.start()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b'rubbish\n' * 1000)
        try:
            process.stdin.close()
        except BrokenPipeError:
            # it may be gone before it was sent everything
            pass
        self.assertEqual(b'', process.stderr.read())
        self.assertEqual(0, process.wait(10))

    def test_without_rights(self):
        # "tox -e cover" measures in files that nobody else may write
        for name in list(os.environ):
            if name.startswith('COVERAGE_'):
                self.useFixture(fixtures.EnvironmentVariable(name))
        process = self.start('-c', UNPRIVILEGED)
        output, complaints = process.communicate(PROBE, timeout=20)
        self.assertEqual(b'', complaints)
        hello, reply = [json.loads(line) for line in output.splitlines()]
        self.assertNotEqual(0, hello['hello']['uid'])
        self.assertEqual(4, reply['id'])
        self.assertEqual('no-rights', reply['error']['kind'])
        self.assertIn('root', reply['error']['message'])


class MainTest(testtools.TestCase):
    def test_arguments_are_refused(self):
        output = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', output))
        self.assertEqual(2, main.main(['-c', 'reboot']))
        self.assertIn('usage', output.getvalue())

    def test_help(self):
        output = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', output))
        self.assertEqual(0, main.main(['--help']))
        self.assertIn('osc-ha-router-node', output.getvalue())

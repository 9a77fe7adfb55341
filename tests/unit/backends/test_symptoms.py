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

"""Messages that no recording has; see test_recorded for those it has."""

import dataclasses
import time

import testtools

from osc_ha_router.backends import symptoms

GONE = symptoms.Evidence(
    code=255,
    stderr='',
    noise='',
    greeted=False,
    become='sudo',
    program='python3',
    shipped=True,
)


class SymptomsTest(testtools.TestCase):
    def explain(self, stderr: str, **changes: object) -> tuple[str, str]:
        evidence = dataclasses.replace(
            GONE,
            stderr=stderr,
            **changes,  # type: ignore[arg-type]
        )
        broken = symptoms.explain(evidence)
        return broken.kind, broken.detail

    def assert_kinds(
        self, cases: tuple[tuple[str, str], ...], **changes: object
    ) -> None:
        for kind, line in cases:
            found, detail = self.explain(f'{line}\r\n', **changes)
            self.assertEqual((kind, line), (found, detail))

    def test_of_ssh(self) -> None:
        self.assert_kinds(
            (
                # macOS and musl word some in another way
                (
                    'unresolved',
                    'ssh: Could not resolve hostname net1: nodename nor '
                    'servname provided, or not known',
                ),
                (
                    'unresolved',
                    'ssh: Could not resolve hostname net1: Try again',
                ),
                (
                    'connect-timeout',
                    'ssh: connect to host net1 port 22: Operation timed out',
                ),
                (
                    'unreachable',
                    'ssh: connect to host net1 port 22: No route to host',
                ),
                (
                    'unreachable',
                    'ssh: connect to host net1 port 22: Permission denied',
                ),
                (
                    'unreachable',
                    'ssh: connect to host fe80::1%eth0 port 22: Host is down',
                ),
                (
                    'connect-timeout',
                    'Connection to 10.0.0.1 port 22 timed out',
                ),
                ('closed', 'Connection reset by 10.0.0.1 port 22'),
                ('closed', 'Connection closed by UNKNOWN port 65535'),
                (
                    'closed',
                    'ssh_exchange_identification: read: '
                    'Connection reset by peer',
                ),
                (
                    'closed',
                    'kex_exchange_identification: Connection closed by '
                    'remote host',
                ),
                ('closed', 'Timeout, server net1 not responding.'),
                (
                    'closed',
                    'packet_write_wait: Connection to 10.0.0.1 port 22: '
                    'Broken pipe',
                ),
                ('ssh-config', 'command-line: line 0: Bad number "x".'),
                (
                    'ssh-config',
                    'Bad owner or permissions on /home/op/.ssh/config',
                ),
                ('ssh-config', "Can't open user config file x: Nothing"),
                ('permission-denied', 'Permission denied (publickey).'),
                (
                    'permission-denied',
                    'op@net1: Permission denied (publickey,gssapi-keyex,'
                    'gssapi-with-mic,password).',
                ),
                (
                    'too-many-keys',
                    'Received disconnect from 10.0.0.1 port 22:2: Too many '
                    'authentication failures',
                ),
                ('ssh', 'something that nobody has seen before'),
            )
        )

    def test_of_the_node(self) -> None:
        self.assert_kinds(
            (
                ('become-missing', 'bash: line 1: sudo: command not found'),
                ('become-missing', 'bash: sudo: command not found'),
                ('become-missing', 'sh: 1: sudo: not found'),
                ('become-missing', '-sh: sudo: not found'),
                ('become-missing', 'zsh:1: command not found: sudo'),
                ('become-missing', 'fish: Unknown command: sudo'),
                ('become-missing', "fish: Unknown command 'sudo'"),
                ('become-missing', 'sudo: Command not found.'),
                ('python-missing', 'sudo: python3: command not found'),
                # sudo-rs
                ('python-missing', "sudo: 'python3': command not found"),
                ('python-missing', 'doas: python3: command not found'),
                (
                    'python-missing',
                    'env: \u2018python3\u2019: No such file or directory',
                ),
                (
                    'python-missing',
                    'sudo: unable to execute /usr/bin/python3: No such file '
                    'or directory',
                ),
                (
                    'exit',
                    'sudo: unable to resolve host net1: No such file or '
                    'directory',
                ),
                ('become-password', 'sudo: a password is required'),
                (
                    'become-password',
                    'sudo: no tty present and no askpass program specified',
                ),
                (
                    'become-password',
                    'sudo: a terminal is required to read the password; '
                    'either use the -S option to read from standard input',
                ),
                (
                    'become-password',
                    'sudo: interactive authentication is required',
                ),
                ('become-password', 'doas: Authentication required'),
                (
                    'become-tty',
                    'sudo: sorry, you must have a tty to run sudo',
                ),
                ('become-denied', 'doas: Operation not permitted'),
                ('become-denied', 'stack is not in the sudoers file.'),
                (
                    'become-denied',
                    'Sorry, user stack may not run sudo on net1.',
                ),
                (
                    'become-denied',
                    "sudo: I'm sorry stack. I'm afraid I can't do that",
                ),
                (
                    'become-denied',
                    'sudo: effective uid is not 0, is sudo installed setuid '
                    'root?',
                ),
                ('python-old', 'Unknown option: -I'),
                ('exit', "ModuleNotFoundError: No module named 'zlib'"),
            ),
            code=1,
        )

    def test_installed_program(self) -> None:
        self.assert_kinds(
            (
                (
                    'program-missing',
                    'bash: /opt/n+d: No such file or directory',
                ),
                ('program-missing', 'sudo: /opt/n+d: command not found'),
                (
                    'program-missing',
                    'zsh:1: no such file or directory: /opt/n+d',
                ),
            ),
            code=1,
            program='/opt/n+d',
            shipped=False,
        )

    def test_connection_failures_need_the_code_of_ssh(self) -> None:
        # of an ssh that the program over there has started, for example
        line = 'ssh: connect to host other port 22: Connection refused'
        self.assertEqual(('exit', line), self.explain(line, code=1))

    def test_whose_code_it_was(self) -> None:
        login = 'Authenticated to net1.\n'
        for kind, stderr, code in (
            ('ssh', 'own words', 255),
            ('exit', login + 'own words', 255),
            ('closed', login, 255),
            ('exit', login, 3),
            ('ssh', login, -9),
        ):
            self.assertEqual(kind, self.explain(stderr, code=code)[0])

    def test_words_before_the_login_are_not_the_reason(self) -> None:
        stderr = (
            'sudo: a password is required\n'
            'Authenticated to net1 ([10.0.0.1]:22) using "publickey".\r\n'
            'bash: line 1: sudo: command not found\n'
            'Transferred: sent 2564, received 2476 bytes, in 0.0 seconds\r\n'
        )
        self.assertEqual('become-missing', self.explain(stderr, code=127)[0])

    def test_remarks_are_not_the_reason(self) -> None:
        stderr = (
            'the reason\n'
            'Transferred: sent 2564, received 2476 bytes, in 0.0 seconds\r\n'
            'Bytes per second: sent 81346.9, received 78554.9\r\n'
        )
        self.assertEqual(('exit', 'the reason'), self.explain(stderr, code=1))

    def test_noise_is_the_reason_where_nothing_else_is(self) -> None:
        self.assertEqual(
            ('noise', 'hello'), self.explain('', code=1, noise='hello')
        )
        line = 'sudo: a password is required'
        self.assertEqual(
            ('become-password', line),
            self.explain(line, code=1, noise='hello'),
        )

    def test_no_pattern_takes_long(self) -> None:
        for piece in (
            'publickey',
            'python3: ',
            'sudo: ',
            'Permission denied (publickey,',
            "ssh: connect to host a port 1: '",
            'channel 0: open failed: ',
            'Connection to a',
            'Offending a key in ',
            'Sorry, user ',
            'x' * 99 + '\n',
            '\n',
            ' ',
        ):
            stderr = (piece * (16 << 10))[: 16 << 10]
            began = time.process_time()
            for code in (1, 255):
                self.explain(stderr, code=code)
            self.assertLess(time.process_time() - began, 1, piece)

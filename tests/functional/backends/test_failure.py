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

"""Every failure, with the real ssh, sshd, sudo and login shells."""

import shutil
import socket
import subprocess
import threading

from tests.functional.backends import base
from tests.functional.backends import space

HELLO = (
    '{"hello":{"program":"osc-ha-router-node","protocol":1,'
    '"hostname":"net1","python":"3.9.1","uid":0}}'
)
VIEW = f'{{"id":1,"view":{{"router_id":"{base.ROUTER}","namespace":null}}}}'
#: kills all of sshd that belongs to this connection
CLOSE = 'sleep 0.2; sudo -n kill -9 $(ps -o ppid= $PPID) $PPID; sleep 9'


def _old_python() -> str | None:
    """Find a Python 2 that really is one, not a wrapper without it."""
    for name in ('python2.7', 'python2'):
        path = shutil.which(name)
        tried = path and subprocess.run([path, '-c', ''], capture_output=True)
        if tried and not tried.returncode:
            return path
    return None


OLD_PYTHON = _old_python()


class ConnectTest(base.TestCase):
    """There is no connection."""

    def test_unresolved(self) -> None:
        self.site.configure('Host net1\n  HostName no-such-name.invalid')
        failure = self.fail_to_look('unresolved')
        self.assertIn('no-such-name.invalid', failure.message)

    def test_refused(self) -> None:
        self.site.configure('Host net1\n  Port 2')
        failure = self.fail_to_look('refused')
        self.assertIn('port 2: Connection refused', failure.message)

    def test_unreachable(self) -> None:
        self.site.configure(f'Host net1\n  HostName {space.Space.LOST}')
        failure = self.fail_to_look('unreachable')
        self.assertIn('Network is unreachable', failure.message)

    def test_silent_address(self) -> None:
        self.site.configure(f'Host net1\n  HostName {space.Space.SILENT}')
        failure = self.fail_to_look('connect-timeout', probe_timeout=3.0)
        self.assertIn('Connection timed out', failure.message)

    def test_own_bound_ends_it_first(self) -> None:
        self.site.configure(f'Host net1\n  HostName {space.Space.SILENT}')
        self.fail_to_look('connect-timeout', probe_timeout=0.5)

    def test_silent_server(self) -> None:
        self._serve(None)
        failure = self.fail_to_look('connect-timeout', probe_timeout=3.0)
        self.assertIn('Connection timed out', failure.message)

    def test_closed_at_once(self) -> None:
        self._serve(b'')
        failure = self.fail_to_look('closed')
        self.assertIn('MaxStartups', failure.advice)

    def test_something_else_listens(self) -> None:
        self._serve(b'HTTP/1.1 400 Bad Request\r\n\r\n' * 99)
        self.fail_to_look('closed')

    def test_no_common_algorithm(self) -> None:
        self.site.configure(
            'Host net1\n  HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com'
        )
        failure = self.fail_to_look('no-common-algorithm')
        self.assertIn('no matching host key type', failure.message)

    def _serve(self, answer: bytes | None) -> None:
        """Listen at port 2; answer and close, or never answer."""
        self.site.configure('Host net1\n  Port 2')
        server = socket.create_server(('127.0.0.1', 2))
        self.addCleanup(server.close)
        if answer is not None:
            threading.Thread(
                target=self._answer, args=(server, answer)
            ).start()

    def _answer(self, server: socket.socket, answer: bytes) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(4096):
                pass


class JumpTest(base.TestCase):
    """The way leads over a jump host."""

    def test_refused_behind_it(self) -> None:
        self.site.configure('Host net1\n  Port 2\n  ProxyJump stack@jump:22')
        self.fail_to_look('refused')

    def test_unresolved_behind_it(self) -> None:
        self.site.configure(
            'Host net1\n  HostName no-such-name.invalid\n'
            '  ProxyJump stack@jump'
        )
        self.fail_to_look('unresolved')

    def test_forwarding_is_not_allowed(self) -> None:
        self.site.configure('Host net1\n  ProxyJump jailed@jump')
        self.fail_to_look('forward-refused')

    def test_jump_host_refuses(self) -> None:
        self.site.configure('Host net1\n  ProxyJump stack@jump:2')
        failure = self.fail_to_look('refused')
        self.assertIn('port 2: ', failure.message)

    def test_silence_behind_it(self) -> None:
        self.site.configure(
            f'Host net1\n  HostName {space.Space.SILENT}\n'
            '  ProxyJump stack@jump'
        )
        self.fail_to_look('connect-timeout', probe_timeout=2.0)


class IdentityTest(base.TestCase):
    """Who is who."""

    def test_host_key_unknown(self) -> None:
        self.site.know('')
        failure = self.fail_to_look('host-key-unknown')
        self.assertIn('No ED25519 host key is known for', failure.message)
        self.assertIn('stack@net1', failure.advice)
        self.assertEqual('', (self.site.root / 'known_hosts').read_text())

    def test_host_key_changed(self) -> None:
        self.site.know('other')
        failure = self.fail_to_look('host-key-changed')
        self.assertIn('known_hosts:1', failure.message)

    def test_host_key_revoked(self) -> None:
        path = self.site.root / 'host.pub'
        self.site.configure(f'Host *\n  RevokedHostKeys {path}')
        self.fail_to_look('host-key-revoked')

    def test_host_key_marked_as_revoked(self) -> None:
        path = self.site.root / 'known_hosts'
        path.write_text('@revoked ' + path.read_text())
        self.fail_to_look('host-key-revoked')

    def test_permission_denied(self) -> None:
        self.site.configure(f'Host *\n  IdentityFile {self.site.root}/none')
        key = self.site.root / 'user'
        key.rename(self.site.root / 'elsewhere')
        failure = self.fail_to_look('permission-denied')
        self.assertIn('Permission denied (publickey', failure.message)
        # and not the banner, which says something of the sort, too
        self.assertNotIn('banner', failure.message)
        self.assertIn('authorized_keys of stack', failure.advice)

    def test_too_many_keys(self) -> None:
        self.site.configure(f'Host *\n  IdentityFile {self.site.root}/other')
        self.fail_to_look('too-many-keys', ssh_user='tries')

    def test_unknown_user(self) -> None:
        self.fail_to_look('permission-denied', ssh_user='nosuchuser')


class BecomeTest(base.TestCase):
    """Logged in, but not root."""

    def test_password(self) -> None:
        failure = self.fail_to_look('become-password', ssh_user='plain')
        self.assertIn('a password is required', failure.message)
        self.assertIn('plain ALL=(root) NOPASSWD: python3', failure.advice)

    def test_not_allowed(self) -> None:
        failure = self.fail_to_look('become-denied', ssh_user='few')
        self.assertIn('not allowed to execute', failure.message)

    def test_terminal(self) -> None:
        self.fail_to_look('become-tty', ssh_user='tty')

    def test_doas(self) -> None:
        self.fail_to_look('become-denied', become='doas -n')
        self.site.write('etc/doas.conf', 'permit stack\n')
        self.fail_to_look('become-password', become='doas -n')

    def test_missing(self) -> None:
        failure = self.fail_to_look('become-missing', become='gainroot -n')
        self.assertIn('gainroot', failure.message)

    def test_no_rights(self) -> None:
        failure = self.fail_to_look('no-rights', become='')
        self.assertIn('sudo -n', failure.advice)


class StartTest(base.TestCase):
    """Root, but the program does not start."""

    def test_no_python(self) -> None:
        for become in ('sudo -n', ''):
            with self.subTest(become=become):
                failure = self.fail_to_look(
                    'python-missing', become=become, node_python='python3.99'
                )
                self.assertIn('python3.99', failure.message)

    # Debian 12 has no such Python any more; what one says is replayed by
    # the unit tests.
    if OLD_PYTHON:

        def test_old_python(self) -> None:
            self.fail_to_look(
                'python-old',
                ssh_user='root',
                become='',
                node_python=OLD_PYTHON,
            )

    def test_program_missing(self) -> None:
        for become in ('sudo -n', ''):
            with self.subTest(become=become):
                failure = self.fail_to_look(
                    'program-missing',
                    become=become,
                    node_program='/opt/none/osc-ha-router-node',
                )
                self.assertIn('/opt/none/osc-ha', failure.message)

    def test_every_shell_without_python(self) -> None:
        for user in self.site.shells():
            with self.subTest(user=user):
                self.fail_to_look(
                    'python-missing',
                    ssh_user=user,
                    become='',
                    node_python='python3.99',
                )
                self.fail_to_look(
                    'become-missing', ssh_user=user, become='gainroot'
                )
                self.fail_to_look(
                    'program-missing',
                    ssh_user=user,
                    become='',
                    node_program='/opt/none/osc-ha-router-node',
                )

    def test_nologin(self) -> None:
        failure = self.fail_to_look('noise', ssh_user='nologin')
        self.assertIn('not available', failure.message)

    def test_program_that_ends(self) -> None:
        failure = self.force('exit', 'echo I cannot >&2; exit 3')
        self.assertIn('I cannot', failure.message)

    def test_remote_255_is_not_taken_for_a_lost_connection(self) -> None:
        failure = self.force('exit', 'echo own words >&2; exit 255')
        self.assertIn('own words', failure.message)

    def test_sshd_is_killed(self) -> None:
        failure = self.force('closed', 'kill -9 $PPID; sleep 9')
        self.assertIn('no message', failure.message)

    def test_connection_is_closed(self) -> None:
        self.force('closed', CLOSE)


class AnswerTest(base.TestCase):
    """The program answers, but not well."""

    def test_noise_instead_of_an_answer(self) -> None:
        failure = self.force('noise', 'printf "Choose \033[1m1\033[0m: "')
        self.assertIn(r'Choose \x1b[1m1', failure.message)

    def test_noise_and_silence(self) -> None:
        failure = self.force(
            'noise', 'echo Press return; exec sleep 60', probe_timeout=2.0
        )
        self.assertIn('Press return', failure.message)

    def test_flood_of_noise(self) -> None:
        self.force('noise', 'exec yes')

    def test_silence_after_login(self) -> None:
        failure = self.force('timeout', 'exec sleep 60', probe_timeout=2.0)
        self.assertIn('silence after the login', failure.message)

    def test_silence_after_hello(self) -> None:
        self.force(
            'timeout', f"echo '{HELLO}'; exec sleep 60", probe_timeout=2.0
        )

    def test_deadline_is_nearer_than_the_bound(self) -> None:
        self.force('deadline', 'exec sleep 60', seconds=1.0)

    def test_reset_in_the_middle(self) -> None:
        self.force(
            'truncated', f"echo '{HELLO}'; echo '{VIEW}'; kill -9 $PPID"
        )
        self.assertEqual(1, len(self.seen.views))
        self.assertEqual('net1', self.seen.hostname)

    def test_connection_is_closed_in_the_middle(self) -> None:
        failure = self.force(
            'truncated', f"echo '{HELLO}'; echo '{VIEW}'; {CLOSE}"
        )
        self.assertIn('closed by remote host', failure.message)
        self.assertEqual(1, len(self.seen.views))

    def test_program_ends_in_the_middle(self) -> None:
        failure = self.force(
            'truncated',
            f"echo '{HELLO}'; printf '{{\"id\":1,'; echo Killed >&2; exit 137",
        )
        self.assertIn('Killed', failure.message)

    def test_endless_line(self) -> None:
        self.force('oversized', f"echo '{HELLO}'; tr '\\0' x </dev/zero")

    def test_endless_answer(self) -> None:
        event = f'{{"id":1,"event":"{"x" * 4000}"}}'
        self.force('oversized', f"echo '{HELLO}'; yes '{event}'")

    def test_same_router_for_ever(self) -> None:
        self.force('garbled', f"echo '{HELLO}'; yes '{VIEW}'")
        self.assertEqual(1, len(self.seen.views))

    def test_not_json(self) -> None:
        failure = self.force('garbled', f"echo '{HELLO}'; echo oops")
        self.assertIn('oops', failure.message)

    def test_other_version(self) -> None:
        hello = HELLO.replace('"protocol":1', '"protocol":7')
        failure = self.force('version', f"echo '{hello}'")
        self.assertIn('protocol 7', failure.message)

    def test_own_error(self) -> None:
        failure = self.force(
            'node-error',
            f"echo '{HELLO}'; echo '"
            '{"id":1,"error":{"kind":"internal","message":"bad luck"}}'
            "'",
        )
        self.assertIn('bad luck', failure.message)


class LocalTest(base.TestCase):
    """Something is wrong on this machine."""

    def test_configuration(self) -> None:
        self.site.configure('Host *\n  NoSuchOption yes')
        failure = self.fail_to_look('ssh-config')
        self.assertIn('nosuchoption', failure.message)

    def test_configuration_value(self) -> None:
        self.site.configure('Host *\n  Port yes')
        self.fail_to_look('ssh-config')

    def test_configuration_missing(self) -> None:
        self.fail_to_look('ssh-config', ssh_config='/nonexistent')

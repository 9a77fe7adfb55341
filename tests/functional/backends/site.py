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

"""A node to log in to: a real sshd with users, keys and sudoers of its own.

sshd runs in a mount namespace of its own, where /etc/passwd, /etc/sudoers
and a few more are the test's, so that the users below exist for it alone,
and where /run/netns holds only what the test puts there.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import fixtures

#: name: (shell, line of sudoers)
USERS = {
    'stack': ('/bin/sh', 'stack ALL=(root) NOPASSWD: ALL'),
    'plain': ('/bin/sh', ''),
    'tty': ('/bin/sh', 'Defaults:tty requiretty\ntty ALL= NOPASSWD: ALL'),
    'pty': (
        '/bin/sh',
        'Defaults:pty use_pty, log_output, log_input, '
        'iolog_dir=/run/sudo-io\npty ALL=(root) NOPASSWD: ALL',
    ),
    'few': ('/bin/sh', 'Defaults:few !authenticate\nfew ALL= /bin/true'),
    'nologin': ('/usr/sbin/nologin', ''),
    'bash': ('/bin/bash', 'bash ALL=(root) NOPASSWD: ALL'),
    'dash': ('/bin/dash', 'dash ALL=(root) NOPASSWD: ALL'),
    'csh': ('/bin/tcsh', 'csh ALL=(root) NOPASSWD: ALL'),
    'fish': ('/usr/bin/fish', 'fish ALL=(root) NOPASSWD: ALL'),
    'zsh': ('/usr/bin/zsh', 'zsh ALL=(root) NOPASSWD: ALL'),
    'ksh': ('/usr/bin/ksh93', 'ksh ALL=(root) NOPASSWD: ALL'),
    'mksh': ('/bin/mksh', 'mksh ALL=(root) NOPASSWD: ALL'),
    #: runs whatever the test has put into ``Site.forced``
    'forced': ('/bin/sh', 'forced ALL=(root) NOPASSWD: ALL'),
    #: may not have anything forwarded
    'jailed': ('/bin/sh', ''),
    #: may try one key only
    'tries': ('/bin/sh', ''),
}

#: those who are here for their shell
SHELLS = ('stack', 'bash', 'dash', 'csh', 'fish', 'zsh', 'ksh', 'mksh')

_SERVER = """\
ListenAddress 0.0.0.0
HostKey {root}/host
AuthorizedKeysFile {root}/authorized/%u
StrictModes no
UsePAM no
PidFile none
LogLevel VERBOSE
MaxStartups 200
PermitRootLogin yes
AcceptEnv LANG LC_*
Banner {root}/banner
Match User forced
  ForceCommand sh {root}/forced
Match User jailed
  AllowTcpForwarding no
Match User tries
  MaxAuthTries 1
"""

_CLIENT = """\
Host *
  HostName 127.0.0.1
  IdentityFile {root}/user
  IdentityAgent none
  IdentitiesOnly yes
  UserKnownHostsFile {root}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


class Site(fixtures.Fixture):
    """A running sshd, and a client configuration that reaches it."""

    def _setUp(self) -> None:
        root = self.useFixture(fixtures.TempDir()).path
        self.root = pathlib.Path(root)
        # others than root must be able to pass
        self.root.chmod(0o755)
        self._write_keys()
        self._write_accounts()
        self.write('banner', 'Permission denied (banner).\n')
        self.write('forced', 'echo nothing\n')
        self.write('sshd_config', _SERVER.format(root=root))
        self.ssh_config = self.write('ssh_config', _CLIENT.format(root=root))
        self._start()

    def configure(self, text: str) -> None:
        """Put lines of ssh_config before those that are there."""
        path = self.root / 'ssh_config'
        path.write_text(f'{text}\n{path.read_text()}')

    def force(self, script: str) -> None:
        """Set what the user ``forced`` gets instead of what is asked."""
        self.write('forced', script)

    def inside(self, *argv: str) -> None:
        """Run a command where sshd runs."""
        subprocess.run(
            ['nsenter', f'--mount=/proc/{self._pid}/ns/mnt', '--', *argv],
            check=True,
        )

    def log(self) -> str:
        """Return what sshd has logged so far."""
        return (self.root / 'log').read_text()

    def shells(self) -> list[str]:
        """Return the users with shells that this machine has."""
        return [user for user in SHELLS if shutil.which(USERS[user][0])]

    def write(self, name: str, text: str) -> str:
        """Write a file below the root; return its path."""
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    def _write_keys(self) -> None:
        for name in ('host', 'user', 'other'):
            subprocess.run(
                ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name]
                + ['-f', str(self.root / name)],
                check=True,
            )
        public = (self.root / 'user.pub').read_text()
        for user in ('root', *USERS):
            self.write(f'authorized/{user}', public)
        self.know('host')

    def know(self, key: str) -> None:
        """Make this the host key that is known, empty for none."""
        text = (self.root / f'{key}.pub').read_text() if key else ''
        self.write('known_hosts', f'* {text}' if text else '')

    def _write_accounts(self) -> None:
        passwd = ['root:x:0:0:root:/root:/bin/sh', 'sshd:x:105:65534::/:']
        shadow = ['root:*:19000:0:99999:7:::', 'sshd:*:19000:0:99999:7:::']
        group = ['root:x:0:', 'nogroup:x:65534:']
        for number, (user, (shell, _)) in enumerate(USERS.items(), 7000):
            home = self.root / 'home' / user
            home.mkdir(parents=True)
            os.chown(home, number, number)
            passwd.append(f'{user}:x:{number}:{number}::{home}:{shell}')
            shadow.append(f'{user}:*:19000:0:99999:7:::')
            group.append(f'{user}:x:{number}:')
        rules = [rule for _, rule in USERS.values() if rule]
        self.write('etc/passwd', '\n'.join(passwd) + '\n')
        self.write('etc/shadow', '\n'.join(shadow) + '\n')
        self.write('etc/group', '\n'.join(group) + '\n')
        self.write('etc/doas.conf', 'permit nobody\n')
        self.write('etc/sudoers', '\n'.join(rules) + '\n')
        (self.root / 'etc/sudoers').chmod(0o440)

    def _start(self) -> None:
        sshd = os.environ.get('TEST_SSHD') or shutil.which(
            'sshd', path='/usr/sbin:/usr/local/sbin'
        )
        script = (
            f'mount -t overlay -o lowerdir={self.root}/etc:/etc none /etc && '
            f'mount -t tmpfs none /run && mkdir /run/sshd && exec '
            f'{sshd} -D -e -f {self.root}/sshd_config'
        )
        with (self.root / 'log').open('wb') as log:
            process = subprocess.Popen(
                ['unshare', '--mount', '--propagation', 'private']
                + ['sh', '-c', script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid = process.pid
        self.addCleanup(self._stop, process)
        self._await(process)

    def _await(self, process: 'subprocess.Popen[bytes]') -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(('127.0.0.1', 22), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f'sshd does not start: {self.log()}')

    def _stop(self, process: 'subprocess.Popen[bytes]') -> None:
        process.send_signal(signal.SIGTERM)
        process.wait(10)

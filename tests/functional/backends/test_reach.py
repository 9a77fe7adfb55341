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

"""The node program is reached, by every way and through every shell."""

import os
import pathlib
import subprocess
import sys

from tests.functional.backends import base

TREE = pathlib.Path(__file__).parents[3]


class ReachTest(base.TestCase):
    def test_sent_along_with_sudo(self) -> None:
        seen = self.look()
        self.assertEqual('net1', seen.host)
        self.assertEqual([base.ROUTER], [one.router_id for one in seen.views])
        self.assertIsNone(seen.views[0].namespace)
        self.assertEqual(os.uname().nodename, seen.hostname)

    def test_sent_along_as_root(self) -> None:
        self.look(ssh_user='root', become='')

    def test_sudo_with_a_terminal_of_its_own(self) -> None:
        # use_pty is the default of many distributions; logging makes sudo
        # relay everything, in pipes where there is no terminal
        self.look(ssh_user='pty')

    def _install(self) -> str:
        """Put the node program where everybody can start it."""
        program = self.site.root / 'osc-ha-router-node'
        program.write_text(
            f'#!/bin/sh\ncd {TREE} && exec {sys.executable} '
            '-m osc_ha_router.node\n'
        )
        program.chmod(0o755)
        return str(program)

    def test_installed(self) -> None:
        self.look(node_program=self._install())

    def test_forced_command(self) -> None:
        self.site.force(f'exec sudo -n {self._install()}')
        # whatever is asked for, this is what the key is held to
        self.look(ssh_user='forced', node_program='/never/looked/at')

    def test_namespace(self) -> None:
        name = f'qrouter-{base.ROUTER}'
        self.site.inside('ip', 'netns', 'add', name)
        self.addCleanup(self.site.inside, 'ip', 'netns', 'delete', name)
        seen = self.look()
        self.assertEqual(name, seen.views[0].namespace)
        assert seen.residents is not None
        self.assertEqual(
            [base.ROUTER], [one.router_id for one in seen.residents]
        )

    def test_nothing_is_written_on_the_node(self) -> None:
        before = self._files()
        self.look()
        self.assertEqual(before, self._files())

    def _files(self) -> set[pathlib.Path]:
        return set((self.site.root / 'home' / 'stack').rglob('*'))

    def test_every_login_shell(self) -> None:
        shells = self.site.shells()
        self.assertIn('stack', shells)
        for user in shells:
            with self.subTest(user=user):
                self.look(ssh_user=user)

    def test_login_shell_that_prints_and_goes_on(self) -> None:
        home = self.site.root / 'home' / 'bash'
        (home / '.bashrc').write_text('echo Welcome; echo on err >&2\n')
        self.look(ssh_user='bash')
        # without a newline, so that it is on the same line as the answer
        (home / '.bashrc').write_text('printf "Welcome> "\n')
        self.look(ssh_user='bash')

    def test_jump_host(self) -> None:
        self.site.configure('Host net1\n  ProxyJump stack@jump')
        self.look()

    def test_control_master_that_stays(self) -> None:
        path = self.site.root / 'master'
        self.site.configure(
            'Host *\n  ControlMaster auto\n  ControlPersist 30\n'
            f'  ControlPath {path}'
        )
        self.look()
        self.assertTrue(path.exists())
        # the second time over the connection of the first
        logins = self.site.log().count('Accepted publickey')
        self.look()
        self.assertEqual(logins, self.site.log().count('Accepted publickey'))
        subprocess.run(
            ['ssh', '-F', self.site.ssh_config, '-O', 'exit'] + ['stack@net1'],
            check=True,
            capture_output=True,
        )

    def test_settings_of_interactive_use_do_not_disturb(self) -> None:
        self.site.configure(
            'Host *\n  RemoteCommand tmux\n  RequestTTY force\n'
            '  PermitLocalCommand yes\n  LocalCommand echo disturbed\n'
            '  ForwardAgent yes\n  LocalForward 7777 localhost:22\n'
            '  LogLevel QUIET\n'
        )
        self.look()

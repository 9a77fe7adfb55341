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

"""What scripts and people read: formats, exit codes, refusals."""

import json
import os
import pty
import re
import subprocess

import fixtures
import yaml

from tests.functional import base

KEYS = [
    'Router',
    'Name',
    'Health',
    'Active Hosts',
    'Reported Active',
    'Replicas',
    'Findings',
]

#: of a terminal: colours, movements of the cursor
_SEQUENCE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')


class TestOutput(base.LabTest):
    """The real openstack command, seen from outside."""

    def _check(
        self, *arguments: str, cloud: str = 'lab'
    ) -> 'subprocess.CompletedProcess[str]':
        done = self.lab.openstack(
            'router', 'ha', 'check', *arguments, cloud=cloud
        )
        self.assertNotIn('Traceback', done.stdout + done.stderr)
        return done

    def test_formats(self) -> None:
        active, _ = self.settled()
        done = self._check('r1', '-f', 'json')
        self.assertEqual(0, done.returncode, done.stdout)
        (row,) = json.loads(done.stdout)
        self.assertEqual(KEYS, list(row))
        self.assertEqual(self.router, row['Router'])
        self.assertEqual([active], row['Active Hosts'])
        self.assertEqual(3, len(row['Replicas']))
        for replica in row['Replicas']:
            self.assertTrue(
                {
                    'host',
                    'agent_id',
                    'alive',
                    'admin_state_up',
                    'reported',
                    'observed',
                    'vip',
                    'keepalived',
                }
                <= set(replica)
            )
        done = self._check('r1', '-f', 'yaml')
        self.assertEqual(0, done.returncode)
        self.assertEqual(
            [active], yaml.safe_load(done.stdout)[0]['Active Hosts']
        )
        done = self._check('r1', '-f', 'value', '-c', 'Health')
        self.assertEqual(('OK\n', 0), (done.stdout, done.returncode))

    def test_table_of_80_columns(self) -> None:
        self.settled()
        self.lab.nodes['net2'].stop_sshd()
        self.addCleanup(self.lab.nodes['net2'].start_sshd)
        status, screen = self._on_terminal('router', 'ha', 'check', 'r1')
        self.assertEqual(3, status)
        self.assertIn('RHA901', screen)
        # what colours the bars and moves the cursor takes no place
        for line in _SEQUENCE.sub('', screen).splitlines():
            self.assertLessEqual(len(line), 80, line)

    def _on_terminal(self, *arguments: str) -> tuple[int, str]:
        """Run openstack on a terminal of 80 columns."""
        ours, theirs = pty.openpty()
        subprocess.run(
            ['stty', 'cols', '80', 'rows', '24'], stdin=theirs, check=True
        )
        environment = self.lab.environment() | {'TERM': 'xterm'}
        environment.pop('COLUMNS', None)
        process = subprocess.Popen(
            self.lab.enter([self.openstack, *arguments]),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
        )
        os.close(theirs)
        screen = b''
        try:
            while data := os.read(ours, 65536):
                screen += data
        except OSError:
            # the other side of a terminal is gone: EIO, not end of file
            pass
        os.close(ours)
        return process.wait(), screen.decode().replace('\r\n', '\n')

    def test_exit_codes(self) -> None:
        """3, 4 and 5 come with each incident; here 0, 1 and 2."""
        self.settled()
        done = self._check('no-such-router', '-f', 'json')
        self.assertEqual(1, done.returncode)
        self.assertIn('No router', done.stderr)
        self.assertEqual('', done.stdout)
        self.assertEqual(2, self._check('r1', '--fail-on', 'x').returncode)
        self.assertEqual(2, self._check('r1', '--ignore', 'x').returncode)
        done = self._check('r1', '--backend', 'nothing')
        self.assertEqual(1, done.returncode)
        self.assertIn('installed are', done.stderr)

    def test_thresholds(self) -> None:
        _, (standby, _) = self.settled()
        self.lab.nodes[standby].stop_sshd()
        self.addCleanup(self.lab.nodes[standby].start_sshd)
        for arguments, code in (
            ((), 3),
            (('-f', 'json'), 3),
            (('-f', 'yaml'), 3),
            (('-f', 'value', '-c', 'Health'), 3),
            (('--fail-on', 'error'), 3),
            (('--fail-on', 'never'), 0),
            (('--ignore', 'RHA901'), 0),
        ):
            done = self._check('r1', *arguments)
            self.assertEqual(code, done.returncode, arguments)

    def test_tenant(self) -> None:
        """A tenant may not see agents: UNKNOWN, and whom to ask.

        Node agents would tell it: tests/functional/agent/test_tenant.py.
        """
        self.settled()
        for cloud in ('lab-demo', 'lab-demo-reader'):
            done = self._check(
                'r1', '-f', 'json', '--backend', 'ssh', cloud=cloud
            )
            self.assertEqual(3, done.returncode, done.stderr)
            (row,) = json.loads(done.stdout)
            self.assertEqual('UNKNOWN', row['Health'])
            (finding,) = row['Findings']
            self.assertEqual('RHA903', finding['code'])
            self.assertIn('get_l3-agents', finding['summary'])

    def test_other_routers(self) -> None:
        """Not HA, ambiguous, and the sweep over all that are HA."""
        self.settled()
        body = {'name': 'plain', 'ha': False}
        plain = self.lab.admin.create('router', **body)['id']
        self.addCleanup(self.lab.admin.neutron, 'DELETE', f'/routers/{plain}')
        done = self._check('plain')
        self.assertEqual(1, done.returncode)
        self.assertIn('not an HA router', done.stderr)
        twins = [self.lab.create_router('twin', gateway=False, wait=False)]
        self.addCleanup(self.lab.delete_router, twins[0])
        twins.append(self.lab.create_router('twin', gateway=False, wait=False))
        self.addCleanup(self.lab.delete_router, twins[1])
        done = self._check('twin')
        self.assertEqual(1, done.returncode)
        for twin in twins:
            self.assertIn(twin, done.stderr)
            self.lab.wait_settled(twin)
        done = self._check('-f', 'json')
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(
            {self.router, *twins},
            {row['Router'] for row in json.loads(done.stdout)},
        )

    def test_save_and_capture(self) -> None:
        """A saved look gives the same report without a cloud."""
        self.settled()
        path = self.useFixture(fixtures.TempDir()).join('look.json')
        live = self.check('--save', path)
        done = subprocess.run(
            [
                self.openstack,
                'router',
                'ha',
                'check',
                '--capture',
                path,
                '-f',
                'json',
            ],
            capture_output=True,
            text=True,
            env={k: v for k, v in os.environ.items() if k[:3] != 'OS_'},
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(live.rows, json.loads(done.stdout))
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        with open(path) as file:
            self.assertNotIn('lab-secret', file.read())

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

"""All nodes at once, and all routers in one line."""

import contextlib
import json
import os
import signal
from typing import Any

import fixtures

from tests.functional import base

KEYS = [
    'Host',
    'Active',
    'Standby',
    'Problems',
    'Orphans',
    'Agent Alive',
    'Reachable',
    'Probe Seconds',
]
COUNTS = KEYS[1:5]


class HostTest(base.LabTest):
    """The real openstack command, for all that the lab has."""

    def router_ha(
        self, *arguments: str, cloud: str = 'lab', code: int = 0
    ) -> str:
        """Return what the command prints, which must end with this code."""
        done = self.lab.openstack('router', 'ha', *arguments, cloud=cloud)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def hosts(
        self, *arguments: str, code: int = 0
    ) -> dict[str, dict[str, Any]]:
        """Return host -> its row."""
        printed = self.router_ha(
            'host', 'list', '-f', 'json', *arguments, code=code
        )
        rows = json.loads(printed)
        for row in rows:
            self.assertEqual(KEYS, list(row))
        return {row['Host']: row for row in rows}

    def stopped(self, name: str) -> None:
        """Let nobody reach a node."""
        self.lab.nodes[name].stop_sshd()
        self.addCleanup(self.lab.nodes[name].start_sshd)

    def unmonitored(self, name: str) -> None:
        """Kill the state-change monitor, and let nobody start it again."""
        node = self.lab.nodes[name]
        node.signal_l3_agent(signal.SIGSTOP)
        self.addCleanup(node.signal_l3_agent, signal.SIGCONT)
        for pid in node.router(self.router).monitors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class ListTest(HostTest):
    def test_healthy(self) -> None:
        active, standbys = self.settled()
        rows = self.hosts()
        self.assertEqual({active, *standbys}, set(rows))
        for name, row in rows.items():
            self.assertEqual(
                [int(name == active), int(name != active), 0, 0],
                [row[key] for key in COUNTS],
            )
            self.assertIs(True, row['Agent Alive'])
            self.assertIs(True, row['Reachable'])
            self.assertGreater(row['Probe Seconds'], 0)

    def test_broken_and_unreachable(self) -> None:
        active, (broken, dead) = self.settled()
        self.unmonitored(broken)
        self.stopped(dead)
        path = self.useFixture(fixtures.TempDir()).join('look.json')
        rows = self.hosts('--recheck', '0', '--save', path, code=3)
        self.assertEqual([1, 0, 0, 0], [rows[active][key] for key in COUNTS])
        self.assertEqual([0, 1, 1, 0], [rows[broken][key] for key in COUNTS])
        self.assertEqual([None] * 4, [rows[dead][key] for key in COUNTS])
        self.assertIs(False, rows[dead]['Reachable'])
        self.assertIs(True, rows[dead]['Agent Alive'])
        self.assertEqual(rows, self.hosts('--capture', path, code=3))
        printed = self.router_ha('host', 'list', '--recheck', '0', code=3)
        self.assertIn(f'\n{dead}:\n  {dead} refused', printed)

    def test_member(self) -> None:
        """A caller who may not list agents is told so."""
        self.assertEqual(
            '', self.router_ha('host', 'list', cloud='lab-demo', code=1)
        )


class NagiosTest(HostTest):
    def line(self, *arguments: str, code: int, cloud: str = 'lab') -> str:
        """Return the one line that is printed."""
        printed = self.router_ha(
            'check', '--nagios', *arguments, cloud=cloud, code=code
        )
        state = ('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[code]
        self.assertRegex(printed, rf'\AROUTER_HA {state} - [^\n]+\n\Z')
        return printed

    def test_healthy(self) -> None:
        self.settled()
        self.assertEqual(
            'ROUTER_HA OK - 1 OK | routers=1 ok=1 info=0 warning=0 error=0 '
            'unknown=0 active=1 hosts=3 unreachable=0\n',
            self.line('r1', code=0),
        )
        self.assertIn('| routers=', self.line(code=0))

    def test_broken(self) -> None:
        active, (standby, other) = self.settled()
        self.stopped(other)
        printed = self.line('r1', code=3)
        self.assertIn(f'1 UNKNOWN (r1 node-unreachable on {other})', printed)
        self.assertIn(' unreachable=1\n', printed)
        self.line('r1', '--ignore', 'node-unreachable', code=0)
        self.unmonitored(standby)
        printed = self.line('r1', '--recheck', '0', code=1)
        self.assertIn(f'1 WARNING (r1 monitor-dead on {standby})', printed)

    def test_no_verdict(self) -> None:
        self.assertIn('No router', self.line('no-such-router', code=3))
        self.assertIn('--fail-on', self.line('--fail-on', 'x', code=3))
        self.assertIn(
            'installed are', self.line('r1', '--backend', 'nothing', code=3)
        )
        # what a tenant may not ask Neutron, only node agents would tell
        self.line('r1', '--backend', 'ssh', cloud='lab-demo', code=3)

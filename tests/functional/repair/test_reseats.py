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

"""A router that is off an L3 agent for a moment, and who ends it just then."""

import json
import signal
import subprocess
import sys

from tests.functional.repair import base

#: how the action begins, once it is done
_DEED = 'have Neutron take the router off the L3 agent'


class TestReseats(base.RepairTest):
    def _broken(self) -> tuple[str, str]:
        """Delete the namespace of a standby, which has to be built anew."""
        active, (standby, _) = self.settled()
        # an update from Neutron would have it make an empty one
        self.asleep(standby)
        self.lab.nodes[standby].run(
            ['ip', 'netns', 'delete', f'qrouter-{self.router}']
        )
        return active, standby

    def _ended(self, standby: str, number: int) -> tuple[int, str]:
        """Send a signal while the router is being taken off and given back.

        :return: exit code and standard error
        """
        command = [self.openstack, 'router', 'ha', 'repair', 'r1']
        with subprocess.Popen(
            self.lab.enter([*command, '--recheck', '0', '--auto-approve']),
            env=self.lab.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if line.startswith('plan: '):
                    self.awake(standby)
                if line.startswith('act: ') and _DEED in line:
                    break
            process.send_signal(number)
            _, rest = process.communicate(timeout=120)
        self.wait(
            'the nodes to give the lock back',
            lambda: not any(self.traces().values()),
        )
        return process.returncode, ''.join(said) + rest

    def test_interrupted(self) -> None:
        """Ctrl-C waits until the router is back, and nothing is owed."""
        active, standby = self._broken()
        code, stderr = self._ended(standby, signal.SIGINT)
        self.assertEqual(3, code, stderr)
        self.assertIn('Interrupted', stderr)
        self.assertIn(standby, self.lab.claims(self.router))
        self.assertNotIn('RHA609', {c for c, _ in self.check().found})
        self._built(active, standby)

    def test_terminated(self) -> None:
        active, standby = self._broken()
        self._ended(standby, signal.SIGTERM)
        self.assertIn(standby, self.lab.claims(self.router))
        self._built(active, standby)

    def test_killed(self) -> None:
        """Wherever that was, the next repair brings it to its end."""
        active, standby = self._broken()
        self._ended(standby, signal.SIGKILL)
        self._built(active, standby)

    def _built(self, active: str, standby: str) -> None:
        """Repair once more, and see that all is as it was."""
        repaired = self.repair(recheck=2)
        self.assertEqual(0, repaired.exit_code, repaired.row)
        self.assertIn(standby, self.lab.claims(self.router))
        self.assertEqual([active], self.lab.active_nodes(self.router))
        for name, seen in self.snapshots().items():
            self.assertNotIn('.osc-ha-router.json', seen.files, name)
            self.assertEqual(2, seen.keepalived, name)
        self.assert_nothing_to_do()

    def test_not_given_back(self) -> None:
        """As SIGKILL leaves it between the one and the other."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        self._note(active, standby)
        agent = self.agent(standby)['id']
        self.lab.admin.neutron(
            'DELETE', f'/agents/{agent}/l3-routers/{self.router}'
        )
        replica = self.lab.nodes[standby].router(self.router)
        self.wait('the agent to remove it', lambda: not replica.exists())
        checked = self.check('--recheck', '0')
        self.assertIn(('RHA609', active), checked.found)
        (found,) = (
            each
            for each in checked.row['Findings']
            if each['code'] == 'RHA609'
        )
        self.assertIn(f'the L3 agent on {standby}', found['summary'])
        # a look does not undo what only Neutron can
        self.assertIn(('RHA609', active), self.check('--recheck', '0').found)
        self.cured((standby, 'give'))
        self.assertEqual([active], self.lab.active_nodes(self.router))
        self.assert_as(before, standby)
        self.assert_nothing_to_do()

    def _note(self, active: str, standby: str) -> None:
        """Have a node note that a router is owed to an agent."""
        requests = (
            {'op': 'begin', 'by': 'a test', 'seconds': 60, 'bare': True},
            {'op': 'owe', 'agent': standby},
        )
        done = self.lab.nodes[active].run(
            [sys.executable, '-m', 'osc_ha_router.node'],
            input=''.join(
                json.dumps({'id': number, 'router': self.router, **request})
                + '\n'
                for number, request in enumerate(requests)
            ),
        )
        _, begun, owed = map(json.loads, done.stdout.splitlines())
        self.assertIn('end', begun)
        self.assertEqual({'id': 1, 'end': {}}, owed)

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

"""What a repair leaves alone, and says why."""

import os
import pty
import signal
import subprocess

from tests.functional.repair import base


class TestLeft(base.RepairTest):
    """Router r1, with nothing done to it."""

    def test_network_cut(self) -> None:
        """Nobody picks a winner, --keep or not."""
        active, _ = self.settled()
        self.lab.nodes[active].cut_ha_network(self.router)
        self.wait(
            'a second active node',
            lambda: len(self.lab.active_nodes(self.router)) == 2,
        )
        before = self.at_rest()
        holders = self.lab.active_nodes(self.router)
        self.assertEqual(2, len(holders))
        left = self.repair('--keep', active, recheck=7)
        codes = {code for code, _ in left.refused}
        self.assertIn('RHA104', codes)
        self.assert_left(left, before, *codes)
        self.assertEqual(holders, self.lab.active_nodes(self.router))

    def test_hidden_active(self) -> None:
        """The agent of the active node is dead: traffic is not touched."""
        active, _ = self.settled()
        self.asleep(active, dead=True)
        before = self.snapshots()
        left = self.repair()
        self.assert_left(left, before, 'RHA201', 'RHA203')
        self.assert_reachable()

    def test_agent_disabled(self) -> None:
        _, (standby, _) = self.settled()
        self.asleep(standby)
        body = {'agent': {'admin_state_up': False}}
        agent = self.agent(standby)['id']
        self.lab.admin.neutron('PUT', f'/agents/{agent}', body)
        before = self.snapshots()
        left = self.repair()
        self.assert_left(left, before, 'RHA204')
        (refusal,) = left.row['Refused']
        self.assertIn(agent, ' '.join(refusal['steps']))

    def test_node_unreachable(self) -> None:
        """What can be done without it is done."""
        active, (standby, other) = self.settled()
        self.lab.nodes[standby].stop_sshd()
        before = self.snapshots()
        self.assert_left(self.repair(), before, 'RHA901')
        address = self.lab.facts['floating_ip'] + '/32'
        replica = self.lab.nodes[active].router(self.router)
        (device,) = (d for d, a in replica.expected() if a == address)
        replica.run(['ip', 'address', 'del', address, 'dev', device])
        repaired = self.repair()
        self.assertEqual(3, repaired.exit_code, repaired.stderr)
        self.assertEqual('unknown', repaired.row['Result'])
        self.assertIn((device, address), replica.addresses())
        ignored = self.repair('--ignore', 'RHA901')
        self.assertEqual('healthy', ignored.row['Result'])
        self.lab.nodes[standby].start_sshd()
        self.assert_as(before)

    def _broken(self) -> tuple[str, str, str]:
        """Take the floating IP off the active node."""
        active, _ = self.settled()
        address = self.lab.facts['floating_ip'] + '/32'
        replica = self.lab.nodes[active].router(self.router)
        (device,) = (d for d, a in replica.expected() if a == address)
        replica.run(['ip', 'address', 'del', address, 'dev', device])
        return active, address, device

    def test_dry_run_and_no(self) -> None:
        """Planned, off a terminal, answered no, without rights: nothing."""
        active, address, _ = self._broken()
        before = self.snapshots()
        held = self.lab.nodes[active].router(self.router).addresses()
        planned = self.repair('--dry-run', approve=False)
        self.assertEqual(0, planned.exit_code, planned.stderr)
        self.assertEqual('planned', planned.row['Result'])
        self.assertEqual(
            [(active, 'add'), (active, 'announce')], planned.actions
        )
        (add, _) = planned.row['Actions']
        self.assertIn(address, add['what'])
        self.assertEqual(['RHA502'], add['codes'])
        for refused, words in (
            (self.repair(approve=False), '--auto-approve'),
            (self.repair('--keep', 'net9'), 'net9'),
            (self.repair(cloud='lab-demo'), ''),
            (self.repair(env={'OS_ROUTER_HA_SSH_USER': 'lab-nosudo'}), ''),
        ):
            self.assertEqual(1, refused.exit_code, refused.stderr)
            self.assertIn(words, refused.stderr)
        code, stderr = self._answer('n\n')
        self.assertEqual(1, code, stderr)
        self.assertIn('[y/N]', stderr)
        self.assertEqual(before, self.snapshots())
        self.assertEqual(
            held, self.lab.nodes[active].router(self.router).addresses()
        )
        code, stderr = self._answer('y\n')
        self.assertEqual(0, code, stderr)

    def _answer(self, words: str) -> tuple[int, str]:
        """Run the command on a terminal, and answer its question."""
        ours, theirs = pty.openpty()
        try:
            command = [self.openstack, 'router', 'ha', 'repair', 'r1']
            with subprocess.Popen(
                self.lab.enter([*command, '--recheck', '0']),
                env=self.lab.environment(),
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                os.write(ours, words.encode())
                _, stderr = process.communicate(timeout=120)
            return process.returncode, stderr
        finally:
            os.close(ours)
            os.close(theirs)

    def test_killed_and_run_again(self) -> None:
        """SIGKILL in the middle: nothing is locked, the rest is done."""
        active, address, device = self._broken()
        replica = self.lab.nodes[active].router(self.router)
        replica.run(['ip', 'route', 'del', 'default'])
        before = self.snapshots()
        command = [self.openstack, 'router', 'ha', 'repair', 'r1']
        with subprocess.Popen(
            self.lab.enter([*command, '--recheck', '0', '--auto-approve']),
            env=self.lab.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith('act:'):
                    break
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        self.wait(
            'the nodes to give the lock back',
            lambda: not any(self.traces().values()),
        )
        repaired = self.repair()
        self.assertEqual(0, repaired.exit_code, repaired.stderr)
        self.assertIn((device, address), replica.addresses())
        self.assert_reachable()
        self.assert_as(before)
        self.assert_nothing_to_do()

    def test_failover_under_way(self) -> None:
        _, (standby, _) = self.settled()
        command = [self.openstack, 'router', 'ha', 'failover', 'r1']
        with subprocess.Popen(
            self.lab.enter([*command, '--to', standby, '--auto-approve']),
            env=self.lab.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if 'takes over in' in line:
                    break
            refused = self.repair()
            stdout, stderr = process.communicate(timeout=120)
        self.assertEqual(1, refused.exit_code, refused.stderr)
        self.assertRegex(refused.stderr, 'pid [0-9]+')
        self.assertEqual(0, process.returncode, (stdout, stderr))
        self.assertEqual([standby], self.lab.active_nodes(self.router))

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


import contextlib
import os
import signal

from tests.functional.failover import base


class TestRefusals(base.FailoverTest):
    """What must not be done is not done, and everything stays."""

    def _kill_keepalived(self, host: str) -> None:
        """End a keepalived that its agent cannot start again."""
        node = self.lab.nodes[host]
        node.signal_l3_agent(signal.SIGSTOP)
        self.addCleanup(node.signal_l3_agent, signal.SIGCONT)
        for pid in node.keepalived_pids(self.router):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _agent(self, host: str) -> str:
        agents = self.lab.admin.hosting(self.router)
        (agent,) = (a['id'] for a in agents if a['host'] == host)
        return str(agent)

    def test_target_unknown(self) -> None:
        active, _ = self.settled()
        before = self.traces()
        moved = self.failover('--to', 'net9')
        self.assert_refused(moved, before, 'net9', active)

    def test_router_unknown(self) -> None:
        self.settled()
        before = self.traces()
        moved = self.failover(router='r9')
        self.assert_refused(moved, before, 'r9')

    def test_target_not_hosting(self) -> None:
        _, (standby, other) = self.settled()
        self.lab.admin.neutron(
            'DELETE',
            f'/agents/{self._agent(standby)}/l3-routers/{self.router}',
        )
        self.wait(
            'the router to leave the node',
            lambda: not self.lab.nodes[standby].router(self.router).exists(),
        )
        before = self.traces()
        moved = self.failover('--to', standby)
        self.assert_refused(moved, before, standby, other)

    def test_target_agent_disabled(self) -> None:
        _, (standby, _) = self.settled()
        node = self.lab.nodes[standby]
        # asleep, so that it does not begin to take its routers off
        node.signal_l3_agent(signal.SIGSTOP)
        self.addCleanup(node.signal_l3_agent, signal.SIGCONT)
        body = {'agent': {'admin_state_up': False}}
        self.lab.admin.neutron('PUT', f'/agents/{self._agent(standby)}', body)
        before = self.traces()
        moved = self.failover('--to', standby)
        self.assert_refused(moved, before, standby, 'RHA204')

    def test_target_keepalived_dead(self) -> None:
        _, (standby, _) = self.settled()
        self._kill_keepalived(standby)
        before = self.traces()
        moved = self.failover('--to', standby)
        self.assert_refused(moved, before, standby, 'keepalived')

    def test_no_standby(self) -> None:
        _, standbys = self.settled()
        for standby in standbys:
            self._kill_keepalived(standby)
        before = self.traces()
        moved = self.failover()
        self.assert_refused(moved, before, *standbys, 'keepalived')

    def test_unhealthy(self) -> None:
        """Another standby is ill: named, and the override offered."""
        active, (standby, other) = self.settled()
        self._kill_keepalived(other)
        before = self.traces()
        moved = self.failover('--to', standby)
        self.assert_refused(moved, before, other, '--ignore')
        codes = {f['code'] for f in self.check().row['Findings']}
        ignore = [word for code in codes for word in ('--ignore', code)]
        moved = self.failover('--to', standby, '--no-wait', *ignore)
        self.assertEqual(0, moved.exit_code, moved.stderr)
        self.assertEqual([standby], self.lab.active_nodes(self.router))

    def test_from_is_a_guard(self) -> None:
        active, (standby, _) = self.settled()
        before = self.traces()
        moved = self.failover('--from', standby)
        self.assert_refused(moved, before, active, standby)

    def test_split_brain(self) -> None:
        active, (standby, _) = self.settled()
        self.lab.nodes[active].cut_ha_network(self.router)
        self.wait(
            'a second active node',
            lambda: len(self.lab.active_nodes(self.router)) == 2,
        )
        before = self.traces()
        moved = self.failover('--to', standby)
        self.assert_refused(moved, before, 'RHA104')
        moved = self.failover('--to', standby, '--ignore', 'RHA104')
        self.assert_refused(moved, before, 'RHA104')

    def test_off_a_terminal(self) -> None:
        self.settled()
        before = self.traces()
        moved = self.failover(approve=False)
        self.assert_refused(moved, before, '--auto-approve')

    def test_answered_no(self) -> None:
        _, (standby, _) = self.settled()
        before = self.traces()
        moved = self.answer('n\n', 'r1', '--to', standby)
        self.assert_refused(moved, before, 'nothing was done')

    def test_without_rights(self) -> None:
        """In the cloud, and on the nodes."""
        self.settled()
        before = self.traces()
        moved = self.failover(cloud='lab-demo')
        self.assert_refused(moved, before, 'get_l3-agents')
        moved = self.failover(env={'OS_ROUTER_HA_SSH_USER': 'lab-nosudo'})
        self.assert_refused(moved, before, 'sudo')

    def test_node_unreachable(self) -> None:
        active, (standby, _) = self.settled()
        for host in (standby, active):
            before = self.traces()
            self.lab.nodes[host].stop_sshd()
            moved = self.failover('--to', standby)
            self.assert_refused(moved, before, host, 'refused')
            self.lab.nodes[host].start_sshd()

    def test_wrong_usage(self) -> None:
        _, (standby, _) = self.settled()
        before = self.traces()
        for arguments in (
            ('--method', 'magic'),
            ('--ignore', 'RHA000'),
            ('--timeout', '0'),
        ):
            moved = self.failover(*arguments)
            self.assertEqual(2, moved.exit_code, moved.stderr)
        moved = self.failover('--method', 'release', '--to', standby)
        self.assert_refused(moved, before, 'release')

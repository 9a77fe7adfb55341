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

"""Each incident, made for real: named by code, host and cause, then OK.

Three look at each at the same time, and have to say the same: an
administrator over SSH, one through the node agents, and a tenant.
"""

from collections.abc import Iterator
from concurrent import futures
import contextlib
import os
import signal
from typing import Any

from tests.functional import base
from tests.functional import viewers
from tests.lab import cloud


class TestCheck(viewers.ViewersTest):
    """Router r1, broken in one way at a time."""

    @contextlib.contextmanager
    def _agent_asleep(self, node: str) -> Iterator[None]:
        """Keep the L3 agent from mending what the test breaks."""
        self.lab.nodes[node].signal_l3_agent(signal.SIGSTOP)
        try:
            yield
        finally:
            self.lab.nodes[node].signal_l3_agent(signal.SIGCONT)

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def test_healthy(self) -> None:
        active, standbys = self.settled()
        checked = self.check(capture='healthy')
        self.assertEqual(0, checked.exit_code, checked.row)
        self.assertEqual('OK', checked.row['Health'])
        self.assertEqual([active], checked.row['Active Hosts'])
        self.assertEqual([active], checked.row['Reported Active'])
        self.assertEqual(
            {active: 'active', **dict.fromkeys(standbys, 'standby')},
            checked.observed(),
        )

    def test_incident(self) -> None:
        """SIGKILL of agent and keepalived: two holders, API shows one."""
        active, _ = self.settled()
        node = self.lab.nodes[active]
        node.kill_l3_agent(signal.SIGKILL)
        self._kill(node.keepalived_pids(self.router))
        second = self.second_holder(active)
        self.rewritten(active, second)
        self.believed(second)
        checked = self.check(capture='incident')
        self.assertEqual(5, checked.exit_code)
        self.assertEqual('ERROR', checked.row['Health'])
        self.assert_found(checked, 'RHA101', active)
        self.assert_found(checked, 'RHA203', active)
        self.assertEqual('stale', checked.observed()[active])
        (now,) = checked.row['Active Hosts']
        self.assertNotEqual(active, now)
        self.assertEqual([now], checked.row['Reported Active'])
        self.assert_mended()

    def test_ha_network_cut(self) -> None:
        """Two nodes alive, both active, both claim it."""
        active, _ = self.settled()
        self.lab.nodes[active].cut_ha_network(self.router)
        self.wait(
            'a second active node',
            lambda: len(self.lab.active_nodes(self.router)) == 2,
        )
        self.wait(
            'two active in the API',
            lambda: (
                list(self.lab.claims(self.router).values()).count('active')
                == 2
            ),
        )
        self.believed(self.second_holder(active))
        checked = self.check(capture='ha-network-cut')
        self.assertEqual(5, checked.exit_code)
        self.assert_found(checked, 'RHA104', None)
        self.assertEqual(2, len(checked.row['Active Hosts']))
        self.assertIn(active, checked.row['Active Hosts'])
        self.assertEqual(
            checked.row['Active Hosts'], checked.row['Reported Active']
        )
        self.assert_mended()

    def test_stale_vip_beside_backup(self) -> None:
        """The VIP on a node whose keepalived lives as a backup."""
        active, (standby, _) = self.settled()
        replica = self.lab.nodes[standby].router(self.router)
        vip, device = replica.vip(), replica.ha_device()
        replica.run(['ip', 'address', 'add', str(vip), 'dev', str(device)])
        # its monitor takes the address for the role
        self.believed(standby)
        checked = self.check(capture='stale-vip-beside-backup')
        self.assertEqual(5, checked.exit_code)
        self.assert_found(checked, 'RHA103', standby)
        self.assertNotIn(('RHA104', None), checked.found)
        replica.run(['ip', 'address', 'del', str(vip), 'dev', str(device)])
        self.assert_mended()

    def test_keepalived_dead_on_standby(self) -> None:
        _, (standby, _) = self.settled()
        node = self.lab.nodes[standby]
        with self._agent_asleep(standby):
            self._kill(node.keepalived_pids(self.router))
            checked = self.check(
                '--recheck', '2', capture='keepalived-dead-on-standby'
            )
        self.assertEqual(4, checked.exit_code)
        self.assert_found(checked, 'RHA301', standby)
        self.assertEqual('fault', checked.observed()[standby])
        self.assert_mended()

    def test_keepalived_hung(self) -> None:
        """A stopped keepalived on the active node is as good as dead."""
        active, _ = self.settled()
        pids = self.lab.nodes[active].keepalived_pids(self.router)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            self.believed(self.second_holder(active))
            checked = self.check(capture='keepalived-hung')
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        self.assertEqual(5, checked.exit_code)
        self.assert_found(checked, 'RHA304', active)
        self.assert_found(checked, 'RHA101', active)
        self.assert_mended()

    def test_hidden_active(self) -> None:
        """The agent of the active node dies, traffic flows on."""
        active, _ = self.settled()
        self.lab.nodes[active].kill_l3_agent(signal.SIGKILL)
        self.wait(
            'no active in the API',
            lambda: 'active' not in self.lab.claims(self.router).values(),
            60,
        )
        checked = self.check(capture='hidden-active')
        self.assertEqual(4, checked.exit_code)
        self.assert_found(checked, 'RHA201', active)
        self.assert_found(checked, 'RHA203', active)
        self.assertEqual([active], checked.row['Active Hosts'])
        self.assertEqual([], checked.row['Reported Active'])
        self.assert_mended()

    def test_no_active(self) -> None:
        """The HA device down everywhere: keepalived faults on all nodes."""
        self.settled()
        for node in self.lab.nodes.values():
            replica = node.router(self.router)
            replica.run(
                ['ip', 'link', 'set', str(replica.ha_device()), 'down']
            )
        self.wait('no holder', lambda: not self.lab.vip_nodes(self.router))
        self.wait(
            'no active in the API',
            lambda: 'active' not in self.lab.claims(self.router).values(),
        )
        checked = self.check(capture='no-active')
        self.assertEqual(5, checked.exit_code)
        self.assert_found(checked, 'RHA107', None)
        for name in self.lab.nodes:
            self.assert_found(checked, 'RHA401', name)
        self.assertEqual({'fault'}, set(checked.observed().values()))
        self.assert_mended()

    def test_floating_ip_missing(self) -> None:
        active, _ = self.settled()
        address = self.lab.facts['floating_ip'] + '/32'
        replica = self.lab.nodes[active].router(self.router)
        (device,) = (d for d, a in replica.expected() if a == address)
        replica.run(['ip', 'address', 'del', address, 'dev', device])
        checked = self.check(capture='floating-ip-missing')
        self.assertEqual(5, checked.exit_code)
        self.assert_found(checked, 'RHA502', active)
        (finding,) = checked.row['Findings']
        self.assertIn(address, finding['summary'])
        replica.run(['ip', 'address', 'add', address, 'dev', device])
        self.assert_mended()

    def test_internal_device_down(self) -> None:
        active, _ = self.settled()
        replica = self.lab.nodes[active].router(self.router)
        (device,) = (
            d for d, a in replica.expected() if a.startswith('10.1.1.')
        )
        replica.run(['ip', 'link', 'set', device, 'down'])
        checked = self.check(capture='internal-device-down')
        replica.run(['ip', 'link', 'set', device, 'up'])
        self.assertEqual(5, checked.exit_code)
        self.assert_found(checked, 'RHA404', active)
        self.assert_mended()

    def test_namespace_deleted_on_standby(self) -> None:
        _, (standby, _) = self.settled()
        # an update from Neutron would make an empty one
        with self._agent_asleep(standby):
            self.lab.nodes[standby].run(
                ['ip', 'netns', 'delete', f'qrouter-{self.router}']
            )
            checked = self.check('--recheck', '2', capture='namespace-absent')
        self.assert_found(checked, 'RHA601', standby)
        # its keepalived lives on in the namespace, which has no name now
        self.assert_found(checked, 'RHA313', standby)
        self.assertEqual(5, checked.exit_code)
        self.assertEqual('absent', checked.observed()[standby])
        self.assert_mended()

    def test_monitor_dead(self) -> None:
        _, (standby, _) = self.settled()
        node = self.lab.nodes[standby]
        with self._agent_asleep(standby):
            # the script and the loop that it forks
            self._kill(node.router(self.router).monitors())
            checked = self.check('--recheck', '2', capture='monitor-dead')
        self.assertEqual(4, checked.exit_code)
        self.assert_found(checked, 'RHA305', standby)
        self.assert_mended()

    def test_sshd_stopped(self) -> None:
        active, (standby, _) = self.settled()
        self.lab.nodes[standby].stop_sshd()
        checked = self._by_ssh_only(capture='sshd-stopped')
        self.assertEqual(3, checked.exit_code)
        self.assertEqual('UNKNOWN', checked.row['Health'])
        self.assertEqual({('RHA901', standby)}, checked.found)
        self.assertIn('refused', checked.row['Findings'][0]['summary'])
        self.assertEqual([active], checked.row['Active Hosts'])
        self.assertEqual('unknown', checked.observed()[standby])
        self.assert_mended()

    def test_host_key_changed(self) -> None:
        _, (standby, _) = self.settled()
        self.lab.nodes[standby].change_host_key()
        checked = self._by_ssh_only()
        self.assertEqual(3, checked.exit_code)
        self.assertEqual({('RHA901', standby)}, checked.found)
        self.assertIn('host key', checked.row['Findings'][0]['summary'])
        self.lab.nodes[standby].restore_host_key()
        self.assert_mended()

    def test_no_sudo_rights(self) -> None:
        self.settled()
        checked = self._by_ssh_only(
            env={'OS_ROUTER_HA_SSH_USER': 'lab-nosudo'}
        )
        self.assertEqual(3, checked.exit_code)
        self.assertEqual(
            {('RHA901', name) for name in self.lab.nodes}, checked.found
        )
        for finding in checked.row['Findings']:
            self.assertIn('sudo', finding['summary'])
        self.assert_mended()

    def _by_ssh_only(self, **options: Any) -> base.Checked:
        """Check where SSH alone is in trouble, and the agents are not.

        :return: what it came to over SSH
        """
        with futures.ThreadPoolExecutor() as pool:
            by_ssh = pool.submit(self.by_ssh, **options)
            by_agent = pool.submit(self.by_agent)
            as_tenant = pool.submit(self.as_tenant)
        for checked in (by_agent.result(), as_tenant.result()):
            self.assertEqual([], checked.row['Findings'])
            self.assertEqual(0, checked.exit_code)
        return by_ssh.result()

    def test_node_agent_stopped(self) -> None:
        """The same as with sshd, for those who go another way."""
        active, (standby, other) = self.settled()
        if standby == cloud.ENTRY_NODE:
            # without that one nothing at all is known
            standby = other
        self.lab.nodes[standby].stop_ha_agent()
        with futures.ThreadPoolExecutor() as pool:
            by_ssh = pool.submit(self.by_ssh)
            by_agent = pool.submit(self.by_agent)
            as_tenant = pool.submit(self.as_tenant)
        self.assertEqual([], by_ssh.result().row['Findings'])
        checked = by_agent.result()
        self.assertEqual(3, checked.exit_code)
        self.assertEqual('UNKNOWN', checked.row['Health'])
        self.assertEqual({('RHA901', standby)}, checked.found)
        (finding,) = checked.row['Findings']
        self.assertIn('agent', finding['summary'])
        self.assertIn('cannot be reached', finding['summary'])
        self.assertEqual([active], checked.row['Active Hosts'])
        self.assertEqual('unknown', checked.observed()[standby])
        self.assert_told(checked, as_tenant.result())
        self.assert_mended()

    def test_agent_disabled(self) -> None:
        _, (standby, _) = self.settled()
        agents = self.lab.admin.hosting(self.router)
        (agent,) = (a['id'] for a in agents if a['host'] == standby)
        body = {'agent': {'admin_state_up': False}}
        with self._agent_asleep(standby):
            self.lab.admin.neutron('PUT', f'/agents/{agent}', body)
            checked = self.check('--recheck', '2', capture='agent-disabled')
        self.assertEqual(4, checked.exit_code)
        self.assert_found(checked, 'RHA204', standby)
        # the agent takes its routers off the node, now or at its next sync
        checked = self.by_ssh()
        self.assertEqual(4, checked.exit_code)
        self.assert_found(checked, 'RHA204', standby)
        self.assert_mended()

    def test_leftover_replica(self) -> None:
        """The agent misses that the router was taken from it."""
        _, (standby, _) = self.settled()
        agents = self.lab.admin.hosting(self.router)
        (agent,) = (a['id'] for a in agents if a['host'] == standby)
        with self._agent_asleep(standby):
            self.lab.admin.neutron(
                'DELETE', f'/agents/{agent}/l3-routers/{self.router}'
            )
            # Neutron deletes its HA port as well: once that is cut off, which
            # takes seconds, the leftover hears nobody and becomes active.
            self.wait(
                'the leftover to become active',
                self.lab.nodes[standby].router(self.router).active,
                60,
            )
            checked = self.check('--recheck', '5', capture='leftover-replica')
        (replica,) = (
            r for r in checked.row['Replicas'] if r['host'] == standby
        )
        self.assertTrue(replica['vip'])
        self.assert_found(checked, 'RHA603', standby)
        self.assertEqual(5, checked.exit_code)
        self.assertIsNone(replica['agent_id'])
        self.assert_mended()

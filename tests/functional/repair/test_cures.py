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

"""Each incident that has a mechanical cure, made for real and cured."""

import os
import signal

from tests.functional.repair import base
from tests.lab import settings


class TestCures(base.RepairTest):
    """Router r1, broken in one way at a time."""

    def test_stale_vip_beside_backup(self) -> None:
        active, (standby, _) = self.settled()
        before = self.snapshots()
        replica = self.lab.nodes[standby].router(self.router)
        keepalived = replica.keepalived_pids()
        address = self.lab.facts['floating_ip'] + '/32'
        for device, each in replica.expected():
            if each in (replica.vip(), address):
                replica.run(['ip', 'address', 'add', each, 'dev', device])
        steps = [(standby, 'clean'), (active, 'announce')]
        if self.believed(standby):
            steps.append((active, 'report'))
        # only listening tells it from a cut HA network
        self.cured(*steps, recheck=2)
        self.assertEqual(keepalived, replica.keepalived_pids())
        self.assert_as(before)

    def test_dead_on_standby(self) -> None:
        """keepalived on one, the monitor on the other."""
        _, (standby, other) = self.settled()
        before = self.snapshots()
        # they would look after both by themselves
        self.asleep(standby)
        self.asleep(other)
        self.kill(self.lab.nodes[standby].keepalived_pids(self.router))
        self.kill(self.lab.nodes[other].router(self.router).monitors())

        def planned() -> None:
            self.awake(standby)
            self.awake(other)

        self.cured((None, 'provoke'), (other, 'wait'), planned=planned)
        self.assert_as(before)

    def test_keepalived_hung(self) -> None:
        """It was active; another is by now, and stays it."""
        active, _ = self.settled()
        before = self.snapshots()
        for pid in self.lab.nodes[active].keepalived_pids(self.router):
            os.kill(pid, signal.SIGSTOP)
        now = self.second_holder(active)
        self.cured(
            (active, 'end'),
            (active, 'clean'),
            (now, 'announce'),
            (None, 'provoke'),
            perhaps=((now, 'report'), (now, 'wait')),
        )
        self.assertEqual([now], self.lab.active_nodes(self.router))
        self.assert_as(before)

    def test_no_active(self) -> None:
        self.settled()
        before = self.snapshots()
        for node in self.lab.nodes.values():
            replica = node.router(self.router)
            device = str(replica.ha_device())
            replica.run(['ip', 'link', 'set', device, 'down'])
        self.wait('no holder', lambda: not self.lab.vip_nodes(self.router))
        names = tuple(self.lab.nodes)
        self.cured(
            *((name, 'link-up') for name in names),
            perhaps=tuple((name, 'report') for name in names),
        )
        self.assert_as(before)

    def test_addresses(self) -> None:
        """Some are missing, with a route; some are where they must not be."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        address = self.lab.facts['floating_ip'] + '/32'
        replica = self.lab.nodes[active].router(self.router)
        other = self.lab.nodes[standby].router(self.router)
        keepalived = replica.keepalived_pids() + other.keepalived_pids()
        lost = {
            (device, each)
            for device, each in replica.expected()
            if each == address or each.startswith('fd00:')
        }
        self.assertEqual(2, len(lost))
        for device, each in lost:
            replica.run(['ip', 'address', 'del', each, 'dev', device])
        replica.run(['ip', 'route', 'del', 'default'])
        for device, each in other.expected():
            if each != other.vip():
                other.run(['ip', 'address', 'add', each, 'dev', device])
        self.cured(
            (active, 'add'),
            (active, 'reload'),
            (active, 'announce'),
            (standby, 'clean'),
        )
        self.assertEqual(
            keepalived, replica.keepalived_pids() + other.keepalived_pids()
        )
        self.assertEqual([active], self.lab.active_nodes(self.router))
        self.assertLessEqual(lost, replica.addresses())
        self.assert_as(before)
        self.assert_nothing_to_do()

    def test_internal_device_down(self) -> None:
        active, _ = self.settled()
        before = self.snapshots()
        replica = self.lab.nodes[active].router(self.router)
        devices = {
            device
            for device, each in replica.expected()
            if device.startswith('qr-')
        }
        for device in devices:
            replica.run(['ip', 'link', 'set', device, 'down'])
        self.cured(
            (active, 'link-up'),
            (active, 'add'),
            (active, 'reload'),
            (active, 'announce'),
        )
        self.assertEqual([active], self.lab.active_nodes(self.router))
        self.assert_as(before)

    def test_devices_down_on_standby(self) -> None:
        """The gateway's stays down, as older agents keep it on purpose."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        replica = self.lab.nodes[standby].router(self.router)
        devices = {device for device, _ in replica.expected()}
        (gateway,) = (name for name in devices if name.startswith('qg-'))
        internal = {name for name in devices if name.startswith('qr-')}
        for device in (gateway, *internal):
            replica.run(['ip', 'link', 'set', device, 'down'])
        repaired = self.cured(
            (standby, 'link-up'),
            (active, 'announce'),
            # an address that a device gets by being up
            perhaps=((standby, 'clean'), (active, 'report')),
        )
        up = repaired.row['Actions'][0]
        self.assertEqual(internal, set(up['details']['devices']))
        self.assertNotIn((gateway, True), self.snapshot(standby).links)
        replica.run(['ip', 'link', 'set', gateway, 'up'])
        self.assertEqual([active], self.lab.active_nodes(self.router))
        self.assert_as(before)

    def test_configuration_that_cannot_be_used(self) -> None:
        """It is cured, and so is what is wrong on another node."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        node = self.lab.nodes[standby]
        path = f'{node.router(self.router).folder}/keepalived.conf'
        node.run(['truncate', '--size=0', path])
        address = self.lab.facts['floating_ip'] + '/32'
        replica = self.lab.nodes[active].router(self.router)
        (device,) = (d for d, a in replica.expected() if a == address)
        replica.run(['ip', 'address', 'del', address, 'dev', device])
        self.assertIn(('RHA605', standby), self.check('--recheck', '0').found)
        self.cured((None, 'provoke'), (active, 'add'), (active, 'announce'))
        self.assertIn((device, address), replica.addresses())
        self.assert_as(before)

    def test_namespace_deleted_on_standby(self) -> None:
        active, (standby, _) = self.settled()
        before = self.snapshots()
        # an update from Neutron would have it make an empty one
        self.asleep(standby)
        self.lab.nodes[standby].run(
            ['ip', 'netns', 'delete', f'qrouter-{self.router}']
        )
        self.cured(
            (standby, 'end'),
            (standby, 'reseat'),
            planned=lambda: self.awake(standby),
        )
        self.assertEqual([active], self.lab.active_nodes(self.router))
        self.assert_as(before, standby)

    def test_wrong_report(self) -> None:
        """The agent of the active node was told that it is a backup.

        Then Neutron has a port bound to another node, and nothing else.
        """
        active, (standby, _) = self.settled()
        before = self.snapshots()
        node = self.lab.nodes[active]
        node.run(
            [
                *('curl', '-s', '--max-time', '5', '-X', 'POST'),
                *('-H', f'X-Neutron-Router-Id: {self.router}'),
                *('-H', 'X-Neutron-State: backup'),
                *('-H', 'Connection: close', '--unix-socket'),
                '/var/lib/neutron/keepalived-state-change',
                'http://127.0.0.1/',
            ],
            check=False,
        )
        self.wait(
            'Neutron to believe it',
            lambda: 'active' not in self.lab.claims(self.router).values(),
        )
        repaired = self.cured((active, 'report'))
        (done,) = repaired.row['Actions']
        self.assertIn('RHA202', done['codes'])
        self.assertIn('RHA306', done['codes'])
        self.assert_as(before)
        path = f'/ports?device_id={self.router}'
        for port in self.lab.admin.neutron('GET', path)['ports']:
            if port['device_owner'] == 'network:router_gateway':
                body = {'port': {'binding:host_id': standby}}
                self.lab.admin.neutron('PUT', f'/ports/{port["id"]}', body)
        self.assertEqual(
            {('RHA208', None)}, self.check('--recheck', '0').found
        )
        self.cured((active, 'report'))
        self.assert_as(before)

    def test_leftover_replica(self) -> None:
        """The agent, dead, misses that the router was taken from it."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        agent = self.agent(standby)['id']
        self.asleep(standby, dead=True)
        self.lab.admin.neutron(
            'DELETE', f'/agents/{agent}/l3-routers/{self.router}'
        )
        # cut off from the others, it becomes active as well, or not yet
        repaired = self.repair(recheck=2)
        self.assertEqual(0, repaired.exit_code, repaired.row)
        self.assertEqual(
            {(standby, 'evict'), (active, 'announce')}, set(repaired.actions)
        )
        self.assertFalse(self.snapshot(standby).namespace)
        self.assertEqual(0, self.snapshot(standby).keepalived)
        self.assertEqual([active], self.lab.vip_nodes(self.router))
        self.assert_reachable()
        self.assert_nothing_to_do()
        self.assert_as(before, standby)
        # it wakes up, and does not stumble over what is missing
        self.awake(standby)
        self.lab.mend()
        self.assertEqual(0, self.check('--recheck', '2').exit_code)

    def test_leftover_of_a_lost_message(self) -> None:
        """The agent lives, and believes that it still has the router."""
        active, (standby, _) = self.settled()
        before = self.snapshots()
        agent = self.agent(standby)['id']
        path = f'/ports?device_id={self.router}'
        (port,) = (
            port['id']
            for port in self.lab.admin.neutron('GET', path)['ports']
            if port['device_owner'] == 'network:router_ha_interface'
            and port['binding:host_id'] == standby
        )
        # the API would tell the agent, and does not delete such a port
        self.lab.control.run(
            [
                *('mariadb', f'--socket={settings.DATABASE_SOCKET}'),
                *('neutron', '-e'),
                'start transaction; '
                'delete from routerl3agentbindings where '
                f"router_id = '{self.router}' and l3_agent_id = '{agent}'; "
                # the binding of the port goes with it
                f"delete from ports where id = '{port}'; "
                'commit',
            ]
        )
        repaired = self.cured((standby, 'evict'), (active, 'announce'))
        (evicted,) = (
            each
            for each in repaired.row['Actions']
            if each['action'] == 'evict'
        )
        self.assertIn('Neutron has told', evicted['result'])
        self.assertFalse(self.snapshot(standby).namespace)
        self.assert_as(before, standby)

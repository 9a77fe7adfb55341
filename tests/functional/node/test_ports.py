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


"""Guarding ports of a real Open vSwitch without a kernel module."""

import os
import select
import shutil
import subprocess
import time

import fixtures

from osc_ha_router.node import ovsdb
from osc_ha_router.node import ports
from tests.functional.node import spaces

SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'


class Switch(fixtures.Fixture):
    """An Open vSwitch of its own, with a bridge and the router's ports."""

    def _setUp(self) -> None:
        self.space = self.useFixture(spaces.Space(f'ovs{time.monotonic_ns()}'))
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_ha_router.node.ovsdb.FOLDERS', (self.folder,)
            )
        )
        self.remote = f'unix:{self.folder}/db.sock'
        spaces.run('ovsdb-tool', 'create', f'{self.folder}/conf.db', SCHEMA)
        self.start_database()
        self.vsctl('--no-wait', 'init')
        self.switch = self._daemon('ovs-vswitchd', self.remote)
        self.vsctl('add-br', 'br-int', '--', *self._set('Bridge', 'br-int'))
        for device, tag in ((spaces.QG, 2), (spaces.QR, 3), (spaces.HA, 1)):
            self.vsctl(
                *('add-port', 'br-int', device, f'tag={tag}', '--', 'set'),
                *('Interface', device, 'type=internal'),
            )

    @staticmethod
    def _set(table, name):
        # the agent's flows make the bridge, not learning
        return 'set', table, name, 'datapath_type=netdev', 'fail_mode=secure'

    def start_database(self) -> None:
        self.database = self._daemon(
            *('ovsdb-server', f'{self.folder}/conf.db'),
            f'--remote=p{self.remote}',
        )
        spaces.eventually(lambda: os.path.exists(self.remote[5:]))

    def _daemon(self, program, *words):
        with open(f'{self.folder}/{program}.log', 'w') as log:
            child = subprocess.Popen(
                [
                    *('ip', 'netns', 'exec', self.space.name, program),
                    *words,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, 'OVS_RUNDIR': self.folder},
            )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def vsctl(self, *words: str) -> str:
        argv = 'ovs-vsctl', f'--db={self.remote}', '--timeout=10', *words
        return spaces.run(*argv).strip()

    def ofctl(self, command: str, *words: str) -> str:
        bridge = f'unix:{self.folder}/br-int.mgmt'
        return spaces.run('ovs-ofctl', command, bridge, *words)

    def kill(self, device: str, after: float = 0) -> None:
        """What the agent does to a port that it believes unbound."""
        self.vsctl('--no-wait', 'set', 'Port', device, 'tag=4095')
        time.sleep(after)
        self.ofctl('add-flow', f'{self.match(device)},actions=drop')

    def match(self, device: str) -> str:
        number = self.vsctl('get', 'Interface', device, 'ofport')
        return f'table=0,priority=2,in_port={number}'

    def port(self, device: str) -> list:
        columns = ('tag', 'vlan_mode', 'trunks')
        return self.vsctl('get', 'Port', device, *columns).split('\n')

    def dropped(self) -> bool:
        return 'actions=drop' in self.ofctl('dump-flows', 'table=0')


class PortsTest(spaces.SpaceTest):
    DEVICES = (spaces.QG, spaces.QR, spaces.HA)

    def setUp(self):
        super().setUp()
        for program in ('ovsdb-server', 'ovs-vswitchd', 'ovs-ofctl'):
            if shutil.which(program) is None:
                self.fail(f'{program} is not installed')
        self.switch = self.useFixture(Switch())

    def watch(self, guard, seconds):
        """What the guard does when it is called as it wants to be."""
        found, end = [], time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return found
            due = guard.due()
            if due is not None:
                left = max(0, min(left, due - time.monotonic()))
            select.select(guard.descriptors(), [], [], left)
            found.extend(guard.look())

    def guard(self, *devices):
        guard = ports.Guard(devices or self.DEVICES)
        self.addCleanup(guard.__exit__)
        self.assertIsNone(guard.reason)
        self.assertTrue(guard.guarded)
        return guard

    def test_revived(self):
        guard = self.guard()
        self.switch.kill(spaces.QG)
        (found,) = self.watch(guard, 0.5)
        self.assertEqual(spaces.QG, found['device'])
        self.assertLess(found['seconds'], 0.5)
        self.assertEqual(['2', '[]', '[]'], self.switch.port(spaces.QG))
        self.assertFalse(self.switch.dropped())

    def test_flow_that_comes_late(self):
        guard = self.guard()
        self.switch.vsctl('set', 'Port', spaces.QR, 'tag=4095')
        self.assertEqual([], self.watch(guard, 0.4))
        # the VLAN is back, the guard waits for the other half
        self.assertEqual('3', self.switch.port(spaces.QR)[0])
        self.switch.ofctl(
            'add-flow', f'{self.switch.match(spaces.QR)},actions=drop'
        )
        (found,) = self.watch(guard, 0.6)
        self.assertEqual(spaces.QR, found['device'])
        self.assertFalse(self.switch.dropped())

    def test_flow_that_never_comes(self):
        guard = self.guard()
        self.switch.vsctl('set', 'Port', spaces.QR, 'tag=4095')
        (found,) = self.watch(guard, 3)
        self.assertLess(found['seconds'], 0.2)
        self.assertIsNone(guard.due())

    def test_the_end_in_between(self):
        with ports.Guard(self.DEVICES) as guard:
            self.switch.vsctl('set', 'Port', spaces.QR, 'tag=4095')
            self.watch(guard, 0.2)
            self.switch.ofctl(
                'add-flow', f'{self.switch.match(spaces.QR)},actions=drop'
            )
        self.assertFalse(self.switch.dropped())

    def test_everything_comes_back(self):
        columns = ('vlan_mode=native-untagged', 'trunks=2,7')
        self.switch.vsctl('set', 'Port', spaces.QG, *columns)
        guard = self.guard()
        dead = ('tag=4095', 'vlan_mode=trunk', 'trunks=4095')
        self.switch.vsctl('set', 'Port', spaces.QG, *dead)
        self.watch(guard, 0.2)
        self.assertEqual(
            ['2', 'native-untagged', '[2, 7]'], self.switch.port(spaces.QG)
        )

    def test_new_vlan_while_guarded(self):
        guard = self.guard()
        self.switch.vsctl('set', 'Port', spaces.QG, 'tag=9')
        self.assertEqual([], self.watch(guard, 0.2))
        self.switch.kill(spaces.QG)
        self.assertEqual(1, len(self.watch(guard, 0.5)))
        self.assertEqual('9', self.switch.port(spaces.QG)[0])

    def test_dead_before(self):
        self.switch.kill(spaces.QR)
        guard = self.guard()
        self.assertEqual([spaces.QR], guard.dead)
        self.assertEqual([], self.watch(guard, 0.3))
        self.assertEqual('4095', self.switch.port(spaces.QR)[0])

    def test_other_ports(self):
        guard = self.guard(spaces.QG)
        self.switch.kill(spaces.QR)
        self.assertEqual([], self.watch(guard, 0.3))
        self.assertEqual('4095', self.switch.port(spaces.QR)[0])

    def test_only_so_often(self):
        guard = self.guard()
        for _ in range(7):
            self.switch.vsctl('set', 'Port', spaces.QG, 'tag=4095')
            self.watch(guard, 0.1)
        self.assertEqual('4095', self.switch.port(spaces.QG)[0])

    def test_unplugged(self):
        guard = self.guard()
        self.switch.vsctl('del-port', spaces.QG)
        self.assertEqual([], self.watch(guard, 0.2))
        self.switch.kill(spaces.QR)
        self.assertEqual(1, len(self.watch(guard, 0.5)))

    def test_database_that_ends(self):
        guard = self.guard()
        self.switch.database.kill()
        self.switch.database.wait()
        self.assertEqual([], self.watch(guard, 0.2))
        self.assertFalse(guard.guarded)
        self.assertIn('Open vSwitch', guard.reason)
        self.assertEqual([], guard.descriptors())

    def test_no_port_of_the_switch(self):
        with ports.Guard(['qg-00000000-00', 'eth0', 'br-int']) as guard:
            self.assertFalse(guard.guarded)
            self.assertIn('none of its ports', guard.reason)

    def test_no_switch(self):
        self.patch(ovsdb, 'FOLDERS', ('/nowhere',))
        with ports.Guard(self.DEVICES) as guard:
            self.assertEqual(
                (False, 'there is no Open vSwitch', [], []),
                (
                    *(guard.guarded, guard.reason),
                    *(guard.look(), guard.descriptors()),
                ),
            )

    def test_nobody_listens(self):
        self.switch.database.kill()
        self.switch.database.wait()
        with ports.Guard(self.DEVICES) as guard:
            self.assertFalse(guard.guarded)
            self.assertIn('Connection refused', guard.reason)

    def test_bridge_that_speaks_something_else(self):
        self.switch.vsctl('set', 'Bridge', 'br-int', 'protocols=OpenFlow10')
        with ports.Guard(self.DEVICES) as guard:
            self.assertFalse(guard.guarded)
            self.assertIn('Open vSwitch: the bridge', guard.reason)

    def test_bridge_that_goes(self):
        guard = self.guard()
        self.switch.switch.kill()
        self.switch.switch.wait()
        self.switch.vsctl('--no-wait', 'set', 'Port', spaces.QG, 'tag=4095')
        (found,) = self.watch(guard, 3)
        self.assertEqual('2', self.switch.port(spaces.QG)[0])
        self.assertIn('Connection refused', guard.reason)

    def test_only_the_agents_flow(self):
        guard = self.guard()
        match = self.switch.match(spaces.QG)
        others = (
            match.replace('priority=2', 'priority=3'),
            f'{match},dl_vlan=5',
            match.replace('table=0', 'table=1'),
            self.switch.match(spaces.QR),
        )
        for each in others:
            self.switch.ofctl('add-flow', f'{each},actions=drop')
        self.switch.kill(spaces.QG)
        self.assertEqual(1, len(self.watch(guard, 0.5)))
        left = self.switch.ofctl('dump-flows').count('actions=drop')
        self.assertEqual(len(others), left)

    def test_only_while_it_is_dead(self):
        """The agent was quicker: its VLAN stands."""
        with ovsdb.Database(f'{self.switch.folder}/db.sock') as database:
            (result,) = database.transact(
                {
                    'op': 'update',
                    'table': 'Port',
                    'where': ovsdb.where(name=spaces.QG, tag=4095),
                    'row': {'tag': 77},
                }
            )
            self.assertEqual({'count': 0}, result)
            self.assertRaises(
                ovsdb.OvsdbError, database.transact, {'op': 'rubbish'}
            )
        self.assertEqual('2', self.switch.port(spaces.QG)[0])

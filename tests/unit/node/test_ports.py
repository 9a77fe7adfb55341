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

"""Ports that the Open vSwitch agent kills in the wrong moment."""

import os
import types

import fixtures
import testtools

from osc_ha_router.node import openflow
from osc_ha_router.node import ovsdb
from osc_ha_router.node import ports

HA, QG = 'ha-11111111-11', 'qg-22222222-22'
DEAD = 4095
NOTHING = {'vlan_mode': ['set', []], 'trunks': ['set', []]}


def row(name, tag):
    return {'name': name, 'tag': tag, **NOTHING}


class Switch:
    """An Open vSwitch with a bridge, whose clock is that of the guard."""

    def __init__(self):
        self.now = 1000.0
        #: uuid -> row
        self.ports = {'u1': row(HA, 3), 'u2': row(QG, 7)}
        self.bridge = 'br-int'
        self.numbers = {HA: 11, QG: 12}
        #: what has changed since the guard asked last
        self.updates = []
        #: numbers of ports that have a drop flow
        self.drops = set()
        self.trouble = None
        self.mute = None
        self.closed = 0
        self.connected = []
        self.hung_up = 0

    # the clock
    def monotonic(self):
        return self.now

    # the database
    def database(self, path):
        if self.trouble:
            raise self.trouble
        self.path = path
        return self

    def fileno(self):
        return 55

    def monitor(self, wanted):
        return {'Port': {id_: {'new': r} for id_, r in self.ports.items()}}

    def news(self):
        if self.trouble:
            raise self.trouble
        updates, self.updates = self.updates, []
        return updates

    def transact(self, *operations):
        return [getattr(self, each['op'])(each) for each in operations]

    def select(self, operation):
        if operation['table'] == 'Bridge':
            uuids = ['set', [['uuid', id_] for id_ in self.ports]]
            return {'rows': [{'name': self.bridge, 'ports': uuids}]}
        (((_, _, name),)) = operation['where']
        number = self.numbers.get(name)
        return {'rows': [] if number is None else [{'ofport': number}]}

    def update(self, operation):
        where = {column: value for column, _, value in operation['where']}
        count = 0
        for each in self.ports.values():
            if all(each[name] == value for name, value in where.items()):
                each.update(operation['row'])
                count += 1
        return {'count': count}

    def close(self):
        self.closed += 1

    # whoever changes something
    def tag(self, uuid, tag):
        self.ports[uuid] = {**self.ports[uuid], 'tag': tag}
        self.updates.append({'Port': {uuid: {'new': self.ports[uuid]}}})

    def unplug(self, uuid):
        del self.ports[uuid]
        self.updates.append({'Port': {uuid: {'old': {}}}})


class Bridge:
    """A connection to the switch's bridge."""

    def __init__(self, switch, path):
        self._switch = switch
        switch.connected.append(path)

    def delete(self, priority, number):
        if self._switch.mute:
            raise self._switch.mute
        if number in self._switch.drops:
            self._switch.drops.remove(number)
            return True
        return False

    def close(self):
        self._switch.hung_up += 1


class GuardTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.switch = Switch()
        self.patch(ovsdb, 'Database', self.switch.database)
        self.patch(openflow, 'Bridge', lambda path: Bridge(self.switch, path))
        self.patch(
            ports,
            'time',
            types.SimpleNamespace(monotonic=self.switch.monotonic),
        )
        self.patch(ports, 'folder', lambda pid: '/run/openvswitch')

    def guard(self, *devices):
        return ports.Guard(devices or (HA, QG))

    def test_which_are_watched(self):
        with self.guard() as guard:
            self.assertIsNone(guard.reason)
            self.assertTrue(guard.guarded)
            self.assertEqual([55], guard.descriptors())
            self.assertIsNone(guard.due())
            self.assertEqual([], guard.look())
        self.assertEqual('/run/openvswitch/db.sock', self.switch.path)
        # it was tried out, and nobody is kept waiting
        self.assertEqual(
            ['/run/openvswitch/br-int.mgmt'], self.switch.connected
        )
        self.assertEqual((1, 1), (self.switch.closed, self.switch.hung_up))

    def test_no_open_vswitch(self):
        self.patch(ports, 'folder', lambda pid: None)
        with self.guard() as guard:
            self.assertEqual('there is no Open vSwitch', guard.reason)
            self.assertFalse(guard.guarded)
            self.assertEqual([], guard.descriptors())
            self.assertEqual([], guard.look())

    def test_nobody_answers(self):
        self.switch.trouble = ovsdb.OvsdbError('db.sock: refused')
        with self.guard() as guard:
            self.assertEqual('Open vSwitch: db.sock: refused', guard.reason)
            self.assertFalse(guard.guarded)

    def test_devices_that_are_not_its_ports(self):
        """Such as with Linux bridges; and names that no port has."""
        for devices in (['qr-33333333-33'], ['lo', '../x', '']):
            with self.guard(*devices) as guard:
                self.assertIn('none of its ports', guard.reason)
                self.assertFalse(guard.guarded)

    def test_bridge_whose_name_is_no_name(self):
        """It becomes part of a path."""
        self.switch.bridge = '../../tmp/x'
        with self.guard() as guard:
            self.assertFalse(guard.guarded)
        self.assertEqual([], self.switch.connected)

    def test_dead_from_the_beginning(self):
        """Whoever killed it had a reason that is not ours."""
        self.switch.ports['u2']['tag'] = DEAD
        with self.guard() as guard:
            self.assertEqual([QG], guard.dead)
            self.assertEqual([], guard.look())
        self.assertEqual(DEAD, self.switch.ports['u2']['tag'])

    def test_revived(self):
        """The VLAN comes back at once, and the drop flow goes."""
        with self.guard() as guard:
            self.switch.tag('u2', DEAD)
            self.assertEqual([], guard.look())
            self.assertEqual(7, self.switch.ports['u2']['tag'])
            self.assertGreater(guard.due(), self.switch.now)
            self.switch.now += 0.25
            self.switch.drops = {12}
            self.assertEqual([{'device': QG, 'seconds': 0.25}], guard.look())
            self.assertEqual(set(), self.switch.drops)
            self.assertIsNone(guard.due())
            self.assertEqual([], guard.look())

    def test_drop_flow_that_does_not_come(self):
        """For some time it is looked for, ever less often."""
        with self.guard() as guard:
            self.switch.tag('u2', DEAD)
            guard.look()
            pauses = []
            while guard.due() is not None:
                pauses.append(guard.due() - self.switch.now)
                self.switch.now = guard.due() + 0.001
                found = guard.look()
            self.assertEqual([{'device': QG, 'seconds': 0.0}], found)
            self.assertEqual(sorted(pauses), pauses)
            self.assertLess(len(pauses), 100)
            self.assertGreater(self.switch.now, 1002)

    def test_last_flow_is_deleted_at_the_end(self):
        with self.guard() as guard:
            self.switch.tag('u1', DEAD)
            guard.look()
            self.switch.drops = {11}
        self.assertEqual(set(), self.switch.drops)

    def test_agent_that_is_quicker(self):
        """If it has set a VLAN meanwhile, that is its will."""
        with self.guard() as guard:
            self.switch.tag('u2', DEAD)
            self.switch.ports['u2'] = row(QG, 9)
            self.assertEqual([], guard.look())
            self.assertIsNone(guard.due())
        self.assertEqual(9, self.switch.ports['u2']['tag'])

    def test_vlan_that_has_changed(self):
        """It is revived with what it had last."""
        with self.guard() as guard:
            self.switch.tag('u2', 8)
            guard.look()
            self.switch.tag('u2', DEAD)
            guard.look()
        self.assertEqual(8, self.switch.ports['u2']['tag'])

    def test_port_that_has_no_number(self):
        """There is no flow for what is not on the bridge yet."""
        for number in (None, -1, 0, ['set', []]):
            self.switch.numbers[QG] = number
            with self.guard() as guard:
                self.switch.tag('u2', DEAD)
                self.assertEqual([], guard.look())
                self.assertIsNone(guard.due())
            self.assertEqual(7, self.switch.ports['u2']['tag'])

    def test_port_that_is_killed_again_and_again(self):
        """Somebody means it, and is let have it."""
        with self.guard() as guard:
            for _ in range(50):
                self.switch.tag('u2', DEAD)
                guard.look()
                if self.switch.ports['u2']['tag'] == DEAD:
                    break
            else:
                self.fail('it never ends')
        self.assertEqual(3, self.switch.ports['u1']['tag'])

    def test_unplugged(self):
        with self.guard() as guard:
            self.switch.tag('u2', DEAD)
            self.switch.unplug('u2')
            self.assertEqual([], guard.look())
            self.assertIsNone(guard.due())

    def test_ports_of_others(self):
        with self.guard(HA) as guard:
            self.switch.tag('u2', DEAD)
            self.assertEqual([], guard.look())
        self.assertEqual(DEAD, self.switch.ports['u2']['tag'])

    def test_database_that_ends_meanwhile(self):
        with self.guard() as guard:
            self.switch.trouble = ovsdb.OvsdbError('it has hung up')
            self.assertEqual([], guard.look())
            self.assertEqual('Open vSwitch: it has hung up', guard.reason)
            self.assertFalse(guard.guarded)
        self.assertEqual(1, self.switch.closed)

    def test_bridge_that_does_not_answer(self):
        """It is said, and asked anew until there is no flow to come."""
        with self.guard() as guard:
            self.switch.tag('u2', DEAD)
            self.switch.mute = openflow.OpenflowError('br-int: timed out')
            guard.look()
            self.assertEqual('br-int: timed out', guard.reason)
            self.switch.mute, self.switch.drops = None, {12}
            self.switch.now = guard.due()
            self.assertEqual([QG], [f['device'] for f in guard.look()])


class FolderTest(testtools.TestCase):
    def test_of_the_host_or_of_a_container(self):
        root = self.useFixture(fixtures.TempDir()).path
        usual, other = (os.path.join(root, name) for name in ('a', 'b'))
        self.patch(ovsdb, 'FOLDERS', (usual, other))
        self.assertIsNone(ports.folder())
        os.mkdir(other)
        with open(os.path.join(other, 'db.sock'), 'w'):
            pass
        self.assertEqual(other, ports.folder())
        self.assertEqual(other, ports.folder(1))

    def test_of_a_container(self):
        """Where the process sees it, and not the host."""
        seen = f'/proc/{os.getpid()}/root/run/openvswitch/db.sock'
        self.patch(ovsdb, 'FOLDERS', ('/run/openvswitch',))
        self.patch(ports.os.path, 'exists', lambda path: path == seen)
        self.assertEqual(os.path.dirname(seen), ports.folder(os.getpid()))
        self.assertIsNone(ports.folder())

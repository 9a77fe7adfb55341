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

"""Devices and a namespace, taken away from Open vSwitch and the kernel."""

import contextlib
import errno
import json
import os

import fixtures
import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import unplug
from osc_ha_router.node import writes
from tests.unit.node import kernel
from tests.unit.node import test_ovsdb

HA, QG, QR = 'ha-11111111-11', 'qg-22222222-22', 'qr-33333333-33'
PORT = ['uuid', '7439ff46-8435-4052-a174-4ebc5a67337e']


class Traveller:
    def inside(self, namespace):
        return contextlib.nullcontext()


def answers(*results):
    """What a database says to transactions of one operation each."""
    return [
        [json.dumps({'id': id_, 'error': None, 'result': [result]}).encode()]
        for id_, result in enumerate(results, 1)
    ]


class DevicesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(kernel.Kernel())
        self.plugged = {'lo': 1, HA: 2, QG: 3, 'tap0': 4}
        self.patch(rtnetlink, 'links', self._links)
        self.patch(writes, 'delete_link', self._delete)
        #: how often the kernel is asked until the switch has done its part
        self.slow = 0
        self.by_switch = set()
        self.deleted = []

    def _links(self, channel):
        if self.slow:
            self.slow -= 1
        else:
            for name in self.by_switch:
                self.plugged.pop(name, None)
        return [
            {'name': name, 'index': index}
            for name, index in self.plugged.items()
        ]

    def _delete(self, channel, index):
        (name,) = (n for n, number in self.plugged.items() if number == index)
        self.deleted.append(name)
        del self.plugged[name]

    def remove(self, folder=None):
        return unplug.devices(Traveller(), None, folder)

    def test_without_open_vswitch(self):
        self.assertEqual([HA, QG], self.remove())
        self.assertEqual([HA, QG], sorted(self.deleted))
        # neither lo nor what somebody else has put there
        self.assertEqual({'lo', 'tap0'}, set(self.plugged))

    def test_nothing_there(self):
        """Then nobody asks the database, which need not be there."""
        self.plugged = {'lo': 1}
        self.assertEqual([], self.remove('/nonexistent'))

    def test_ports_of_the_switch(self):
        """What goes with its port is not deleted besides."""
        self.plugged = {'lo': 1, QG: 3}
        self.slow, self.by_switch = 2, {QG}
        self.patch(unplug, '_PAUSE', 0.001)
        server = self.useFixture(
            test_ovsdb.Server(
                *answers({'rows': [{'_uuid': PORT}]}, {'count': 1})
            )
        )
        self.assertEqual([QG], self.remove(os.path.dirname(server.path)))
        self.assertEqual([], self.deleted)
        question, change = (each['params'][1] for each in server.heard[:2])
        self.assertEqual([['name', '==', QG]], question['where'])
        self.assertEqual('Bridge', change['table'])
        self.assertEqual([['ports', 'delete', PORT]], change['mutations'])

    def test_no_port_of_the_switch(self):
        """Such as a device of a Linux bridge."""
        self.plugged = {QR: 5}
        server = self.useFixture(test_ovsdb.Server(*answers({'rows': []})))
        self.assertEqual([QR], self.remove(os.path.dirname(server.path)))
        self.assertEqual([QR], self.deleted)

    def test_switch_that_does_nothing(self):
        """The device itself is deleted in the end."""
        self.plugged = {QG: 3}
        self.patch(unplug, '_PATIENCE', 0.01)
        self.patch(unplug, '_PAUSE', 0.001)
        server = self.useFixture(
            test_ovsdb.Server(
                *answers({'rows': [{'_uuid': PORT}]}, {'count': 1})
            )
        )
        self.assertEqual([QG], self.remove(os.path.dirname(server.path)))
        self.assertEqual([QG], self.deleted)

    def test_no_database(self):
        folder = self.useFixture(fixtures.TempDir()).path
        error = self.assertRaises(errors.ProgramError, self.remove, folder)
        self.assertEqual(errors.LEFT, error.kind)
        self.assertIn('Open vSwitch', str(error))
        self.assertEqual([], self.deleted)

    def test_kernel_refuses(self):
        def refuse(channel, index):
            raise netlink.NetlinkError('Operation not permitted')

        self.patch(writes, 'delete_link', refuse)
        error = self.assertRaises(errors.ProgramError, self.remove)
        self.assertEqual(errors.LEFT, error.kind)
        self.assertIn('cannot be removed', str(error))


class Libc:
    """umount2 that ends as it is told."""

    def __init__(self, number):
        self.number = number
        self.asked = []

    def umount2(self, path, flags):
        self.asked.append((path, flags))
        unplug.ctypes.set_errno(self.number)
        return -1 if self.number else 0


class NamespaceTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.path = os.path.join(folder, 'qrouter-x')
        with open(self.path, 'w'):
            pass
        self.space = namespaces.Namespace('qrouter-x', 'x', self.path, 7)

    def libc(self, number=0):
        libc = Libc(number)
        self.patch(unplug, '_LIBC', libc)
        return libc

    def refused(self):
        error = self.assertRaises(
            errors.ProgramError, unplug.namespace, self.space
        )
        self.assertEqual(errors.LEFT, error.kind)
        self.assertIn(self.path, str(error))
        return str(error)

    def test_its_name_goes(self):
        libc = self.libc()
        unplug.namespace(self.space)
        self.assertFalse(os.path.exists(self.path))
        # lazily: somebody may be inside
        self.assertEqual([(self.path.encode(), 2)], libc.asked)

    def test_a_name_without_a_namespace(self):
        self.libc(errno.EINVAL)
        unplug.namespace(self.space)
        self.assertFalse(os.path.exists(self.path))

    def test_may_not(self):
        self.libc(errno.EPERM)
        self.assertIn('Operation not permitted', self.refused())
        self.assertTrue(os.path.exists(self.path))

    def test_gone_meanwhile(self):
        self.libc()
        os.unlink(self.path)
        self.assertIn('No such file', self.refused())

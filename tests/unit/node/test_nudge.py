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

"""reload, link-up and forward: what they change, and what they refuse."""

import contextlib
import os
import types

import fixtures
import testtools

from osc_ha_router.node import active
from osc_ha_router.node import daemon
from osc_ha_router.node import errors
from osc_ha_router.node import nudge
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import writes
from tests.unit.node import kernel

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
QG, QR = 'qg-22222222-22', 'qr-33333333-33'


class Begun:
    """The errand of a router, and whoever hands it out."""

    def __init__(self):
        self.traveller = object()
        self.namespace = types.SimpleNamespace(name=f'qrouter-{UUID}')
        self.folder = object()
        self.conf_path = '/var/lib/neutron/keepalived.conf'
        self.visits = 0

    def of(self, router_id):
        assert router_id == UUID
        return self

    @contextlib.contextmanager
    def inside(self):
        self.visits += 1
        yield


class NudgeTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.begun = Begun()

    def do(self, operation, **fields):
        return operation({'router': UUID, **fields}, None, self.begun)

    def refused(self, kind, operation, **fields):
        error = self.assertRaises(kind, self.do, operation, **fields)
        return getattr(error, 'kind', None), str(error)


class ReloadTest(NudgeTest):
    def told(self, *pids):
        asked = []

        def reload(*place):
            asked.append(place)
            return list(pids)

        self.patch(daemon, 'reload', reload)
        return asked

    def test_those_that_were_told(self):
        asked = self.told(100, 200)
        self.assertEqual({'pids': [100, 200]}, self.do(nudge.reload))
        name = f'qrouter-{UUID}'
        self.assertEqual(
            [(self.begun.traveller, name, self.begun.folder)], asked
        )

    def test_nobody_to_tell(self):
        self.told()
        kind, message = self.refused(errors.ProgramError, nudge.reload)
        self.assertEqual(errors.NO_KEEPALIVED, kind)
        self.assertIn(self.begun.conf_path, message)
        self.assertIn(f'qrouter-{UUID}', message)

    def test_not_a_router(self):
        asked = self.told(100)
        self.assertRaises(
            errors.BadRequest,
            nudge.reload,
            {'router': '../x'},
            None,
            self.begun,
        )
        self.assertEqual([], asked)


class LinkUpTest(NudgeTest):
    def setUp(self):
        super().setUp()
        self.useFixture(kernel.Kernel())
        self.links = [
            {'name': QR, 'index': 3, 'up': True},
            {'name': QG, 'index': 4, 'up': False},
        ]
        self.patch(rtnetlink, 'links', lambda channel: self.links)
        self.set_up = []
        self.patch(
            writes, 'set_up', lambda channel, index: self.set_up.append(index)
        )

    def test_down(self):
        found = self.do(nudge.link_up, device=QG)
        self.assertEqual({'changed': True}, found)
        self.assertEqual([4], self.set_up)
        self.assertEqual(1, self.begun.visits)

    def test_up_already(self):
        found = self.do(nudge.link_up, device=QR)
        self.assertEqual({'changed': False}, found)
        self.assertEqual([], self.set_up)

    def test_absent(self):
        kind, message = self.refused(
            errors.ProgramError, nudge.link_up, device='qr-44444444-44'
        )
        self.assertEqual(errors.ABSENT, kind)
        self.assertIn('qr-44444444-44', message)

    def test_what_neutron_does_not_plug(self):
        """Neither the host's devices nor a path are touched."""
        for device in ('eth0', 'lo', '../all', '', None, 7):
            self.refused(errors.BadRequest, nudge.link_up, device=device)
        self.assertEqual(0, self.begun.visits)


class ForwardTest(NudgeTest):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.patch(nudge, '_FORWARDING', os.path.join(folder, '%s'))
        self.folder = folder
        self.asked = []
        for name in ('must_be_active', 'must_be_passive'):
            self.patch(
                active, name, lambda begun, name=name: self.asked.append(name)
            )

    def setting(self, device, value):
        with open(os.path.join(self.folder, device), 'w') as file:
            file.write(value)

    def read(self, device):
        with open(os.path.join(self.folder, device)) as file:
            return file.read()

    def test_on_where_it_is_active(self):
        self.setting('all', '0\n')
        found = self.do(nudge.forward, device='all')
        self.assertEqual({'on': True, 'changed': True}, found)
        self.assertEqual('1', self.read('all').strip())
        self.assertEqual(['must_be_active'], self.asked)
        self.assertEqual(1, self.begun.visits)

    def test_off_where_it_is_not(self):
        self.setting(QG, '1\n')
        found = self.do(nudge.forward, device=QG)
        self.assertEqual({'on': False, 'changed': True}, found)
        self.assertEqual('0', self.read(QG).strip())
        self.assertEqual(['must_be_passive'], self.asked)

    def test_so_already(self):
        self.setting('all', '1\n')
        found = self.do(nudge.forward, device='all')
        self.assertEqual({'on': True, 'changed': False}, found)
        self.assertEqual('1\n', self.read('all'))

    def test_the_wrong_node(self):
        """Whatever the node is not, is not forced on it."""

        def refuse(begun):
            raise errors.ProgramError(errors.UNSAFE, 'it is a standby')

        self.patch(active, 'must_be_active', refuse)
        self.setting('all', '0\n')
        kind, _ = self.refused(
            errors.ProgramError, nudge.forward, device='all'
        )
        self.assertEqual(errors.UNSAFE, kind)
        self.assertEqual('0\n', self.read('all'))

    def test_absent(self):
        kind, message = self.refused(
            errors.ProgramError, nudge.forward, device=QG
        )
        self.assertEqual(errors.ABSENT, kind)
        self.assertIn(QG, message)

    def test_devices_that_neutron_does_not_set(self):
        for device in (QR, 'lo', None):
            self.refused(errors.BadRequest, nudge.forward, device=device)
        self.assertEqual([], self.asked)

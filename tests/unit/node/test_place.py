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

"""Where a router is on a host, and what is said where it is not."""

import contextlib
import os

import fixtures
import testtools

from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import look as looking
from osc_ha_router.node import members
from osc_ha_router.node import namespaces
from osc_ha_router.node import place
from osc_ha_router.node import processes
from osc_ha_router.node import rtnetlink
from tests.unit.node import kernel

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
HA = 'ha-11111111-11'
SNAT = namespaces.Namespace(f'snat-{UUID}', UUID, '/nowhere/snat', 4712)
QROUTER = namespaces.Namespace(f'qrouter-{UUID}', UUID, '/nowhere/q', 4711)


class Traveller:
    """Goes where there is a namespace."""

    home = 1

    def __init__(self):
        self.stale = set()
        #: where it is
        self.here = None

    @contextlib.contextmanager
    def inside(self, namespace):
        if namespace in self.stale:
            raise namespaces.Stale(f'{namespace.name} has just gone')
        self.here = namespace
        yield


class PlaceTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(kernel.Kernel())
        self.traveller = Traveller()
        self.devices = {SNAT: ['lo'], QROUTER: ['lo', HA]}
        self.patch(rtnetlink, 'links', self._links)
        self.spaces = {UUID: [SNAT, QROUTER]}
        self.patch(looking, 'spaces', lambda: self.spaces)
        self.census = processes.Census({}, {}, {}, {}, [])
        self.patch(processes, 'take', lambda wanted, home: self.census)
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.patch(files, 'places', lambda: [self.folder])
        self.members = []
        self.patch(members, 'find', lambda *asked: self.members)

    def _links(self, channel):
        return [{'name': name} for name in self.devices[self.traveller.here]]

    def write(self):
        """Write keepalived.conf where Neutron has it."""
        folder = os.path.join(self.folder, UUID)
        os.mkdir(folder)
        path = os.path.join(folder, 'keepalived.conf')
        with open(path, 'w') as file:
            file.write('vrrp_instance VR_1 {\n}\n')
        return path

    def find(self):
        return place.find(self.traveller, UUID)

    def refused(self, *words):
        error = self.assertRaises(errors.ProgramError, self.find)
        self.assertEqual(errors.ABSENT, error.kind)
        for word in (*words, UUID):
            self.assertIn(word, str(error))


class FindTest(PlaceTest):
    def test_where_the_ha_device_is(self):
        path = self.write()
        found = self.find()
        self.assertEqual(QROUTER, found.namespace)
        self.assertEqual(path, found.conf_path)
        self.assertEqual([os.path.dirname(path)], found.folders)

    def test_with_dvr(self):
        self.write()
        self.devices = {SNAT: ['lo', HA], QROUTER: ['lo']}
        self.assertEqual(SNAT, self.find().namespace)

    def test_namespace_that_goes_meanwhile(self):
        self.write()
        self.traveller.stale = {SNAT}
        self.assertEqual(QROUTER, self.find().namespace)

    def test_nothing_here(self):
        self.spaces = {}
        self.refused('no namespace with an ha- device')

    def test_no_ha_device(self):
        """Such as a DVR router on a compute node."""
        self.devices[QROUTER] = ['lo', 'qr-33333333-33']
        self.refused('no namespace with an ha- device')

    def test_no_configuration(self):
        self.refused('no keepalived.conf')

    def test_processes_that_are_hidden(self):
        """Half of them would be taken for all."""

        def hide(*asked):
            raise members.Hidden('they may not be looked at')

        self.patch(members, 'find', hide)
        error = self.assertRaises(errors.NoRights, self.find)
        self.assertIn('may not be looked at', str(error))


class CandidatesTest(PlaceTest):
    def candidates(self):
        look = looking.Look(self.traveller, self.spaces, [UUID])
        return place.candidates(look, UUID)

    def test_usual_places(self):
        self.assertEqual([f'{self.folder}/{UUID}'], self.candidates())

    def test_places_of_what_runs(self):
        """A container's keepalived has its file where it sees it."""
        path = f'/var/lib/neutron/ha_confs/{UUID}/keepalived.conf'
        for pid, space in ((100, SNAT), (200, QROUTER)):
            argv = ('keepalived', '-P', '-f', path)
            found = processes.Found(pid, 1, 'S', 'keepalived', 5.0, argv)
            idle = found._replace(pid=pid + 1, argv=('sleep', '60'))
            self.census.by_namespace[space.inode] = [found, found, idle]
        folder = os.path.dirname(path)
        self.assertEqual(
            [
                f'{self.folder}/{UUID}',
                f'/proc/100/root{folder}',
                f'/proc/200/root{folder}',
            ],
            self.candidates(),
        )

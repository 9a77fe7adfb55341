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

"""Processes of a router: all of them, or none."""

import contextlib
import types

import testtools

from osc_ha_router.node import members
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import roles
from osc_ha_router.node import sockets

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'
PATH = f'/var/lib/neutron/ha_confs/{UUID}/keepalived.conf'
SNAT = namespaces.Namespace(f'snat-{UUID}', UUID, '/nowhere/snat', 4712)
QROUTER = namespaces.Namespace(f'qrouter-{UUID}', UUID, '/nowhere/q', 4711)

PARENT = processes.Found(
    100, 1, 'S', 'keepalived', 5.0, ('keepalived', '-P', '-f', PATH)
)
CHILD = PARENT._replace(pid=101, ppid=100)
RADVD = processes.Found(300, 1, 'S', 'radvd', 5.0, ('radvd', '-C', 'x'))


def census(**spaces):
    """What runs in the namespaces q and snat."""
    inodes = {'q': QROUTER.inode, 'snat': SNAT.inode}
    return processes.Census(
        {inodes[name]: found for name, found in spaces.items()},
        {},
        {},
        {},
        [],
    )


class MembersTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.look = types.SimpleNamespace(
            spaces={UUID: [SNAT, QROUTER]},
            census=census(q=[PARENT, CHILD]),
            recount=self._recount,
            traveller=types.SimpleNamespace(inside=self._inside),
        )
        self.later = census()
        self.counted = 0
        self.stale = False
        #: what the sockets in the namespace say, one look after the other
        self.around = []
        self.patch(sockets, 'around', lambda: self.around.pop(0))
        self.patch(sockets, 'held', lambda pid: pid == CHILD.pid)

    def _recount(self):
        self.counted += 1
        return self.later

    @contextlib.contextmanager
    def _inside(self, space):
        if self.stale:
            raise namespaces.Stale('it has just gone')
        yield

    def find(self, inside=QROUTER):
        return {
            (member.found.pid, member.role)
            for member in members.find(self.look, UUID, inside)
        }

    def test_all_there(self):
        found = self.find()
        self.assertEqual({(100, roles.PARENT), (101, roles.VRRP)}, found)
        self.assertEqual(0, self.counted)

    def test_of_its_other_namespace(self):
        """Whatever runs there has no part in VRRP."""
        self.look.census = census(q=[PARENT, CHILD], snat=[RADVD])
        found = self.find()
        self.assertIn(300, {pid for pid, _ in found})
        self.assertEqual(3, len(found))

    def test_nothing_runs(self):
        self.look.census = census()
        self.around = [False]
        self.assertEqual(set(), self.find())
        self.assertEqual(0, self.counted)

    def test_no_namespace(self):
        self.look.census = census()
        self.assertEqual(set(), self.find(None))

    def test_just_started(self):
        """It was not there yet, and then it was."""
        self.look.census = census()
        self.around = [True]
        self.later = census(q=[PARENT, CHILD])
        self.assertIn((101, roles.VRRP), self.find())

    def test_about_to_end(self):
        """Its socket stays for a moment longer than its namespace."""
        self.look.census = census()
        self.around = [True, False]
        self.assertEqual(set(), self.find())
        self.assertEqual(1, self.counted)

    def test_in_a_container_of_its_own(self):
        self.look.census = census()
        self.around = [True, True]
        error = self.assertRaises(members.Hidden, self.find)
        self.assertIn('holds a VRRP socket', str(error))

    def test_sockets_that_cannot_be_looked_at(self):
        self.look.census = census()
        self.stale = True
        self.assertEqual(set(), self.find())

    def test_commands_that_may_not_be_looked_at(self):
        self.look.census.hidden.append(f'keepalived -f {PATH}')
        error = self.assertRaises(members.Hidden, self.find)
        self.assertIn('may not be looked at', str(error))

    def test_hidden_commands_of_another_router(self):
        self.look.census.hidden.append('keepalived -f /other')
        self.assertEqual(2, len(self.find()))

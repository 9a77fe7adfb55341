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

"""What a router remembers, taken along from node to node."""

import fixtures
import testtools

from osc_ha_router.node import carry
from osc_ha_router.node import connections
from osc_ha_router.node import neighbours
from osc_ha_router.node import netlink

UUID = '7439ff46-8435-4052-a174-4ebc5a67337e'


class CarryTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.replies = []
        for owner, name, stand_in in (
            (neighbours, 'read', lambda: list(range(1200))),
            (neighbours, 'check', lambda found: found),
            (neighbours, 'write', lambda found: (len(found), 1)),
            (connections, 'read', lambda: ([b'a', b'b'], None)),
            (connections, 'check', lambda found: found),
            (connections, 'entry', bytes.hex),
            (connections, 'write', lambda found: (len(found), 0, None)),
        ):
            self.patch(owner, name, stand_in)

    def patch(self, owner, name, stand_in):
        self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def fails(self, owner, name, error):
        def fail(*_):
            raise error

        self.patch(owner, name, fail)

    # the errand
    def of(self, router_id):
        return self

    def inside(self):
        return fixtures.Fixture()

    def export(self, near=True, tracked=True):
        fields = {
            'router': UUID,
            'neighbours': near,
            'connections': tracked,
        }
        return carry.export(fields, self.replies.append, self)

    def bring(self, near=(), tracked=()):
        fields = {
            'router': UUID,
            'neighbours': list(near),
            'connections': list(tracked),
        }
        return carry.import_(fields, None, self)


class ExportTest(CarryTest):
    def test_in_parts(self):
        self.assertEqual(
            {'neighbours': 1200, 'connections': 2, 'reason': None},
            self.export(),
        )
        near = [each.get('neighbours', []) for each in self.replies]
        self.assertEqual([500, 500, 200, 0], [len(each) for each in near])
        self.assertEqual(list(range(1200)), sum(near, []))
        self.assertEqual({'connections': ['61', '62']}, self.replies[-1])

    def test_only_what_was_asked_for(self):
        self.assertEqual(
            {'neighbours': 0, 'connections': None, 'reason': None},
            self.export(near=False, tracked=False),
        )
        self.assertEqual([], self.replies)

    def test_what_cannot_be_read_is_said(self):
        self.fails(neighbours, 'read', netlink.NetlinkError('refused'))
        self.fails(connections, 'read', connections.Unable('no module'))
        done = self.export()
        self.assertEqual((0, None), (done['neighbours'], done['connections']))
        self.assertEqual(
            'neighbours cannot be read: refused; no module', done['reason']
        )

    def test_a_part_of_them(self):
        self.patch(connections, 'read', lambda: ([b'a'], 'too many'))
        done = self.export(near=False)
        self.assertEqual(
            (1, 'too many'), (done['connections'], done['reason'])
        )


class ImportTest(CarryTest):
    def test_counted(self):
        self.assertEqual(
            {
                'neighbours': 3,
                'connections': 2,
                'refused': 1,
                'reason': None,
            },
            self.bring('abc', 'de'),
        )

    def test_none(self):
        self.assertEqual(
            {
                'neighbours': 0,
                'connections': 0,
                'refused': 0,
                'reason': None,
            },
            self.bring(),
        )

    def test_no_way(self):
        self.fails(neighbours, 'write', OSError('no socket'))
        self.fails(connections, 'write', connections.Unable('no module'))
        self.assertEqual(
            {
                'neighbours': 0,
                'connections': None,
                'refused': 5,
                'reason': 'neighbours cannot be written: no socket; no module',
            },
            self.bring('abc', 'de'),
        )

    def test_some_are_refused(self):
        self.patch(connections, 'write', lambda found: (1, 1, 'table is full'))
        done = self.bring(tracked='de')
        self.assertEqual(
            (1, 1, 'table is full'),
            (done['connections'], done['refused'], done['reason']),
        )

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

"""What Neutron says, and what is left without it."""

from osc_ha_router import errors
from osc_ha_router.agent import claims
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.scene import Scene


class ClaimsTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.scene = parts.of_project(Scene.of('healthy'), parts.OURS)
        self.router_id = self.scene.router.id
        self.neutron = parts.Neutron(self.scene)
        self.claims = claims.Claims(self.neutron, ('here', 'there'))


class UpTest(ClaimsTest):
    def test_what_it_says_is_passed_on(self):
        self.assertEqual(
            self.neutron.claims((self.router_id,)),
            self.claims.claims((self.router_id,)),
        )
        self.assertEqual(
            (self.scene.router,), self.claims.again((self.router_id,))
        )
        self.assertEqual(
            {self.router_id: parts.OURS},
            self.claims.owners((self.router_id, 'x')),
        )

    def test_filters_are_passed_on(self):
        self.claims.claims((), project=parts.OURS, host='h')
        self.assertEqual(
            ('claims', (), parts.OURS, 'h'), self.neutron.calls[-1]
        )

    def test_refusals_of_a_router_are_passed_on(self):
        self.assertRaises(
            errors.RouterNotFound, self.claims.claims, ('nothing',)
        )


class DownTest(ClaimsTest):
    def setUp(self):
        super().setUp()
        self.neutron.down = parts.DOWN

    def test_router_by_its_id(self):
        found = self.claims.claims((self.router_id,))
        (router,) = found.routers
        self.assertEqual(self.router_id, router.id)
        self.assertIsNone(router.agents)
        self.assertIsNone(router.ports)
        self.assertIsNone(router.project_id)
        self.assertEqual(('here', 'there'), found.hosts)

    def test_says_why(self):
        (router,) = self.claims.claims((self.router_id,)).routers
        (gap,) = router.gaps
        self.assertIn(str(parts.DOWN), gap)

    def test_nodes_and_names_from_before(self):
        self.neutron.down = None
        self.claims.claims((self.router_id,))
        self.neutron.down = parts.DOWN
        found = self.claims.claims((self.router_id,))
        self.assertEqual(
            tuple(sorted({'here', 'there', *self.scene.names})), found.hosts
        )
        (router,) = found.routers
        self.assertEqual(('r1', parts.OURS), (router.name, router.project_id))
        # what it said of agents may be wrong by now
        self.assertIsNone(router.agents)

    def test_all_that_were_there(self):
        self.neutron.down = None
        self.claims.claims(())
        self.neutron.down = parts.DOWN
        found = self.claims.claims(())
        self.assertEqual(
            [self.router_id], [router.id for router in found.routers]
        )

    def test_what_is_gone_is_forgotten(self):
        self.neutron.down = None
        self.claims.claims(())
        self.neutron.routers = []
        self.claims.claims(())
        self.neutron.down = parts.DOWN
        self.assertRaises(errors.CloudError, self.claims.claims, ())

    def test_a_part_of_them_does_not_make_others_forgotten(self):
        self.neutron.down = None
        self.claims.claims(())
        self.neutron.routers = []
        self.claims.claims((), project=parts.THEIRS)
        self.neutron.down = parts.DOWN
        self.assertEqual(1, len(self.claims.claims(()).routers))

    def test_what_only_neutron_knows(self):
        for names, filters in (
            ((), {}),
            ((), {'project': parts.OURS}),
            ((self.router_id,), {'host': 'h'}),
        ):
            self.assertRaises(
                errors.CloudError, self.claims.claims, names, **filters
            )

    def test_nobody_gets_rights_from_memory(self):
        self.neutron.down = None
        self.claims.owners((self.router_id,))
        self.claims.claims(())
        self.neutron.down = parts.DOWN
        self.assertRaises(
            errors.CloudError, self.claims.owners, (self.router_id,)
        )

    def test_down_at_the_second_look(self):
        (router,) = self.claims.again((self.router_id,))
        self.assertEqual((self.router_id, None), (router.id, router.agents))

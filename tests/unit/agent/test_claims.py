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

from keystoneauth1 import exceptions

from osc_ha_router import cloud
from osc_ha_router import errors
from osc_ha_router.agent import claims
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from tests.unit import neutron
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.scene import Scene

FOREVER = base.Deadline(float('inf'))


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


class FlowTest(ClaimsTest):
    """All of it, router by router."""

    def all(self, **filters):
        with self.claims.flow(**filters) as flow:
            return flow, [flow.router(id_, FOREVER) for id_ in flow.ids]

    def test_what_it_says_is_passed_on(self):
        flow, routers = self.all(project=parts.OURS, host='h')
        self.assertEqual([self.scene.router], routers)
        self.assertEqual(self.neutron.there, flow.hosts)
        self.assertEqual({self.router_id}, flow.known)
        self.assertFalse(flow.blind)
        self.assertEqual([('flow', parts.OURS, 'h')], self.neutron.calls)

    def test_it_is_remembered(self):
        self.all()
        self.neutron.down = parts.DOWN
        flow, (router,) = self.all()
        self.assertEqual((self.router_id, 'r1'), (router.id, router.name))
        self.assertEqual(parts.OURS, router.project_id)
        self.assertIsNone(router.agents)
        self.assertIsNone(flow.known)
        self.assertEqual(
            tuple(sorted({'here', 'there', *self.scene.names})), flow.hosts
        )

    def test_what_is_gone_is_forgotten(self):
        self.all()
        self.neutron.routers = []
        self.all()
        self.neutron.down = parts.DOWN
        self.assertRaises(errors.CloudError, self.all)

    def test_a_part_of_them_does_not_make_others_forgotten(self):
        self.all()
        self.all(project=parts.THEIRS)
        self.neutron.down = parts.DOWN
        self.assertEqual(1, len(self.all()[1]))

    def test_what_only_neutron_knows(self):
        self.all()
        self.neutron.down = parts.DOWN
        for filters in ({'project': parts.OURS}, {'host': 'h'}):
            self.assertRaises(errors.CloudError, self.all, **filters)

    def test_down_in_the_middle_of_it(self):
        def fail(flow, id_, until):
            raise exceptions.ConnectFailure('no answer from controller')

        self.patch(parts.Flow, 'router', fail)
        _, (router,) = self.all()
        self.assertEqual((self.router_id, 'r1'), (router.id, router.name))
        (gap,) = router.gaps
        self.assertIn('controller', gap)


class HostsTest(ClaimsTest):
    """Which nodes there are."""

    def asked(self):
        return self.neutron.calls.count(('hosts',))

    def test_configured(self):
        self.neutron.down = parts.DOWN
        for host in ('here', 'there'):
            self.assertTrue(self.claims.knows(host))
        self.assertEqual([], self.neutron.calls)

    def test_named_before(self):
        self.claims.claims((self.router_id,))
        self.neutron.down = parts.DOWN
        for host in self.scene.names:
            self.assertTrue(self.claims.knows(host))
        self.assertEqual(0, self.asked())

    def test_named_when_asked(self):
        for host in self.scene.names:
            self.assertTrue(self.claims.knows(host))
        self.assertEqual(1, self.asked())

    def test_strangers(self):
        """Neutron is not asked for each of them."""
        for host in ('evil', 'net1.evil', ''):
            self.assertFalse(self.claims.knows(host))
        self.assertEqual(1, self.asked())

    def test_asked_again_after_a_while(self):
        self.patch(claims, '_AGAIN', 0.0)
        self.neutron.there = ('old',)
        self.assertFalse(self.claims.knows('new'))
        self.neutron.there = ('new',)
        self.assertTrue(self.claims.knows('new'))

    def test_neutron_does_not_tell(self):
        self.patch(claims, '_AGAIN', 0.0)
        for nothing in (None, ()):
            self.neutron.there = nothing
            self.assertFalse(self.claims.knows('evil'))
            # but where its routers are, it does
            self.claims.again((self.router_id,))
            self.assertFalse(self.claims.knows('evil'))
            for agent in self.scene.router.agents:
                self.assertTrue(self.claims.knows(agent.host))

    def test_neutron_does_not_answer(self):
        self.neutron.down = parts.DOWN
        self.assertFalse(self.claims.knows('evil'))

    def test_neutron_says_nothing(self):
        def broken():
            raise failures.Broken('agent-timeout')

        self.neutron.hosts = broken
        self.assertFalse(self.claims.knows('evil'))

    def test_those_that_are_gone_are_forgotten(self):
        self.claims.claims(())
        self.neutron.there, self.neutron.routers = ('new',), []
        self.claims.claims(())
        self.neutron.down = parts.DOWN
        self.assertEqual(
            ('here', 'new', 'there'), self.claims.claims(('x',)).hosts
        )
        for host in self.scene.names:
            self.assertFalse(self.claims.knows(host))


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


class CloudTest(quiet.TestCase):
    """The question by which nodes are told from strangers."""

    def ask(self, admin):
        self.neutron = self.useFixture(neutron.Neutron(admin))
        self.neutron.add_agent('net1')
        self.neutron.add_agent('net2')
        return cloud.Cloud(self.neutron.connect()).hosts()

    def test_hosts_of_l3_agents(self):
        self.assertEqual(('net1', 'net2'), self.ask(True))

    def test_not_told(self):
        self.assertFalse(self.ask(False))

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

"""What Neutron says, asked over HTTP."""

import re
import uuid

from keystoneauth1 import exceptions as ksa_exceptions
from requests import exceptions as requests_exceptions
import testtools

from osc_ha_router import cloud
from osc_ha_router import errors
from tests.unit import neutron

HA = 'network:router_ha_interface'
INTERNAL = 'network:ha_router_replicated_interface'
GATEWAY = 'network:router_gateway'
HA_NETWORK = neutron.new_id(800)
HOSTILE = 'r1\x1b]0;owned\x07\u202e\n'


class CloudTest(testtools.TestCase):
    admin = True

    def setUp(self):
        super().setUp()
        self.neutron = self.useFixture(neutron.Neutron(self.admin))
        self.agents = {
            host: self.neutron.add_agent(host)
            for host in ('net1', 'net2', 'net3')
        }
        self.cloud = cloud.Cloud(self.neutron.connect())

    def add_router(self, name='r1', **changes):
        """Add an HA router with all that belongs to it."""
        id_ = self.neutron.add_router(
            name,
            **{
                'external_gateway_info': {'network_id': neutron.new_id(1000)},
                **changes,
            },
        )
        states = ('active', 'standby', 'standby')
        self.neutron.host(
            id_, dict(zip(self.agents.values(), states, strict=True))
        )
        for host in self.agents:
            self.neutron.add_port(id_, HA, host, network_id=HA_NETWORK)
        self.neutron.add_port(id_, INTERNAL, 'net1')
        self.neutron.add_port(id_, GATEWAY, 'net1')
        self.neutron.add_floating_ip(id_, '203.0.113.119')
        return id_

    def one(self, *names, **filters):
        (router,) = self.cloud.claims(names, **filters).routers
        return router

    def refused(self, kind, *names, **filters):
        """Return the one line with which the cloud refuses."""
        exc = self.assertRaises(
            errors.Error, self.cloud.claims, names, **filters
        )
        self.assertIs(kind, type(exc), exc)
        message = str(exc)
        self.assertTrue(message.isprintable(), message)
        return message


class ClaimsTest(CloudTest):
    def test_router(self):
        id_ = self.add_router()
        router = self.one('r1')
        self.assertEqual((id_, 'r1'), (router.id, router.name))
        self.assertEqual(neutron.PROJECT, router.project_id)
        self.assertEqual('ACTIVE', router.status)
        self.assertIs(True, router.admin_state_up)
        self.assertIs(False, router.distributed)
        self.assertIs(True, router.gateway)
        self.assertEqual((), router.gaps)

    def test_agents(self):
        self.add_router()
        (dead,) = (a for a in self.neutron.agents if a['host'] == 'net2')
        dead.update(alive=False, admin_state_up=False)
        agents = {agent.host: agent for agent in self.one('r1').agents}
        self.assertEqual(set(self.agents), set(agents))
        self.assertEqual(self.agents['net1'], agents['net1'].id)
        self.assertEqual('active', agents['net1'].ha_state)
        self.assertEqual('standby', agents['net2'].ha_state)
        self.assertEqual('legacy', agents['net1'].mode)
        self.assertEqual(
            (True, True), (agents['net1'].alive, agents['net1'].admin_state_up)
        )
        self.assertEqual(
            (False, False),
            (agents['net2'].alive, agents['net2'].admin_state_up),
        )

    def test_ports(self):
        self.add_router()
        ports = self.one('r1').ports
        self.assertEqual(
            sorted([HA, HA, HA, INTERNAL, GATEWAY]),
            sorted(port.owner for port in ports),
        )
        port = next(p for p in ports if p.owner == HA and p.host == 'net2')
        self.assertEqual(HA_NETWORK, port.network_id)
        self.assertEqual(('10.1.1.1',), port.addresses)
        self.assertEqual(('ACTIVE', 'ovs'), (port.status, port.vif_type))
        self.assertEqual('fa:16:3e:eb:28:0a', port.mac)

    def test_unbound_port(self):
        id_ = self.add_router()
        self.neutron.add_port(id_, HA, status='DOWN')
        port = next(p for p in self.one('r1').ports if p.status == 'DOWN')
        self.assertFalse(port.host)
        self.assertEqual('unbound', port.vif_type)

    def test_floating_ips(self):
        self.add_router()
        (ip,) = self.one('r1').floating_ips
        self.assertEqual('203.0.113.119', ip.address)
        self.assertEqual('10.1.1.245', ip.fixed_address)
        self.assertEqual('ACTIVE', ip.status)

    def test_nothing_but_the_router(self):
        self.neutron.add_router('bare')
        router = self.one('bare')
        self.assertEqual((), router.agents)
        self.assertEqual((), router.ports)
        self.assertEqual((), router.floating_ips)
        self.assertEqual((), router.peers)
        self.assertIs(False, router.gateway)

    def test_peers(self):
        """Other routers on the same HA network, counted by HA ports."""
        self.add_router()
        other = self.add_router('r2')
        elsewhere = self.neutron.add_router('r3')
        self.neutron.add_port(
            elsewhere, HA, 'net1', network_id=neutron.new_id(801)
        )
        (peer,) = self.one('r1').peers
        self.assertEqual((other, 3), (peer.router_id, peer.replicas))

    def test_hosts(self):
        """Every host with an L3 agent, hosting the router or not."""
        self.add_router()
        self.neutron.add_agent('net4')
        self.neutron.add_agent(
            'compute1', agent_type='Open vSwitch agent', binary='ovs'
        )
        self.assertEqual(
            ('net1', 'net2', 'net3', 'net4'),
            self.cloud.claims(['r1']).hosts,
        )

    def test_hosts_whose_agent_lives(self):
        """Also where no router is."""
        self.add_router()
        self.neutron.add_agent('net4')
        self.neutron.add_agent('net5', alive=False)
        self.assertEqual(
            ('net1', 'net2', 'net3', 'net4'),
            self.cloud.claims(['r1']).alive,
        )

    def test_dvr(self):
        self.add_router(distributed=True)
        self.assertIs(True, self.one('r1').distributed)


class NamesTest(CloudTest):
    def test_by_id(self):
        id_ = self.add_router()
        self.add_router('r2')
        self.assertEqual(id_, self.one(id_).id)

    def test_name_that_looks_like_an_id(self):
        name = str(uuid.UUID(int=7))
        id_ = self.add_router(name)
        self.assertEqual(id_, self.one(name).id)

    def test_several_in_the_order_asked_for(self):
        first, second = self.add_router('r1'), self.add_router('r2')
        found = self.cloud.claims(['r2', 'r1', second]).routers
        self.assertEqual([second, first], [r.id for r in found])

    def test_not_found(self):
        self.add_router()
        message = self.refused(errors.RouterNotFound, 'r9')
        self.assertIn("'r9'", message)

    def test_ambiguous(self):
        ids = [self.add_router(), self.add_router()]
        message = self.refused(errors.AmbiguousName, 'r1')
        for id_ in ids:
            self.assertIn(id_, message)

    def test_one_of_several_missing(self):
        self.add_router()
        self.refused(errors.RouterNotFound, 'r1', 'r9')

    def test_hostile_name_asked_for(self):
        self.refused(errors.RouterNotFound, HOSTILE)

    def test_not_ha(self):
        id_ = self.add_router(ha=False)
        message = self.refused(errors.NotSupported, 'r1')
        self.assertIn('not an HA router', message)
        self.assertIn(f'--router {id_} --long', message)


class SweepTest(CloudTest):
    def test_all_ha_routers(self):
        ids = {self.add_router(f'r{number}') for number in range(3)}
        self.add_router('legacy', ha=False)
        self.assertEqual(
            ids, {router.id for router in self.cloud.claims(()).routers}
        )

    def test_each_has_its_own(self):
        self.add_router('r1')
        other = self.add_router('r2')
        self.neutron.add_floating_ip(other, '203.0.113.120')
        found = {r.name: r for r in self.cloud.claims(()).routers}
        self.assertEqual(1, len(found['r1'].floating_ips))
        self.assertEqual(2, len(found['r2'].floating_ips))
        for router in found.values():
            self.assertEqual(5, len(router.ports))
            self.assertEqual(3, len(router.agents))
            (peer,) = router.peers
            self.assertNotEqual(router.id, peer.router_id)

    def test_no_router_at_all(self):
        self.assertEqual((), self.cloud.claims(()).routers)

    def test_deleted_while_asking(self):
        """Its agents answer 404: it is left out."""
        gone, kept = self.add_router('gone'), self.add_router('kept')
        self.neutron.instead[f'routers/{gone}/l3-agents'] = (
            404,
            neutron.error('RouterNotFound', 'Router could not be found'),
        )
        self.assertEqual(kept, self.one().id)


class AgainTest(CloudTest):
    def test_what_it_says_now(self):
        id_ = self.add_router()
        before = self.one('r1')
        self.neutron.host(id_, {self.agents['net2']: 'active'})
        (after,) = self.cloud.again([id_])
        self.assertEqual(before.ports, after.ports)
        self.assertEqual(['net2'], [agent.host for agent in after.agents])

    def test_deleted_meanwhile(self):
        kept = self.add_router()
        found = self.cloud.again([neutron.new_id(4711), kept])
        self.assertEqual([kept], [router.id for router in found])

    def test_deleted_while_asking(self):
        gone, kept = self.add_router('gone'), self.add_router('kept')
        self.neutron.instead[f'routers/{gone}/l3-agents'] = (
            404,
            neutron.error('RouterNotFound', 'Router could not be found'),
        )
        found = self.cloud.again([gone, kept])
        self.assertEqual([kept], [router.id for router in found])

    def test_not_ha(self):
        """One that was created meanwhile may be of any kind."""
        ids = [self.add_router('r1'), self.add_router('legacy', ha=False)]
        found = self.cloud.again(ids)
        self.assertEqual(ids[:1], [router.id for router in found])

    def test_nobody_says_whether_it_is_ha(self):
        id_ = self.add_router('r1', ha=None)
        self.assertEqual([id_], [r.id for r in self.cloud.again([id_])])

    def passing(self, path, times=1):
        """Let calls of a path fail so often, and then no more."""
        answer = self.neutron._answer
        left = times

        def answered(request, context):
            nonlocal left
            if left and f'/v2.0/{path}?' in request.url + '?':
                left -= 1
                context.status_code = 503
                return '{}'
            return answer(request, context)

        self.neutron.mock.get(
            re.compile(f'{neutron.NEUTRON}/v2.0/'), text=answered
        )

    def test_trouble_that_passes(self):
        id_ = self.add_router()
        (whole,) = self.cloud.again([id_])
        for path in (
            *('routers', 'ports', 'floatingips'),
            f'routers/{id_}/l3-agents',
        ):
            self.passing(path)
            self.assertEqual((whole,), self.cloud.again([id_]), path)
            self.assertIn(id_, self.cloud.owners([id_]))

    def test_trouble_with_one_is_a_gap_of_that_one(self):
        ids = [self.add_router('r1'), self.add_router('r2')]
        self.neutron.instead[f'routers/{ids[0]}/l3-agents'] = (503, {})
        one, other = self.cloud.again(ids)
        self.assertIsNone(one.agents)
        self.assertIn('which L3 agents host it', one.gaps[0])
        self.assertEqual((3, ()), (len(other.agents), other.gaps))

    def test_trouble_with_a_part(self):
        """The others are told, and none is taken to be gone."""
        ids = [self.add_router(f'r{number:03}') for number in range(160)]
        answer = self.neutron._body

        def body(path, query):
            if path == 'routers' and ids[0] in query.get('id', ()):
                return 503, {}
            return answer(path, query)

        self.neutron._body = body
        found = {router.id: router for router in self.cloud.again(ids)}
        self.assertEqual(set(ids), set(found))
        self.assertIn('anything of it', found[ids[0]].gaps[0])
        self.assertEqual((), found[ids[-1]].gaps)
        self.assertRaises(errors.CloudUnreachable, self.cloud.owners, ids)

    def test_trouble_with_all(self):
        ids = [self.add_router('r1'), self.add_router('r2')]
        self.neutron.instead['routers'] = (503, {})
        self.assertRaises(errors.CloudUnreachable, self.cloud.again, ids)


class OwnersTest(CloudTest):
    def setUp(self):
        super().setUp()
        self.other = 'b' * 32
        self.ours = self.add_router('r1')
        self.theirs = self.add_router('r2', project_id=self.other, ha=False)
        self.neutron.calls.clear()

    def test_whose_they_are(self):
        self.assertEqual(
            {self.ours: neutron.PROJECT, self.theirs: self.other},
            self.cloud.owners([self.ours, self.theirs]),
        )

    def test_missing_is_left_out(self):
        self.assertEqual({}, self.cloud.owners([neutron.new_id(4711)]))

    def test_name_is_no_id(self):
        self.assertEqual({}, self.cloud.owners(['r1']))

    def test_the_same_calls_for_any_router(self):
        """Nobody learns from the time it takes whether there is one."""
        shapes = set()
        for id_ in (self.ours, self.theirs, neutron.new_id(4711)):
            self.neutron.calls.clear()
            self.cloud.owners([id_])
            shapes.add(tuple(c.replace(id_, '') for c in self.neutron.calls))
        self.assertEqual(
            {('routers?fields=id&fields=project_id&id=',)}, shapes
        )


class BoundTest(CloudTest):
    def setUp(self):
        super().setUp()
        self.connection = self.neutron.connect()
        self.cloud = cloud.Cloud(self.connection)

    def test_where_nobody_else_set_one(self):
        self.cloud.bound(7.0)
        self.assertEqual(7.0, self.connection.session.timeout)

    def test_what_the_user_set_stays(self):
        self.connection.session.timeout = 3.0
        self.cloud.bound(7.0)
        self.assertEqual(3.0, self.connection.session.timeout)


class FilterTest(CloudTest):
    def setUp(self):
        super().setUp()
        self.other = 'b' * 32
        self.neutron.add_project(self.other, 'other')
        self.theirs = self.add_router('r1', project_id=self.other)
        self.ours = self.add_router('r1')

    def test_project_by_name(self):
        self.assertEqual(self.theirs, self.one(project='other').id)

    def test_project_by_id(self):
        self.assertEqual(self.theirs, self.one(project=self.other).id)

    def test_project_makes_a_name_unambiguous(self):
        self.refused(errors.AmbiguousName, 'r1')
        self.assertEqual(self.theirs, self.one('r1', project='other').id)

    def test_router_of_another_project(self):
        self.refused(errors.RouterNotFound, self.ours, project='other')

    def test_no_such_project(self):
        message = self.refused(errors.UsageError, project=HOSTILE)
        self.assertIn('No project', message)

    def test_several_projects_of_one_name(self):
        self.neutron.add_project('c' * 32, 'other')
        message = self.refused(errors.UsageError, project='other')
        self.assertIn('Several projects', message)

    def test_caller_may_not_look_up_projects(self):
        """An id is good enough then."""
        self.neutron.instead['projects'] = (
            403,
            {'error': {'code': 403, 'message': 'You are not authorized'}},
        )
        self.assertEqual(self.theirs, self.one(project=self.other).id)
        message = self.refused(errors.UsageError, project='other')
        self.assertIn('give the ID', message)

    def test_host(self):
        self.neutron.host(self.ours, {self.agents['net1']: 'active'})
        found = self.cloud.claims((), host='net2').routers
        self.assertEqual([self.theirs], [router.id for router in found])

    def test_host_without_an_l3_agent(self):
        message = self.refused(errors.UsageError, host=HOSTILE)
        self.assertIn('net1, net2, net3', message)


class CallsTest(CloudTest):
    """How often Neutron is asked."""

    def calls(self, *names, **filters):
        del self.neutron.calls[:]
        self.cloud.claims(names, **filters)
        return len(self.neutron.calls)

    def test_one_named_router(self):
        self.add_router()
        self.add_router('r2')
        self.assertLessEqual(self.calls('r1'), 6)

    def test_named_by_id(self):
        id_ = self.add_router()
        self.assertLessEqual(self.calls(id_), 6)

    def test_sweep_is_one_for_each_router_and_a_constant(self):
        counts = []
        for number in range(40):
            self.add_router(f'r{number}')
            if number in (9, 39):
                counts.append(self.calls())
        few, many = counts
        self.assertEqual(30, many - few)
        self.assertLessEqual(few, 10 + 5)

    def test_long_lists_of_ids_are_split(self):
        """A URL has limits of its own, commonly 8 KiB."""
        for number in range(250):
            self.neutron.add_router(f'r{number}')
        self.assertLessEqual(self.calls(), 250 + 10)
        longest = max(map(len, self.neutron.calls))
        self.assertLess(longest, 8000)

    def test_again(self):
        ids = [self.add_router(f'r{number}') for number in range(5)]
        del self.neutron.calls[:]
        self.cloud.again(ids)
        self.assertLessEqual(len(self.neutron.calls), 5 + 4)


class TenantTest(CloudTest):
    """A caller who may not see agents, HA ports, nor whether it is HA."""

    admin = False

    def test_named(self):
        self.add_router()
        router = self.one('r1')
        self.assertIsNone(router.agents)
        self.assertIsNone(router.ports)
        self.assertIsNone(router.peers)
        self.assertEqual(1, len(router.floating_ips))
        (gap,) = router.gaps
        self.assertIn('get_l3-agents', gap)

    def test_sweep(self):
        """An internal port tells an HA router from another."""
        self.add_router('ha')
        other = self.neutron.add_router('other')
        self.neutron.add_port(other, 'network:router_interface')
        self.assertEqual('ha', self.one().name)

    def test_named_without_any_sign_of_ha(self):
        self.neutron.add_router('r1')
        router = self.one('r1')
        self.assertEqual(2, len(router.gaps))
        self.assertIn('whether it is an HA router', router.gaps[1])

    def test_no_hosts(self):
        self.add_router()
        self.assertFalse(self.cloud.claims(['r1']).hosts)

    def test_agents_refused(self):
        self.add_router()
        self.neutron.instead['agents'] = (
            403,
            neutron.error('PolicyNotAuthorized', 'rule:get_agent'),
        )
        self.assertIsNone(self.cloud.claims(['r1']).hosts)
        self.assertIsNone(self.cloud.claims(['r1']).alive)
        message = self.refused(errors.CloudError, host='net1')
        self.assertIn('get_agent', message)


class OvnTest(CloudTest):
    """``ha`` is true there, too, but no keepalived runs."""

    def test_no_agent_scheduler(self):
        id_ = self.add_router()
        self.neutron.instead[f'routers/{id_}/l3-agents'] = (
            404,
            neutron.error('HTTPNotFound', 'The resource could not be found.'),
        )
        message = self.refused(errors.NotSupported, 'r1')
        self.assertIn('OVN', message)
        self.assertIn(id_, message)

    def test_gateway_agents(self):
        """What Neutron with OVN gives since 2026.2."""
        for agent in self.neutron.agents:
            agent['agent_type'] = 'OVN Controller Gateway agent'
        self.add_router()
        message = self.refused(errors.NotSupported, 'r1')
        self.assertIn('OVN', message)

    def test_router_without_a_name(self):
        for agent in self.neutron.agents:
            agent['agent_type'] = 'OVN Controller Gateway agent'
        id_ = self.add_router('')
        message = self.refused(errors.NotSupported, id_)
        self.assertIn(f'Router {id_!r}', message)

    def test_left_out_of_a_sweep(self):
        for agent in self.neutron.agents:
            agent['agent_type'] = 'OVN Controller Gateway agent'
        self.add_router()
        self.assertEqual((), self.cloud.claims(()).routers)

    def test_cloud_without_agents_extension(self):
        id_ = self.add_router()
        for path in ('agents', f'routers/{id_}/l3-agents'):
            self.neutron.instead[path] = (
                404,
                neutron.error('HTTPNotFound', 'No such resource'),
            )
        self.refused(errors.NotSupported, 'r1')


class TroubleTest(CloudTest):
    """The API refuses or does not answer: one line, no traceback."""

    def setUp(self):
        super().setUp()
        self.router_id = self.add_router()
        self.paths = (
            'routers',
            'agents',
            'ports',
            'floatingips',
            f'routers/{self.router_id}/l3-agents',
        )

    def test_server_error(self):
        for path in self.paths:
            self.neutron.instead = {
                path: (500, neutron.error('HTTPInternalServerError', HOSTILE))
            }
            message = self.refused(errors.CloudUnreachable, 'r1')
            self.assertIn('The API call failed', message)

    def test_connection_refused(self):
        for path in self.paths:
            self.neutron.instead = {
                path: requests_exceptions.ConnectionError('refused')
            }
            message = self.refused(errors.CloudUnreachable, 'r1')
            self.assertIn('cannot be reached', message)

    def test_no_answer_in_time(self):
        self.neutron.instead = {
            'routers': requests_exceptions.ReadTimeout('slow')
        }
        message = self.refused(errors.CloudUnreachable, 'r1')
        self.assertIn('in time', message)

    def test_refused(self):
        for path in ('routers', 'ports', 'floatingips'):
            self.neutron.instead = {
                path: (403, neutron.error('PolicyNotAuthorized', 'no'))
            }
            message = self.refused(errors.CloudError, 'r1')
            self.assertIn('refuses', message)

    def test_trouble_at_the_second_look(self):
        self.neutron.instead = {
            'routers': requests_exceptions.ConnectionError('refused')
        }
        self.assertRaises(
            errors.CloudError, self.cloud.again, [self.router_id]
        )


class Reluctant:
    """A connection to a cloud that cannot be reached at first."""

    def __init__(self, conn):
        self._conn = conn
        self.up = False

    @property
    def network(self):
        if not self.up:
            raise ksa_exceptions.ConnectFailure('nobody listens')
        return self._conn.network


class DownAtFirstTest(CloudTest):
    """A cloud that is down when the program starts is not given up."""

    def test_asked_again(self):
        id_ = self.add_router()
        connection = Reluctant(self.neutron.connect())
        self.cloud = cloud.Cloud(connection)
        for _ in range(2):
            self.refused(errors.CloudUnreachable, id_)
        connection.up = True
        self.assertEqual(id_, self.one(id_).id)


class HostileTest(CloudTest):
    """Nothing that a terminal would obey gets past this module."""

    def texts(self, value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, (tuple, list)):
            for item in value:
                yield from self.texts(item)
        elif hasattr(value, '__dataclass_fields__'):
            for name in value.__dataclass_fields__:
                yield from self.texts(getattr(value, name))

    def test_everything_is_printable(self):
        agent = self.neutron.add_agent(
            HOSTILE, configurations={'agent_mode': HOSTILE}
        )
        id_ = self.neutron.add_router(
            HOSTILE, status=HOSTILE, project_id=HOSTILE
        )
        self.neutron.host(id_, {agent: HOSTILE})
        self.neutron.add_port(
            id_,
            HOSTILE,
            HOSTILE,
            status=HOSTILE,
            mac_address=HOSTILE,
            fixed_ips=[{'subnet_id': 'x', 'ip_address': HOSTILE}],
            **{'binding:vif_type': HOSTILE},
        )
        self.neutron.add_floating_ip(id_, HOSTILE)
        claims = self.cloud.claims((id_,))
        texts = list(self.texts(claims))
        self.assertGreater(len(texts), 10)
        for text in texts:
            self.assertTrue(text.isprintable(), text)

    def test_ambiguous_hostile_name(self):
        self.add_router(HOSTILE)
        self.add_router(HOSTILE)
        self.refused(errors.AmbiguousName, HOSTILE)

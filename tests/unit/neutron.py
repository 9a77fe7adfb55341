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

"""An API that answers as a real Neutron does, at the level of HTTP.

The bodies have the keys that Neutron 27 gives, in the form in which it gives
them; what is left out is what no client could tell from the rest.
"""

import json
import re
from typing import Any
from urllib import parse
import uuid

import fixtures
from keystoneauth1 import fixture as tokens
from openstack import connection
from requests_mock.contrib import fixture as mocking

KEYSTONE = 'http://keystone.invalid:5000/v3'
NEUTRON = 'http://neutron.invalid:9696'
PROJECT = '8189fd82643041deb2c17b3ee877c378'

#: bound by the server to what the caller may see
ADMIN_ONLY = ('ha', 'distributed')

Json = dict[str, Any]


def error(kind: str, message: str) -> Json:
    """Return the body of a refusal."""
    return {'NeutronError': {'type': kind, 'message': message, 'detail': ''}}


def new_id(number: int) -> str:
    return str(uuid.UUID(int=0xA0000000000000000000000000000000 + number))


class Neutron(fixtures.Fixture):
    """One cloud: Keystone, and Neutron's routers and what belongs to them.

    :param admin: whether the caller is an administrator
    """

    def __init__(self, admin: bool = True) -> None:
        self.admin = admin
        #: in the caller's token; None: of an administrator, or of a member
        self.roles: tuple[str, ...] | None = None
        #: URL of the node agents in the catalogue; None: they are not in it
        self.agents_url: str | None = None
        self.routers: list[Json] = []
        self.agents: list[Json] = []
        #: router id -> ids of its agents with their ha_state
        self.hosting: dict[str, dict[str, str | None]] = {}
        self.ports: list[Json] = []
        self.floatingips: list[Json] = []
        self.projects: list[Json] = []
        #: path -> what to answer instead: a status with body, or an exception
        self.instead: dict[str, tuple[int, Json] | Exception] = {}
        #: path and query of each call of Neutron
        self.calls: list[str] = []
        self._count = 0

    def _setUp(self) -> None:
        mock = self.mock = self.useFixture(mocking.Fixture())
        token = tokens.V3Token(project_id=PROJECT)
        token.set_project_scope(id=PROJECT)
        for kind, url in (('network', NEUTRON), ('identity', KEYSTONE)):
            service = token.add_service(kind)
            service.add_standard_endpoints(
                public=url, internal=url, region='RegionOne'
            )

        def issue(request: Any, context: Any) -> Any:
            roles = ('admin',) if self.admin else ('member',)
            token['token'].pop('roles', None)
            for role in roles if self.roles is None else self.roles:
                token.add_role(role)
            if self.agents_url is not None:
                service = token.add_service('router-ha')
                service.add_standard_endpoints(
                    public=self.agents_url,
                    internal='https://internal.invalid:6689',
                    region='RegionOne',
                )
            return token

        mock.post(
            f'{KEYSTONE}/auth/tokens',
            json=issue,
            headers={'X-Subject-Token': 'a-token'},
        )
        version = tokens.V3Discovery(KEYSTONE)
        mock.get(KEYSTONE, json={'version': version})
        mock.get(re.compile(f'{KEYSTONE}/projects'), json=self._projects)
        mock.get(re.compile(f'{NEUTRON}/v2.0/'), text=self._answer)

    def connect(self) -> connection.Connection:
        """Return the SDK's connection, as the openstack command has it."""
        return connection.Connection(
            auth_type='password',
            auth={
                'auth_url': KEYSTONE,
                'username': 'somebody',
                'password': 'secret',
                'project_id': PROJECT,
                'user_domain_id': 'default',
            },
            region_name='RegionOne',
        )

    # -- what there is -----------------------------------------------------

    def _new_id(self) -> str:
        self._count += 1
        return new_id(self._count)

    def add_agent(self, host: str, **changes: Any) -> str:
        """Add an L3 agent and return its id."""
        agent = {
            'id': self._new_id(),
            'agent_type': 'L3 agent',
            'binary': 'neutron-l3-agent',
            'topic': 'l3_agent',
            'host': host,
            'admin_state_up': True,
            'created_at': '2026-11-22 15:12:42',
            'started_at': '2026-11-22 15:42:01',
            'heartbeat_timestamp': '2026-11-22 15:42:31',
            'description': None,
            'resources_synced': None,
            'availability_zone': 'nova',
            'alive': True,
            'configurations': {'agent_mode': 'legacy', 'routers': 1},
            **changes,
        }
        self.agents.append(agent)
        return str(agent['id'])

    def add_router(self, name: str, **changes: Any) -> str:
        """Add an HA router without agents and ports, and return its id."""
        router = {
            'id': self._new_id(),
            'name': name,
            'project_id': PROJECT,
            'admin_state_up': True,
            'status': 'ACTIVE',
            'external_gateway_info': None,
            'description': '',
            'availability_zones': ['nova'],
            'distributed': False,
            'ha': True,
            'availability_zone_hints': [],
            'routes': [],
            'flavor_id': None,
            'tags': [],
            'created_at': '2026-11-22T15:12:45Z',
            'updated_at': '2026-11-22T15:12:56Z',
            'revision_number': 8,
            'tenant_id': PROJECT,
            **changes,
        }
        self.routers.append(router)
        return str(router['id'])

    def host(self, router: str, agents: dict[str, str | None]) -> None:
        """Let these agents, with their ha_state, host a router."""
        self.hosting[router] = agents

    def add_port(
        self, device: str, owner: str, host: str = '', **changes: Any
    ) -> str:
        """Add a port of a router and return its id."""
        ours = 'ha_interface' not in owner and 'gateway' not in owner
        port = {
            'id': self._new_id(),
            'name': '',
            'network_id': new_id(900),
            'project_id': PROJECT if ours else '',
            'mac_address': 'fa:16:3e:eb:28:0a',
            'admin_state_up': True,
            'status': 'ACTIVE',
            'device_id': device,
            'device_owner': owner,
            'fixed_ips': [
                {'subnet_id': new_id(901), 'ip_address': '10.1.1.1'}
            ],
            'description': '',
            'binding:vnic_type': 'normal',
            'binding:profile': {},
            'binding:host_id': host,
            'binding:vif_type': 'ovs' if host else 'unbound',
            'binding:vif_details': {'connectivity': 'l2'},
            'port_security_enabled': False,
            'tags': [],
            **changes,
        }
        self.ports.append(port)
        return str(port['id'])

    def add_floating_ip(self, router: str, address: str) -> str:
        """Add a floating IP of a router and return its id."""
        ip = {
            'id': self._new_id(),
            'tenant_id': PROJECT,
            'project_id': PROJECT,
            'floating_ip_address': address,
            'floating_network_id': new_id(902),
            'router_id': router,
            'port_id': new_id(903),
            'fixed_ip_address': '10.1.1.245',
            'status': 'ACTIVE',
            'description': '',
            'port_details': None,
            'tags': [],
        }
        self.floatingips.append(ip)
        return str(ip['id'])

    def add_project(self, id_: str, name: str) -> None:
        self.projects.append(
            {
                'id': id_,
                'name': name,
                'domain_id': 'default',
                'enabled': True,
                'is_domain': False,
                'parent_id': 'default',
                'links': {'self': f'{KEYSTONE}/projects/{id_}'},
            }
        )

    # -- what it answers ---------------------------------------------------

    def _answer(self, request: Any, context: Any) -> str:
        url = parse.urlsplit(request.url)
        path = url.path.removeprefix('/v2.0/')
        self.calls.append(f'{path}?{url.query}')
        context.headers['Content-Type'] = 'application/json'
        wanted = self.instead.get(path)
        if isinstance(wanted, Exception):
            raise wanted
        if wanted is not None:
            context.status_code, body = wanted
            return json.dumps(body)
        context.status_code, body = self._body(path, parse.parse_qs(url.query))
        return json.dumps(body)

    def _body(
        self, path: str, query: dict[str, list[str]]
    ) -> tuple[int, Json]:
        if path == 'routers':
            shown = [self._shown(router) for router in self.routers]
            return 200, {'routers': _filter(shown, query)}
        if path == 'agents':
            # a tenant gets an empty list, not a refusal
            agents = self.agents if self.admin else []
            return 200, {'agents': _filter(agents, query)}
        if path == 'ports':
            ports = [p for p in self.ports if self.admin or p['project_id']]
            shown = [self._shown(port) for port in ports]
            return 200, {'ports': _filter(shown, query)}
        if path == 'floatingips':
            return 200, {'floatingips': _filter(self.floatingips, query)}
        match path.split('/'):
            case ['routers', id_, 'l3-agents']:
                return self._hosting(id_)
            case ['agents', id_, 'l3-routers']:
                hosted = [r for r, on in self.hosting.items() if id_ in on]
                return 200, {
                    'routers': [r for r in self.routers if r['id'] in hosted]
                }
        return 404, error('HTTPNotFound', 'The resource could not be found.')

    def _shown(self, item: Json) -> Json:
        if self.admin:
            return item
        return {
            key: value
            for key, value in item.items()
            if key not in ADMIN_ONLY
            and key not in ('binding:host_id', 'binding:vif_type')
        }

    def _hosting(self, router: str) -> tuple[int, Json]:
        if not self.admin:
            return 403, error(
                'PolicyNotAuthorized',
                'rule:get_l3-agents is disallowed by policy',
            )
        if router not in [r['id'] for r in self.routers]:
            return 404, error(
                'RouterNotFound', f'Router {router} could not be found'
            )
        states = self.hosting.get(router, {})
        return 200, {
            'agents': [
                agent | {'ha_state': states[agent['id']]}
                for agent in self.agents
                if agent['id'] in states
            ]
        }

    def _projects(self, request: Any, context: Any) -> Json:
        url = parse.urlsplit(request.url)
        wanted = self.instead.get('projects')
        if isinstance(wanted, tuple):
            context.status_code, body = wanted
            return body
        if url.path.endswith('/projects'):
            query = parse.parse_qs(url.query)
            return {'projects': _filter(self.projects, query), 'links': {}}
        for project in self.projects:
            if url.path.endswith('/' + project['id']):
                return {'project': project}
        context.status_code = 404
        message = 'Could not find project.'
        return {'error': {'code': 404, 'message': message}}


def _filter(items: list[Json], query: dict[str, list[str]]) -> list[Json]:
    """Return what a list call gives: filters are ORed within one key."""
    fields = query.get('fields')
    found = [
        item
        for item in items
        if all(
            str(item.get(key)) in wanted
            for key, wanted in query.items()
            if key != 'fields'
        )
    ]
    if fields is None:
        return found
    # what the caller may not see is not there, whoever asks for it
    return [
        {key: item[key] for key in fields if key in item} for item in found
    ]

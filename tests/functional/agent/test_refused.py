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

"""Who is refused what: with real tokens of a real Keystone."""

from collections.abc import Iterator
import socket
import ssl
import uuid

from tests.functional.agent import base
from tests.lab import cloud
from tests.lab import https
from tests.lab import settings
from tests.lab import tokens
from tests.lab.api import Api
from tests.lab.layout import HA_SERVICE
from tests.lab.sockets import connect

_CONVERSATION = f'/v1/hosts/net1/conversations/{uuid.uuid4()}'

#: everything for which a token is needed, with a proper body
CLOSED: tuple[tuple[str, str, object], ...] = (
    ('POST', '/v1/check', {'routers': None}),
    ('POST', '/v1/probe', {'requests': [{'host': 'net1', 'routers': None}]}),
    ('POST', '/v1/hosts/net1/probe', {'routers': None}),
    ('POST', '/v1/hosts/net2/probe', {'routers': None}),
    ('POST', '/v1/hosts/net1/probe?direct=true', {'routers': None}),
    ('POST', '/v1/hosts/net1/conversations', {}),
    ('POST', '/v1/hosts/net2/conversations', {}),
    ('POST', f'{_CONVERSATION}/requests', {'op': 'probe'}),
    ('POST', f'{_CONVERSATION}/stop', None),
    ('PUT', f'{_CONVERSATION}/lease', None),
    ('DELETE', _CONVERSATION, None),
)
#: those that are not for tenants
OPERATORS = CLOSED[1:]
OPEN = ('/', '/v1', '/v1/', '/v1/openapi.json', '/healthcheck')

#: what a proxy, or the layer of Keystone, would say of an administrator
FORGED = {
    'X-Identity-Status': 'Confirmed',
    'X-Service-Identity-Status': 'Confirmed',
    'X-Roles': 'admin,service',
    'X-Role': 'admin',
    'X-Service-Roles': 'admin,service',
    'X-Is-Admin-Project': 'True',
    'X-User-Id': 'admin',
    'X-User-Name': 'admin',
    'X-Domain-Id': 'default',
    'X-Tenant-Id': 'admin',
    'X-System-Scope': 'all',
    'Openstack-System-Scope': 'all',
    'X_Roles': 'admin,service',
    'X_Identity_Status': 'Confirmed',
    'Osc-Ha-Router.Token': 'True',
    'X-Forwarded-For': '127.0.0.1',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Prefix': '/evil',
    'X-Forwarded-User': 'admin',
    'Forwarded': 'for=127.0.0.1;host=evil.example;proto=http',
    'X-Remote-User': 'admin',
    'Remote-User': 'admin',
    'X-Http-Method-Override': 'DELETE',
}


class RefusedTest(base.AgentTest):
    """Every one of these requests comes from somebody who may not."""

    def _each(self) -> Iterator[tuple[str, str, str, object]]:
        """Yield each closed request to the entry agent and another one."""
        for node in ('net1', 'net3'):
            for method, path, body in CLOSED:
                yield node, method, path, body

    def test_without_a_valid_token(self) -> None:
        valid = self.lab.admin.token()
        expired = tokens.expired(self.lab, valid)
        demo = self.lab.demo.token()
        for what, headers in (
            ('none', {}),
            ('empty', {'X-Auth-Token': ''}),
            ('garbage', {'X-Auth-Token': 'gAAAAABgarbage'}),
            ('odd', {'X-Auth-Token': "' or 1=1 -- \xff"}),
            ('long', {'X-Auth-Token': 'A' * 8000}),
            ('cut', {'X-Auth-Token': valid[:-5]}),
            ('expired', {'X-Auth-Token': expired}),
            # a service may use tokens that expired, and nobody else
            ('expired', {'X-Auth-Token': expired, 'X-Service-Token': demo}),
            ('elsewhere', {'Authorization': f'Bearer {valid}'}),
            ('elsewhere', {'X-Service-Token': valid}),
            ('forged', {**FORGED, 'X-Project-Id': 'admin'}),
        ):
            for node, method, path, body in self._each():
                answer = self.ask(
                    method, path, body, node=node, headers=headers
                )
                message = self.refused(answer, 401)
                self.assertIn('token', message, what)
                self.assertIn('www-authenticate', answer.headers, what)

    def test_without_a_project(self) -> None:
        """Roles without a scope are none."""
        unscoped = self.lab.admin.token(scoped=False)
        for node, method, path, body in self._each():
            answer = self.ask(method, path, body, node=node, token=unscoped)
            self.refused(answer, 401, 403)

    def test_tenants(self) -> None:
        """Nobody of a project looks at nodes or moves anything."""
        programs = {
            name: node.ha_agent_pids()[1:]
            for name, node in self.lab.nodes.items()
        }
        for api in (self.lab.demo, self.lab.reader, self.lab.other):
            token = api.token()
            for method, path, body in OPERATORS:
                answer = self.ask(method, path, body, token=token)
                message = self.refused(answer, 403)
                self.assertIn('policy router_ha:', message)
                self.assertNotIn('net', message.replace('network', ''))
        # nothing was begun for any of them
        for name, node in self.lab.nodes.items():
            self.assertEqual(programs[name], node.ha_agent_pids()[1:])

    def test_foreign_and_missing_are_alike(self) -> None:
        foreign = self.foreign(ha=True)
        for api in (self.lab.demo, self.lab.reader):
            token = api.token()
            for own in ([], [self.router]):
                said = []
                for id_ in (foreign, self.missing()):
                    body = {'routers': [*own, id_]}
                    answer = self.ask('POST', '/v1/check', body, token=token)
                    self.refused(answer, 404)
                    status, headers, text = base.alike(answer)
                    said.append((status, headers, text.replace(id_, 'ID')))
                self.assertEqual(*said)
            listed = self.ask(
                'POST', '/v1/check', {'routers': None}, token=token
            )
            self.assertEqual(200, listed.status)
            self.assertNotIn(foreign, listed.body.decode())
        # it is there for those who may know
        for api in (self.lab.other, self.lab.admin):
            answer = self.ask(
                'POST',
                '/v1/check',
                {'routers': [foreign], 'recheck': 0},
                token=api.token(),
            )
            self.assertEqual(200, answer.status, answer.body)

    def test_forged_headers(self) -> None:
        """What Keystone says of the token counts, and nothing else."""
        foreign = self.foreign()
        project = self.lab.facts['project other']
        forged = {
            **FORGED,
            'X-Project-Id': project,
            'X_Project_Id': project,
        }
        token = self.lab.reader.token()
        for method, path, body in OPERATORS:
            answer = self.ask(method, path, body, headers=forged, token=token)
            self.refused(answer, 403)
        answer = self.ask(
            'POST',
            '/v1/check',
            {'routers': [foreign]},
            headers=forged,
            token=token,
        )
        self.refused(answer, 404)
        answer = self.ask(
            'POST',
            '/v1/check',
            {'routers': [self.router]},
            headers=forged,
            token=token,
        )
        self.assertEqual(200, answer.status)
        self.assertNotIn('net1', answer.body.decode())
        for path in OPEN:
            plain = self.ask('GET', path)
            lied = self.ask(
                'GET', path, headers={**forged, 'Host': 'evil.example'}
            )
            self.assertEqual(base.alike(plain), base.alike(lied), path)

    def test_service_token_gives_no_rights(self) -> None:
        """Who sends it on behalf of somebody may what somebody may."""
        service = Api(self.lab.layout, HA_SERVICE, 'service')
        headers = {'X-Service-Token': service.token()}
        token = self.lab.reader.token()
        for method, path, body in OPERATORS:
            answer = self.ask(method, path, body, headers=headers, token=token)
            self.refused(answer, 403)

    def test_the_agents_account_moves_nothing(self) -> None:
        """It is for looking at nodes; agents relay with the caller's."""
        service = Api(self.lab.layout, HA_SERVICE, 'service').token()
        looks = [one for one in OPERATORS if '/probe' in one[1]]
        for method, path, body in looks:
            answer = self.ask(method, path, body, token=service)
            self.assertEqual(200, answer.status, answer.body)
        for method, path, body in OPERATORS[len(looks) :]:
            answer = self.ask(method, path, body, token=service)
            message = self.refused(answer, 403)
            self.assertIn('router_ha:failover', message)

    def test_conversation_of_somebody_else(self) -> None:
        """As if it were not there, also for others who may have one."""
        admin = self.lab.admin.token()
        path = '/v1/hosts/net2/conversations'
        opened = self.ask('POST', path, {}, token=admin)
        self.assertEqual(201, opened.status, opened.body)
        mine = f'{path}/{opened.json()["id"]}'
        # of another administrator
        other = Api(self.lab.layout, 'neutron', 'service').token()
        missing = f'{path}/{uuid.uuid4()}'
        for method, rest, body in (
            ('POST', '/requests', {'op': 'probe', 'fields': {}}),
            ('POST', '/stop', None),
            ('PUT', '/lease', None),
            ('DELETE', '', None),
        ):
            answers = [
                self.ask(method, f'{which}{rest}', body, token=other)
                for which in (mine, missing)
            ]
            self.refused(answers[0], 404)
            self.assertEqual(*map(base.alike, answers))
        self.assertEqual(204, self.ask('DELETE', mine, token=admin).status)
        self.refused(self.ask('DELETE', mine, token=admin), 404)

    def test_open(self) -> None:
        """What needs no token tells nothing of the cloud."""
        for path in OPEN:
            answer = self.ask('GET', path)
            self.assertLessEqual(answer.status, 300)
            said = answer.body.decode()
            for secret in ('net1', '198.18', 'lab-secret', self.router):
                self.assertNotIn(secret, said, path)

    def test_metrics(self) -> None:
        right = settings.METRICS_TOKEN
        for given in (
            None,
            '',
            'Bearer',
            'Bearer ',
            f'Bearer {right}x',
            f'Bearer {right[:-1]}',
            f'Basic {right}',
        ):
            headers = {} if given is None else {'Authorization': given}
            self.refused(self.ask('GET', '/metrics', headers=headers), 401)
        # not even for an administrator
        self.refused(
            self.ask('GET', '/metrics', token=self.lab.admin.token()), 401
        )
        answer = self.ask(
            'GET', '/metrics', headers={'Authorization': f'Bearer {right}'}
        )
        self.assertEqual(200, answer.status)
        self.assertIn('text/plain', answer.headers['content-type'])

    def test_strangers(self) -> None:
        """What is no node is not asked, and shown no token of anybody."""
        token = self.lab.admin.token()
        talk = _CONVERSATION.replace('net1', 'elsewhere')
        for method, path, body in (
            ('POST', '/v1/hosts/elsewhere/probe', {'routers': None}),
            ('POST', '/v1/hosts/elsewhere/conversations', {}),
            ('POST', f'{talk}/requests', {'op': 'probe'}),
            ('DELETE', talk, None),
        ):
            answer = self.ask(method, path, body, token=token)
            message = self.refused(answer, 404)
            self.assertIn('no such host', message)
        asked = [
            {'host': name, 'routers': None} for name in ('elsewhere', 'net2')
        ]
        answer = self.ask(
            'POST', '/v1/probe', {'requests': asked}, token=token
        )
        *views, _ = [line for line in answer.lines() if line is not None]
        kinds = {
            line['view']['host']: (line['view']['failure'] or {}).get('kind')
            for line in views
        }
        self.assertEqual({'elsewhere': 'agent-stranger', 'net2': None}, kinds)

    def test_wrong_host(self) -> None:
        """No loops: whoever is asked directly answers for itself only."""
        answer = self.ask(
            'POST',
            '/v1/hosts/net2/probe?direct=true',
            {'routers': None},
            token=self.lab.admin.token(),
        )
        self.assertIn('net1', self.refused(answer, 421))


class TlsTest(base.AgentTest):
    """The port, before there is any request."""

    def _plain(self) -> socket.socket:
        return connect(
            self.lab.layout.namespace_path('ctl'),
            self.lab.nodes['net1'].address,
            6689,
            20,
        )

    def test_plain_http(self) -> None:
        with self._plain() as link:
            link.sendall(
                b'POST /v1/check HTTP/1.1\r\nHost: x\r\n'
                b'X-Auth-Token: secret\r\nContent-Length: 0\r\n\r\n'
            )
            said = b''
            while data := link.recv(65536):
                said += data
        self.assertRegex(said, rb'^HTTP/1\.[01] 400 ')
        self.assertIn(b'https://', said)
        self.assertNotIn(b'secret', said)

    def test_versions(self) -> None:
        for version, name in (
            (ssl.TLSVersion.TLSv1_2, 'TLSv1.2'),
            (ssl.TLSVersion.TLSv1_3, 'TLSv1.3'),
        ):
            with https.dial(
                self.lab.layout, 'net1', tls=self._only(version)
            ) as link:
                self.assertEqual(name, link.version())
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.assertRaises(ssl.SSLError) as caught:
                https.dial(self.lab.layout, 'net1', tls=self._only(version))
            self.assertIn('version', str(caught.exception).lower())

    def _only(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = https.context(self.lab.layout)
        # or this end would not even offer the old ones
        context.set_ciphers('DEFAULT:@SECLEVEL=0')
        context.minimum_version = context.maximum_version = version
        return context

    def test_names(self) -> None:
        """The certificate is the node's, by name and by address."""
        context = https.context(self.lab.layout)
        with https.dial(self.lab.layout, 'net2', tls=context) as link:
            names = link.getpeercert()
        assert names is not None
        self.assertIn(
            ('IP Address', self.lab.nodes['net2'].address),
            names['subjectAltName'],
        )

    def test_entry(self) -> None:
        """The catalogue leads to the entry agent."""
        found = self.lab.admin.keystone('GET', '/services?type=router-ha')
        (service,) = found['services']
        self.assertEqual('osc-ha-router', service['name'])
        found = self.lab.admin.keystone(
            'GET', f'/endpoints?service_id={service["id"]}'
        )
        self.assertEqual(
            {self.lab.nodes[cloud.ENTRY_NODE].ha_agent_url},
            {endpoint['url'] for endpoint in found['endpoints']},
        )

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

"""The API: what is answered to whom, and in which form."""

import json
import logging
import re
import threading
import uuid

import fixtures
from keystoneauth1 import exceptions
from keystonemiddleware import auth_token
import webob.exc

from osc_ha_router import errors
from osc_ha_router import packing
from osc_ha_router.agent import checking
from osc_ha_router.agent import queue
from osc_ha_router.agent.api import calls
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit.agent import house

PROBE = {'routers': None}
TALKS = f'/v1/hosts/{house.HOST}/conversations'
FAR = f'/v1/hosts/{house.OTHER}/conversations'
TALK = f'{TALKS}/{house.ID}'

#: every operation that wants a token, with a body that is good
CLOSED = (
    ('POST', '/v1/probe', {'requests': []}),
    ('POST', f'/v1/hosts/{house.HOST}/probe', PROBE),
    ('POST', TALKS, {}),
    ('POST', f'{TALK}/requests', {'op': 'begin'}),
    ('POST', f'{TALK}/stop', None),
    ('PUT', f'{TALK}/lease', None),
    ('DELETE', TALK, None),
    ('POST', '/v1/check', {'routers': None}),
)

FORGED = {
    'X-Identity-Status': 'Confirmed',
    'X-Service-Identity-Status': 'Confirmed',
    'X-Roles': 'admin,service',
    'X-Role': 'admin',
    'X-User-Id': 'somebody',
    'X-User': 'somebody',
    'X-Project-Id': 'project',
    'X-Tenant-Id': 'project',
    'X-Is-Admin-Project': 'True',
    'OpenStack-System-Scope': 'all',
    'X-Service-Roles': 'service',
    'X-Forwarded-For': '127.0.0.1',
    'X-Forwarded-Host': 'evil.example.org',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Prefix': '/evil',
    'Forwarded': 'for=127.0.0.1;host=evil.example.org',
    'X-Remote-User': 'admin',
    'Remote-User': 'admin',
    'osc-ha-router.token': 'True',
}


class TestPublic(house.HouseTestCase):
    """What needs no token."""

    def test_versions(self):
        response = self.ask('GET', '/')
        self.assertEqual(300, response.status_code)
        (version,) = response.json['versions']
        self.assertEqual(
            ('v1.0', 'CURRENT'), (version['id'], version['status'])
        )
        self.assertIn({'rel': 'self', 'href': 'v1/'}, version['links'])

    def test_one_version(self):
        for path in ('/v1', '/v1/'):
            response = self.ask('GET', path)
            self.assertEqual(200, response.status_code)
            self.assertEqual('v1.0', response.json['version']['id'])

    def test_health(self):
        response = self.ask('GET', '/healthcheck')
        self.assertEqual(200, response.status_code)
        self.assertEqual('ok', response.json['status'])

    def test_bad_health(self):
        self.alive = False
        response = self.ask('GET', '/healthcheck')
        self.assertEqual(503, response.status_code)
        self.assertEqual({'keeper': False}, response.json['checks'])

    def test_heads(self):
        for path in ('/', '/v1/', '/healthcheck'):
            response = self.ask('HEAD', path)
            self.assertIn(response.status_code, (200, 300))
            self.assertEqual(b'', response.data)

    def test_metrics(self):
        response = self.ask(
            'GET',
            '/metrics',
            headers={'Authorization': f'Bearer {house.CREDENTIALS.decode()}'},
        )
        self.assertEqual(200, response.status_code)
        self.assertEqual(b'up 1\n', response.data)
        self.assertEqual('text/plain', response.mimetype)

    def test_metrics_of_nobody(self):
        for value in (
            '',
            'Bearer',
            'Bearer x',
            f'Basic {house.CREDENTIALS.decode()}',
            'Bearer \u00e9\u0100'.encode().decode('latin-1'),
        ):
            response = self.ask(
                'GET', '/metrics', headers={'Authorization': value}
            )
            self.assertProblem(401, response)
            self.assertEqual('Bearer', response.headers['WWW-Authenticate'])

    def test_metrics_where_there_are_none(self):
        self.client.application = self.build(credentials=b'')
        response = self.ask(
            'GET', '/metrics', headers={'Authorization': 'Bearer '}
        )
        self.assertProblem(404, response)

    def test_forged_headers_are_not_reflected(self):
        for path in ('/', '/v1/', '/v1/openapi.json', '/healthcheck'):
            response = self.ask('GET', path, headers=FORGED)
            self.assertNotIn(b'evil', response.data)
            self.assertNotIn('evil', str(response.headers))


class TestRefusals(house.HouseTestCase):
    """Who is not let in."""

    def each(self, **kwargs):
        for method, path, body in CLOSED:
            with self.subTest(path=path, method=method):
                yield self.ask(method, path, json=body, **kwargs)

    def assertNothingDone(self):
        self.assertEqual([], self.near.asked)
        self.assertEqual([], self.relay.asked)
        self.assertEqual([], self.looked)
        self.assertEqual([], self.checker.asked)

    def test_no_token(self):
        for response in self.each():
            message = self.assertProblem(401, response)
            self.assertIn('X-Auth-Token', message)
            self.assertIn('Keystone', response.headers['WWW-Authenticate'])
        self.assertNothingDone()

    def test_wrong_token(self):
        for response in self.each(token='wrong'):
            self.assertProblem(401, response)
        self.assertNothingDone()

    def test_expired_token(self):
        old = self.token('admin', expires='2001-01-01T00:00:00Z')
        for response in self.each(token=old):
            self.assertProblem(401, response)
        self.assertNothingDone()

    def test_forged_headers(self):
        for response in self.each(headers=FORGED):
            self.assertProblem(401, response)
        self.assertNothingDone()

    def test_forged_headers_beside_a_token(self):
        for method, path, body in CLOSED[:-1]:
            response = self.ask(
                method, path, self.reader, headers=FORGED, json=body
            )
            self.assertProblem(403, response)
        self.assertNothingDone()
        self.post('/v1/check', {'routers': None}, self.reader, headers=FORGED)
        ((who, _),) = self.checker.asked
        self.assertEqual(['reader'], who.roles)
        self.assertEqual('user-reader', who.user_id)
        self.assertIsNone(who.system_scope)

    def test_reader(self):
        for method, path, body in CLOSED[:-1]:
            response = self.ask(method, path, self.reader, json=body)
            message = self.assertProblem(403, response)
            self.assertIn('router_ha:', message)
        self.assertNothingDone()

    def test_administrators(self):
        for method, path, body in CLOSED:
            response = self.ask(method, path, self.admin, json=body)
            self.assertIn(response.status_code, (200, 201, 204))
            response.close()

    def test_services_see_nodes_and_move_nothing(self):
        token = self.token('service')
        for method, path, body in CLOSED:
            response = self.ask(method, path, token, json=body)
            if path.endswith('/probe'):
                self.assertEqual(200, response.status_code)
                response.close()
            elif path != '/v1/check':
                message = self.assertProblem(403, response)
                self.assertIn('router_ha:failover', message)
        self.assertEqual([], self.near.asked)

    def test_policy_of_the_operator(self):
        folder = self.useFixture(house.fixtures.TempDir())
        path = folder.join('policy.yaml')
        with open(path, 'w') as stream:
            stream.write('"router_ha:probe": "role:reader"\n')
        self.conf.set_override('policy_file', path, 'oslo_policy')
        self.client.application = self.build()
        probe = f'/v1/hosts/{house.HOST}/probe'
        self.assertEqual(200, self.post(probe, PROBE, self.reader).status_code)
        self.assertProblem(403, self.post(probe, PROBE, self.admin))

    def test_order_of_refusals_tells_nothing_to_strangers(self):
        for path in ('/v1/nothing', '/v1/check', '/v2', '/v1/hosts/x/probe'):
            self.assertProblem(401, self.ask('GET', path))

    def keystone_fails(self, exc):
        def fail(*args, **kwargs):
            raise exc

        self.patch(auth_token.AuthProtocol, 'fetch_token', fail)
        for response in self.each(token=self.admin):
            message = self.assertProblem(503, response)
            self.assertIn('Keystone', message)
        self.assertNothingDone()

    def test_keystone_down(self):
        self.keystone_fails(webob.exc.HTTPServiceUnavailable('secret'))

    def test_keystone_that_does_not_let_the_agent_in(self):
        self.keystone_fails(exceptions.EndpointNotFound())

    def test_tokens_are_not_in_the_log(self):
        self.post('/v1/check', {'routers': None})
        self.ask('POST', '/v1/check', 'wrong-token', json={})
        self.ask(
            'GET', '/metrics', headers={'Authorization': 'Bearer secret-word'}
        )
        for secret in (self.admin, 'wrong-token', 'secret-word'):
            self.assertNotIn(secret, self.log.output)


class TestForms(house.HouseTestCase):
    """What is not as described, and that all answers have one form."""

    def test_unknown_path(self):
        self.assertProblem(404, self.ask('GET', '/v1/nothing', self.admin))

    def test_two_slashes(self):
        """No answer leads to where a header says that this is."""
        for path in (
            '//v1/check',
            '/v1//check',
            '//',
            '//healthcheck',
            '/v1/hosts//net1/probe',
            f'/v1/hosts/{house.HOST}//probe',
            '/v1/check/',
        ):
            for method in ('GET', 'POST'):
                response = self.ask(
                    method,
                    '/',
                    self.admin,
                    headers={'Host': 'evil.example.org'},
                    # of which werkzeug's client would make something else
                    environ_overrides={'PATH_INFO': path},
                )
                self.assertNotIn(response.status_code, range(301, 400), path)
                self.assertNotIn('Location', response.headers)
                self.assertNotIn(b'evil', response.data)

    def test_wrong_method(self):
        for method, path, _ in CLOSED:
            other = 'GET' if method != 'GET' else 'POST'
            response = self.ask(other, path, self.admin)
            self.assertProblem(405, response)
            self.assertEqual(method, response.headers['Allow'])

    def test_wrong_method_of_what_is_public(self):
        response = self.ask('POST', '/', json={})
        self.assertProblem(405, response)
        self.assertIn('GET', response.headers['Allow'])

    def test_options(self):
        self.assertProblem(405, self.ask('OPTIONS', '/'))

    def test_media_type(self):
        for kind in ('text/plain', 'application/x-www-form-urlencoded', ''):
            response = self.ask(
                'POST',
                '/v1/check',
                self.admin,
                data=b'{"routers": null}',
                content_type=kind,
            )
            self.assertProblem(415, response)

    def test_media_type_with_parameters(self):
        response = self.ask(
            'POST',
            '/v1/check',
            self.admin,
            data=b'{"routers": null}',
            content_type='application/json; charset=utf-8',
        )
        self.assertEqual(200, response.status_code)

    def check_bodies(self, path, *bodies):
        for body in bodies:
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            response = self.ask(
                'POST',
                path,
                self.admin,
                data=body,
                content_type='application/json',
            )
            self.assertEqual(400, response.status_code, body[:80])
            self.assertIn('body', self.assertProblem(400, response))

    def test_bodies_that_are_not_json(self):
        self.check_bodies(
            '/v1/check',
            b'',
            b'{',
            b'\xff\xfe',
            b'{"routers": NaN}',
            b'[' * 60000,
            b'{"listen": ' + b'9' * 5000 + b', "routers": null}',
        )

    def test_bodies_that_are_too_deep(self):
        for deep in (33, 200, 500, 900, 5000):
            for path, before, after in (
                ('/v1/check', b'{"routers": ', b'}'),
                ('/v1/check', b'', b''),
                (f'{TALK}/requests', b'{"op": "x", "fields": {"a": ', b'}}'),
            ):
                lists = before + b'[' * deep + b']' * deep + after
                objects = before + b'{"a":' * deep + b'1' + b'}' * deep + after
                for body in (lists, objects):
                    self.check_bodies(path, body)
        self.assertEqual([], self.near.asked)

    def test_bodies_that_are_deep(self):
        fields = {}
        for _ in range(29):
            fields = {'a': fields}
        body = {'op': 'x', 'fields': fields}
        response = self.post(f'{TALK}/requests', body)
        self.assertEqual(200, response.status_code)

    def test_a_stack_that_is_too_small_for_what_is_checked(self):
        def fail(validator, found):
            raise RecursionError

        self.patch(calls._Validator, 'iter_errors', fail)
        self.check_bodies('/v1/check', {'routers': None})

    def test_bodies_of_checks(self):
        good = {'routers': None}
        self.check_bodies(
            '/v1/check',
            [],
            None,
            {},
            {'routers': []},
            {'routers': [house.ROUTER.upper()]},
            {'routers': [f'{house.ROUTER}\n']},
            {'routers': ['x']},
            {'routers': [1]},
            {**good, 'unknown': 1},
            {**good, 'timeout': 0},
            {**good, 'timeout': -1},
            {**good, 'timeout': True},
            {**good, 'timeout': '5'},
            {**good, 'timeout': 1e300},
            {**good, 'listen': -0.1},
            {**good, 'listen': None},
            {**good, 'recheck': 301},
            {**good, 'ignore': 'RHA101'},
            {**good, 'ignore': [1]},
            b'{"routers": null, "timeout": 1e999}',
        )
        self.assertEqual([], self.checker.asked)

    def test_bodies_of_looks(self):
        one = {'host': 'net1', 'routers': None}
        self.check_bodies(
            '/v1/probe',
            {},
            {'requests': [{}]},
            {'requests': [{**one, 'host': ''}]},
            {'requests': [{**one, 'host': '../x'}]},
            {'requests': [{**one, 'host': 'a b'}]},
            {'requests': [{**one, 'host': 'net1\n'}]},
            {'requests': [{**one, 'host': 'a@evil'}]},
            {'requests': [{**one, 'host': 'evil:80/'}]},
        )
        self.assertEqual([], self.looked)

    def test_hosts_and_ids_that_can_be_none(self):
        for path in (
            '/v1/hosts/a@b/conversations',
            '/v1/hosts/-x/conversations',
            '/v1/hosts/x%0A/conversations',
            '/v1/hosts/x%20y/conversations',
        ):
            self.assertProblem(404, self.post(path, {}))
        for id_ in ('x', house.ID.upper(), f'{house.ID}%0A'):
            self.assertProblem(
                404, self.ask('DELETE', f'{TALKS}/{id_}', self.admin)
            )
        self.assertEqual([], self.near.asked + self.relay.asked)

    def test_hosts_that_are_no_nodes(self):
        """As those that there cannot be."""
        for method, path, body in CLOSED[1:-1]:
            path = path.replace(house.HOST, 'evil')
            response = self.ask(method, path, self.admin, json=body)
            message = self.assertProblem(404, response)
            self.assertEqual(
                'There is no such host; nothing was done.', message
            )
        self.assertEqual([], self.relay.asked)
        self.assertEqual([], self.looked)

    def test_direct(self):
        path = f'/v1/hosts/{house.HOST}/probe'
        for query in ('x', '', 'true&direct=true', 'TRUE', '1'):
            response = self.post(f'{path}?direct={query}', PROBE)
            self.assertProblem(400, response)
        for query in ('Direct=true', 'direct=true&x=1', '=', '%00=1'):
            self.assertProblem(400, self.post(f'{path}?{query}', PROBE))
        for query in ('true', 'false'):
            response = self.post(f'{path}?direct={query}', PROBE)
            self.assertEqual(200, response.status_code)

    def test_direct_where_it_means_nothing(self):
        for path, body in (
            ('/v1/check', {'routers': None}),
            ('/v1/probe', {'requests': []}),
        ):
            response = self.post(f'{path}?direct=true', body)
            self.assertProblem(400, response)

    def test_long_bodies(self):
        body = {'routers': None, 'ignore': ['x' * 64] * 1000}
        self.assertProblem(413, self.post('/v1/check', body))
        self.assertEqual(
            200,
            self.post(
                f'{TALK}/requests',
                {'op': 'import', 'fields': {'connections': 'x' * 900_000}},
            ).status_code,
        )
        self.assertProblem(
            413,
            self.post(
                f'{TALK}/requests',
                {'op': 'import', 'fields': {'connections': 'x' * 1_100_000}},
            ),
        )

    def test_request_ids(self):
        first = self.ask('GET', '/').headers['X-Openstack-Request-Id']
        second = self.ask('GET', '/').headers['X-Openstack-Request-Id']
        self.assertNotEqual(first, second)
        self.assertTrue(re.fullmatch('req-[0-9a-f-]{36}', first))

    def test_request_id_of_the_client(self):
        given = 'req-11111111-1111-4111-8111-111111111111'
        response = self.post(
            '/v1/check',
            {'routers': None},
            headers={'X-Openstack-Request-Id': given},
        )
        self.assertNotEqual(given, response.headers['X-Openstack-Request-Id'])
        ((who, _),) = self.checker.asked
        self.assertEqual(given, who.global_id)
        self.assertEqual(
            who.request_id, response.headers['X-Openstack-Request-Id']
        )

    def test_request_id_that_is_none(self):
        for given in ('x', 'req-1', 'req-' + 'x' * 36, 'a\tb'):
            self.post(
                '/v1/check',
                {'routers': None},
                headers={'X-Openstack-Request-Id': given},
            )
        for who, _ in self.checker.asked:
            self.assertIsNone(who.global_request_id)

    def test_each_request_has_a_line_in_the_log(self):
        self.post('/v1/check', {'routers': None}).close()
        self.assertIn('"POST /v1/check" status: 200', self.log.output)

    def test_what_is_asked_all_the_time_has_one_if_it_fails(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.INFO))
        self.ask('GET', '/healthcheck').close()
        self.assertNotIn('healthcheck', log.output)
        self.alive = False
        self.ask('GET', '/healthcheck').close()
        self.assertIn('"GET /healthcheck" status: 503', log.output)


class TestLooks(house.HouseTestCase):
    """Looking at hosts."""

    def test_this_host(self):
        response = self.post(
            f'/v1/hosts/{house.HOST}/probe?direct=true',
            {'routers': [house.ROUTER], 'listen': 3, 'timeout': 10},
        )
        self.assertEqual(house.HOST, response.json['host'])
        (((request,), seconds, deadline),) = self.looked
        self.assertEqual((house.ROUTER,), request.routers)
        self.assertEqual(3.0, request.listen)
        self.assertEqual(7.0, seconds)
        self.assertGreater(deadline.left(), 9)

    def test_another_host(self):
        path = f'/v1/hosts/{house.OTHER}/probe'
        self.assertEqual(house.OTHER, self.post(path, PROBE).json['host'])

    def test_another_host_directly(self):
        for method, path, body in CLOSED[1:-1]:
            path = path.replace(house.HOST, house.OTHER) + '?direct=true'
            response = self.ask(method, path, self.admin, json=body)
            message = self.assertProblem(421, response)
            self.assertIn(house.HOST, message)
        self.assertEqual([], self.looked + self.relay.asked)

    def lines(self, response):
        return [
            json.loads(line) for line in response.data.splitlines() if line
        ]

    def test_several(self):
        response = self.post(
            '/v1/probe',
            {
                'requests': [
                    {'host': 'a', 'routers': None},
                    {'host': 'b', 'routers': [house.ROUTER], 'listen': 1},
                ],
                'probe_timeout': 3,
            },
        )
        self.assertEqual('application/x-ndjson', response.mimetype)
        first, second, end = self.lines(response)
        self.assertEqual('a', first['view']['host'])
        self.assertEqual('b', second['view']['host'])
        self.assertEqual({'end': {}}, end)
        ((requests, seconds, _),) = self.looked
        self.assertEqual([0.0, 1.0], [each.listen for each in requests])
        self.assertEqual(3.0, seconds)

    def test_many_views(self):
        packer = packing.Packer()
        ids = [str(uuid.uuid4()) for _ in range(200)]
        for id_ in ids:
            packer.add(view.NodeView(id_, None))
        shown = view.HostView('a', views=packer.views())
        self.patch(house.view, 'HostView', lambda host, **_: shown)
        body = {'requests': [{'host': 'a', 'routers': None}]}
        line, _ = self.lines(self.post('/v1/probe', body))
        found = self.post(f'/v1/hosts/{house.HOST}/probe', PROBE).json
        self.assertEqual(line['view'], found)
        self.assertEqual(ids, [each['router_id'] for each in found['views']])

    def test_none(self):
        response = self.post('/v1/probe', {'requests': []})
        self.assertEqual([{'end': {}}], self.lines(response))

    def test_failure_in_the_middle(self):
        self.nodes_raise = ValueError('secret')
        response = self.post(
            '/v1/probe', {'requests': [{'host': 'a', 'routers': None}]}
        )
        message = self.assertProblem(500, response)
        self.assertNotIn('secret', message)


class TestConversations(house.HouseTestCase):
    """Conversations, here and elsewhere."""

    def test_here(self):
        response = self.post(f'{TALKS}?direct=true', {})
        self.assertEqual(201, response.status_code)
        self.assertEqual(
            {'id': house.ID, 'hostname': house.HOST, 'lease': 10.0},
            response.json,
        )
        self.assertEqual([('open', 'user-admin')], self.near.asked)

    def test_without_a_body(self):
        response = self.ask('POST', TALKS, self.admin)
        self.assertEqual(201, response.status_code)

    def test_elsewhere(self):
        response = self.post(FAR, {})
        self.assertEqual(house.OTHER, response.json['hostname'])
        self.assertEqual([('open', 'user-admin')], self.far.asked)
        ((host, who),) = self.relay.asked
        self.assertEqual((house.OTHER, 'user-admin'), (host, who.user_id))
        self.assertEqual(self.admin, who.auth_token)

    def test_the_rest(self):
        for base, talks in ((TALKS, self.near), (FAR, self.far)):
            talk = f'{base}/{house.ID}'
            for method, path, name in (
                ('POST', f'{talk}/stop', 'stop'),
                ('PUT', f'{talk}/lease', 'renew'),
                ('DELETE', talk, 'close'),
            ):
                response = self.ask(method, path, self.admin)
                self.assertEqual(204, response.status_code)
                self.assertEqual(b'', response.data)
                self.assertEqual(
                    (name, house.ID, 'user-admin'), talks.asked[-1]
                )

    def request(self):
        return self.post(
            f'{TALK}/requests',
            {'op': 'watch', 'fields': {'timeout': 3}, 'timeout': 5},
        )

    def test_request(self):
        self.near.replies = [{'event': 'gone'}, None, {'end': {'gone': True}}]
        response = self.request()
        self.assertEqual(200, response.status_code)
        self.assertEqual(
            b'{"event":"gone"}\n\n{"end":{"gone":true}}\n', response.data
        )
        self.assertEqual(
            ('request', house.ID, 'user-admin', 'watch', {'timeout': 3}, 5.0),
            self.near.asked[-1],
        )

    def test_request_that_is_refused_by_the_program(self):
        self.near.replies = [{'error': {'kind': 'locked', 'message': 'x'}}]
        response = self.request()
        self.assertEqual(200, response.status_code)
        self.assertIn(b'locked', response.data)

    def test_request_that_breaks_off(self):
        self.near.replies = [None, house.TROUBLE]
        lines = self.request().data.splitlines()
        self.assertEqual(
            {
                'error': {
                    'kind': 'agent-unreachable',
                    'message': 'It cannot be reached',
                }
            },
            json.loads(lines[-1]),
        )

    def test_request_that_fails_inside(self):
        self.near.replies = [None, ValueError('secret')]
        data = self.request().data
        self.assertNotIn(b'secret', data)
        self.assertIn(b'agent-error', data)
        self.assertIn('secret', self.log.output)

    def test_trouble_before_the_first_reply(self):
        self.near.replies = [house.TROUBLE]
        message = self.assertProblem(502, self.request())
        self.assertIn('cannot be reached', message)
        self.assertIn('See to it', message)

    def test_reader_who_goes_away(self):
        self.near.replies = [{'event': 'x'}] * 1000
        response = self.client.open(
            f'{TALK}/requests',
            method='POST',
            headers={'X-Auth-Token': self.admin},
            json={'op': 'watch'},
            buffered=False,
        )
        next(iter(response.response))
        self.assertEqual(0, self.near.closed)
        response.close()
        self.assertEqual(1, self.near.closed)

    def test_refusals(self):
        for exc, code in (
            (house.BUSY, 503),
            (house.UNKNOWN, 404),
            (house.TROUBLE, 502),
        ):
            self.near.raises = exc
            for method, path, body in CLOSED[2:-1]:
                response = self.ask(method, path, self.admin, json=body)
                self.assertProblem(code, response)


class TestChecks(house.HouseTestCase):
    """Finished reports."""

    def test_defaults(self):
        self.post('/v1/check', {'routers': None}, self.reader)
        ((who, asked),) = self.checker.asked
        self.assertEqual(checking.Asked(), asked)
        self.assertEqual('project', who.project_id)

    def test_everything(self):
        self.post(
            '/v1/check',
            {
                'routers': [house.ROUTER],
                'ignore': ['RHA101'],
                'listen': 1,
                'recheck': 2,
                'timeout': 3,
                'probe_timeout': 4,
            },
        )
        ((_, asked),) = self.checker.asked
        self.assertEqual(
            checking.Asked(
                (house.ROUTER,), frozenset(('RHA101',)), 1.0, 2.0, 3.0, 4.0
            ),
            asked,
        )

    def test_refusals(self):
        for exc, code in (
            (checking.Forbidden('no'), 403),
            (checking.Unavailable('later'), 503),
            (queue.Busy('later'), 503),
            (errors.RouterNotFound('none'), 404),
            (errors.NotSupported('not HA'), 409),
        ):
            self.checker.answer = exc
            response = self.post('/v1/check', {'routers': None})
            message = self.assertProblem(code, response)
            self.assertEqual(f'{exc}.'.lower(), message.lower())

    def test_what_fails_tells_nothing(self):
        self.checker.answer = errors.CloudError('http://secret:9696/')
        response = self.post('/v1/check', {'routers': None})
        self.assertNotIn('secret', self.assertProblem(500, response))
        self.assertIn('secret', self.log.output)


class TestGates(house.HouseTestCase):
    """Bounds on what goes on at the same time."""

    options = {'front_threads': 4, 'checks': 1}

    def blocked(self, count):
        """Return what lets so many checks end that are under way."""
        begun, end = threading.Semaphore(0), threading.Event()

        def check(who, asked):
            begun.release()
            end.wait(10)
            return ()

        self.checker.check = check
        threads = [
            threading.Thread(
                target=lambda: self.post('/v1/check', {'routers': None})
            )
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
            self.addCleanup(thread.join)
            begun.acquire(timeout=10)
        self.addCleanup(end.set)
        return lambda: (end.set(), [thread.join() for thread in threads])

    def answered(self, host):
        """See that all but checks are answered for a host."""
        for method, path, body in CLOSED[:-1]:
            path = path.replace(house.HOST, host)
            response = self.ask(method, path, self.admin, json=body)
            self.assertLess(response.status_code, 300, path)
            response.close()

    def test_more_checks_than_may_be(self):
        end = self.blocked(3)
        check = ('/v1/check', {'routers': None})
        self.assertProblem(503, self.post(*check))
        # what operators do has room of its own
        self.answered(house.OTHER)
        end()
        self.assertEqual(200, self.post(*check).status_code)

    def held(self):
        """Return an answer that takes its time, of another agent."""
        self.far.replies = [{'event': 'x'}] * 100
        return self.client.open(
            f'{FAR}/{house.ID}/requests',
            method='POST',
            headers={'X-Auth-Token': self.admin},
            json={'op': 'watch'},
            buffered=False,
        )

    def test_more_of_the_others_than_may_be(self):
        held = self.held()
        for method, path, body in CLOSED[:-1]:
            path = path.replace(house.HOST, house.OTHER)
            response = self.ask(method, path, self.admin, json=body)
            if path.endswith(('/stop', '/lease')) or method == 'DELETE':
                # what keeps a failover from going wrong goes on
                self.assertEqual(204, response.status_code)
            else:
                self.assertProblem(503, response)
        # checks, and other agents, are answered
        response = self.post('/v1/check', {'routers': None})
        self.assertEqual(200, response.status_code)
        for method, path, body in CLOSED[1:-1]:
            response = self.ask(method, path, self.admin, json=body)
            self.assertLess(response.status_code, 300)
            response.close()
        held.close()
        self.answered(house.OTHER)

    def test_places_are_given_back(self):
        paths = (
            ('/v1/probe', {'requests': []}),
            (f'/v1/hosts/{house.OTHER}/probe', PROBE),
            (FAR, {}),
            (f'{FAR}/{house.ID}/requests', {'op': 'watch'}),
        )
        for _ in range(5):
            for path, body in paths:
                response = self.post(path, body)
                self.assertLess(response.status_code, 300)
                response.close()

    def test_places_are_given_back_by_what_fails(self):
        self.checker.answer = ValueError()
        self.nodes_raise = ValueError()
        self.far.raises = ValueError()
        one = {'requests': [{'host': 'a', 'routers': None}]}
        for _ in range(5):
            for path, body in (
                ('/v1/check', {'routers': None}),
                ('/v1/probe', one),
                (FAR, {}),
            ):
                self.assertProblem(500, self.post(path, body))

    def test_stream_holds_its_place_until_its_end(self):
        held = self.held()
        self.assertProblem(503, self.post(FAR, {}))
        held.close()
        self.assertEqual(201, self.post(FAR, {}).status_code)


class TestReports(house.HouseTestCase):
    """A report is what the codec makes of it."""

    def test_report(self):
        look = captures.load('incident')
        reports = tuple(
            verdict.judge(router, look.hosts) for router in look.claims.routers
        )
        self.checker.answer = reports
        response = self.post('/v1/check', {'routers': None})
        (found,) = response.json['reports']
        self.assertEqual(reports[0].router.id, found['router']['id'])
        self.assertEqual(
            [finding.code for finding in reports[0].findings],
            [finding['code'] for finding in found['findings']],
        )

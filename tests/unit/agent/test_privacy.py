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

"""What a stranger learns from the API: nothing. From token to answer."""

import functools
import json
import uuid

from werkzeug import test as werkzeug

from osc_ha_router.agent import checking
from osc_ha_router.agent import claims
from osc_ha_router.agent import policies
from tests.unit import fakes
from tests.unit.agent import house
from tests.unit.agent import parts
from tests.unit.agent import secrets
from tests.unit.scene import Scene

FOREIGN = str(uuid.UUID(int=1))
MISSING = str(uuid.UUID(int=2))

#: what a client may send in the hope that somebody believes it
FORGED = {
    'X-Project-Id': parts.THEIRS,
    'X_Project_Id': parts.THEIRS,
    'X-Tenant-Id': parts.THEIRS,
    'X-Tenant': parts.THEIRS,
    'X-User-Id': 'admin',
    'X-Roles': 'admin,service',
    'X-Role': 'admin',
    'X-Service-Roles': 'admin,service',
    'X-Service-Project-Id': parts.THEIRS,
    'X-Is-Admin-Project': 'True',
    'X-Identity-Status': 'Confirmed',
    'X-Service-Identity-Status': 'Confirmed',
    'OpenStack-System-Scope': 'all',
    'X-Forwarded-For': '127.0.0.1',
    'X-Forwarded-Host': 'net1',
    'X-Forwarded-User': 'admin',
    'Forwarded': 'for=127.0.0.1;host=net1;proto=https',
    'Authorization': 'Bearer admin',
    'REMOTE-USER': 'admin',
}


class PrivacyTest(house.HouseTestCase):
    def setUp(self):
        super().setUp()
        self.ours = parts.of_project(Scene.of('incident'), parts.OURS)
        self.theirs = parts.of_project(
            Scene.of('incident'), parts.THEIRS, FOREIGN
        )
        self.neutron = parts.Neutron(self.ours, self.theirs)
        self.backend = fakes.Backend([self.ours, self.theirs])
        self.callers = []
        allows = functools.partial(
            policies.allows, policies.enforcer(self.conf)
        )

        def judge(rule, who, project):
            self.callers.append(who)
            return allows(rule, who, project)

        self.checker = checking.Checker(
            claims.Claims(self.neutron, ()),
            lambda seconds: self.backend,
            judge,
            checking.Limits(4),
        )
        self.client = werkzeug.Client(self.build())
        self.member = self.of(parts.OURS, 'member')

    def of(self, project, *roles):
        """Return a token for a project."""
        id_ = uuid.uuid4().hex
        self.keystone.add_token_data(
            token_id=id_,
            user_id='somebody',
            user_name='somebody',
            user_domain_id='default',
            project_id=project,
            project_domain_id='default',
            role_list=list(roles),
        )
        return id_

    def check(self, token, *ids, headers=()):
        body = {'routers': list(ids) or None, 'recheck': 0}
        return self.ask('POST', '/v1/check', token, headers, json=body)

    def whole(self, response, *ids):
        """Return all of an answer that does not differ by itself."""
        made = response.headers['X-Openstack-Request-Id']
        text = response.data.decode()
        headers = str(response.headers).replace(made, 'made')
        for id_ in ids:
            text = text.replace(id_, 'asked')
        return response.status, headers, text.replace(made, 'made')

    def test_foreign_and_missing_are_the_same(self):
        """Byte for byte."""
        answers = {
            self.whole(self.check(self.member, id_), id_)
            for id_ in (FOREIGN, MISSING)
        }
        ((status, _, text),) = answers
        self.assertEqual('404 NOT FOUND', status)
        self.assertNotIn(parts.THEIRS, text)
        self.assertEqual([], self.backend.requests)

    def test_beside_its_own_as_well(self):
        answers = {
            self.whole(self.check(self.member, self.ours.router.id, id_), id_)
            for id_ in (FOREIGN, MISSING)
        }
        self.assertEqual(1, len(answers))

    def test_not_for_an_administrator(self):
        self.assertEqual(200, self.check(self.admin, FOREIGN).status_code)
        self.assertProblem(404, self.check(self.admin, MISSING))

    def test_report_names_no_node(self):
        response = self.check(self.member)
        self.assertEqual(200, response.status_code)
        (item,) = response.json['reports']
        self.assertEqual('ERROR', item['health'])
        for secret in secrets.of(self.ours.router, self.ours.hosts):
            self.assertNotIn(json.dumps(secret)[1:-1], response.text)
        self.assertNotIn(FOREIGN, response.text)

    def test_administrators_report_does(self):
        response = self.check(self.admin, self.ours.router.id)
        for host in secrets.hosts(self.ours.router, self.ours.hosts):
            self.assertIn(f'"{host}"', response.text)

    def test_forged_headers(self):
        """They change nothing, together and one by one."""
        plain = [
            self.whole(self.check(self.member, *ids))
            for ids in ((), (FOREIGN,))
        ]
        for forged in (FORGED, *({k: v} for k, v in FORGED.items())):
            answers = [
                self.whole(self.check(self.member, *ids, headers=forged))
                for ids in ((), (FOREIGN,))
            ]
            self.assertEqual(plain, answers, forged)
        for who in self.callers:
            self.assertEqual(
                ('somebody', parts.OURS, ['member'], None, []),
                (
                    who.user_id,
                    who.project_id,
                    who.roles,
                    who.system_scope or None,
                    who.service_roles or [],
                ),
            )

    def test_forged_headers_without_a_token(self):
        response = self.check(None, FOREIGN, headers=FORGED)
        self.assertProblem(401, response)
        self.assertEqual([], self.neutron.calls)

    def test_another_role_of_the_same_project(self):
        token = self.of(parts.OURS, 'service')
        messages = {
            self.assertProblem(403, self.check(token, *ids))
            for ids in ((), (self.ours.router.id,), (FOREIGN,), (MISSING,))
        }
        self.assertEqual(1, len(messages))
        self.assertEqual([], self.neutron.calls)

    def test_neutron_down(self):
        self.neutron.down = parts.DOWN
        message = self.assertProblem(503, self.check(self.member, FOREIGN))
        self.assertNotIn('controller', message)
        response = self.check(self.admin, FOREIGN)
        (item,) = response.json['reports']
        self.assertEqual('UNKNOWN', item['health'])

    def test_no_more_than_that_for_a_member(self):
        for method, path, body in (
            ('POST', '/v1/probe', {'requests': []}),
            ('POST', '/v1/hosts/net1/probe', {'routers': None}),
            ('POST', '/v1/hosts/net1/conversations', {}),
            ('POST', '/v1/hosts/elsewhere/conversations', {}),
            (
                'DELETE',
                f'/v1/hosts/net1/conversations/{house.ID}',
                None,
            ),
        ):
            response = self.ask(method, path, self.member, FORGED, json=body)
            self.assertProblem(403, response)
        self.assertEqual([], self.near.asked + self.relay.asked)
        self.assertEqual([], self.looked)

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

"""The log of the node agent, with all that it tells, holds no secret."""

import logging

import fixtures

from osc_ha_router.agent.api import operations
from osc_ha_router.node import serve
from tests.unit.agent import house

WRONG = 'wrong-token-Qd93'
SERVICE = 'service-token-Jk20'
BASIC = 'Basic cGFzcy1waHJhc2U='
#: what a request may carry
BODIES = {
    'routers': [house.ROUTER],
    'requests': [{'host': house.HOST, 'routers': None}],
    'op': 'probe',
    'fields': {},
}


class LogTest(house.HouseTestCase):
    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))

    def secrets(self):
        return {
            *(self.admin, self.reader, WRONG, SERVICE, BASIC),
            house.CREDENTIALS.decode(),
        }

    def test_every_operation(self):
        for token in (self.admin, self.reader, WRONG, None):
            for operation in operations.OPERATIONS:
                path = operation.path.format(host=house.HOST, id=house.ID)
                body = {
                    name: BODIES[name]
                    for name in (operation.body or {}).get('properties', ())
                    if name in BODIES
                }
                self.ask(
                    operation.method,
                    path,
                    token,
                    headers={
                        'X-Service-Token': SERVICE,
                        'Authorization': BASIC,
                    },
                    json=body,
                )
        self.assertNotEqual('', self.log.output)
        self.assert_silent()

    def test_trouble(self):
        """What nobody has foreseen is told with all that led to it."""
        for trouble in (house.TROUBLE, ValueError('it broke')):
            self.nodes_raise = self.near.raises = trouble
            self.checker.answer = trouble
            for op in serve.OPERATIONS:
                self.post(
                    f'/v1/hosts/{house.HOST}/conversations/{house.ID}'
                    '/requests',
                    {'op': op},
                )
            self.post('/v1/check', {'routers': None})
            self.post(f'/v1/hosts/{house.HOST}/probe', {'routers': None})
        self.assertIn('it broke', self.log.output)
        self.assert_silent()

    def test_bearer_of_metrics(self):
        for word in ('Bearer ' + WRONG, b'Bearer ' + house.CREDENTIALS):
            self.ask('GET', '/metrics', headers={'Authorization': word})
        self.assert_silent()

    def assert_silent(self):
        for secret in self.secrets():
            self.assertNotIn(secret, self.log.output)

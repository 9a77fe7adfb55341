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

"""What is changed through Neutron, as it sees it."""

import re
from typing import Any
from urllib import parse

import testtools

from osc_ha_router import errors
from osc_ha_router.cloud import changes
from tests.unit import neutron


class ChangesTest(testtools.TestCase):
    """A router on two of three agents."""

    def setUp(self):
        super().setUp()
        self.neutron = self.useFixture(neutron.Neutron())
        self.agents = {
            host: self.neutron.add_agent(host)
            for host in ('net1', 'net2', 'net3')
        }
        self.router = self.neutron.add_router('r1')
        self.hosted = {
            self.agents['net1']: 'active',
            self.agents['net2']: 'standby',
        }
        self.neutron.host(self.router, self.hosted)
        #: method, path, body and If-Match of what would change something
        self.asked: list[tuple[str, str, Any, str | None]] = []
        #: what is refused: method and status
        self.refused: dict[str, int] = {}
        mock = self.neutron.mock
        mock.get(
            f'{neutron.NEUTRON}/v2.0/routers/{self.router}',
            json=lambda request, context: {'router': self.neutron.routers[0]},
        )
        for method in ('PUT', 'POST', 'DELETE'):
            mock.register_uri(
                method,
                re.compile(f'{neutron.NEUTRON}/v2.0/'),
                json=self._answer,
            )
        self.changes = changes.Changes(self.neutron.connect())

    def _answer(self, request: Any, context: Any) -> Any:
        path = parse.urlsplit(request.url).path.removeprefix('/v2.0/')
        body = request.json() if request.body else None
        self.asked.append(
            (request.method, path, body, request.headers.get('If-Match'))
        )
        status = self.refused.get(request.method)
        if status is not None:
            context.status_code = status
            return neutron.error('Refused', 'it is refused')
        return body or {}

    def calls(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _, _ in self.asked]

    def test_provoke(self):
        self.changes.provoke(self.router)
        ((method, path, body, match),) = self.asked
        self.assertEqual(('PUT', f'routers/{self.router}'), (method, path))
        # what it has already, and refused if it is not that any more
        self.assertEqual({'router': {'name': 'r1'}}, body)
        self.assertEqual('revision_number=8', match)

    def test_provoke_refused(self):
        for status in (412, 409, 403):
            self.refused['PUT'] = status
            self.assertRaises(
                errors.CloudError, self.changes.provoke, self.router
            )

    def test_rebind(self):
        self.changes.rebind(['p1', 'p2'], 'net2')
        self.assertEqual(
            [('PUT', 'ports/p1'), ('PUT', 'ports/p2')], self.calls()
        )
        for _, _, body, _ in self.asked:
            self.assertEqual({'port': {'binding:host_id': 'net2'}}, body)

    def path(self, host: str) -> str:
        return f'agents/{self.agents[host]}/l3-routers'

    def test_reseat(self):
        self.changes.reseat(self.router, 'net2')
        self.assertEqual(
            [
                ('DELETE', f'{self.path("net2")}/{self.router}'),
                ('POST', self.path('net2')),
            ],
            self.calls(),
        )
        self.assertEqual({'router_id': self.router}, self.asked[1][2])

    def test_reseat_gives_it_back_in_any_case(self):
        """The answer that it was taken off may have been lost."""
        self.refused['DELETE'] = 500
        self.assertRaises(
            errors.CloudError, self.changes.reseat, self.router, 'net2'
        )
        self.assertEqual(['DELETE', 'POST'], [m for m, _ in self.calls()])

    def test_reseat_that_cannot_be_given_back(self):
        """The SDK's own method would not say so."""
        self.refused['POST'] = 409
        self.assertRaises(
            errors.CloudError, self.changes.reseat, self.router, 'net2'
        )

    def test_reseat_of_what_is_not_there(self):
        for host, words in (('net3', 'does not host'), ('net9', 'net9')):
            refused = self.assertRaises(
                errors.CloudError, self.changes.reseat, self.router, host
            )
            self.assertIn(words, str(refused))
        self.assertEqual([], self.calls())

    def test_expel(self):
        self.changes.expel(self.router, 'net3')
        self.assertEqual(
            [
                ('POST', self.path('net3')),
                ('DELETE', f'{self.path("net3")}/{self.router}'),
            ],
            self.calls(),
        )

    def test_expel_of_a_rightful_host(self):
        """Neutron has scheduled it there since the look."""
        refused = self.assertRaises(
            errors.CloudError, self.changes.expel, self.router, 'net1'
        )
        self.assertIn('by now', str(refused))
        self.assertEqual([], self.calls())

    def test_disabled_agent(self):
        self.refused['POST'] = 404
        self.assertRaises(
            errors.CloudError, self.changes.expel, self.router, 'net3'
        )
        self.assertEqual(['POST'], [m for m, _ in self.calls()])

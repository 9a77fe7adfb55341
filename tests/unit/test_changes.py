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

from collections.abc import Callable
import functools
import re
from typing import Any
from urllib import parse

import fixtures
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
        #: method -> what it is answered with, and whether it is done all the
        #: same: at once (True), when the agents are asked for (False), never
        self.refused: dict[str, tuple[int, bool | None]] = {}
        #: what is done when the agents are asked for the next time
        self.late: list[Callable[[], object]] = []
        for name, seconds in (('_SETTLE', 0.1), ('_PAUSE', 0.005)):
            self.useFixture(fixtures.MockPatchObject(changes, name, seconds))
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
        done: bool | None
        status, done = self.refused.get(request.method, (200, True))
        found = re.search('agents/([^/]+)/l3-routers', path)
        if found:
            do = functools.partial(
                self._host, found[1], request.method == 'POST'
            )
            if done:
                do()
            elif done is False:
                self.late.append(do)
        if status != 200:
            context.status_code = status
            return neutron.error('Refused', 'it is refused')
        return body or {}

    def _host(self, agent_id: str, on: bool) -> None:
        if on:
            self.hosted[agent_id] = 'standby'
        else:
            self.hosted.pop(agent_id, None)
        self.neutron.host(self.router, self.hosted)

    def on(self, host: str) -> bool:
        return self.agents[host] in self.hosted

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
            self.refused['PUT'] = (status, None)
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

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls()]

    def test_reseat_of_which_the_answer_is_lost(self):
        """It is off, and given back as if nothing had been."""
        self.refused['DELETE'] = (504, True)
        self.changes.reseat(self.router, 'net2')
        self.assertEqual(['DELETE', 'POST'], self.methods())
        self.assertTrue(self.on('net2'))

    def test_reseat_of_which_nobody_knows(self):
        """It is there yet, and may go any moment."""
        self.refused['DELETE'] = (500, None)
        self.assertRaises(
            errors.Halfway, self.changes.reseat, self.router, 'net2'
        )
        self.assertEqual(['DELETE', 'POST'], self.methods())

    def test_reseat_that_comes_late(self):
        """Given back before it was off, it would be lost."""
        self.refused['DELETE'] = (504, False)
        asked = []

        def hosting(request, context):
            asked.append(request)
            if len(asked) > 3 and self.late:
                self.late.pop()()
            return {
                'agents': [
                    {**agent, 'ha_state': 'standby'}
                    for agent in self.neutron.agents
                    if agent['id'] in self.hosted
                ]
            }

        self.neutron.mock.get(
            f'{neutron.NEUTRON}/v2.0/routers/{self.router}/l3-agents',
            json=hosting,
        )
        self.changes.reseat(self.router, 'net2')
        self.assertTrue(self.on('net2'))
        self.assertEqual([], self.late)

    def test_reseat_refused(self):
        """It was not taken off: there is nothing to be given back."""
        self.refused['DELETE'] = (409, None)
        refused = self.assertRaises(
            errors.CloudError, self.changes.reseat, self.router, 'net2'
        )
        self.assertNotIsInstance(refused, errors.Halfway)
        self.assertEqual(['DELETE'], self.methods())

    def test_reseat_interrupted(self):
        """Whoever is not asked as one piece gives it back all the same."""
        self.useFixture(
            fixtures.MockPatchObject(
                self.changes, '_put', self._interrupted(self.changes._put)
            )
        )
        self.assertRaises(
            KeyboardInterrupt, self.changes.reseat, self.router, 'net2'
        )
        self.assertEqual(['DELETE', 'POST'], self.methods())
        self.assertTrue(self.on('net2'))

    def _interrupted(self, put):
        pressed = []

        def first(*arguments):
            put(*arguments)
            if not pressed:
                pressed.append(True)
                raise KeyboardInterrupt

        return first

    def test_reseat_that_cannot_be_given_back(self):
        """The SDK's own method would not say so."""
        for status in (409, 500):
            self.asked.clear()
            self._host(self.agents['net2'], True)
            self.refused['POST'] = (status, None)
            refused = self.assertRaises(
                errors.Halfway, self.changes.reseat, self.router, 'net2'
            )
            # whole, to be copied
            self.assertIn(
                'openstack network agent add router --l3 '
                f'{self.agents["net2"]} {self.router}',
                str(refused),
            )
            self.assertEqual(['DELETE', *['POST'] * 3], self.methods())

    def test_give(self):
        self.changes.give(self.router, 'net3')
        self.assertEqual([('POST', self.path('net3'))], self.calls())
        self.changes.give(self.router, 'net3')
        self.assertEqual(1, len(self.calls()))

    def test_hosts(self):
        self.assertTrue(self.changes.hosts(self.router, 'net1'))
        self.assertFalse(self.changes.hosts(self.router, 'net3'))

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

    def test_expel_of_which_the_answer_is_lost(self):
        """The agent has got it, and must not keep it."""
        self.refused['POST'] = (504, True)
        self.changes.expel(self.router, 'net3')
        self.assertEqual(['POST', 'DELETE'], self.methods())
        self.assertFalse(self.on('net3'))

    def test_expel_of_which_nobody_knows(self):
        self.refused['POST'] = (504, None)
        self.assertRaises(
            errors.Halfway, self.changes.expel, self.router, 'net3'
        )
        self.assertEqual(['POST', 'DELETE'], self.methods())

    def test_expel_interrupted(self):
        self.useFixture(
            fixtures.MockPatchObject(
                self.changes, '_put', self._interrupted(self.changes._put)
            )
        )
        self.assertRaises(
            KeyboardInterrupt, self.changes.expel, self.router, 'net3'
        )
        self.assertEqual(['POST', 'DELETE'], self.methods())

    def test_expel_that_cannot_be_taken_off(self):
        self.refused['DELETE'] = (500, None)
        refused = self.assertRaises(
            errors.Halfway, self.changes.expel, self.router, 'net3'
        )
        self.assertIn('network agent remove router --l3', str(refused))
        self.assertEqual(['POST', *['DELETE'] * 3], self.methods())

    def test_rebind_that_ends_half_way(self):
        real = self._answer

        def second(request, context):
            self.refused['PUT'] = (409, None) if self.asked else (200, True)
            return real(request, context)

        self.neutron.mock.register_uri(
            'PUT', re.compile(f'{neutron.NEUTRON}/v2.0/'), json=second
        )
        refused = self.assertRaises(
            errors.Halfway, self.changes.rebind, ['p1', 'p2', 'p3'], 'net2'
        )
        self.assertIn('1 of the ports are bound', str(refused))
        self.assertEqual(2, len(self.asked))

    def test_what_was_refused_and_what_is_not_known(self):
        for status, halfway in ((404, False), (409, False), (502, True)):
            self.refused['PUT'] = (status, None)
            for ask in (
                lambda: self.changes.provoke(self.router),
                lambda: self.changes.rebind(['p1'], 'net2'),
            ):
                refused = self.assertRaises(errors.CloudError, ask)
                self.assertEqual(halfway, isinstance(refused, errors.Halfway))

    def test_disabled_agent(self):
        self.refused['POST'] = (404, None)
        self.assertRaises(
            errors.CloudError, self.changes.expel, self.router, 'net3'
        )
        self.assertEqual(['POST'], self.methods())

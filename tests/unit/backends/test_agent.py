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

"""The agent backend: which agent, and what it is asked."""

import threading
from typing import Any

import testtools

from osc_ha_router import config
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import agent
from osc_ha_router.backends import base
from osc_ha_router.backends import registry
from osc_ha_router.model import view
from tests.unit import neutron
from tests.unit.backends import agents
from tests.unit.backends import test_conversation
from tests.unit.backends import test_remote


class Connection:
    """As much of the SDK's connection as the backend needs."""

    def __init__(self, url: str | None) -> None:
        self.session = agents.connect(url).session
        self.config = self

    def get_service_type(self, kind: str) -> str:
        return kind

    def get_service_name(self, kind: str) -> None:
        return None

    get_endpoint = get_service_name

    def get_interface(self, kind: str) -> str:
        return 'public'

    def get_region_name(self, kind: str) -> str:
        return 'RegionOne'


class BackendTest(test_remote.AgentTest):
    def backend(
        self, answer: agents.Answer, **settings: Any
    ) -> agent.AgentBackend:
        self.agent = self.serve(answer)
        return agent.AgentBackend(
            config.Settings(**settings), lambda: Connection(self.agent.url)
        )

    def test_probe(self):
        backend = self.backend(
            lambda a, line: line.whole(*test_remote.lines(*test_remote.HOSTS)),
            probe_timeout=4.0,
        )
        found = list(
            backend.probe(test_remote.REQUESTS, base.Deadline.after(10))
        )
        self.assertEqual(
            [test_remote.shown(host) for host in test_remote.HOSTS], found
        )
        (asked,) = self.agent.asked
        self.assertEqual(4.0, asked.body['probe_timeout'])

    def test_nobody_to_look_at(self):
        """Then the cloud is not asked where the agents are, either."""
        backend = agent.AgentBackend(config.Settings())
        self.assertEqual([], list(backend.probe([], base.Deadline.after(10))))

    def test_closing_ends_it(self):
        gone = threading.Event()

        def answer(asked, line):
            line.stream()
            line.line(test_remote.lines(test_remote.HOSTS[0])[0])
            if line.gone(10):
                gone.set()

        looks = self.backend(answer).probe(
            test_remote.REQUESTS, base.Deadline.after(10)
        )
        next(looks)
        looks.close()
        self.assertTrue(gone.wait(5))

    def test_converse(self):
        backend = self.backend(test_conversation.Node())
        until = base.Deadline.after(10)
        with backend.converse('net1', until, threading.Event()) as line:
            *_, end = line.call('begin', {'by': 'me'}, until)
        self.assertEqual({'by': 'me'}, end['end'])

    def test_conversation_that_is_not_opened_in_time(self):
        backend = self.backend(
            lambda a, line: line.rest(10), probe_timeout=0.5
        )
        with agents.within(2):
            trouble = self.assertRaises(
                base.Trouble,
                backend.converse(
                    'net1', base.Deadline.after(60), threading.Event()
                ).__enter__,
            )
        self.assertEqual('agent-timeout', trouble.failure.kind)

    def test_check(self):
        backend = self.backend(lambda a, line: line.json({'reports': []}))
        found = backend.check(
            engine.Question(names=('a',)), base.Deadline.after(10)
        )
        self.assertEqual((), found)

    def test_check_of_very_many(self):
        backend = self.backend(lambda a, line: line.json({'reports': []}))
        names = tuple(neutron.new_id(number) for number in range(2000))
        backend.check(engine.Question(names=names), base.Deadline.after(10))
        asked = [a.body['routers'] for a in self.agent.asked]
        self.assertEqual([800, 800, 400], [len(some) for some in asked])
        self.assertEqual(list(names), [id_ for some in asked for id_ in some])

    def test_check_in_time(self):
        backend = self.backend(lambda a, line: line.rest(10))
        with agents.within(2):
            trouble = self.assertRaises(
                base.Trouble,
                backend.check,
                engine.Question(),
                base.Deadline.after(0.5),
            )
        self.assertEqual('agent-timeout', trouble.failure.kind)
        self.assertIsInstance(trouble.failure, view.Failure)

    def test_wrong_setting(self):
        backend = self.backend(lambda a, line: None, agent_endpoint='net1')
        self.assertRaises(
            errors.ConfigError,
            list,
            backend.probe(test_remote.REQUESTS, base.Deadline.after(1)),
        )


class RegistryTest(testtools.TestCase):
    def test_by_name(self):
        settings = config.Settings(backend='agent')
        connection = Connection(None)
        backend = registry.load(settings, lambda: connection)
        self.assertIsInstance(backend, agent.AgentBackend)
        self.assertIs(connection, backend.connect())

    def test_default(self):
        backend = registry.load(config.Settings())
        self.assertEqual('SshBackend', type(backend).__name__)
        # a backend that needs none of it was given no cloud
        self.assertRaises(RuntimeError, backend.connect)

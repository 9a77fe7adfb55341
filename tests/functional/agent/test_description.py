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

"""A live agent keeps to its description, whatever comes to mind."""

import pathlib
import random
import traceback
from typing import Any

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
import requests
import schemathesis
from schemathesis import checks
from schemathesis.core import parameters

from osc_ha_router.node import serve
from tests.functional.agent import base
from tests.lab.cloud import ENTRY_NODE
from tests.lab.layout import CONTROL
from tests.lab.sockets import joined

CONFIG = pathlib.Path(__file__).parents[2] / 'schemathesis.toml'
#: the same each time: of what is made up as wrong, a part may be lost on the
#: way, such as a field without a value, and then nothing wrong is sent
EXAMPLES = settings(
    derandomize=True,
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
BODY = parameters.ParameterLocation.BODY
#: seconds that a request may ask to be kept busy for
SHORT = 0.2
LONG = 5.0
#: of the entry agent, of one behind it, of none, and whatever is made up
HOSTS = (ENTRY_NODE, 'net2', 'net9', None)


class DescriptionTest(base.AgentTest):
    """Requests made of the description, with real tokens."""

    def setUp(self) -> None:
        super().setUp()
        self.active, _ = self.settled()
        self.chance = random.Random(4)
        self.talk = ''
        #: what was not as described
        self.wrong: list[str] = []
        layout = self.lab.layout
        self.session = requests.Session()
        self.addCleanup(self.session.close)
        self.session.verify = str(layout.ca)
        # what the machine has for its own network is none of the lab's
        self.session.trust_env = False
        document = self.ask('GET', '/v1/openapi.json').json()
        self.schema = schemathesis.openapi.from_dict(
            document, config=schemathesis.Config.from_path(CONFIG)
        )
        self.url = self.lab.nodes[ENTRY_NODE].ha_agent_url

    def test_administrator(self) -> None:
        self._try_everything(self.lab.admin.token())

    def test_tenant(self) -> None:
        self._try_everything(self.lab.demo.token())

    def _try_everything(self, token: str) -> None:
        self.token = token
        namespace = self.lab.layout.namespace_path(CONTROL)
        for mode in schemathesis.GenerationMode:
            for found in self.schema.get_all_operations():
                operation = found.ok()
                closed = '/hosts/' in operation.path or operation.body
                if mode.is_negative and not closed:
                    # there is nothing in it that could be wrong
                    continue
                with joined(namespace):
                    self._try(operation, mode)
        self.assertEqual([], self.wrong, '\n'.join(self.wrong))
        # it is as well as before, and so is the router
        self.assertEqual(200, self.ask('GET', '/healthcheck').status)
        self.assertEqual(self.active, self.lab.wait_settled(self.router, 5))
        self.assertEqual([], self.check().row['Findings'])

    def _try(self, operation: Any, mode: Any) -> None:
        @EXAMPLES
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            self._bend(case)
            answer = case.call_and_validate(
                base_url=self.url,
                session=self.session,
                headers={'X-Auth-Token': self.token},
                timeout=30,
                verify=self.session.verify,
                # 502 to 504 are of others, and described where they may be
                excluded_checks=[checks.not_a_server_error],
            )
            assert answer.status_code not in (500, 501, 505), answer.text

        try:
            ask()
        except (Exception, BaseExceptionGroup) as exc:
            self.wrong.append(
                f'{operation.label}, {mode.value}: '
                + ''.join(traceback.format_exception_only(exc))
            )

    def _bend(self, case: Any) -> None:
        """Make a request that gets further in, and that ends soon."""
        path = case.path_parameters
        if path and not case.meta.generation.mode.is_negative:
            path['host'] = self.chance.choice(HOSTS) or path['host']
            if 'id' in path and self.chance.random() < 0.5:
                path['host'] = 'net2'
                path['id'] = self._conversation() or path['id']
        body = case.body
        # what is wrong about one stays so, and is refused at once
        if not isinstance(body, dict) or _is_wrong(case):
            return
        if 'op' in body and self.chance.random() < 0.5:
            # with fields that are right for none of them
            body['op'] = self.chance.choice(sorted(serve.OPERATIONS))
        _shorten(body)

    def _conversation(self) -> str:
        """Return the id of one that is open, empty if there may be none."""
        path = f'{self.url}/v1/hosts/net2/conversations'
        headers = {'X-Auth-Token': self.token}
        if self.talk:
            kept = self.session.put(
                f'{path}/{self.talk}/lease', headers=headers, timeout=30
            )
            if kept.status_code == 204:
                return self.talk
        opened = self.session.post(path, headers=headers, timeout=30)
        self.talk = ''
        if opened.status_code == 201:
            self.talk = str(opened.json()['id'])
        return self.talk


def _is_wrong(case: Any) -> bool:
    return not case.meta.components[BODY].mode.is_positive


def _shorten(body: dict[str, Any]) -> None:
    for name, most in (
        ('listen', SHORT),
        ('recheck', SHORT),
        ('timeout', LONG),
        ('probe_timeout', LONG),
    ):
        if name in body:
            body[name] = min(body[name], most)
    for inner in body.get('requests') or ():
        _shorten(inner)

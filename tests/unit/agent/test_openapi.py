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

"""The description, and whether the API keeps to it."""

import re

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
import jsonschema
import schemathesis

from osc_ha_router.agent.api import bodies
from osc_ha_router.agent.api import openapi
from osc_ha_router.agent.api import operations
from osc_ha_router.diagnosis import verdict
from osc_ha_router.node import serve
from tests.unit import captures
from tests.unit.agent import house

CONFIG = captures.FOLDER.parent / 'schemathesis.toml'
#: the same each time: of what is made up as wrong, a part may be lost on the
#: way, such as a field without a value, and then nothing wrong is sent
EXAMPLES = settings(
    derandomize=True,
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestDescription(house.HouseTestCase):
    """What it says."""

    def test_every_route_is_described(self):
        found = {
            (method, re.sub('<(.*?)>', r'{\1}', rule.rule))
            for rule in self.flask().url_map.iter_rules()
            for method in rule.methods - {'HEAD'}
        }
        described = {
            (method.upper(), path)
            for path, methods in openapi.document()['paths'].items()
            for method in methods
        }
        self.assertEqual(found, described)

    def flask(self):
        """Return the innermost layer."""
        return self.client.application._app._app

    def test_schemas_are_schemas(self):
        document = openapi.document()
        schemas = list(document['components']['schemas'].values())
        for methods in document['paths'].values():
            for found in methods.values():
                parts = [*found['responses'].values()]
                parts.append(found.get('requestBody', {}))
                schemas += [
                    content['schema']
                    for part in parts
                    for content in part.get('content', {}).values()
                ]
        for schema in schemas:
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_every_operation_of_nodes_can_be_asked_for(self):
        validator = jsonschema.Draft202012Validator(bodies.REQUEST)
        for op in serve.OPERATIONS:
            self.assertTrue(validator.is_valid({'op': op}), op)

    def test_statuses_of_every_operation(self):
        for operation in operations.OPERATIONS:
            found = operations.problems(operation)
            self.assertLessEqual({400, 405, 408, 431, 500}, set(found))
            self.assertEqual(
                operation.rule is not None or operation.name == 'metrics',
                401 in found,
            )


class TestBehaviour(house.HouseTestCase):
    """What it does when it is asked whatever comes to mind."""

    def setUp(self):
        super().setUp()
        look = captures.load('incident')
        self.checker.answer = tuple(
            verdict.judge(router, look.hosts) for router in look.claims.routers
        )
        self.schema = schemathesis.openapi.from_wsgi(
            '/v1/openapi.json',
            self.client.application,
            config=schemathesis.Config.from_path(CONFIG),
        )

    def each(self, mode, headers, skip=()):
        for found in self.schema.get_all_operations():
            operation = found.ok()
            if operation.path in skip:
                continue

            @EXAMPLES
            @given(operation.as_strategy(generation_mode=mode))
            def ask(case):
                case.call_and_validate(headers=headers)

            with self.subTest(operation=operation.label):
                ask()

    def test_good_requests(self):
        mode = schemathesis.GenerationMode.POSITIVE
        self.each(mode, {'X-Auth-Token': self.admin})

    def test_bad_requests(self):
        mode = schemathesis.GenerationMode.NEGATIVE
        # of these there is nothing that could be wrong
        public = {
            operation.path
            for operation in operations.OPERATIONS
            if operation.rule is None
        }
        self.each(mode, {'X-Auth-Token': self.admin}, public)

    def test_strangers(self):
        self.each(schemathesis.GenerationMode.POSITIVE, {})

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

"""The schemas say what the codec makes."""

import functools
import json

from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
import jsonschema
import testtools

from osc_ha_router import codec
from osc_ha_router import schema
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit import strategies

MODEL = (view.HostView, report.Report, claim.Claims)
NAMES = sorted(path.stem for path in captures.FOLDER.glob('*.json'))


@functools.cache
def validator(cls):
    return jsonschema.Draft202012Validator(
        {
            **schema.reference(cls),
            'components': {'schemas': schema.schemas(cls)},
        }
    )


class TestSchemas(testtools.TestCase):
    """Of every class of the model."""

    def test_schemas_are_schemas(self):
        for name, found in schema.schemas(*MODEL).items():
            with self.subTest(name=name):
                jsonschema.Draft202012Validator.check_schema(found)

    def test_all_that_is_named_is_there(self):
        found = schema.schemas(*MODEL)
        self.assertLessEqual({'NodeView', 'Replica', 'Router'}, set(found))
        text = str(found)
        for name in text.split("#/components/schemas/")[1:]:
            self.assertIn(name.partition("'")[0], found)

    def test_what_it_says(self):
        found = schema.schemas(report.Finding)['Finding']
        self.assertEqual({'type': 'string'}, found['properties']['code'])
        self.assertEqual(
            {'type': ['string', 'null']}, found['properties']['host']
        )
        self.assertEqual(
            ['OK', 'INFO', 'UNKNOWN', 'WARNING', 'ERROR'],
            found['properties']['severity']['enum'],
        )
        self.assertIn('evidence', found['description'])
        self.assertNotIn('ignored', found['required'])
        self.assertEqual(
            {'type': 'boolean', 'default': False},
            found['properties']['ignored'],
        )

    @given(strategies.of(view.HostView))
    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    def test_views_are_as_described(self, shown):
        validator(view.HostView).validate(codec.encode(shown))

    @given(strategies.of(claim.Claims))
    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    def test_claims_are_as_described(self, claims):
        validator(claim.Claims).validate(codec.encode(claims))

    def test_captures_are_as_described(self):
        for name in NAMES:
            with self.subTest(name=name):
                look = captures.load(name)
                for data in (
                    codec.encode(look.claims),
                    json.loads(codec.dumps(look.claims)),
                ):
                    validator(claim.Claims).validate(data)
                for shown in look.hosts:
                    for data in (
                        codec.encode(shown),
                        json.loads(codec.dumps(shown)),
                    ):
                        validator(view.HostView).validate(data)

    def test_what_is_not_as_described(self):
        good = codec.encode(view.HostView('net1'))
        for change in ({'host': 1}, {'views': [{}]}, {'seconds': 'x'}):
            with self.subTest(change=change):
                self.assertFalse(
                    validator(view.HostView).is_valid({**good, **change})
                )

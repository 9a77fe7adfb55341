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

"""What the tests of the rules share."""

import string

import testtools

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import report
from tests.unit.scene import Scene


class RuleTest(testtools.TestCase):
    """A healthy router with one active node, to be broken."""

    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys

    def finding(
        self, scene: Scene, name: str, host: str | None
    ) -> report.Finding:
        """Return the one finding of this name, which must be about host."""
        verdict = scene.judge()
        found = [f for f in verdict.findings if f.name == name]
        self.assertEqual([host], [f.host for f in found], verdict.findings)
        entry = catalogue.entries()[name]
        for template, text in (
            (entry.summary, found[0].summary),
            (entry.hint, found[0].hint),
        ):
            # what a field that the rule forgot is shown as
            for _, field, _, _ in string.Formatter().parse(template):
                self.assertNotIn(f'<{field}>', text)
            self.assertNotRegex(text, r'[{}\n]|None|frozenset')
            self.assertEqual(text, ' '.join(text.split()))
        return found[0]

    def assert_only(self, scene: Scene, *expected: tuple[str, str | None]):
        """These findings, and no others."""
        self.assertEqual(set(expected), scene.found())

    def assert_not_found(self, scene: Scene, name: str):
        self.assertNotIn(name, {found for found, _ in scene.found()})

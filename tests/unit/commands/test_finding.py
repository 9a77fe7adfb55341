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

"""openstack router ha finding list and show."""

import json

import yaml

from osc_ha_router.diagnosis import catalogue
from tests.unit.commands import base


class ListTest(base.CommandTest):
    def test_json(self):
        rows = self.ran('finding', 'list', '-f', 'json').rows
        self.assertEqual(
            [
                {'Code': e.code, 'Name': e.name, 'Severity': e.severity.value}
                for e in catalogue.entries().values()
            ],
            rows,
        )

    def test_long(self):
        rows = self.ran('finding', 'list', '--long', '-f', 'json').rows
        self.assertEqual(
            [entry.summary for entry in catalogue.entries().values()],
            [row['Summary'] for row in rows],
        )
        printed = self.ran('finding', 'list', '--long').stdout
        # people see <host>, programs the template
        self.assertNotRegex(printed, '[{}]')

    def test_table(self):
        printed = self.ran('finding', 'list').stdout
        for entry in catalogue.entries().values():
            self.assertIn(f'| {entry.code} | {entry.name} ', printed)

    def test_needs_no_cloud(self):
        result = self.ran('finding', 'list')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))


class ShowTest(base.CommandTest):
    def test_every_finding(self):
        for entry in catalogue.entries().values():
            result = self.ran('finding', 'show', entry.code, '-f', 'json')
            self.assertEqual((0, ''), (result.exit_code, result.stderr))
            shown = json.loads(result.stdout)
            self.assertEqual(entry.code, shown['Code'])
            self.assertEqual(entry.name, shown['Name'])
            self.assertEqual(entry.severity.value, shown['Severity'])
            self.assertEqual(entry.summary, shown['Summary'])
            self.assertEqual(entry.hint, shown['Hint'])
            self.assertEqual(
                entry.documentation_url, shown['Documentation URL']
            )

    def test_by_name(self):
        shown = self.ran('finding', 'show', 'agent-dead', '-f', 'yaml')
        self.assertEqual(
            catalogue.entries()['agent-dead'].code,
            yaml.safe_load(shown.stdout)['Code'],
        )

    def test_table(self):
        printed = self.ran('finding', 'show', 'agent-dead').stdout
        self.assertIn(catalogue.entries()['agent-dead'].code, printed)

    def test_unknown(self):
        for given in ('RHA000', 'x\x1b[2J', ''):
            result = self.ran('finding', 'show', given)
            self.assert_refused(result, 1, 'finding list')

    def test_code_is_needed(self):
        self.assertEqual(2, self.ran('finding', 'show').exit_code)

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

"""The catalogue is whole, and everything in it is used and tested."""

import ast
import pathlib
import re
import string

import testtools

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import rules
from osc_ha_router.model import report
from osc_ha_router.sweep import second

RULES = pathlib.Path(rules.__file__).parent
TESTS = pathlib.Path(__file__).parent


def words(*files: pathlib.Path) -> set[str]:
    """Return every string constant of some modules."""
    return {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


class CatalogueTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.entries = catalogue.entries()

    def test_every_entry_is_used_by_a_rule_or_the_engine(self):
        used = words(
            *RULES.glob('*.py'),
            RULES.parent / 'verdict.py',
            pathlib.Path(second.__file__),
        )
        self.assertEqual(set(), set(self.entries) - used)

    def test_every_entry_has_a_test(self):
        tested = words(
            *TESTS.glob('test_rules_*.py'),
            TESTS / 'test_verdict.py',
            TESTS.parent / 'test_engine.py',
        )
        self.assertEqual(set(), set(self.entries) - tested)

    def test_codes_and_names_are_well_formed_and_unique(self):
        codes = [entry.code for entry in self.entries.values()]
        self.assertEqual(len(codes), len(set(codes)))
        self.assertEqual(sorted(codes), codes)
        for name, entry in self.entries.items():
            self.assertEqual(name, entry.name)
            self.assertRegex(entry.code, r'^RHA[0-9]{3}$')
            self.assertRegex(entry.name, r'^[a-z0-9]+(-[a-z0-9]+)*$')

    def test_texts_are_one_line(self):
        for entry in self.entries.values():
            for text in (entry.summary, entry.hint):
                self.assertEqual(text, ' '.join(text.split()), entry.name)
                self.assertNotEqual('', text, entry.name)

    def test_placeholders_are_plain_names(self):
        """So that no argument can be asked for its attributes."""
        for entry in self.entries.values():
            for text in (entry.summary, entry.hint):
                for _, field, _, _ in string.Formatter().parse(text):
                    if field is not None:
                        self.assertTrue(field.isidentifier(), entry.name)

    def test_unknown_is_for_what_was_not_looked_at(self):
        """RHA9xx, and nothing else, says UNKNOWN."""
        for entry in self.entries.values():
            self.assertEqual(
                entry.code.startswith('RHA9'),
                entry.severity is report.Severity.UNKNOWN,
                entry.name,
            )
            self.assertIsNot(report.Severity.OK, entry.severity)

    def test_what_nobody_may_ignore_for_a_failover(self):
        """Nothing that says who is active or that he cannot be replaced."""
        bars = {e.name: e.bars for e in self.entries.values()}
        for entry in self.entries.values():
            if entry.code.startswith('RHA10') and entry.severity == 'ERROR':
                self.assertEqual('always', entry.bars, entry.name)
        self.assertEqual('never', bars['floating-ip-missing'])
        self.assertEqual('target', bars['agent-dead'])
        self.assertEqual('ends', bars['keepalived-hung'])

    def test_by_code_or_name_in_any_case(self):
        entry = self.entries['agent-dead']
        for spelled in (entry.code, entry.code.lower(), 'Agent-Dead'):
            self.assertIs(entry, catalogue.by_code(spelled))
        self.assertIsNone(catalogue.by_code('RHA000'))
        self.assertIsNone(catalogue.by_code(''))

    def test_braces_in_what_was_seen_stay_as_they_are(self):
        """What a node says is never a format of its own."""
        found = catalogue.finding(
            'node-unreachable', 'net1', message='{host}{0}', advice='{x}'
        )
        self.assertIn('{host}{0}', found.summary)
        self.assertEqual('{x}', found.hint)

    def test_a_word_of_a_command_stays_a_word(self):
        found = catalogue.finding(
            'ha-device-down',
            'net1',
            device='ha-0a; reboot',
            namespace='$(reboot)',
            state='DOWN',
        )
        self.assertIn('device ha-0a; reboot is DOWN', found.summary)
        self.assertIn(
            "exec '$(reboot)' ip link set 'ha-0a; reboot' up", found.hint
        )

    def test_no_other_field_is_in_a_command(self):
        """Behind the name of a program there are only words, quoted."""
        for entry in self.entries.values():
            for part in re.findall(r'ip netns exec [^;,]*', entry.hint):
                for _, name, _, _ in string.Formatter().parse(part):
                    if name not in (None, 'host', 'pid'):
                        self.assertIn(name, catalogue._IN_COMMANDS, part)

    def test_finding_has_the_page_of_its_code(self):
        entry = self.entries['agent-dead']
        found = catalogue.finding('agent-dead', 'net1')
        self.assertEqual(entry.documentation_url, found.documentation_url)
        self.assertIn(entry.code, found.documentation_url)

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

import dataclasses
import pathlib
import re
import string

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import config
from osc_ha_router import text
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.backends import faults
from osc_ha_router.backends import symptoms

PLACE = command.place(config.Settings(ssh_user='stack'), 'net1')


class FailuresTest(testtools.TestCase):
    def test_every_kind_says_where_and_what_to_do(self) -> None:
        for kind in failures.KINDS:
            failure = failures.describe(kind, PLACE, 'seen this')
            self.assertEqual(kind, failure.kind)
            self.assertRegex(failure.message, 'net1|this machine')
            self.assertTrue(failure.advice.endswith('.'), failure.advice)
            for sentence in (failure.message, failure.advice):
                self.assertNotRegex(sentence, r'[{}\n]|  ')

    def test_every_kind_shows_what_was_seen(self) -> None:
        silent = {
            kind
            for kind in failures.KINDS
            if 'seen this'
            not in failures.describe(kind, PLACE, 'seen this').message
        }
        self.assertEqual({'ssh-missing'}, silent)

    def test_nothing_seen_leaves_no_trace(self) -> None:
        for kind in failures.KINDS:
            message = failures.describe(kind, PLACE).message
            self.assertRegex(message, r'[^\s:]$')

    def test_fields_of_the_templates(self) -> None:
        known = {field.name for field in dataclasses.fields(failures.Place)}
        for kind, entry in failures.KINDS.items():
            for template in (entry.message, entry.advice):
                used = {part[1] for part in string.Formatter().parse(template)}
                self.assertLessEqual(
                    used - {None}, known | {'reason', 'detail'}, kind
                )

    def test_kinds_of_the_sources_are_those_of_the_table(self) -> None:
        folder = pathlib.Path(failures.__file__).parent
        used = {kind for kind, _ in symptoms.PATTERNS}
        for path in folder.glob('*.py'):
            source = path.read_text()
            used.update(re.findall(r"Broken\(\s*'([^']+)'", source))
            used.update(re.findall(r"kind = '([a-z-]+)'", source))
        used.update(('no-rights', 'python-old', 'ssh', 'exit'))
        used.update(('python-missing', 'program-missing', 'become-missing'))
        # those of the agents' API have a table of their own
        others = faults.KINDS.keys() - failures.KINDS.keys()
        self.assertEqual(used - others, set(failures.KINDS))

    def test_advice_names_the_next_step(self) -> None:
        for kind, words in (
            ('host-key-unknown', 'ssh stack@net1'),
            ('permission-denied', 'authorized_keys of stack'),
            ('become-password', 'stack ALL=(root) NOPASSWD: python3'),
            ('connect-timeout', '--probe-timeout'),
            ('deadline', '--timeout'),
        ):
            self.assertIn(words, failures.describe(kind, PLACE).advice)

    @hypothesis.given(
        strategies.sampled_from(sorted(failures.KINDS)),
        strategies.text(),
        strategies.text(),
    )
    def test_sentences_are_safe_lines(
        self, kind: str, host: str, detail: str
    ) -> None:
        place = command.place(config.Settings(), host)
        failure = failures.describe(kind, place, detail)
        for sentence in (failure.message, failure.advice):
            self.assertEqual(text.clean(sentence), sentence)
            self.assertLess(len(sentence), 1000)

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
"""Findings in sentences: what many routers have in common is said once."""

import dataclasses

import testtools

from osc_ha_router.commands import sentences
from osc_ha_router.diagnosis import catalogue
from tests.unit.scene import Scene


class SentencesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.report = Scene.of('healthy').judge()
        self.dead = catalogue.finding(
            'node-unreachable', 'net1', message='no answer', advice='wait'
        )
        self.monitor = catalogue.finding('monitor-dead', 'net2')

    def lines(self, *findings):
        """Return the text for routers r0, r1, ... with these findings."""
        said = sentences.Sentences()
        for number, found in enumerate(findings):
            router = dataclasses.replace(
                self.report.router, name=f'r{number}', id=str(number)
            )
            said.add(
                dataclasses.replace(
                    self.report, router=router, findings=tuple(found)
                )
            )
        return '\n'.join(said.lines(80))

    def test_nothing_to_say(self):
        self.assertEqual('', self.lines((), ()))

    def test_each_by_itself(self):
        text = self.lines((self.dead,), (), (self.dead, self.monitor))
        self.assertEqual(2, text.count('node-unreachable on net1'))
        self.assertEqual(1, text.count('monitor-dead on net2'))
        self.assertIn('\nr0:\n', text)
        self.assertIn('\nr2:\n', text)
        self.assertNotIn('r1', text)

    def test_many_have_it(self):
        text = self.lines(*[(self.dead,)] * 6, (self.dead, self.monitor))
        self.assertEqual(1, text.count('node-unreachable on net1'))
        self.assertIn('7 routers (r0, r1, r2, r3, r4 and 2 more):', text)
        self.assertTrue(
            text.endswith(
                '\n'.join(['r6:', *sentences.sentence(self.monitor, 80)])
            )
        )

    def test_two_things_that_many_have(self):
        other = dataclasses.replace(self.dead, host='net2')
        text = self.lines(*[(self.dead, other)] * 4)
        self.assertEqual(1, text.count('4 routers (r0, r1, r2, r3):'))
        self.assertIn('on net1', text)
        self.assertIn('on net2', text)

    def test_the_same_kind_with_other_words_is_not_the_same(self):
        others = [
            (dataclasses.replace(self.dead, summary=f'reason {n}'),)
            for n in range(5)
        ]
        text = self.lines(*others)
        self.assertEqual(5, text.count('node-unreachable on net1'))

    def test_what_to_call_them(self):
        said = sentences.Sentences()
        found = dataclasses.replace(self.report, findings=(self.monitor,))
        said.add(found, 'the title')
        self.assertIn('the title:', '\n'.join(said.lines(80)))

    def test_narrow(self):
        text = self.lines(*[(self.dead, self.monitor)] * 30)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

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

"""Cells that people and programs read in different forms."""

import dataclasses

import testtools

from osc_ha_router.commands import columns
from osc_ha_router.model import report
from tests.unit.scene import Scene


def finding(code, host, ignored=False):
    return columns.finding(
        report.Finding(
            code=code,
            name=f'name-{code}',
            severity=report.Severity.ERROR,
            host=host,
            summary='what',
            hint='do',
            documentation_url='https://example.org',
            ignored=ignored,
        )
    )


class FindingsTest(testtools.TestCase):
    def test_one_line_for_each_kind(self):
        items = [
            finding('A', 'net1'),
            finding('B', None),
            finding('A', 'net2'),
            finding('C', 'net1', ignored=True),
        ]
        cell = columns.Findings(items)
        self.assertEqual(
            'A name-A (2)\nB name-B\nC name-C (ignored)',
            cell.human_readable(),
        )
        self.assertEqual(items, cell.machine_readable())

    def test_none(self):
        self.assertEqual('', columns.Findings([]).human_readable())


class NameTest(testtools.TestCase):
    def test_programs_get_the_name_people_what_tells(self):
        cell = columns.Name('', 'an-id')
        self.assertEqual('an-id', cell.human_readable())
        self.assertEqual('', cell.machine_readable())

    def test_the_id_where_the_name_tells_nothing(self):
        item = Scene.of('healthy').judge()
        reports = [
            dataclasses.replace(
                item,
                router=dataclasses.replace(item.router, id=id_, name=name),
            )
            for id_, name in (('1', 'a'), ('2', 'b'), ('3', 'b'), ('4', ''))
        ]
        self.assertEqual(
            {'1': 'a', '2': '2', '3': '3', '4': '4'}, columns.titles(reports)
        )


class LinesTest(testtools.TestCase):
    def test_a_line_each(self):
        cell = columns.Lines(['a', 1])
        self.assertEqual('a\n1', cell.human_readable())
        self.assertEqual(['a', 1], cell.machine_readable())


class ReplicasTest(testtools.TestCase):
    def line(self, **changes):
        item = {
            'host': 'net1',
            'agent_id': 'x',
            'alive': True,
            'reported': 'active',
            'observed': 'stale',
        }
        return columns.Replicas([item | changes]).human_readable()

    def test_observed_and_claimed(self):
        self.assertEqual('net1: seen stale, claimed active', self.line())
        self.assertEqual(
            'net1: seen stale, claimed active, agent dead',
            self.line(alive=False),
        )
        self.assertEqual(
            'net1: seen stale, claimed nothing', self.line(reported=None)
        )
        self.assertEqual(
            'net1: seen stale, not hosted here',
            self.line(agent_id=None, alive=None, reported=None),
        )

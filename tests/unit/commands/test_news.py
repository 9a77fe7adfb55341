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

"""openstack router ha check --watch: in which words, and as which objects."""

import io

from osc_ha_router import errors
from osc_ha_router.commands import check
from osc_ha_router.commands import news
from osc_ha_router.commands import sentences
from osc_ha_router.commands import state
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from tests.unit.commands import watching
from tests.unit.scene import Scene


class SentencesTest(watching.WatchTest):
    def test_all_at_first_and_then_only_changes(self):
        code, lines = self.watch(
            [self.healthy, self.second],
            [self.healthy, self.second],
            [self.broken, self.second],
            [self.broken, self.second],
            [self.healthy, self.second],
        )
        self.assertEqual(0, code)
        what = f'active on {self.active}'
        self.assertEqual(
            [
                f'Router r1 is OK, {what}',
                f'Router r2 is OK, {what}',
                '2 routers: 2 OK; looking again every 30 s, Ctrl-C ends this',
                f'Router r1 is ERROR, {what} (was OK, {what})',
            ],
            lines[:4],
        )
        found = ' '.join(line.strip() for line in lines[4:-2])
        self.assertTrue(
            found.startswith(
                f'ERROR RHA502 floating-ip-missing on {self.active}: '
            ),
            found,
        )
        self.assertIn(' -> ', found)
        self.assertEqual(
            [
                f'Router r1 is OK, {what} (was ERROR, {what})',
                f'  no longer: RHA502 floating-ip-missing on {self.active}',
            ],
            lines[-2:],
        )

    def test_findings_change_and_health_does_not(self):
        both = self.warning.without_processes(self.other, 'monitor')
        _, lines = self.watch([self.warning], [both], [self.warning])
        what = f'Router r1 is WARNING, active on {self.active}'
        self.assertEqual(2, lines.count(what) - 1)
        self.assertEqual(
            1, lines.count(f'  no longer: RHA305 monitor-dead on {self.other}')
        )
        told = [x for x in lines if x.startswith('  WARNING RHA305')]
        self.assertEqual(2, len(told), lines)

    def test_routers_come_and_go(self):
        _, lines = self.watch(
            [self.healthy], [self.healthy, self.broken_second()], [self.second]
        )
        what = f'active on {self.active}'
        self.assertIn(f'Router r2 is new, and ERROR, {what}', lines)
        self.assertIn(
            f'Router r1 is not there any more (was OK, {what})', lines
        )

    def test_what_neutron_says(self):
        hidden = self.healthy.with_agent(self.active, ha_state='standby')
        hidden = hidden.with_agent(self.standby, ha_state='active')
        _, lines = self.watch([self.healthy], [hidden])
        self.assertIn(
            f'active on {self.active}, Neutron says {self.standby} (was',
            '\n'.join(lines),
        )

    def test_nobody_looked_where_it_was_active(self):
        _, lines = self.watch(
            [self.healthy], [self.healthy.with_unreachable(self.active)]
        )
        self.assertIn(
            'Router r1 is UNKNOWN, active where nobody looked, or nowhere, '
            f'Neutron says {self.active} (was OK, active on {self.active})',
            lines,
        )

    def test_two_of_one_name_have_their_ids(self):
        twin = self.second.with_router(name='r1')
        _, lines = self.watch([self.healthy, twin])
        self.assertTrue(lines[0].startswith(f'Router {self.router_id} is OK'))

    def test_another_name(self):
        later = self.healthy.with_router(name='web')
        _, lines = self.watch([self.healthy], [later])
        self.assertEqual(
            f'Router web is OK, active on {self.active}, and was named r1',
            lines[-1],
        )

    def test_what_tells_of_one_look_is_told_once(self):
        remark = verdict.conclude(
            self.healthy.judge(),
            [
                catalogue.finding(
                    'active-moved', None, before='a', after='b', seconds=1
                )
            ],
        )
        _, lines = self.watch(
            [self.healthy], [remark], [self.healthy], [self.healthy], [remark]
        )
        told = [x for x in lines if 'RHA109' in x]
        self.assertEqual(2, len(told), lines)
        self.assertNotIn('no longer', '\n'.join(lines))

    def test_unhealthy_only(self):
        _, lines = self.watch(
            [self.healthy, self.broken_second()],
            [self.broken, self.broken_second()],
            [self.healthy],
            unhealthy=True,
        )
        heads = [x.split(',')[0] for x in lines if x.startswith('Router')]
        self.assertEqual(
            [
                'Router r2 is ERROR',
                'Router r1 is ERROR',
                'Router r1 is OK',
                'Router r2 is not there any more (was ERROR',
            ],
            heads,
        )
        self.assertIn(
            '2 routers: 1 ERROR, 1 OK; looking again', '\n'.join(lines)
        )

    def test_none_at_all(self):
        code, lines = self.watch([], [self.healthy])
        self.assertEqual(
            '0 routers; looking again every 30 s, Ctrl-C ends this', lines[0]
        )
        self.assertIn('Router r1 is new', lines[1])
        self.assertEqual(0, code)

    def test_a_terminal_that_knows_ascii_only(self):
        stream = io.TextIOWrapper(io.BytesIO(), 'ascii')
        says = news.Sentences(stream, sentences.sentence)
        says.goes('x', state.State.of(self._named('é').judge()))
        stream.flush()
        self.assertIn(b'Router x', stream.buffer.getvalue())
        says.name({'x': state.State.of(self._named('é').judge())}, {})
        says.goes('x', state.State.of(self._named('é').judge()))
        stream.flush()
        self.assertIn(b'Router \\xe9 is not', stream.buffer.getvalue())

    def _named(self, name: str) -> Scene:
        return self.healthy.with_router(name=name)


class ObjectsTest(watching.WatchTest):
    def test_one_object_a_line(self):
        code, found = self.objects(
            [self.healthy, self.second],
            [self.broken, self.second],
            errors.CloudError('no'),
            [self.broken],
        )
        self.assertEqual(5, code)
        self.assertEqual(
            ['state', 'state', 'change', 'failed', 'works', 'gone'],
            [item['Event'] for item in found],
        )
        first, _, change, failed, works, gone = found
        row = {
            'Router': self.router_id,
            'Name': 'r1',
            'Health': 'OK',
            'Active Hosts': [self.active],
            'Reported Active': [self.active],
            'Findings': [],
        }
        for key, value in row.items():
            self.assertEqual(value, first[key])
        self.assertEqual(3, len(first['Replicas']))
        self.assertRegex(first['Time'], r'^\d{4}-\d\d-\d\dT.{8}\+00:00$')
        self.assertEqual('ERROR', change['Health'])
        self.assertEqual('RHA502', change['Findings'][0]['code'])
        self.assertIn('summary', change['Findings'][0])
        self.assertEqual(
            {
                'Health': 'OK',
                'Active Hosts': [self.active],
                'Reported Active': [self.active],
                'Findings': [],
            },
            change['Before'],
        )
        self.assertEqual((2, 'no'), (failed['Routers'], failed['Message']))
        self.assertEqual({'Time', 'Event'}, set(works))
        self.assertEqual('r2', gone['Name'])
        self.assertEqual('OK', gone['Before']['Health'])

    def test_rows_are_those_of_the_check(self):
        _, (found,) = self.objects([self.broken])
        self.assertEqual(['Time', 'Event', *check.COLUMNS], list(found))

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

"""What a check found, in one line."""

import dataclasses
import re
from typing import Any

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import text
from osc_ha_router.commands import line
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import report
from tests.unit import strategies as model
from tests.unit.scene import Scene

LINE = re.compile(
    r'ROUTER_HA (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+'
    r'( \| [a-z]+=\d+( [a-z]+=\d+)*)?'
)


def perfdata(printed: str) -> dict[str, int]:
    """Return label -> value."""
    _, _, data = printed.partition(' | ')
    return {
        label: int(value)
        for label, value in (pair.split('=') for pair in data.split(' '))
    }


class LineTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.count = 0

    def judged(self, scene: Scene, name: str | None = None, *ignore: str):
        """Return a verdict as that of one router more."""
        self.count += 1
        item = scene.judge(*ignore)
        router = dataclasses.replace(
            item.router,
            id=f'id-{self.count}',
            name=f'r{self.count}' if name is None else name,
        )
        return dataclasses.replace(item, router=router)

    def bad(self, name: str | None = None, *ignore: str):
        return self.judged(
            self.healthy.without_address(
                self.active, self.healthy.floating_ip
            ),
            name,
            *ignore,
        )

    def line(self, *reports: report.Report, state: int = 2, **others: Any):
        printed = line.found(reports, state, **others)
        self.assertTrue(LINE.fullmatch(printed), printed)
        return printed

    def test_all_well(self):
        self.assertEqual(
            'ROUTER_HA OK - 2 OK | routers=2 ok=2 info=0 warning=0 error=0 '
            'unknown=0 active=2 hosts=3 unreachable=0',
            self.line(
                self.judged(self.healthy), self.judged(self.healthy), state=0
            ),
        )

    def test_each_severity(self):
        printed = self.line(
            self.judged(self.healthy.with_unreachable(self.other)),
            self.judged(
                self.healthy.without_processes(self.standby, 'monitor')
            ),
            self.judged(self.healthy.with_peers(4, 4)),
            self.bad(),
            self.judged(self.healthy),
        )
        self.assertTrue(
            printed.startswith(
                'ROUTER_HA CRITICAL - '
                f'1 ERROR (r4 floating-ip-missing on {self.active}), '
                f'1 WARNING (r2 monitor-dead on {self.standby}), '
                f'1 UNKNOWN (r1 node-unreachable on {self.other}), '
                '1 INFO, 1 OK | '
            ),
            printed,
        )
        self.assertEqual(
            {
                'routers': 5,
                'ok': 1,
                'info': 1,
                'warning': 1,
                'error': 1,
                'unknown': 1,
                'active': 5,
                'hosts': 3,
                'unreachable': 1,
            },
            perfdata(printed),
        )

    def test_the_worst_that_counts(self):
        scene = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        ).without_processes(self.standby, 'monitor')
        (found,) = (
            f
            for f in scene.judge().findings
            if f.name == 'floating-ip-missing'
        )
        printed = self.line(self.judged(scene, 'r1', found.code), state=1)
        self.assertIn(f'(r1 monitor-dead on {self.standby})', printed)

    def test_without_a_host(self):
        """A finding of the router as a whole."""
        scene = self.healthy.with_router(status='ERROR')
        self.assertNotIn(' on ', self.line(self.judged(scene), state=1))

    def test_split_brain_is_not_active(self):
        printed = self.line(self.judged(self.healthy.with_role(self.standby)))
        self.assertEqual(0, perfdata(printed)['active'])

    def test_no_routers(self):
        printed = self.line(state=0)
        self.assertIn('OK - there is no HA router', printed)
        self.assertEqual({0}, set(perfdata(printed).values()))

    def test_warning_that_does_not_count_covers_nothing(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        scene = scene.with_unreachable(self.other)
        printed = self.line(self.judged(scene), state=line.UNKNOWN)
        self.assertIn('), not all looked at |', printed)

    def test_nodes_that_no_router_is_on(self):
        printed = self.line(
            self.judged(self.healthy.with_unreachable(self.other)),
            state=line.UNKNOWN,
            unseen=['net9'],
        )
        self.assertIn('), 1 node (net9) not looked at |', printed)
        found = perfdata(printed)
        self.assertEqual((4, 2), (found['hosts'], found['unreachable']))
        printed = self.line(
            state=line.UNKNOWN,
            unseen=[f'net{number}' for number in range(10, 18)],
        )
        self.assertIn(
            '8 nodes (net10, net11, net12, net13, net14 and 3 more) not '
            'looked at',
            printed,
        )

    def test_many_are_not_all_named(self):
        printed = self.line(*(self.bad() for _ in range(12)))
        self.assertIn('12 ERROR (r1 ', printed)
        self.assertEqual(5, printed.count('floating-ip-missing'))
        self.assertIn(' and 7 more)', printed)

    def test_by_id_where_the_name_does_not_tell(self):
        printed = self.line(self.bad('x'), self.bad('x'), self.bad(''))
        for number in (1, 2, 3):
            self.assertIn(f'id-{number} ', printed)

    def test_names_from_outside(self):
        printed = self.line(self.bad('a|b=1\n c\x1b[2J d'))
        self.assertIn('(a/b=1 c\\x1b[2J d floating', printed)
        self.assertEqual(1, printed.count('|'))

    def test_what_the_terminal_cannot_write(self):
        printed = self.line(self.bad('r\xf6\u8def'), encoding='ascii')
        self.assertIn('(r\\xf6\\u8def floating', printed)
        self.assertIn('r\xf6\u8def', self.line(self.bad('r\xf6\u8def')))

    def test_bounded(self):
        for encoding in ('utf-8', 'ascii'):
            reports = [self.bad('\U0001f600' * 255 + str(n)) for n in range(9)]
            printed = self.line(*reports, encoding=encoding)
            self.assertLess(len(printed.encode(encoding)), line.LIMIT)
            self.assertEqual(9, perfdata(printed)['error'])

    def test_failed(self):
        printed = line.failed('it | broke\nTraceback\x1b\n' + 'x' * 9999)
        self.assertTrue(LINE.fullmatch(printed), printed)
        self.assertIn('UNKNOWN - it / broke Traceback', printed)
        self.assertLess(len(printed.encode()), line.LIMIT)


class AnyTest(testtools.TestCase):
    @hypothesis.given(
        model.cases, strategies.integers(0, 3), strategies.text()
    )
    @hypothesis.settings(max_examples=50)
    def test_always_one_line(self, case, state, name):
        router, nodes = case
        judged = verdict.judge(dataclasses.replace(router, name=name), nodes)
        for encoding in ('utf-8', 'latin-1', 'ascii'):
            printed = line.found([judged], state, encoding)
            self.assertTrue(LINE.fullmatch(printed), printed)
            self.assertEqual(text.clean(printed), printed)
            self.assertLess(len(printed.encode(encoding)), line.LIMIT)
        self.assertEqual(1, perfdata(printed)['routers'])

    @hypothesis.given(strategies.text())
    def test_any_failure(self, message):
        printed = line.failed(message, 'ascii')
        self.assertNotIn('|', printed)
        self.assertTrue(printed.isprintable(), printed)

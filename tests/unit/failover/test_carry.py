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

"""A router's memory, taken along."""

import time
from unittest import mock

from osc_ha_router.backends import base as backends
from osc_ha_router.failover import carry
from tests.unit import lines
from tests.unit.failover import move

CONNECTION = {
    'protocol': 6,
    'original': ['10.0.0.5', 40000, '198.51.100.7', 443],
    'reply': ['198.51.100.7', 443, '203.0.113.9', 40000],
    'status': 0x16,
    'timeout': 300,
    'mark': 0,
    'zone': 0,
    'state': 3,
    'pair': [7, 7],
    'flags': [0x22, 0x22],
}


class CarryTest(move.MoveTest):
    def carried(self, count: int | None, **end) -> str:
        """Return what is said of this many connections."""
        made = self.begun()
        target = made.hosts[self.target]
        out = {'connections': count, 'reason': None}
        if count is None:
            out['reason'] = end.pop('reason', 'no tools')
        self.nodes.fault(self.active, 'export', end=out)
        self.nodes.fault(self.target, 'import', end=end)
        carry.transfer(made, [target])
        return made.carried[self.target]

    def test_words(self):
        for expected, count, end in (
            ('2 carried over', 2, {'connections': 2}),
            ('0 carried over', 0, {'connections': 0}),
            ('1 carried over, 1 refused', 2, {'connections': 1, 'refused': 1}),
            (
                '1 carried over, 1 refused (table full)',
                2,
                {'connections': 1, 'refused': 9, 'reason': 'table full'},
            ),
            # neighbours
            ('2 carried over', 2, {'connections': 2, 'refused': 4}),
            (
                'not carried over: no module',
                2,
                {'connections': None, 'reason': 'no module'},
            ),
            (
                'not carried over: the new node refuses them',
                2,
                {'connections': 0, 'refused': 2},
            ),
            ('not carried over: no tools', None, {}),
            ('not carried over: they cannot be read', None, {'reason': None}),
        ):
            with self.subTest(expected=expected):
                self.renew()
                self.assertEqual(expected, self.carried(count, **dict(end)))

    def test_entries(self):
        self.nodes.connections = [CONNECTION] * 3
        moved = self.move('handover')
        (asked,) = self.nodes.fields(self.target, 'import')
        self.assertEqual([CONNECTION] * 3, asked['connections'])
        self.assertEqual('3 carried over', moved.connections)

    def test_node_program_that_cannot(self):
        for host, op in ((self.active, 'export'), (self.target, 'import')):
            self.renew()
            trouble = lines.refusal(host, 'internal', 'OSError: no')
            self.nodes.fault(host, op, trouble=trouble)
            moved = self.move()
            self.assert_outcome('VERIFIED', 0, moved)
            self.assertIn('not carried over: ', moved.connections)
            self.assertIn('OSError: no', moved.connections)

    def test_refusal(self):
        for kind in ('absent', 'unfit', 'left'):
            self.renew()
            trouble = lines.refusal(self.active, kind, 'for this')
            self.nodes.fault(self.active, 'export', trouble=trouble)
            self.assertIn('for this', self.move().connections)

    def test_broken_line(self):
        for host, op in ((self.active, 'export'), (self.target, 'import')):
            self.renew()
            made = self.begun()
            self.nodes.fault(host, op, trouble=lines.trouble(host))
            self.assertRaises(
                backends.Trouble,
                carry.transfer,
                made,
                [made.hosts[self.target]],
            )

    def test_each_new_node_has_its_own_words(self):
        """What counts is what the winner has got."""
        trouble = lines.refusal(self.target, 'internal', 'broken here')
        for heir in (self.target, self.other):
            self.renew()
            self.nodes.fault(self.target, 'import', trouble=trouble)
            self.nodes.heir = heir
            moved = self.move('release')
            self.assertEqual(heir, moved.target)
            self.assertEqual(
                heir == self.target, 'broken here' in moved.connections
            )

    def test_nobody_has_won(self):
        made = self.begun('release')
        carry.transfer(made, [made.hosts[h] for h in self.well.standbys])
        before = made.plan.report
        for host in (None, *self.well.standbys):
            self.assertEqual('', made.connections(host, before), host)

    def test_seen_in_the_end(self):
        """Who was not heard to take over, and was then seen to be active."""
        made = self.begun('release')
        carry.transfer(made, [made.hosts[h] for h in self.well.standbys])
        after = mock.Mock(active_hosts=[self.target])
        self.assertEqual(
            '0 carried over', made.connections(self.target, after)
        )

    def test_again(self):
        made = self.begun()
        target = made.hosts[self.target]
        began = time.monotonic()
        carry.again(made, [target], began + 0.5)
        self.assertNotIn('import', self.nodes.ops())
        with mock.patch.object(carry, '_MARGIN', 0.1):
            carry.again(made, [target], began + 0.4)
        self.assertIn('import', self.nodes.ops())
        self.assertTrue(0.2 < time.monotonic() - began < 0.4)

    def test_again_in_vain(self):
        made = self.begun()
        target = made.hosts[self.target]
        carry.transfer(made, [target])
        trouble = lines.refusal(self.active, 'internal', 'gone')
        self.nodes.fault(self.active, 'export', trouble=trouble)
        carry.transfer(made, [target])
        self.assertRegex(
            made.carried[self.target],
            '^0 carried over; not brought up to date: .*gone',
        )

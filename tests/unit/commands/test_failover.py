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

"""openstack router ha failover, as users and scripts see it."""

from unittest import mock

from osc_ha_router.failover import prepare
from tests.unit import lines
from tests.unit import neutron
from tests.unit.commands import move
from tests.unit.failover import move as moves


class EndTest(move.FailoverTest):
    """Each end with its exit code."""

    def test_verified(self):
        row = self.row()
        self.assertEqual(
            {
                'Router': self.well.router.id,
                'From': self.active,
                'To': self.target,
                'Method': 'promote',
                'Result': 'verified',
                'Health': 'OK',
                'Findings': [],
                'Connections': '0 carried over',
                'Notes': [],
            },
            {
                key: value
                for key, value in row.items()
                if key not in ('Takeover Seconds', 'Outage')
            },
        )
        for key in ('Takeover Seconds', 'Outage'):
            self.assertIsInstance(row[key], float)
            self.assertEqual(round(row[key], 2), row[key])

    def test_by_each_method(self):
        for method in moves.METHODS:
            self.renew()
            to = () if method == 'release' else ('--to', self.target)
            result = self.ran(
                'failover',
                'r1',
                *to,
                '--method',
                method,
                '--auto-approve',
                '-f',
                'json',
            )
            self.assertEqual(0, result.exit_code, result)
            (row,) = result.rows
            self.assertEqual(
                (method, self.target, 'verified'),
                (row['Method'], row['To'], row['Result']),
            )

    def test_moved(self):
        self.moving.learns = False
        with mock.patch.object(prepare, 'STAY', 0.1):
            row = self.row('--no-wait')
        self.assertEqual('moved', row['Result'])
        self.assertIn('Neutron says', str(row['Notes']))

    def test_lagging(self):
        self.moving.learns = False
        row = self.row('--timeout', '2', code=3)
        self.assertEqual('lagging', row['Result'])

    def test_unknown(self):
        self.moving.moved = lambda host: self.moving.dark.add(self.other)
        row = self.row('--timeout', '2', code=3)
        self.assertEqual('unknown', row['Result'])
        self.assertIn(f'{self.other} cannot be looked at', str(row['Notes']))

    def test_unknown_as_neutron_is_gone(self):
        def gone(host):
            self.neutron.instead['routers'] = (
                503,
                neutron.error('ServiceUnavailable', 'away' + move.ESCAPES),
            )

        self.moving.moved = gone
        with mock.patch.object(prepare, 'STAY', 0.1):
            result = self.failover('-f', 'json', '--no-wait')
        self.assertEqual(3, result.exit_code, result)
        (row,) = result.rows
        self.assertEqual('unknown', row['Result'])
        self.assert_safe(result)

    def test_incomplete(self):
        self.moving.stuck.add(self.target)
        row = self.row('--no-wait', code=4)
        self.assertEqual('incomplete', row['Result'])
        self.assertIn('has priority 254', str(row['Notes']))

    def test_failed(self):
        self.moving.willing = False
        row = self.row(code=1)
        self.assertEqual('failed', row['Result'])
        self.assertIsNone(row['Takeover Seconds'])
        self.assertIsNone(row['Outage'])

    def test_already_active(self):
        for options in ((), ('--dry-run',)):
            result = self.ran(
                'failover',
                'r1',
                '--to',
                self.active,
                '--auto-approve',
                '-f',
                'json',
                *options,
            )
            self.assertEqual(0, result.exit_code, result)
            (row,) = result.rows
            self.assertEqual(move.KEYS, list(row))
            self.assertEqual(
                ('already active', self.active, self.active, None),
                (row['Result'], row['From'], row['To'], row['Method']),
            )
            self.assert_untouched()

    def test_planned(self):
        row = self.row('--dry-run', approve=False)
        self.assertEqual(
            ('planned', 'promote', self.target),
            (row['Result'], row['Method'], row['To']),
        )
        self.assertIn('Not proven', str(row['Notes']))
        self.assert_untouched()
        self.assertEqual([], self.moving.opened)

    def test_planned_with_obstacles(self):
        self.moving.edit(lambda s: s.without_keepalived(self.other))
        codes = {f.code for f in self.moving.scene.judge().findings}
        ignore = [word for code in codes for word in ('--ignore', code)]
        row = self.row('--dry-run', *ignore)
        self.assertIn(f'{self.other} cannot take over: ', str(row['Notes']))

    def test_locked(self):
        self.moving.locks = {
            self.other: ('anna' + move.ESCAPES, '2026-11-22T10:11:12Z')
        }
        result = self.failover()
        self.assertEqual((1, ''), (result.exit_code, result.stdout))
        self.assertIn('since 2026-11-22T10:11:12Z', result.stderr)
        self.assertIn('by anna', result.stderr)
        self.assert_safe(result)

    def test_refused(self):
        result = self.ran('failover', 'r1', '--to', 'net99', '--auto-approve')
        self.assertEqual((1, ''), (result.exit_code, result.stdout))
        self.assertIn('net99', result.stderr)
        self.assert_untouched()

    def test_guard(self):
        result = self.failover('--from', self.other)
        self.assertEqual(1, result.exit_code)
        self.assertIn(f'not active on {self.other}', result.stderr)
        self.assert_untouched()

    def test_no_such_router(self):
        result = self.ran('failover', 'r9', '--auto-approve')
        self.assertEqual(1, result.exit_code)
        self.assertIn('r9', result.stderr)

    def test_too_little_time(self):
        with mock.patch('osc_ha_router.failover.run._SPARE', 60):
            result = self.failover('--timeout', '30')
        self.assertEqual(1, result.exit_code)
        self.assertIn('--timeout', result.stderr)
        self.assert_untouched()

    def test_wrong_usage(self):
        for options in (
            ('--method', 'magic'),
            ('--ignore', 'RHA000'),
            ('--timeout', '0'),
        ):
            result = self.failover(*options)
            self.assertEqual(2, result.exit_code)
            self.assert_untouched()

    def test_interrupted(self):
        self.moving.fault(self.active, 'export', trouble=KeyboardInterrupt())
        result = self.failover()
        self.assertEqual((3, ''), (result.exit_code, result.stdout))
        self.assertIn('Interrupted', result.stderr)
        self.assertIn('router ha check', result.stderr)
        self.assertEqual({}, self.moving.locks)

    def test_trouble_is_a_note(self):
        trouble = lines.trouble(self.active, detail='lost' + move.ESCAPES)
        self.moving.fault(self.active, 'quiet', trouble=trouble)
        result = self.failover('-f', 'json')
        self.assertEqual(1, result.exit_code, result)
        (row,) = result.rows
        self.assertIn('The connection to', str(row['Notes']))
        self.assert_safe(result)


class AskingTest(move.FailoverTest):
    def test_no_terminal(self):
        result = self.failover(approve=False)
        self.assertEqual((1, ''), (result.exit_code, result.stdout))
        self.assertIn('--auto-approve', result.stderr)
        # at once
        self.assertEqual([], self.moving.requests)
        self.assertEqual([], self.neutron.calls)

    def test_yes(self):
        for typed in ('y\n', 'YES\n', ' y \n'):
            self.renew()
            self.stdin(move.Terminal(typed))
            result = self.failover(approve=False)
            self.assertEqual(0, result.exit_code, result)
            self.assertIn('confirm: move r1? [y/N] ', result.stderr)

    def test_no(self):
        for stream in (
            move.Terminal('n\n'),
            move.Terminal('\n'),
            move.Terminal(''),
            move.Terminal('yep\n'),
            move.Pressed(''),
        ):
            self.stdin(stream)
            result = self.failover(approve=False)
            self.assertEqual((1, ''), (result.exit_code, result.stdout))
            self.assertIn('nothing was done', result.stderr)
            self.assert_untouched()

    def test_not_asked(self):
        self.stdin(move.Pressed(''))
        result = self.failover()
        self.assertEqual(0, result.exit_code, result)
        self.assertNotIn('confirm', result.stderr)

    def test_time_to_think_is_not_the_command_s(self):
        self.stdin(move.Terminal('y\n', seconds=1.0))
        result = self.failover('--timeout', '1.6', approve=False)
        self.assertEqual(0, result.exit_code, result)

    def test_plan_is_told_before(self):
        self.stdin(move.Terminal('n\n'))
        result = self.failover('--method', 'handover', approve=False)
        shown = f'r1 moves from {self.active} to {self.target} by handover'
        self.assertIn(f'plan: {shown}\n', result.stderr)
        self.assertIn('preflight: ', result.stderr)
        self.assertLess(
            result.stderr.index('preflight: '),
            result.stderr.index('confirm: '),
        )

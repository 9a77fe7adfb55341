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

"""openstack router ha repair, as users and scripts see it."""

import io
import time
from unittest import mock

import fixtures

from osc_ha_router import errors
from osc_ha_router.backends import registry
from osc_ha_router.commands import repair
from tests.unit import lines
from tests.unit import published
from tests.unit.commands import base
from tests.unit.commands import move
from tests.unit.repair import mending
from tests.unit.scene import Scene

#: fixed, never to be renamed
KEYS = [
    'Router',
    'Result',
    'Health',
    'Actions',
    'Refused',
    'Findings',
    'Notes',
]
ACTION = [
    'host',
    'action',
    'what',
    'codes',
    'risks',
    'waits_for',
    'details',
    'result',
    'changed',
    'failed',
]
REFUSAL = ['code', 'name', 'host', 'reason', 'steps']


class RepairTest(base.CloudTest):
    def setUp(self):
        super().setUp()
        self.well = Scene.of('healthy')
        self.active = self.well.reported
        self.standby, self.other = self.well.standbys
        self.add(self.well)
        mending.quick(self)
        self.stdin(io.StringIO())
        self.useFixture(
            fixtures.MockPatchObject(
                registry, 'load', lambda settings, connect: self.nodes
            )
        )
        self.useFixture(
            fixtures.MockPatchObject(
                repair.RepairRouterHA,
                '_changes',
                lambda command: self.changes,
            )
        )
        self.broken(
            self.well.without_address(self.active, self.well.floating_ip)
        )

    def broken(self, scene: Scene) -> None:
        self.nodes = mending.Nodes(scene, self.well)
        self.changes = mending.Neutron(self.nodes)

    def stdin(self, stream: io.StringIO) -> None:
        self.useFixture(fixtures.MonkeyPatch('sys.stdin', stream))

    def repair(self, *options: str, approve: bool = True) -> base.Result:
        if approve:
            options = (*options, '--auto-approve')
        return self.ran('repair', 'r1', '--recheck', '0', *options)

    def row(self, *options: str, code: int = 0, approve: bool = True):
        result = self.repair('-f', 'json', *options, approve=approve)
        self.assertEqual(code, result.exit_code, result)
        published.match('repair', result.rows)
        (row,) = result.rows
        self.assertEqual(KEYS, list(row))
        for each in row['Actions']:
            self.assertEqual(ACTION, list(each))
        for each in row['Refused']:
            self.assertEqual(REFUSAL, list(each))
        return row

    def test_mended(self):
        row = self.row()
        self.assertEqual('mended', row['Result'])
        self.assertEqual('OK', row['Health'])
        self.assertEqual(self.well.router.id, row['Router'])
        self.assertEqual(
            ([], [], []), (row['Refused'], row['Findings'], row['Notes'])
        )
        add, announce = row['Actions']
        self.assertEqual(
            {
                'host': self.active,
                'action': 'add',
                'codes': ['RHA502'],
                'risks': [],
                'waits_for': None,
                'result': '1 address set',
                'changed': True,
                'failed': False,
            },
            {k: v for k, v in add.items() if k not in ('what', 'details')},
        )
        self.assertIn(self.well.floating_ip, add['what'])
        (place,) = add['details']['addresses']
        self.assertEqual(self.well.floating_ip, place['address'])
        self.assertEqual('announce', announce['action'])

    def test_healthy(self):
        self.broken(self.well)
        row = self.row()
        self.assertEqual('healthy', row['Result'])
        self.assertEqual([], row['Actions'])
        self.assertEqual([], self.nodes.opened)

    def test_dry_run(self):
        row = self.row('--dry-run', approve=False)
        self.assertEqual('planned', row['Result'])
        self.assertEqual(
            ['add', 'announce'], [each['action'] for each in row['Actions']]
        )
        for each in row['Actions']:
            self.assertIsNone(each['result'])
        self.assertEqual([], self.nodes.opened)
        table = self.repair('--dry-run', approve=False)
        self.assertIn('planned', table.stdout)
        self.assertIn(self.well.floating_ip, table.stdout)

    def test_refused(self):
        """As a row: a script is told why, too."""
        scene = self.well.with_role(self.standby)
        for host in scene.names:
            scene = scene.hearing(host, host)
        self.broken(scene)
        for options in ((), ('--dry-run',), ('--keep', self.active)):
            row = self.row(*options, code=1)
            self.assertEqual('refused', row['Result'])
            self.assertEqual([], row['Actions'])
            refusal = row['Refused'][0]
            self.assertEqual('RHA104', refusal['code'])
            self.assertGreater(len(refusal['steps']), 2)
        self.assertEqual([], self.nodes.opened)
        result = self.repair()
        self.assertIn('Left to you: RHA104', result.stdout)
        self.assertIn('  1. ', result.stdout)

    def test_incomplete(self):
        self.broken(self.nodes.scene.without_keepalived(self.standby))
        self.changes.refuses = errors.CloudError(f'no{move.ESCAPES}')
        row = self.row('--timeout', '3', code=4)
        self.assertEqual('incomplete', row['Result'])
        result = self.repair('--timeout', '3')
        for text in (result.stdout, result.stderr):
            for line in text.split('\n'):
                self.assertTrue(line.isprintable(), line)

    def test_unknown(self):
        self.nodes.dark.add(self.other)
        row = self.row('--timeout', '10', code=3)
        self.assertEqual('unknown', row['Result'])
        self.assertEqual(
            'healthy', self.row('--ignore', 'node-unreachable')['Result']
        )

    def test_not_yet(self):
        self.broken(self.well.without_processes(self.standby, 'monitor'))
        self.changes.deaf = True
        self.assertEqual(
            'not yet', self.row('--timeout', '5', code=3)['Result']
        )

    def test_locked(self):
        self.nodes.locks[self.other] = ('anna', 'noon')
        result = self.repair()
        self.assertEqual(1, result.exit_code)
        self.assertIn('anna', result.stderr)
        self.assertEqual('', result.stdout)

    def test_off_a_terminal(self):
        result = self.repair(approve=False)
        self.assertEqual(1, result.exit_code)
        self.assertIn('--auto-approve', result.stderr)
        self.assertEqual([], self.nodes.requests)

    def test_asked(self):
        for typed, code in (('n\n', 1), ('', 1), ('yes\n', 0)):
            self.stdin(move.Terminal(typed))
            result = self.repair(approve=False)
            self.assertEqual(code, result.exit_code, result)
            self.assertIn('[y/N]', result.stderr)
            self.assertIn('plan: ' + self.active, result.stderr)
            self.assertEqual(not code, bool(self.nodes.opened))

    def test_nothing_is_asked_where_nothing_is_changed(self):
        """The agent is waited for, no more."""
        self.broken(self.well.without_processes(self.standby, 'monitor'))
        self.stdin(move.Terminal(''))
        result = self.repair('--timeout', '4', approve=False)
        self.assertEqual(3, result.exit_code, result)
        self.assertNotIn('[y/N]', result.stderr)

    def test_interrupted(self):
        self.nodes.fault(self.active, 'add', trouble=KeyboardInterrupt())
        result = self.repair()
        self.assertEqual(3, result.exit_code)
        self.assertIn('Interrupted', result.stderr)
        self.assertIn('again', result.stderr)

    def test_risks_and_what_is_left_are_said_before(self):
        self.broken(
            self.well.without_keepalived(self.standby).with_link_down(
                self.other, self.well.device(self.other, 'ha-')
            )
        )
        result = self.repair('--timeout', '10')
        plan = [
            line
            for line in result.stderr.split('\n')
            if line.startswith('plan: ')
        ]
        self.assertTrue(any('risk: ' in line for line in plan), plan)

    def test_keep_that_makes_no_sense(self):
        result = self.repair('--keep', 'net9')
        self.assertEqual(1, result.exit_code)
        self.assertIn('net9', result.stderr)

    def test_wrong_usage(self):
        for options in (('--ignore', 'RHA000'), ('--recheck', '-1')):
            self.assertEqual(2, self.repair(*options).exit_code)
        self.assertEqual(2, self.ran('repair').exit_code)

    def test_unreachable_in_the_middle(self):
        self.nodes.fault(
            self.active, 'add', trouble=lines.trouble(self.active)
        )
        row = self.row('--timeout', '10', code=4)
        self.assertEqual('incomplete', row['Result'])
        add = row['Actions'][0]
        # what was asked for may have been done
        self.assertEqual((True, True), (add['failed'], add['changed']))

    def test_refused_in_the_middle(self):
        self.nodes.fault(
            self.active,
            'add',
            trouble=lines.refusal(self.active, 'unsafe', 'it is passive'),
        )
        row = self.row('--timeout', '10', code=1)
        self.assertEqual('failed', row['Result'])
        add = row['Actions'][0]
        self.assertEqual((True, False), (add['failed'], add['changed']))

    def think(self, seconds: float, meanwhile=lambda: None) -> None:
        """Let somebody think so long before saying yes."""
        clock = [time.monotonic]

        class Thinking(move.Terminal):
            def readline(self, size=-1):
                meanwhile()
                clock[0] = lambda: time.monotonic() + seconds
                return super().readline(size)

        self.stdin(Thinking('yes\n'))
        self.useFixture(
            fixtures.MockPatchObject(
                repair, 'time', mock.Mock(monotonic=lambda: clock[0]())
            )
        )

    def test_long_thought(self):
        """It is looked at once more, and done if it is the same."""
        self.think(31)
        result = self.repair(approve=False)
        self.assertEqual(0, result.exit_code, result)
        self.assertIn('looking again', result.stderr)

    def test_short_thought(self):
        self.think(29)
        result = self.repair(approve=False)
        self.assertEqual(0, result.exit_code, result)
        self.assertNotIn('looking again', result.stderr)

    def test_long_thought_and_all_is_different(self):
        self.think(
            31,
            lambda: self.nodes.edit(
                lambda s: s.with_address(self.standby, self.well.internal)
            ),
        )
        result = self.repair(approve=False)
        self.assertEqual(1, result.exit_code, result)
        self.assertIn('nothing was done', result.stderr)
        self.assertEqual([], self.nodes.opened)

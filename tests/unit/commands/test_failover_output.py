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

"""What openstack router ha failover prints, and tells others."""

import csv
import getpass
import io
import os
from unittest import mock

import yaml

from osc_ha_router.commands import failover
from tests.unit.commands import base
from tests.unit.commands import move


class ProgressTest(move.FailoverTest):
    def test_phases(self):
        result = self.failover('--method', 'handover')
        phases = [line.split(': ')[0] for line in result.stderr.splitlines()]
        self.assertLessEqual(set(phases), set(move.PHASES))
        *begin, one, other, end = dict.fromkeys(phases)
        self.assertEqual(['plan', 'preflight', 'act'], begin)
        # Neutron and the node, whoever is the first
        self.assertEqual({'wait', 'restore'}, {one, other})
        self.assertEqual('verify', end)

    def test_quiet(self):
        result = base.openstack(
            '--quiet',
            'router',
            'ha',
            'failover',
            'r1',
            '--auto-approve',
            '-f',
            'json',
        )
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        self.assertEqual('verified', result.rows[0]['Result'])

    def test_quiet_still_asks(self):
        self.stdin(move.Terminal('n\n'))
        result = base.openstack('-q', 'router', 'ha', 'failover', 'r1')
        self.assertEqual(1, result.exit_code)
        self.assertTrue(result.stderr.startswith('confirm: '), result.stderr)

    def test_nobody_knows_the_winner(self):
        self.stdin(move.Terminal('n\n'))
        result = self.ran('failover', 'r1', '--method', 'release')
        self.assertIn('to whoever VRRP chooses by release', result.stderr)

    def test_control_characters(self):
        """From Neutron, from the nodes and from the command line."""
        self.neutron.routers[0]['name'] = 'r1' + move.ESCAPES
        self.moving.fault(
            self.active,
            'quiet',
            end={'quiet': False, 'reason': 'why' + move.ESCAPES},
        )
        self.moving.fault(
            self.other, 'finish', end={'undone': ['it' + move.ESCAPES]}
        )
        self.moving.fault(
            self.target, 'import', end={'reason': 'so' + move.ESCAPES}
        )
        self.moving.fault(
            self.active, 'begin', end={'undone': ['was' + move.ESCAPES]}
        )
        for form in ('table', 'json', 'yaml', 'csv', 'value'):
            self.renew_nodes()
            result = self.ran(
                'failover',
                self.well.router.id,
                '--to',
                self.target,
                '--auto-approve',
                '-f',
                form,
            )
            self.assertEqual(0, result.exit_code, result)
            self.assert_safe(result)
            self.assertRegex(result.stdout, r'why\\+x1b')
            self.assertIn('it\\x1b', result.stderr)
            self.assertIn('was\\x1b', result.stderr)
        result = self.ran('failover', 'x' + move.ESCAPES, '--auto-approve')
        self.assertEqual(1, result.exit_code)
        self.assert_safe(result)

    def renew_nodes(self) -> None:
        """Have everything as it was, but for the faults."""
        faults = self.moving.faults
        self.renew()
        self.moving.faults = faults


class FormatTest(move.FailoverTest):
    def test_table(self):
        self.moving.fault(
            self.active, 'quiet', end={'quiet': False, 'reason': 'no tool'}
        )
        result = self.failover()
        self.assertEqual(0, result.exit_code)
        table, _, rest = result.stdout.partition('\n\n')
        for key in move.KEYS[:7]:
            self.assertIn(key.split()[0], table)
        self.assertLessEqual(max(map(len, table.splitlines())), 80)
        self.assertIn('Health: OK\n', rest)
        self.assertNotIn('Notes', table)
        self.assertIn('r1', table)
        self.assertNotIn(self.well.router.id, table)
        self.assertIn('Connections: 0 carried over\n', rest)
        self.assertIn('- ' + self.active, rest)

    def test_table_with_nothing_to_say(self):
        result = self.ran(
            'failover', 'r1', '--to', self.active, '--auto-approve'
        )
        self.assertNotIn('Connections:', result.stdout)
        self.assertNotIn('\n- ', result.stdout)

    def test_table_of_chosen_columns(self):
        result = self.failover('-c', 'Result', '-c', 'Notes')
        self.assertIn('Notes', result.stdout)
        self.assertNotIn('Connections:', result.stdout)

    def test_yaml(self):
        (row,) = yaml.safe_load(self.failover('-f', 'yaml').stdout)
        self.assertEqual(set(move.KEYS), set(row))
        self.assertEqual([], row['Notes'])

    def test_csv(self):
        printed = self.failover('-f', 'csv').stdout
        (row,) = csv.DictReader(io.StringIO(printed))
        self.assertEqual(move.KEYS, list(row))

    def test_value(self):
        result = self.failover('-f', 'value', '-c', 'Result')
        self.assertEqual('verified\n', result.stdout)

    def test_findings(self):
        port = self.well.ha_port(self.other).id
        self.moving.moved = lambda host: [
            self.learn(host),
            *(
                p.update(status='DOWN')
                for p in self.neutron.ports
                if p['id'] == port
            ),
        ]
        row = self.row('--no-wait', code=4)
        (finding,) = row['Findings']
        self.assertEqual('RHA402', finding['code'])
        self.assertIn('RHA402', str(row['Notes']))


class AuthorTest(move.FailoverTest):
    def by(self) -> str:
        self.failover()
        (fields,) = self.moving.fields(self.active, 'begin')
        return str(fields['by'])

    def test_author(self):
        by = self.by()
        self.assertIn(getpass.getuser() + ' on ', by)
        self.assertIn(f', pid {os.getpid()}', by)

    def test_nobody(self):
        for error in (KeyError, OSError):
            self.renew()
            with mock.patch.object(getpass, 'getuser', side_effect=error):
                self.assertRegex(self.by(), '^[0-9]+ on ')

    def test_it_fits(self):
        """What the node program takes, and whoever is refused is shown."""
        name = 'x\n\x1b' * 100
        with mock.patch.object(getpass, 'getuser', return_value=name):
            by = self.by()
        self.assertTrue(by.isprintable())
        self.renew()
        self.moving.locks = {self.other: (by, '2026-11-22T10:11:12Z')}
        self.assertIn(
            f'by {by} is under way since 2026-11-22T10:11:12Z',
            self.failover().stderr,
        )

    def test_columns(self):
        self.assertEqual(move.KEYS, list(failover.COLUMNS))

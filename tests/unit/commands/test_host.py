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

"""openstack router ha host list, as users and scripts see it."""

import csv
import dataclasses
import io
import json
import os
import pathlib

import fixtures
import yaml

from osc_ha_router import text
from osc_ha_router.model import view
from tests.unit.commands import base
from tests.unit.scene import Scene

KEYS = [
    'Host',
    'Active',
    'Standby',
    'Problems',
    'Orphans',
    'Agent Alive',
    'Reachable',
    'Probe Seconds',
]


class HostTest(base.CommandTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.unknown = self.healthy.with_unreachable(self.other)

    def list(self, *scenes: Scene, options: tuple[str, ...] = ()):
        path = base.save(self.path('scenes.json'), *scenes)
        return self.ran('host', 'list', '--capture', path, *options)

    def rows(self, *scenes: Scene, options: tuple[str, ...] = ()):
        """Return host -> what programs read."""
        result = self.list(*scenes, options=('-f', 'json', *options))
        return {row['Host']: row for row in result.rows}


class OutputTest(HostTest):
    def test_json(self):
        rows = self.rows(self.healthy)
        self.assertEqual(self.healthy.names, list(rows))
        row = rows[self.active]
        self.assertEqual(KEYS, list(row))
        self.assertIsInstance(row.pop('Probe Seconds'), float)
        self.assertEqual(
            [self.active, 1, 0, 0, 0, True, True], [*row.values()]
        )
        self.assertEqual(1, rows[self.standby]['Standby'])

    def test_what_was_not_looked_at_is_null(self):
        row = self.rows(self.unknown)[self.other]
        for key in KEYS[1:5]:
            self.assertIsNone(row[key], key)
        self.assertIs(False, row['Reachable'])
        self.assertIs(True, row['Agent Alive'])

    def test_yaml_is_the_same(self):
        printed = self.list(self.unknown, options=('-f', 'yaml')).stdout
        self.assertEqual(
            [*self.rows(self.unknown).values()], yaml.safe_load(printed)
        )

    def test_value(self):
        options = ('-f', 'value', '-c', 'Host', '-c', 'Active')
        printed = self.list(self.unknown, options=options).stdout
        self.assertIn(f'{self.active} 1\n', printed)
        self.assertIn(f'{self.other} None\n', printed)

    def test_csv(self):
        printed = self.list(self.healthy, options=('-f', 'csv')).stdout
        rows = list(csv.DictReader(io.StringIO(printed)))
        self.assertEqual(KEYS, list(rows[0]))
        self.assertEqual(3, len(rows))

    def test_table(self):
        result = self.list(self.healthy)
        self.assertIn(f'| {self.active} | 1 ', result.stdout)
        self.assertNotIn('Probe Seconds', result.stdout)
        self.assertTrue(result.stdout.endswith('+\n'), result.stdout)

    def test_long_table(self):
        printed = self.list(self.healthy, options=('--long',)).stdout
        self.assertIn('Probe Seconds', printed)

    def test_table_says_why_a_node_could_not_be_looked_at(self):
        printed = self.list(self.unknown).stdout
        self.assertIn(f'| {self.other} | ?      | ? ', printed)
        self.assertIn(f'\n{self.other}:\n  nobody listens\n', printed)
        self.assertIn('    -> start sshd\n', printed)

    def test_only_what_was_asked_for_in_any_machine_format(self):
        for format_ in ('json', 'yaml', 'csv', 'value'):
            printed = self.list(self.unknown, options=('-f', format_))
            self.assertNotIn('->', printed.stdout)
            self.assertEqual('', printed.stderr)

    def test_sorted(self):
        """What is not known comes last, and is in nobody's way."""
        options = ('-f', 'value', '-c', 'Host', '--sort-column', 'Active')
        result = self.list(self.unknown, options=options)
        self.assertEqual(
            [self.standby, self.active, self.other],
            result.stdout.splitlines(),
        )
        self.assertEqual('', result.stderr)

    def test_ignored(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        self.assertEqual(1, self.rows(scene)[self.standby]['Problems'])
        options = ('--ignore', 'monitor-dead')
        rows = self.rows(scene, options=options)
        self.assertEqual(0, rows[self.standby]['Problems'])

    def test_example(self):
        result = self.ran(
            'host', 'list', '--capture', 'example:incident', '-f', 'json'
        )
        self.assertEqual(0, result.exit_code)
        self.assertEqual(
            [(1, 0, 0, True), (0, 1, 0, True), (0, 0, 1, False)],
            [
                tuple(row[key] for key in (*KEYS[1:4], KEYS[5]))
                for row in result.rows
            ],
        )


class ExitCodeTest(HostTest):
    def assert_code(self, expected: int, scene: Scene, *options: str):
        for format_ in ('table', 'json', 'yaml', 'csv', 'value'):
            result = self.list(scene, options=('-f', format_, *options))
            self.assertEqual(expected, result.exit_code, format_)

    def test_ok(self):
        self.assert_code(0, self.healthy)

    def test_a_listing_does_not_judge(self):
        self.assert_code(0, self.healthy.with_role(self.standby))

    def test_unreachable(self):
        self.assert_code(3, self.unknown)
        self.assert_code(0, self.unknown, '--ignore', 'node-unreachable')
        self.assert_code(3, self.unknown, '--ignore', 'not-looked-at')

    def test_not_all_looked_at(self):
        blind = self.healthy.with_view(self.standby, routes=None)
        self.assert_code(3, blind)
        self.assert_code(0, blind, '--ignore', 'not-looked-at')
        self.assert_code(3, blind, '--ignore', 'node-unreachable')

    def test_no_node_that_one_can_see(self):
        nobody = dataclasses.replace(
            self.healthy.with_router(agents=None), hosts=()
        )
        self.assert_refused(self.list(nobody), 1, 'get_agent')

    def test_bad_capture(self):
        result = self.ran('host', 'list', '--capture', self.path('none'))
        self.assert_refused(result, 1, 'No such file')

    def test_wrong_usage(self):
        for options in (('--ignore', 'x'), ('--timeout', '0'), ('r1',)):
            result = self.list(self.healthy, options=options)
            self.assertEqual((2, ''), (result.exit_code, result.stdout))


class TerminalTest(HostTest):
    def test_hostile_names(self):
        """Names from the API and from nodes never reach it raw."""
        hostile = 'r\x1b]0;owned\x07\u202e\n'
        path = pathlib.Path(base.save(self.path('h.json'), self.unknown))
        data = path.read_text()
        for name in (self.active, 'nobody listens'):
            data = data.replace(json.dumps(name), json.dumps(name + hostile))
        path.write_text(data)
        for format_ in ('table', 'json', 'yaml', 'value'):
            result = self.ran(
                'host', 'list', '--capture', str(path), '-f', format_
            )
            self.assertIn('owned', result.stdout)
            for line in result.stdout.split('\n'):
                self.assertEqual(line, text.clean(line))

    def test_80_columns(self):
        size = os.terminal_size((80, 24))
        self.useFixture(fixtures.EnvironmentVariable('CLIFF_FIT_WIDTH', '1'))
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS'))
        self.useFixture(
            fixtures.MockPatch('os.get_terminal_size', lambda *_: size)
        )
        self.assert_narrow(self.list(self.unknown).stdout)
        path = pathlib.Path(base.save(self.path('h.json'), self.unknown))
        path.write_text(
            path.read_text().replace(
                json.dumps(self.active),
                json.dumps('network-node-with-a-long-name-17.example.org'),
            )
        )
        printed = self.ran('host', 'list', '--capture', str(path)).stdout
        self.assert_narrow(printed)


class CloudTest(base.CloudTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.standby, self.other = self.healthy.standbys
        self.add(self.healthy)

    def rows(self, *options: str):
        result = self.ran('host', 'list', '-f', 'json', *options)
        self.assertEqual('', result.stderr)
        return {row['Host']: row for row in result.rows}

    def test_one_look_at_every_node(self):
        self.neutron.add_agent('net4', alive=False)
        backend = self.nodes(self.healthy)
        rows = self.rows()
        self.assertEqual({*self.healthy.names, 'net4'}, set(rows))
        self.assertEqual(
            (0, 0, 0, 0, False, True),
            tuple(rows['net4'][key] for key in KEYS[1:7]),
        )
        (requests,) = backend.requests
        self.assertEqual(4, len(requests))
        self.assertEqual({None}, {request.routers for request in requests})

    def test_looks_again(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.nodes(broken, self.healthy)
        rows = self.rows('--recheck', '0.01')
        self.assertEqual(0, rows[self.standby]['Problems'])

    def test_options_reach_the_nodes(self):
        backend = self.nodes(self.healthy)
        self.rows(
            *('--timeout', '40', '--probe-timeout', '4'),
            *('--backend', 'other', '--listen', '3'),
        )
        self.assertEqual(3.0, backend.requests[0][0].listen)
        (settings,) = self.settings
        self.assertEqual(
            (40.0, 4.0, 'other'),
            (settings.timeout, settings.probe_timeout, settings.backend),
        )

    def test_saved_look_is_counted_the_same(self):
        """With the agents that have no router."""
        self.neutron.add_agent('net4', alive=False)
        self.nodes(self.healthy)
        path = self.path('saved.json')
        self.assertEqual(
            self.rows('--save', path), self.rows('--capture', path)
        )

    def test_no_routers(self):
        self.neutron.routers.clear()
        nobody = tuple(
            view.HostView(host, residents=()) for host in self.healthy.names
        )
        self.nodes(dataclasses.replace(self.healthy, hosts=nobody))
        for row in self.rows().values():
            self.assertEqual([0, 0, 0, 0], [row[key] for key in KEYS[1:5]])

    def test_api_fails(self):
        self.nodes(self.healthy)
        self.neutron.instead['ports'] = (500, {})
        self.assert_refused(self.ran('host', 'list'), 1, 'The API call failed')

    def test_agents_refused(self):
        self.neutron.agents.clear()
        self.neutron.routers.clear()
        self.nodes(self.healthy)
        self.assert_refused(self.ran('host', 'list'), 1, 'get_agent')

    def test_no_such_backend(self):
        result = self.ran('host', 'list', '--backend', 'carrier-pigeon')
        self.assert_refused(result, 1, "'carrier-pigeon'", 'ssh')

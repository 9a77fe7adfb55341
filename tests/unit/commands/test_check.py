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

"""openstack router ha check, as users and scripts see it."""

import csv
import dataclasses
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import uuid

import fixtures
import hypothesis
import yaml

from osc_ha_router import capture
from osc_ha_router import text
from osc_ha_router.commands import sentences
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit import strategies as model
from tests.unit.commands import base
from tests.unit.scene import Scene

FORMATS = ('table', 'json', 'yaml', 'csv', 'value')
#: fixed by the design, never to be renamed
KEYS = [
    'Router',
    'Name',
    'Health',
    'Active Hosts',
    'Reported Active',
    'Replicas',
    'Findings',
]
REPLICA_KEYS = {
    'host',
    'agent_id',
    'alive',
    'admin_state_up',
    'reported',
    'observed',
    'vip',
    'keepalived',
}
FINDING_KEYS = {
    'code',
    'name',
    'severity',
    'host',
    'summary',
    'hint',
    'documentation_url',
}


def code(name: str) -> str:
    return catalogue.entries()[name].code


def spare(scene: Scene, *hosts: str) -> Scene:
    """Add nodes that cannot be looked at, and have no router."""
    failure = view.Failure('refused', 'nobody listens', 'start sshd')
    added = (view.HostView(host, failure) for host in hosts or ('net9',))
    return dataclasses.replace(scene, hosts=(*scene.hosts, *added))


class SceneTest(base.CommandTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys
        self.warning = self.healthy.without_processes(self.standby, 'monitor')
        self.error = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        )
        self.unknown = self.healthy.with_unreachable(self.other)
        self.info = self.healthy.with_peers(4, 4)

    def renamed(self, scene: Scene, name: str, number: int) -> Scene:
        """Return the same as another router, seen on the same nodes."""
        id_ = str(uuid.UUID(int=number))
        scene = scene.with_router(id=id_, name=name)
        return dataclasses.replace(
            scene,
            hosts=tuple(
                dataclasses.replace(
                    shown,
                    views=tuple(
                        dataclasses.replace(v, router_id=id_)
                        for v in shown.views
                    ),
                )
                for shown in scene.hosts
            ),
        )


class OutputTest(SceneTest):
    def json_of(self, scene: Scene):
        return self.check(scene, options=('-f', 'json')).rows

    def test_json_keys(self):
        (row,) = self.json_of(self.error)
        self.assertEqual(KEYS, list(row))
        for replica in row['Replicas']:
            self.assertLessEqual(REPLICA_KEYS, set(replica))
        for finding in row['Findings']:
            self.assertLessEqual(FINDING_KEYS, set(finding))

    def test_json_values(self):
        (row,) = self.json_of(self.error)
        self.assertEqual(self.healthy.router.id, row['Router'])
        self.assertEqual('r1', row['Name'])
        self.assertEqual('ERROR', row['Health'])
        self.assertEqual([self.active], row['Active Hosts'])
        self.assertEqual([self.active], row['Reported Active'])
        replicas = {r['host']: r for r in row['Replicas']}
        self.assertEqual(set(self.healthy.names), set(replicas))
        (agent,) = (
            a for a in self.healthy.router.agents if a.host == self.active
        )
        active = replicas[self.active]
        self.assertEqual('active', active['observed'])
        self.assertEqual('active', active['reported'])
        self.assertEqual(agent.id, active['agent_id'])
        for key in ('alive', 'admin_state_up', 'vip', 'keepalived'):
            self.assertIs(True, active[key], key)
        standby = replicas[self.standby]
        self.assertEqual(
            ('standby', False), (standby['observed'], standby['vip'])
        )
        (finding,) = row['Findings']
        self.assertEqual(code('floating-ip-missing'), finding['code'])
        self.assertEqual('floating-ip-missing', finding['name'])
        self.assertEqual('ERROR', finding['severity'])
        self.assertEqual(self.active, finding['host'])
        self.assertIn(self.healthy.floating_ip, finding['summary'])

    def test_json_of_what_was_not_looked_at(self):
        (row,) = self.json_of(self.unknown)
        (replica,) = (r for r in row['Replicas'] if r['host'] == self.other)
        self.assertEqual('unknown', replica['observed'])
        self.assertIsNone(replica['vip'])
        self.assertIsNone(replica['keepalived'])

    def test_json_of_a_leftover(self):
        (row,) = self.json_of(self.healthy.without_agents(self.standby))
        (replica,) = (r for r in row['Replicas'] if r['host'] == self.standby)
        for key in ('agent_id', 'alive', 'admin_state_up', 'reported'):
            self.assertIsNone(replica[key], key)

    def test_yaml_is_the_same(self):
        printed = self.check(self.error, options=('-f', 'yaml'))
        self.assertEqual(
            self.json_of(self.error), yaml.safe_load(printed.stdout)
        )

    def test_value(self):
        printed = self.check(
            self.error, options=('-f', 'value', '-c', 'Health')
        )
        self.assertEqual('ERROR\n', printed.stdout)

    def test_csv(self):
        printed = self.check(self.error, options=('-f', 'csv'))
        (row,) = csv.DictReader(io.StringIO(printed.stdout))
        self.assertEqual(KEYS, list(row))
        self.assertEqual('ERROR', row['Health'])

    def test_only_what_was_asked_for_in_any_machine_format(self):
        """No sentences for people after the data."""
        for format_ in ('json', 'yaml', 'csv', 'value'):
            printed = self.check(self.error, options=('-f', format_)).stdout
            self.assertNotIn('->', printed)

    def test_table(self):
        printed = self.check(self.error).stdout
        self.assertIn('| r1 ', printed)
        self.assertIn(code('floating-ip-missing'), printed)
        self.assertIn(self.healthy.floating_ip, printed)
        self.assertIn('    -> ', printed)

    def test_table_of_a_healthy_router_says_no_more(self):
        printed = self.check(self.healthy).stdout
        self.assertTrue(printed.endswith('+\n'), printed)

    def test_long_table(self):
        printed = self.check(self.error, options=('--long',)).stdout
        self.assertIn(self.healthy.router.id, printed)
        self.assertIn(
            f'{self.standby}: seen standby, claimed standby', printed
        )

    def test_routers_by_name(self):
        rows = self.check(
            self.renamed(self.healthy, 'b', 1),
            self.renamed(self.error, 'a', 2),
            options=('-f', 'json'),
        ).rows
        self.assertEqual(['a', 'b'], [row['Name'] for row in rows])

    def test_people_see_the_id_where_the_name_tells_nothing(self):
        printed = self.check(
            self.renamed(self.healthy, 'same', 1),
            self.renamed(self.healthy, 'same', 2),
            self.renamed(self.healthy, '', 3),
        ).stdout
        for number in (1, 2, 3):
            self.assertIn(str(uuid.UUID(int=number)), printed)
        self.assertNotIn('same', printed)

    def test_unhealthy(self):
        scenes = (
            self.renamed(self.healthy, 'a', 1),
            self.renamed(self.warning, 'b', 2),
        )
        printed = self.check(*scenes, options=('-f', 'json', '--unhealthy'))
        self.assertEqual(['b'], [row['Name'] for row in printed.rows])
        self.assertEqual(4, printed.exit_code)

    def test_all_healthy(self):
        printed = self.check(
            self.healthy, options=('-f', 'json', '--unhealthy')
        )
        self.assertEqual([], printed.rows)
        self.assertEqual(0, printed.exit_code)

    def test_unhealthy_but_ignored(self):
        options = ('-f', 'json', '--unhealthy', '--ignore', 'monitor-dead')
        printed = self.check(self.warning, options=options)
        self.assertEqual([], printed.rows)
        self.assertEqual(0, printed.exit_code)

    def test_nothing_to_check(self):
        printed = self.check(options=('-f', 'json'))
        self.assertEqual((0, []), (printed.exit_code, printed.rows))
        self.assertIn('no HA router', printed.stderr)

    def test_of_a_project(self):
        """By its ID, as a capture has no names of projects."""
        ours = str(self.healthy.router.project_id)
        other = self.renamed(self.healthy, 'other', 1).with_router(
            project_id='b' * 32
        )
        for project, name in ((ours, 'r1'), ('b' * 32, 'other')):
            printed = self.check(
                self.healthy,
                other,
                options=('-f', 'json', '--project', project),
            )
            self.assertEqual([name], [row['Name'] for row in printed.rows])
        printed = self.check(self.healthy, options=('--project', 'admin\x1b'))
        self.assert_refused(printed, 2, 'no names of projects', ours)
        printed = self.check(options=('--project', ours))
        self.assert_refused(printed, 2, 'there are none')

    def test_named(self):
        scenes = (
            self.renamed(self.error, 'a', 1),
            self.renamed(self.healthy, 'b', 2),
            self.renamed(self.healthy, 'c', 3),
        )
        printed = self.check(*scenes, options=('-f', 'json', 'c', 'b'))
        self.assertEqual(['b', 'c'], [row['Name'] for row in printed.rows])
        self.assertEqual(0, printed.exit_code)


class ExitCodeTest(SceneTest):
    def assert_code(self, expected: int, scene: Scene, *options: str):
        for format_ in FORMATS:
            result = self.check(scene, options=('-f', format_, *options))
            self.assertEqual(expected, result.exit_code, format_)

    def test_ok(self):
        self.assert_code(0, self.healthy)

    def test_info(self):
        self.assert_code(0, self.info)

    def test_unknown(self):
        self.assert_code(3, self.unknown)

    def test_warning(self):
        self.assert_code(4, self.warning)

    def test_error(self):
        self.assert_code(5, self.error)

    def test_the_worst_of_several(self):
        result = self.check(
            self.renamed(self.warning, 'a', 1),
            self.renamed(self.error, 'b', 2),
            self.renamed(self.healthy, 'c', 3),
        )
        self.assertEqual(5, result.exit_code)

    def test_fail_on_error(self):
        self.assert_code(0, self.warning, '--fail-on', 'error')
        self.assert_code(5, self.error, '--fail-on', 'error')
        self.assert_code(3, self.unknown, '--fail-on', 'error')

    def test_fail_on_warning(self):
        self.assert_code(4, self.warning, '--fail-on', 'warning')
        self.assert_code(3, self.unknown, '--fail-on', 'warning')

    def test_fail_on_error_does_not_hide_what_was_not_seen(self):
        """A warning that does not count must not cover an unknown."""
        both = self.warning.with_unreachable(self.other)
        self.assert_code(3, both, '--fail-on', 'error')

    def test_fail_never(self):
        for scene in (self.error, self.warning, self.unknown):
            self.assert_code(0, scene, '--fail-on', 'never')

    def test_fail_on_something_else(self):
        result = self.check(self.healthy, options=('--fail-on', 'info'))
        self.assert_refused(result, 2, '--fail-on')

    def test_ignored(self):
        self.assert_code(
            0, self.error, '--ignore', code('floating-ip-missing')
        )
        self.assert_code(0, self.unknown, '--ignore', 'node-unreachable')
        both = self.error.without_processes(self.standby, 'monitor')
        self.assert_code(4, both, '--ignore', code('floating-ip-missing'))
        self.assert_code(
            0,
            both,
            '--ignore',
            code('floating-ip-missing'),
            '--ignore',
            'Monitor-Dead',
        )

    def test_a_node_that_no_router_is_on(self):
        """What is left there is not known, which is not OK."""
        for scene, code in (
            (self.healthy, 3),
            (self.info, 3),
            (self.warning, 4),
            (self.error, 5),
        ):
            self.assert_code(code, spare(scene))
            self.assert_code(0, spare(scene), '--fail-on', 'never')
        self.assert_code(3, spare(self.warning), '--fail-on', 'error')
        self.assert_code(0, spare(self.healthy), '--ignore', 'RHA901')
        self.assert_code(0, spare(self.healthy), '--unhealthy', '--ignore',
                         'node-unreachable')  # fmt: skip
        self.assert_code(3, spare(self.healthy), 'r1')

    def test_command_failed(self):
        result = self.ran('check', '--capture', self.path('none'))
        self.assert_refused(result, 1, 'No such file')

    def test_wrong_usage(self):
        for options in (
            ('--recheck', '-1'),
            ('--recheck', 'soon'),
            ('--listen', 'nan'),
            ('--timeout', '1e9'),
            ('--timeout', '0'),
            ('--probe-timeout', '0'),
            ('--listen', '61'),
            ('--no-such-option',),
        ):
            result = self.check(self.healthy, options=options)
            self.assertEqual(2, result.exit_code, options)
            self.assertEqual('', result.stdout)


class UnseenTest(SceneTest):
    """Nodes that could not be looked at, and that no router is on."""

    def test_named_below_the_table(self):
        result = self.check(spare(self.healthy))
        self.assertEqual(self.check(self.healthy).stdout, result.stdout)
        self.assertEqual(
            'net9 was not looked at (nobody listens): what is left there of '
            'routers is not known\n',
            result.stderr,
        )

    def test_said_to_programs_as_well(self):
        result = self.check(spare(self.healthy), options=('-f', 'json'))
        self.assertEqual(['OK'], [row['Health'] for row in result.rows])
        self.assertIn('net9 was not looked at', result.stderr)

    def test_also_if_it_does_not_count(self):
        options = ('--ignore', 'RHA901')
        result = self.check(spare(self.healthy), options=options)
        self.assertIn('net9 was not looked at', result.stderr)

    def test_not_one_that_a_finding_names(self):
        self.assertEqual('', self.check(self.unknown).stderr)

    def test_many_at_once(self):
        hosts = [f'net{number}' for number in range(10, 22)]
        (line,) = self.check(spare(self.healthy, *hosts)).stderr.splitlines()
        self.assertIn(
            'net10, net11, net12, net13, net14 and 7 more were not looked at '
            '(nobody listens):',
            line,
        )

    def test_a_few_of_different_kinds(self):
        scene = spare(self.healthy, 'net7', 'net8', 'net9')
        result = self.check(scene)
        self.assertEqual(3, len(result.stderr.splitlines()))

    def test_name_from_outside(self):
        path = pathlib.Path(
            base.save(self.path('h.json'), spare(self.healthy))
        )
        name = json.dumps('net9\x1b]0;owned\x07')
        path.write_text(path.read_text().replace('"net9"', name))
        result = self.ran('check', '--capture', str(path))
        for line in result.stderr.splitlines():
            self.assertEqual(line, text.clean(line))


class IgnoreTest(SceneTest):
    def test_shown_as_ignored(self):
        options = ('--ignore', code('floating-ip-missing'))
        table = self.check(self.error, options=options).stdout
        self.assertIn('(ignored)', table)
        self.assertIn('ERROR (ignored)', table)
        result = self.check(self.error, options=('-f', 'json', *options))
        (row,) = result.rows
        self.assertEqual('OK', row['Health'])
        (finding,) = row['Findings']
        self.assertIs(True, finding['ignored'])

    def test_unknown_code(self):
        for given in ('RHA000', 'nothing', '', '\x1b[2J'):
            result = self.check(self.healthy, options=('--ignore', given))
            self.assert_refused(result, 2, 'finding list')


class CaptureTest(SceneTest):
    def test_saved_again_it_is_the_same(self):
        options = ('-f', 'json', '--save', self.path('again.json'))
        first = self.check(self.error, options=options)
        second = self.ran(
            'check', '--capture', self.path('again.json'), '-f', 'json'
        )
        self.assertEqual(first, second)

    def test_cannot_be_saved(self):
        result = self.check(
            self.healthy, options=('--save', self.path('none/x.json'))
        )
        self.assert_refused(result, 1, 'cannot be written')

    def test_place_is_looked_at_first(self):
        """Minutes of looking are not for nothing."""
        os.mkdir(self.path('folder'))
        for place in ('folder', 'none/x.json', 'clouds.yaml/x.json'):
            result = self.ran(
                *('check', '--capture', self.path('no-capture')),
                *('--save', self.path(place)),
            )
            self.assert_refused(result, 1, 'cannot be written')
            result = self.ran('host', 'list', '--save', self.path(place))
            self.assert_refused(result, 1, 'cannot be written')

    def test_shown_although_it_cannot_be_saved(self):
        """What was found is not lost with it."""
        full = OSError(28, 'No space left on device')
        self.useFixture(
            fixtures.MockPatch(
                'osc_ha_router.capture.os.replace', side_effect=full
            )
        )
        saved = self.path('scenes.json')
        with open(saved, 'w') as file:
            json.dump(captures.raw('healthy'), file)
        for command in (('check',), ('show', 'r1'), ('host', 'list')):
            result = self.ran(
                *(*command, '--capture', saved, '-f', 'json'),
                *('--save', self.path('x.json')),
            )
            self.assertEqual(1, result.exit_code, command)
            self.assertIn('No space left', result.stderr)
            json.loads(result.stdout)
        result = self.ran(
            *('check', '--nagios', '--capture', saved),
            *('--save', self.path('x.json')),
        )
        self.assertEqual(3, result.exit_code)
        self.assertIn('No space left', result.stdout)

    def test_garbled(self):
        path = pathlib.Path(self.path('garbled\x1b.json'))
        for content in (b'', b'{', b'[]', b'\xff\xfe\x00', b'[' * 10000):
            path.write_bytes(content)
            result = self.ran('check', '--capture', str(path))
            self.assert_refused(result, 1, 'is not a capture')

    def test_spoilt(self):
        data = captures.raw('healthy')
        data['hosts'][0]['views'][0]['links'] = 'none'
        path = pathlib.Path(self.path('spoilt.json'))
        path.write_text(json.dumps(data))
        result = self.ran('check', '--capture', str(path))
        self.assert_refused(result, 1, 'links: expected a list')

    def test_no_such_example(self):
        result = self.ran('check', '--capture', 'example:nothing')
        self.assert_refused(result, 1, 'split-brain')

    def test_router_that_it_does_not_have(self):
        result = self.check(self.healthy, options=('r9\x1b',))
        self.assert_refused(result, 1, 'no router with a name or ID')

    def test_example(self):
        """The incident of the report, and no more than it shows."""
        result = self.ran(
            'check', '--capture', 'example:split-brain', '-f', 'json'
        )
        self.assertEqual(5, result.exit_code)
        (row,) = result.rows
        self.assertEqual('ERROR', row['Health'])
        # nobody looked at processes, so nobody knows who is active
        self.assertEqual([], row['Active Hosts'])
        self.assertEqual(2, len(row['Reported Active']))
        self.assertIn('multiple-active', [f['name'] for f in row['Findings']])
        self.assertEqual({'unknown'}, {r['observed'] for r in row['Replicas']})

    def test_no_look_is_taken_twice(self):
        """A capture does not change however long one waits."""
        self.useFixture(
            fixtures.MockPatch(
                'time.sleep', lambda seconds: self.fail('it waited')
            )
        )
        self.assertEqual(4, self.check(self.warning).exit_code)


class HostileTest(SceneTest):
    """Names from the API and from nodes never reach the terminal raw."""

    def test_control_characters(self):
        hostile = 'r\x1b]0;owned\x07\u202e\n'
        path = pathlib.Path(base.save(self.path('h.json'), self.error))
        data = path.read_text()
        for name in ('r1', self.active):
            data = data.replace(json.dumps(name), json.dumps(name + hostile))
        path.write_text(data)
        for command in ('check', 'show'):
            names = [] if command == 'check' else [self.healthy.router.id]
            for format_ in ('table', 'json', 'yaml', 'value'):
                result = self.ran(
                    command,
                    *names,
                    '--capture',
                    str(path),
                    '-f',
                    format_,
                )
                self.assertEqual('', result.stderr)
                self.assertIn('owned', result.stdout)
                for line in result.stdout.split('\n'):
                    self.assertEqual(line, text.clean(line))


class WidthTest(SceneTest):
    """At 80 columns nothing is wider."""

    def setUp(self):
        super().setUp()
        size = os.terminal_size((80, 24))
        # a terminal is what makes cliff fit its tables
        self.useFixture(fixtures.EnvironmentVariable('CLIFF_FIT_WIDTH', '1'))
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS'))
        self.useFixture(
            fixtures.MockPatch('os.get_terminal_size', lambda *_: size)
        )

    def test_broken_in_many_ways(self):
        scene = (
            self.error.without_processes(self.standby, 'monitor')
            .with_unreachable(self.other)
            .with_role(self.standby)
        )
        self.assert_narrow(self.check(scene).stdout)

    def test_long_names(self):
        path = pathlib.Path(base.save(self.path('h.json'), self.error))
        data = path.read_text().replace(
            json.dumps(self.active),
            json.dumps('network-node-with-a-long-name-17.example.org'),
        )
        path.write_text(data)
        printed = self.ran('check', '--capture', str(path)).stdout
        self.assert_narrow(printed)

    def test_example(self):
        printed = self.ran('check', '--capture', 'example:split-brain').stdout
        self.assert_narrow(printed)

    def test_every_finding(self):
        """With hosts and addresses of usual length in the sentences."""
        for entry in catalogue.entries().values():
            names = re.findall(r'\{(\w+)', entry.summary + entry.hint)
            fields = dict.fromkeys(names, 'network-node-12')
            fields |= {'seconds': 10.0}
            fields.pop('host', None)
            found = catalogue.finding(entry.name, 'network-node-11', **fields)
            lines = list(sentences.sentence(found, 80))
            self.assertGreaterEqual(len(lines), 2)
            self.assert_narrow('\n'.join(lines))

    def test_on_a_real_terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(
            slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0)
        )
        process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'openstackclient.shell',
                'router',
                'ha',
                'check',
                '--capture',
                base.save(self.path('x.json'), self.error),
            ],
            stdout=slave,
            stderr=slave,
            stdin=slave,
        )
        os.close(slave)
        printed = b''
        # a pseudo-terminal whose other side is closed fails to be read
        try:
            while chunk := os.read(master, 65536):
                printed += chunk
        except OSError:
            pass
        self.assertEqual(5, process.wait())
        self.assertIn(b'floating-ip-missing', printed)
        self.assert_narrow(printed.decode())


class AnyCaptureTest(SceneTest):
    """Whatever nodes and Neutron come up with is shown, not tripped over."""

    @hypothesis.given(model.cases)
    @hypothesis.settings(max_examples=20)
    def test_every_format(self, case):
        router, hosts = case
        look = capture.Capture(claim.Claims((router,), None), hosts, '')
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'c')
            capture.save(look, path)
            for format_ in ('table', 'json', 'value'):
                result = self.ran('check', '--capture', path, '-f', format_)
                self.assertIn(result.exit_code, (0, 3, 4, 5), result)
            result = self.ran('show', router.id, '--capture', path)
            self.assertEqual(0, result.exit_code, result)


class CloudTest(base.CloudTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.standby, _ = self.healthy.standbys
        self.add(self.healthy)

    def test_healthy(self):
        backend = self.nodes(self.healthy)
        result = self.ran('check', 'r1', '-f', 'json')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        (row,) = result.rows
        self.assertEqual('OK', row['Health'])
        self.assertEqual([self.healthy.reported], row['Active Hosts'])
        self.assertEqual(1, len(backend.requests))

    def test_looks_again(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.nodes(broken, self.healthy)
        result = self.ran('check', 'r1', '-f', 'json', '--recheck', '0.01')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        (finding,) = result.rows[0]['Findings']
        self.assertEqual('changed-meanwhile', finding['name'])

    def test_does_not_look_again(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.nodes(broken, self.healthy)
        result = self.ran('check', 'r1', '--recheck', '0')
        self.assertEqual(4, result.exit_code)

    def test_saved_look_is_judged_the_same_and_has_no_secrets(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        self.nodes(broken)
        path = self.path('saved.json')
        live = self.ran(
            'check', '-f', 'json', '--recheck', '0', '--save', path
        )
        self.assertEqual(
            live, self.ran('check', '--capture', path, '-f', 'json')
        )
        saved = pathlib.Path(path).read_text()
        for secret in ('secret-password', 'a-token', 'somebody'):
            self.assertNotIn(secret, saved)

    def test_no_such_router(self):
        self.nodes(self.healthy)
        self.assert_refused(self.ran('check', 'r9'), 1, "'r9'")

    def test_host(self):
        self.nodes(self.healthy)
        result = self.ran('check', '--host', self.standby, '-f', 'json')
        self.assertEqual(['r1'], [row['Name'] for row in result.rows])
        self.assert_refused(
            self.ran('check', '--host', 'x'), 2, 'No L3 agent on host'
        )

    def test_no_such_project(self):
        self.nodes(self.healthy)
        self.assert_refused(
            self.ran('check', '--project', 'x'), 2, 'No project'
        )

    def test_api_fails(self):
        self.nodes(self.healthy)
        self.neutron.instead['ports'] = (500, {})
        self.assert_refused(self.ran('check'), 1, 'The API call failed')

    def test_listen_and_timeouts_reach_the_nodes(self):
        backend = self.nodes(self.healthy)
        self.ran(
            *('check', '--listen', '3', '--timeout', '40'),
            *('--probe-timeout', '4', '--backend', 'other'),
        )
        for request in backend.requests[0]:
            self.assertEqual(3.0, request.listen)
        self.assertTrue(30 < backend.left[0] <= 40)
        (settings,) = self.settings
        self.assertEqual(
            (40.0, 4.0, 'other'),
            (settings.timeout, settings.probe_timeout, settings.backend),
        )

    def test_no_such_backend(self):
        result = self.ran('check', 'r1', '--backend', 'carrier-pigeon')
        self.assert_refused(result, 1, "'carrier-pigeon'", 'ssh')


class SettingsTest(base.CloudTest):
    entry = {'ssh_user': 'from-file', 'timeout': 77, 'concurrency': 5}

    def setUp(self):
        super().setUp()
        healthy = Scene.of('healthy')
        self.add(healthy)
        self.nodes(healthy)

    def settings_of(self, *arguments: str):
        result = base.openstack(*arguments, 'router', 'ha', 'check', 'r1')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        return self.settings[-1]

    def test_clouds_yaml(self):
        found = self.settings_of()
        self.assertEqual(
            ('from-file', 77.0, 5),
            (found.ssh_user, found.timeout, found.concurrency),
        )

    def test_environment_before_clouds_yaml(self):
        self.useFixture(
            fixtures.EnvironmentVariable('OS_ROUTER_HA_SSH_USER', 'from-env')
        )
        found = self.settings_of()
        self.assertEqual(('from-env', 5), (found.ssh_user, found.concurrency))

    def test_command_line_before_the_environment(self):
        self.useFixture(
            fixtures.EnvironmentVariable('OS_ROUTER_HA_SSH_USER', 'from-env')
        )
        found = self.settings_of('--os-router-ha-ssh-user', 'typed')
        self.assertEqual(('typed', 5), (found.ssh_user, found.concurrency))


class WrongSettingsTest(base.CloudTest):
    entry = {'ssh_usr': 'typo'}

    def test_one_line(self):
        self.assert_refused(
            self.ran('check', 'r1'), 1, 'router_ha in clouds.yaml', 'ssh_usr'
        )

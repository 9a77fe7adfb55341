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
"""check with many routers, and with somebody who does not wait for all."""

import dataclasses
import json
import os
import signal
import threading
import time

import fixtures

from osc_ha_router.backends import registry
from osc_ha_router.commands import check
from osc_ha_router.diagnosis import catalogue
from tests.unit import fakes
from tests.unit import neutron
from tests.unit import test_engine
from tests.unit.backends import fake
from tests.unit.commands import base
from tests.unit.scene import Scene

#: more than a table of cliff's
MANY = 130


def many(*scenes: Scene) -> list[Scene]:
    """Return these as routers r0, r1, ... of the same nodes.

    Each has an HA network of its own: they have the same VRRP id.
    """
    return [
        test_engine.renamed(scene, number).with_router(
            ports=tuple(
                dataclasses.replace(port, network_id=neutron.new_id(number))
                for port in scene.router.ports
            )
        )
        for number, scene in enumerate(scenes)
    ]


class LongTest(base.CommandTest):
    """More rows than are printed at once."""

    def setUp(self):
        super().setUp()
        healthy = Scene.of('healthy')
        self.broken = healthy.without_processes(healthy.standbys[0], 'monitor')
        scenes = many(*[healthy] * (MANY - 1), self.broken)
        self.capture = base.save(self.path('many.json'), *scenes)

    def printed(self, *options):
        return self.ran('check', '--capture', self.capture, *options)

    def test_table(self):
        result = self.printed()
        self.assertEqual(4, result.exit_code)
        lines = result.stdout.splitlines()
        bottom = max(n for n, line in enumerate(lines) if line[0:1] == '+')
        table = lines[: bottom + 1]
        self.assertEqual(MANY + 4, len(table))
        self.assertEqual(1, len({len(line) for line in table}))
        (row,) = (line for line in table if 'monitor-dead' in line)
        self.assertIn(f'| r{MANY - 1} ', row)
        self.assertIn('    -> ', '\n'.join(lines[bottom:]))

    def test_the_same_as_a_short_one(self):
        """Only that it is as wide as it might have to be."""
        short = self.printed('--max-width', '500').stdout.splitlines()
        for one, other in zip(
            self.printed().stdout.splitlines(), short, strict=True
        ):
            self.assertEqual(
                one.replace('-', '').split(), other.replace('-', '').split()
            )

    def test_long(self):
        result = self.printed('--long')
        self.assertEqual(4, result.exit_code)
        self.assertIn('seen standby, claimed standby', result.stdout)

    def test_json(self):
        result = self.printed('-f', 'json')
        self.assertEqual((4, ''), (result.exit_code, result.stderr))
        names = [row['Name'] for row in result.rows]
        self.assertEqual(sorted(f'r{n}' for n in range(MANY)), names)
        self.assertEqual(
            json.dumps(result.rows, indent=2) + '\n', result.stdout
        )

    def test_other_formats(self):
        for options in (
            ('-f', 'json', '--noindent'),
            ('-f', 'yaml'),
            ('-f', 'value', '-c', 'Name'),
            ('-f', 'csv'),
            ('--sort-column', 'Name'),
            ('-c', 'Name'),
            ('--fit-width',),
        ):
            result = self.printed(*options)
            self.assertEqual(4, result.exit_code, options)
            self.assertGreaterEqual(
                result.stdout.count('r1'), 30, result.stdout
            )

    def test_unhealthy(self):
        result = self.printed('--unhealthy', '-f', 'json')
        self.assertEqual([f'r{MANY - 1}'], [r['Name'] for r in result.rows])

    def test_findings_fit(self):
        for entry in catalogue.entries().values():
            self.assertLessEqual(
                len(f'{entry.code} {entry.name}'), check.FINDING
            )

    def test_spoilt_in_the_middle(self):
        """It is read when it is used, and then it is one line that says it."""
        with open(self.capture) as file:
            data = json.load(file)
        data['hosts'][0]['views'][70]['links'] = 'none'
        with open(self.capture, 'w') as file:
            json.dump(data, file)
        for options in ((), ('-f', 'json')):
            result = self.printed(*options)
            self.assertEqual(1, result.exit_code)
            self.assertIn('is not a capture', result.stderr)
            self.assertIn('links: expected a list', result.stderr)


class CloudTest(base.CloudTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.standby, self.other = self.healthy.standbys
        # the first node is the last to answer here
        self.broken = self.healthy.without_processes(self.other, 'monitor')

    def sweep(self, *scenes):
        """Set up a cloud with these routers, and what its nodes show."""
        for scene in scenes:
            self.add(scene)
        backend = fakes.Backend(scenes)
        self.useFixture(
            fixtures.MockPatchObject(
                registry, 'load', lambda settings, connect: backend
            )
        )
        return backend


class PolicyTest(CloudTest):
    """A caller who may see where routers are, and not list the agents."""

    def test_routers_say_where_they_are(self):
        backend = self.sweep(*many(self.healthy, self.broken))
        for listed in (
            (403, neutron.error('PolicyNotAuthorized', 'get_agent')),
            (200, {'agents': []}),
        ):
            self.neutron.instead['agents'] = listed
            result = self.ran('check', '-f', 'json', '--recheck', '0')
            self.assertEqual((4, ''), (result.exit_code, result.stderr))
            self.assertEqual(
                ['OK', 'WARNING'], [row['Health'] for row in result.rows]
            )
            self.assertEqual(
                set(self.healthy.names),
                {request.host for request in backend.requests[-1]},
            )

    def test_others_have_routers_as_well(self):
        """Which are not gone, although this caller cannot see them."""
        ours, theirs = many(self.healthy, self.healthy)
        self.neutron.roles = ('reader',)
        backend = self.sweep(ours)
        backend._looks = [[ours, theirs]]
        result = self.ran('check', '-f', 'json')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        self.assertEqual(['r0'], [row['Name'] for row in result.rows])

    def test_project_by_name(self):
        self.sweep(*many(self.healthy))
        self.neutron.instead['projects'] = (403, {})
        result = self.ran('check', '--project', 'demo')
        self.assert_refused(result, 2, 'give the ID', "'demo'")


class MeanwhileTest(CloudTest):
    """Routers that come and go while all are looked at."""

    def setUp(self):
        super().setUp()
        self.one, self.other = many(self.healthy, self.healthy)

    def created(self, **changes):
        """Let the second router be created after the first were listed."""
        backend = self.sweep(self.one)
        backend._looks = [[self.one, self.other]]
        answer = backend.probe

        def probe(requests, deadline):
            if len(self.neutron.routers) < 2:
                self.add(self.other)
                self.neutron.routers[-1].update(changes)
            return answer(requests, deadline)

        backend.probe = probe

    def test_created(self):
        self.created()
        result = self.ran('check', '-f', 'json')
        self.assertEqual(
            (0, ['r0', 'r1']),
            (result.exit_code, [row['Name'] for row in result.rows]),
        )

    def test_created_and_not_ha(self):
        self.created(ha=False)
        result = self.ran('check', '-f', 'json')
        self.assertEqual(
            (0, ['r0']),
            (result.exit_code, [row['Name'] for row in result.rows]),
        )

    def test_created_where_only_one_host_is_looked_at(self):
        self.created()
        result = self.ran('check', '--host', self.standby, '-f', 'json')
        self.assertEqual(
            (0, ['r0']),
            (result.exit_code, [row['Name'] for row in result.rows]),
        )

    def failing(self):
        """Let Neutron fail when it is asked for routers by id."""
        answer = self.neutron._body

        def body(path, query):
            if path == 'routers' and 'id' in query:
                return 503, {}
            return answer(path, query)

        self.neutron._body = body

    def test_neutron_does_not_say(self):
        """Nothing is left out, and nothing is taken to be gone."""
        self.created()
        self.failing()
        result = self.ran('check', '-f', 'json')
        self.assertEqual(3, result.exit_code)
        self.assertEqual(
            {self.one.router.id: 'OK', self.other.router.id: 'UNKNOWN'},
            {row['Router']: row['Health'] for row in result.rows},
        )

    def test_neutron_does_not_say_and_hosts(self):
        self.created()
        self.failing()
        result = self.ran('host', 'list', '-f', 'json')
        self.assertEqual(3, result.exit_code)
        for row in result.rows:
            self.assertIsNone(row['Orphans'])
            self.assertIsNone(row['Problems'])

    def test_trouble_that_passes(self):
        self.created()
        answer, failed = self.neutron._body, []

        def body(path, query):
            if path == 'routers' and 'id' in query and len(failed) < 1:
                failed.append(path)
                return 503, {}
            return answer(path, query)

        self.neutron._body = body
        result = self.ran('check', '-f', 'json')
        self.assertEqual((0, 2), (result.exit_code, len(result.rows)))


class CallsTest(CloudTest):
    def test_one_for_each_router_and_a_few(self):
        self.sweep(*many(*[self.healthy] * 30))
        result = self.ran('check', '-f', 'json')
        self.assertEqual(30, len(result.rows))
        self.assertLessEqual(len(self.neutron.calls), 30 + 5)


class Interrupting(base.CloudTest):
    """Somebody who presses Ctrl-C."""

    def setUp(self):
        super().setUp()
        # whoever runs this in the background has it ignored
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.pressed = 0.0

    def interrupted(self, *options, after=1.0, command=('check',)):
        """Run a command and press Ctrl-C."""

        def press():
            self.pressed = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(after, press)
        timer.start()
        try:
            result = self.ran(*command, *options)
        finally:
            ended = time.monotonic()
            timer.cancel()
        self.assertLess(ended - self.pressed, 1)
        return result


class InterruptedTest(Interrupting, CloudTest):
    def slow(self, backend):
        """Let the last of the nodes take as long as the test."""
        answer = backend.probe
        hold = threading.Event()
        self.addCleanup(hold.set)

        def probe(requests, deadline):
            *views, last = answer(requests, deadline)
            yield from views
            self.missing = last.host
            hold.wait(30)

        backend.probe = probe

    def test_while_nodes_are_looked_at(self):
        self.slow(self.sweep(*many(self.healthy, self.healthy)))
        result = self.interrupted('-f', 'json')
        self.assertEqual(3, result.exit_code)
        self.assertIn('Interrupted', result.stderr)
        self.assertEqual(['r0', 'r1'], [row['Name'] for row in result.rows])
        for row in result.rows:
            self.assertEqual('UNKNOWN', row['Health'])
            (finding,) = row['Findings']
            self.assertEqual(self.missing, finding['host'])
            self.assertIn('interrupted', finding['summary'])
            seen = {r['host']: r['observed'] for r in row['Replicas']}
            self.assertEqual('unknown', seen.pop(self.missing))
            self.assertNotIn('unknown', seen.values())

    def test_while_nodes_are_silent(self):
        """Nothing is left behind of what reached for them."""
        self.add(self.healthy)
        ssh = self.useFixture(fake.FakeSsh('time.sleep(60)'))
        result = self.interrupted('-f', 'json', after=2.0)
        self.assertEqual(3, result.exit_code)
        (row,) = result.rows
        self.assertEqual('UNKNOWN', row['Health'])
        self.assertEqual(3, len(ssh.pids))
        self.assertEqual([], list(filter(fake.alive, ssh.pids)))

    def test_something_worse_is_known(self):
        error = self.healthy.without_address(
            self.healthy.reported, self.healthy.floating_ip
        )
        warning = self.broken
        for scene, code in ((error, 5), (warning, 4)):
            self.neutron.routers.clear()
            self.slow(self.sweep(*many(scene)))
            self.assertEqual(code, self.interrupted().exit_code)

    def test_metrics_are_of_the_whole_or_as_they_were(self):
        self.slow(self.sweep(*many(self.healthy, self.healthy)))
        path = self.path('router_ha.prom')
        result = self.interrupted('--textfile', path)
        self.assertEqual(3, result.exit_code)
        self.assertIn('metrics are left as they were', result.stderr)
        self.assertFalse(os.path.exists(path))

    def test_never_failing(self):
        """It is no severity that could be left out."""
        self.slow(self.sweep(*many(self.healthy)))
        result = self.interrupted('--fail-on', 'never')
        self.assertEqual(3, result.exit_code)

    def test_list_of_hosts(self):
        """The one that was not looked at yet is unknown."""
        self.slow(self.sweep(*many(self.healthy, self.healthy)))
        result = self.interrupted('-f', 'json', command=('host', 'list'))
        self.assertEqual(3, result.exit_code)
        self.assertIn('Interrupted: this is what was', result.stderr)
        rows = {row['Host']: row for row in result.rows}
        self.assertEqual(self.healthy.names, sorted(rows))
        self.assertIsNone(rows.pop(self.missing)['Active'])
        self.assertNotIn(None, [row['Active'] for row in rows.values()])

    def silent(self, *options, **others):
        hold = threading.Event()
        answer = self.neutron._body

        def body(path, query):
            if path == 'routers':
                hold.wait(30)
            return answer(path, query)

        self.neutron._body = body
        try:
            return self.interrupted(*options, after=1.5, **others)
        finally:
            hold.set()

    def test_while_neutron_is_silent(self):
        self.sweep(*many(self.healthy))
        result = self.silent()
        self.assertEqual((3, ''), (result.exit_code, result.stdout.strip()))
        self.assertIn('Interrupted: Neutron has not said', result.stderr)

    def test_json_is_json_all_the_same(self):
        self.sweep(*many(self.healthy))
        result = self.silent('-f', 'json')
        self.assertEqual((3, []), (result.exit_code, result.rows))

    def test_list_of_hosts_without_any(self):
        self.sweep(*many(self.healthy))
        result = self.silent(command=('host', 'list'))
        self.assertEqual((3, ''), (result.exit_code, result.stdout.strip()))
        self.assertIn('Interrupted: Neutron has not said', result.stderr)
        self.assertNotIn('what was known', result.stderr)
        result = self.silent('-f', 'json', command=('host', 'list'))
        self.assertEqual((3, []), (result.exit_code, result.rows))

    def test_while_neutron_is_asked_for_each(self):
        self.sweep(*many(self.healthy, self.healthy))
        hold = threading.Event()
        self.addCleanup(hold.set)
        answer = self.neutron._hosting
        last = self.neutron.routers[-1]['id']

        def hosting(id_):
            if id_ == last:
                hold.wait(30)
            return answer(id_)

        self.neutron._hosting = hosting
        result = self.interrupted('-f', 'json')
        self.assertEqual(3, result.exit_code)
        codes = {
            row['Name']: {f['name'] for f in row['Findings']}
            for row in result.rows
        }
        self.assertIn('claim-unknown', codes['r1'])

    def test_while_it_waits_for_the_second_look(self):
        self.sweep(*many(self.healthy, self.broken))
        result = self.interrupted('-f', 'json')
        self.assertEqual(4, result.exit_code)
        self.assertEqual(
            ['OK', 'WARNING'], [row['Health'] for row in result.rows]
        )

    def test_while_nodes_are_looked_at_again(self):
        """What was an ERROR is one."""
        error = self.healthy.without_address(
            self.healthy.reported, self.healthy.floating_ip
        )
        backend = self.sweep(*many(self.healthy, error))
        answer, hold = backend.probe, threading.Event()
        self.addCleanup(hold.set)

        def probe(requests, deadline):
            views = list(answer(requests, deadline))
            if len(backend.requests) > 1:
                hold.wait(30)
            yield from views

        backend.probe = probe
        path = self.path('saved.json')
        result = self.interrupted(
            *('-f', 'json', '--recheck', '0.1', '--save', path), after=1.5
        )
        self.assertEqual(5, result.exit_code)
        self.assertEqual(
            ['OK', 'ERROR'], [row['Health'] for row in result.rows]
        )
        self.assertEqual(2, len(backend.requests))
        again = self.ran('check', '--capture', path, '-f', 'json')
        self.assertEqual((5, result.rows), (again.exit_code, again.rows))

    def test_saved(self):
        """What is there is worth as much as what is printed."""
        self.slow(self.sweep(*many(self.healthy)))
        path = self.path('saved.json')
        self.interrupted('--save', path)
        result = self.ran('check', '--capture', path, '-f', 'json')
        self.assertEqual(3, result.exit_code)


class TimeoutTest(CloudTest):
    def test_no_second_look(self):
        self.sweep(*many(self.healthy, self.broken))
        result = self.ran('check', '-f', 'json', '--timeout', '8')
        self.assertEqual(4, result.exit_code)
        self.assertEqual(
            ['OK', 'WARNING'], [row['Health'] for row in result.rows]
        )
        self.assertIn('There was no second look', result.stderr)

    def test_neutron_is_silent(self):
        self.sweep(*many(self.healthy))
        hold = threading.Event()
        self.addCleanup(hold.set)
        answer = self.neutron._body

        def body(path, query):
            hold.wait(30)
            return answer(path, query)

        self.neutron._body = body
        began = time.monotonic()
        result = self.ran('check', '--timeout', '1')
        self.assertLess(time.monotonic() - began, 4)
        self.assert_refused(result, 1, 'did not answer in time')

    def test_keystone_is_silent(self):
        self.sweep(*many(self.healthy))
        hold = threading.Event()
        self.addCleanup(hold.set)
        self.useFixture(
            fixtures.MonkeyPatch(
                'keystoneauth1.identity.v3.base.Auth.get_auth_ref',
                lambda *args, **kwargs: hold.wait(30),
            )
        )
        began = time.monotonic()
        result = self.ran('check', '--timeout', '1')
        self.assertLess(time.monotonic() - began, 4)
        self.assert_refused(result, 1, 'Signing on took longer than')


class SilentTest(CloudTest):
    """Nodes that let one log in and then say nothing."""

    def setUp(self):
        super().setUp()
        for scene in many(*[self.healthy] * 30):
            self.add(scene)
        self.ssh = self.useFixture(fake.FakeSsh('time.sleep(60)'))

    def test_time_is_up(self):
        began = time.monotonic()
        result = self.ran(
            'check', '-f', 'json', '--timeout', '3', '--probe-timeout', '60'
        )
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(3, result.exit_code)
        self.assertEqual(30, len(result.rows))
        for row in result.rows:
            self.assertEqual('UNKNOWN', row['Health'])
            self.assertEqual(
                {'node-unreachable'}, {f['name'] for f in row['Findings']}
            )
            self.assertEqual(
                {'unknown'}, {r['observed'] for r in row['Replicas']}
            )
        # one connection for each node, however many routers
        self.assertEqual(3, len(self.ssh.pids))
        self.assertEqual([], list(filter(fake.alive, self.ssh.pids)))


class ErrorTest(CloudTest):
    def test_of_one_router(self):
        """Neutron fails to tell of it, and the others are as ever."""
        self.sweep(*many(*[self.healthy] * 3))
        id_ = self.neutron.routers[1]['id']
        self.neutron.instead[f'routers/{id_}/l3-agents'] = (
            500,
            neutron.error('HTTPInternalServerError', 'broken'),
        )
        result = self.ran('check', '-f', 'json')
        self.assertEqual(3, result.exit_code)
        self.assertEqual(
            ['OK', 'UNKNOWN', 'OK'], [row['Health'] for row in result.rows]
        )
        (finding,) = result.rows[1]['Findings']
        self.assertIn('which L3 agents host it', finding['summary'])

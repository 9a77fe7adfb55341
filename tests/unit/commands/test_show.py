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

"""openstack router ha show, as users and scripts see it."""

import json
import os

import fixtures
import yaml

from tests.unit.commands import base
from tests.unit.scene import Scene

KEYS = [
    'Router',
    'Name',
    'Project',
    'Distributed',
    'Health',
    'Active Hosts',
    'Reported Active',
    'VIP',
    'Virtual Router ID',
    'Expected Addresses',
    'Expected Routes',
    'Replicas',
    'Findings',
]


class ShowTest(base.CommandTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys

    def show(self, scene: Scene, *options: str) -> base.Result:
        path = base.save(self.path('scene.json'), scene)
        return self.ran('show', scene.router.name, '--capture', path, *options)

    def json_of(self, scene: Scene):
        return json.loads(self.show(scene, '-f', 'json').stdout)

    def test_json(self):
        shown = self.json_of(self.healthy)
        self.assertEqual(KEYS, list(shown))
        router = self.healthy.router
        self.assertEqual(router.id, shown['Router'])
        self.assertEqual(router.project_id, shown['Project'])
        self.assertEqual('OK', shown['Health'])
        self.assertEqual([self.active], shown['Active Hosts'])
        self.assertEqual([self.active], shown['Reported Active'])
        self.assertEqual([], shown['Findings'])

    def test_what_the_active_node_must_hold(self):
        shown = self.json_of(self.healthy)
        conf = self.healthy.conf(self.active)
        self.assertEqual([self.healthy.vip], shown['VIP'])
        self.assertEqual([conf.vrid], shown['Virtual Router ID'])
        for address in conf.excluded:
            self.assertIn(
                f'{address.address} on {address.device}',
                shown['Expected Addresses'],
            )
        (route,) = conf.routes
        self.assertEqual(
            [f'{route.destination} via {route.gateway}'],
            shown['Expected Routes'],
        )

    def test_nodes_that_disagree(self):
        scene = self.healthy.with_conf(self.standby, vrid=250)
        vrid = self.healthy.conf(self.active).vrid
        self.assertEqual(
            sorted((vrid, 250)), self.json_of(scene)['Virtual Router ID']
        )

    def test_replica_with_everything_that_was_seen(self):
        shown = self.json_of(self.healthy)
        (replica,) = (r for r in shown['Replicas'] if r['host'] == self.active)
        self.assertEqual('active', replica['observed'])
        self.assertEqual(
            self.healthy.shown(self.active).namespace,
            replica['view']['namespace'],
        )
        self.assertIn(
            self.healthy.floating_ip,
            [a['address'] for a in replica['view']['addresses']],
        )

    def test_replica_that_was_not_seen(self):
        shown = self.json_of(self.healthy.with_unreachable(self.standby))
        (replica,) = (
            r for r in shown['Replicas'] if r['host'] == self.standby
        )
        self.assertEqual('nobody listens', replica['failure'])
        self.assertIsNone(replica['view'])

    def test_yaml_is_the_same(self):
        printed = self.show(self.healthy, '-f', 'yaml').stdout
        self.assertEqual(self.json_of(self.healthy), yaml.safe_load(printed))

    def test_value(self):
        printed = self.show(self.healthy, '-f', 'value', '-c', 'Health')
        self.assertEqual('OK\n', printed.stdout)

    def test_table(self):
        printed = self.show(self.healthy).stdout
        for words in (
            f'{self.active}: seen active, claimed active',
            f'{self.standby}: seen standby, claimed standby',
            'VIP yes, keepalived yes, monitor yes, state file primary',
            'VIP no, keepalived yes, monitor yes, state file backup',
            f'{self.healthy.device(self.active, "qg-")} up: ',
            f'keepalived (pid {self.healthy.pid(self.active, "keepalived")})',
        ):
            self.assertIn(words, printed)

    def test_table_explains_the_findings(self):
        scene = self.healthy.without_processes(
            self.standby, 'monitor'
        ).with_unreachable(self.other)
        printed = self.show(scene).stdout
        self.assertIn('monitor no', printed)
        self.assertIn(f'monitor-dead on {self.standby}: ', printed)
        self.assertIn('-> start sshd', printed)
        self.assertIn(f'{self.other}: seen unknown, claimed standby', printed)

    def test_table_of_what_was_not_looked_at(self):
        scene = self.healthy.with_view(
            self.standby,
            processes=None,
            files=False,
            state_file=None,
        )
        self.assertIn(
            'keepalived not looked at, monitor not looked at, '
            'state file not looked at',
            self.show(scene).stdout,
        )

    def test_leftover_and_dead_agent(self):
        scene = self.healthy.without_agents(self.standby)
        scene = scene.with_agent(self.other, alive=False)
        printed = self.show(scene).stdout
        for words in (
            f'{self.standby}: seen standby, not hosted here',
            f'{self.other}: seen standby, claimed standby, agent dead',
        ):
            self.assertIn(words, printed)

    def test_narrow_terminal(self):
        size = os.terminal_size((80, 24))
        self.useFixture(fixtures.EnvironmentVariable('CLIFF_FIT_WIDTH', '1'))
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS'))
        self.useFixture(
            fixtures.MockPatch('os.get_terminal_size', lambda *_: size)
        )
        scene = self.healthy.without_address(
            self.active, self.healthy.floating_ip
        )
        self.assert_narrow(self.show(scene).stdout)

    def test_bad_health_is_no_failure_of_the_command(self):
        scene = self.healthy.without_role(self.active)
        self.assertEqual(0, self.show(scene).exit_code)

    def test_no_such_router(self):
        path = base.save(self.path('scene.json'), self.healthy)
        result = self.ran('show', 'r9', '--capture', path)
        self.assert_refused(result, 1, 'no router')

    def test_router_is_needed(self):
        self.assertEqual(2, self.ran('show').exit_code)

    def test_unknown_finding_to_ignore(self):
        result = self.show(self.healthy, '--ignore', 'RHA000')
        self.assert_refused(result, 2, 'finding list')


class CloudTest(base.CloudTest):
    def setUp(self):
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.standby, _ = self.healthy.standbys
        self.add(self.healthy)

    def test_healthy(self):
        self.nodes(self.healthy)
        result = self.ran('show', 'r1', '-f', 'value', '-c', 'Health')
        self.assertEqual(
            (0, 'OK\n', ''), (result.exit_code, result.stdout, result.stderr)
        )

    def test_deleted_while_looking_again(self):
        broken = self.healthy.without_processes(self.standby, 'monitor')
        backend = self.nodes(broken)
        probe = backend.probe

        def probe_and_delete(requests, deadline):
            self.neutron.routers.clear()
            return probe(requests, deadline)

        backend.probe = probe_and_delete
        result = self.ran('show', 'r1', '--recheck', '0.01')
        self.assert_refused(result, 1, 'r1', 'deleted')

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

"""A tenant, from end to end, with nothing but its own credentials."""

import json
import pathlib

import fixtures

from tests.functional import base as functional
from tests.functional.agent import base
from tests.lab import tls

CLOUDS = ('lab-demo', 'lab-demo-reader')


class TenantTest(base.AgentTest):
    """The real command, as somebody of project demo."""

    def assert_nameless(self, text: str) -> None:
        """See that nothing tells where anything is."""
        for name, node in self.lab.nodes.items():
            # a name of the lab's nodes is no part of any other word
            self.assertNotIn(name, text)
            self.assertNotIn(node.address, text.replace(ENTRY, ''))
        for agent in self.lab.admin.agents():
            self.assertNotIn(agent['id'], text)
        for word in ('lab-secret', 'ssh', '9696', '/var/lib', '/etc/'):
            self.assertNotIn(word, text)

    def test_check(self) -> None:
        active, _ = self.settled()
        number = sorted(self.lab.nodes).index(active) + 1
        for cloud in CLOUDS:
            checked = self.check(cloud=cloud)
            self.assertEqual(0, checked.exit_code, checked.stderr)
            row = checked.row
            self.assertEqual(self.router, row['Router'])
            self.assertEqual('r1', row['Name'])
            self.assertEqual('OK', row['Health'])
            self.assertEqual([f'replica-{number}'], row['Active Hosts'])
            self.assertEqual([f'replica-{number}'], row['Reported Active'])
            self.assertEqual(
                {
                    f'replica-{n}': 'active' if n == number else 'standby'
                    for n in (1, 2, 3)
                },
                checked.observed(),
            )
            self.assert_nameless(checked.stdout + checked.stderr)

    def test_other_formats(self) -> None:
        """Whatever else is printed of the same report."""
        self.settled()
        self.lab.nodes['net2'].stop_ha_agent()
        for arguments in (
            ('check', 'r1'),
            ('check', 'r1', '--long'),
            ('check',),
            ('check', 'r1', '-f', 'yaml'),
            ('check', 'r1', '--nagios'),
            ('show', 'r1'),
            ('show', 'r1', '-f', 'json'),
        ):
            done = self.lab.openstack(
                'router', 'ha', *arguments, cloud='lab-demo-reader'
            )
            code = 0 if 'show' in arguments else 3
            self.assertEqual(code, done.returncode, (arguments, done.stderr))
            self.assertIn('replica-2', done.stdout, arguments)
            self.assert_nameless(done.stdout + done.stderr)

    def test_other_routers(self) -> None:
        """Those of others are not there, and are in no list."""
        foreign = self.foreign()
        self.settled()
        for cloud in CLOUDS:
            done = self.lab.openstack(
                'router', 'ha', 'check', '-f', 'json', cloud=cloud
            )
            rows = json.loads(done.stdout)
            self.assertEqual([self.router], [row['Router'] for row in rows])
            self.assertEqual(0, done.returncode, done.stderr)
            self.assert_nameless(done.stdout + done.stderr)
            said = []
            for id_ in (foreign, self.missing()):
                done = self.lab.openstack(
                    'router', 'ha', 'check', id_, cloud=cloud
                )
                self.assertEqual('', done.stdout)
                self.assertEqual(1, done.returncode)
                said.append(done.stderr.replace(id_, 'ID'))
            self.assertEqual(*said)
            self.assertIn('No router', said[0])
        # and those of demo are not there for the others
        done = self.lab.openstack(
            'router', 'ha', 'check', self.router, cloud='lab-other'
        )
        self.assertEqual(1, done.returncode)
        self.assertIn('No router', done.stderr)

    def test_neighbour(self) -> None:
        """A router on the same nodes, of somebody else, is not told of."""
        foreign = self.lab.create_router('foreign', owner=self.lab.other)
        self.addCleanup(self.lab.delete_router, foreign)
        self.settled()
        for listen in ((), ('--listen', '3')):
            checked = self.check(*listen, cloud='lab-demo')
            self.assertEqual(0, checked.exit_code, checked.stderr)
            self.assertNotIn(foreign, checked.stdout + checked.stderr)
            self.assert_nameless(checked.stdout + checked.stderr)
        checked = self.check(router='foreign', cloud='lab-other')
        self.assertEqual('OK', checked.row['Health'])
        self.assertNotIn(self.router, checked.stdout + checked.stderr)

    def test_backends(self) -> None:
        """What a tenant may not, whatever it asks for."""
        self.settled()
        # only reports are for tenants, and where nodes are is not
        checked = self.check('--backend', 'agent', cloud='lab-demo')
        self.assertEqual(0, checked.exit_code, checked.stderr)
        self.assert_nameless(checked.stdout + checked.stderr)
        checked = self.check('--backend', 'ssh', cloud='lab-demo')
        self.assertEqual(3, checked.exit_code, checked.stderr)
        self.assertEqual({('RHA903', None)}, checked.found)
        done = self.lab.openstack(
            'router',
            'ha',
            'failover',
            'r1',
            '--auto-approve',
            '--backend',
            'agent',
            cloud='lab-demo',
        )
        self.assertEqual(1, done.returncode, done.stdout)
        self.assert_nameless(done.stdout + done.stderr)

    def test_nobody_to_ask(self) -> None:
        """Without the service it is said what is missing, and whom to ask."""
        self.settled()
        self.lab.nodes['net1'].stop_ha_agent()
        checked = self.check(cloud='lab-demo')
        self.assertEqual(3, checked.exit_code, checked.stderr)
        self.assertEqual('UNKNOWN', checked.row['Health'])
        self.assertEqual(NOTHING, checked.found)
        said = {f['code']: f['summary'] for f in checked.row['Findings']}
        self.assertIn('get_l3-agents', said['RHA903'])
        self.assertIn('cannot be reached', said['RHA904'])
        self.lab.nodes['net1'].start_ha_agent()
        checked = self.check(cloud='lab-demo')
        self.assertEqual(set(), checked.found)

    def test_wrong_ca(self) -> None:
        """No token leaves the client before the agent has proved itself."""
        self.settled()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        other = tls.Authority.make(
            folder / 'ca.pem', folder / 'ca.key', 'another CA'
        )
        text = self.lab.layout.clouds.read_text()
        clouds = folder / 'clouds.yaml'
        clouds.write_text(
            text.replace(str(self.lab.layout.ca), str(other.certificate))
        )
        env = {'OS_CLIENT_CONFIG_FILE': str(clouds)}
        checked = self.check(cloud='lab-demo', env=env)
        self._assert_untrusted(checked)
        self.assertEqual(NOTHING, checked.found)
        checked = self.check('--backend', 'agent', env=env)
        self._assert_untrusted(checked)
        self.assertEqual(
            {('RHA901', name) for name in self.lab.nodes}, checked.found
        )

    def _assert_untrusted(self, checked: functional.Checked) -> None:
        self.assertEqual(3, checked.exit_code, checked.stderr)
        for finding in checked.row['Findings']:
            if finding['code'] != 'RHA903':
                self.assertIn('certificate', finding['summary'])


#: what is found where neither Neutron nor the service tells
NOTHING = {('RHA903', None), ('RHA904', None)}
#: what a tenant finds in the catalogue may be said again
ENTRY = 'https://198.18.0.11:6689'

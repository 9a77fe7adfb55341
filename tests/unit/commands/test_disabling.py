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

"""openstack router ha evacuate --disable-agent."""

import sys

from osc_ha_router import errors
from tests.unit import lines
from tests.unit import neutron
from tests.unit.commands import move
from tests.unit.commands import test_moving


class DisableAgentTest(move.FleetTest):
    """What ``--disable-agent`` does when the node is empty."""

    def setUp(self):
        super().setUp()
        self.agent = next(
            agent
            for agent in self.neutron.agents
            if agent['host'] == self.active
        )
        #: method and body of what would change something
        self.asked = []
        #: what the agent hosts
        self.hosted = list(self.neutron.routers)
        #: what is answered to a change
        self.status = 200
        url = f'{neutron.NEUTRON}/v2.0/agents/{self.agent["id"]}'
        mock = self.neutron.mock
        mock.get(url, json=lambda *_: {'agent': self.agent})
        mock.get(f'{url}/l3-routers', json=lambda *_: {'routers': self.hosted})
        mock.put(url, json=self._put)

    def _put(self, request, context):
        self.asked.append(request.json())
        if self.status != 200:
            context.status_code = self.status
            return neutron.error('Refused', 'it is refused')
        self.agent.update(request.json()['agent'])
        return {'agent': self.agent}

    def run_it(self, *options, code=0):
        result = self.ran('evacuate', self.active, '--disable-agent', *options)
        self.assertEqual(code, result.exit_code, result)
        self.assert_safe(result)
        return result

    def test_disabled_when_empty(self):
        result = self.run_it('--auto-approve')
        self.assertEqual([{'agent': {'admin_state_up': False}}], self.asked)
        undo = f'openstack network agent set --enable {self.agent["id"]}'
        # whole, to be copied
        self.assertIn(f'\n  {undo}\n', result.stdout)
        self.assertIn(undo, result.stderr)
        self.assertLess(
            result.stderr.index('moved: r1'), result.stderr.index('disable: ')
        )

    def test_json_is_as_ever(self):
        result = self.run_it('--auto-approve', '-f', 'json')
        (row,) = result.rows
        self.assertEqual(test_moving.KEYS, list(row))
        self.assertIn('--enable', result.stderr)

    def test_disabled_already(self):
        self.agent['admin_state_up'] = False
        options = ('--ignore', 'RHA204', '--auto-approve')
        result = self.run_it(*options)
        self.assertEqual([], self.asked)
        self.assertIn('disabled already', result.stdout)
        self.assertIn('--enable', result.stdout)

    def test_again(self):
        self.run_it('--auto-approve')
        self.run_it('--auto-approve')
        self.assertEqual(1, len(self.asked))

    def test_only_shown(self):
        result = self.run_it('--dry-run')
        self.assertEqual([], self.asked)
        self.assertIn('Then this would disable the L3 agent', result.stdout)
        self.assert_untouched()

    def test_asked(self):
        self.stdin(move.Terminal('n\n'))
        result = self.run_it(code=1)
        self.assertIn('move 1 router, then disable the L3', result.stderr)
        self.assertEqual([], self.asked)
        self.assert_untouched()

    def test_asked_of_an_empty_node(self):
        empty = self.other
        self.agent = next(
            agent for agent in self.neutron.agents if agent['host'] == empty
        )
        self.neutron.mock.get(
            f'{neutron.NEUTRON}/v2.0/agents/{self.agent["id"]}',
            json={'agent': self.agent},
        )
        self.neutron.mock.get(
            f'{neutron.NEUTRON}/v2.0/agents/{self.agent["id"]}/l3-routers',
            json={'routers': self.hosted},
        )
        self.stdin(move.Terminal('n\n'))
        result = self.ran('evacuate', empty, '--disable-agent')
        self.assertEqual(1, result.exit_code)
        self.assertIn(
            f'confirm: disable the L3 agent on {empty}', result.stderr
        )

    def test_not_all_moved(self):
        self.moving.faults[self.active, 'begin'] = lines.Fault(
            trouble=lines.refusal(self.active, 'locked', 'by somebody')
        )
        result = self.run_it('--auto-approve', code=1)
        self.assertEqual([], self.asked)
        self.assertIn('Nothing was done to its L3 agent', result.stdout)

    def test_not_known_what_is_there(self):
        self.moving.dark.add(self.active)
        result = self.run_it('--auto-approve', code=3)
        self.assertEqual([], self.asked)
        self.assertIn('Nothing was done to its L3 agent', result.stdout)

    def test_serves_what_nobody_takes_over(self):
        for changes in ({'ha': False}, {'distributed': True}):
            other = {**self.neutron.routers[0], 'name': 'legacy', **changes}
            self.hosted = [*self.neutron.routers, other]
            result = self.run_it('--auto-approve', code=1)
            self.assertIn('legacy', result.stderr)
            self.assertEqual([], self.asked)
            self.assert_untouched()

    def test_refused_by_neutron(self):
        self.status = 403
        result = self.run_it('--auto-approve', code=4)
        self.assertIn('verified', result.stdout)
        self.assertIn('Its L3 agent is not disabled', result.stdout)
        self.assertNotIn('--enable', result.stdout)

    def test_nobody_knows(self):
        """Neutron may have done it, and not said so."""
        self.status = 504
        result = self.run_it('--auto-approve', code=3)
        self.assertIn('It is not known whether the L3 agent', result.stdout)
        self.assertIn(f'--enable {self.agent["id"]}\n', result.stdout)

    def test_interrupted_meanwhile(self):
        """How to undo it is said before, and at the end."""
        said = []

        def put(request, context):
            said.append(sys.stderr.getvalue())
            raise KeyboardInterrupt

        url = f'{neutron.NEUTRON}/v2.0/agents/{self.agent["id"]}'
        self.neutron.mock.put(url, json=put)
        result = self.run_it('--auto-approve', code=3)
        undo = f'openstack network agent set --enable {self.agent["id"]}'
        self.assertIn(undo, said[0])
        self.assertIn('verified', result.stdout)
        self.assertIn(f'\n  {undo}\n', result.stdout)

    def test_last_look_fails(self):
        self.last_look(errors.CloudError('Neutron is down'))
        result = self.run_it('--auto-approve', code=3)
        self.assertEqual([], self.asked)
        self.assertIn('verified', result.stdout)
        text = ' '.join(result.stdout.split())
        self.assertIn(
            f'It is not proven that {self.active} is empty: Neutron is down',
            text,
        )
        self.assertIn('Nothing was done to its L3 agent', text)

    def test_not_without_the_option(self):
        self.ran('evacuate', self.active, '--auto-approve')
        self.assertEqual([], self.asked)

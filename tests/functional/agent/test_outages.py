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

"""Something else is down: what nodes show is still shown, and no more said."""

from concurrent import futures
import signal
import time
from typing import Any

from tests.functional import base as functional
from tests.functional.agent import base
from tests.lab import tls

#: seconds in which whatever is not there has been noticed
BOUND = 30.0
#: more at the same time than the agent has threads
CROWD = 300


class OutageTest(base.AgentTest):
    """A check in time, whatever is down."""

    def by_agent(
        self, *arguments: str, bound: float = BOUND, **options: Any
    ) -> functional.Checked:
        """Run the real check of r1 by its id, within a bound."""
        began = time.monotonic()
        checked = self.check(
            '--backend',
            'agent',
            '--probe-timeout',
            '5',
            *arguments,
            router=self.router,
            **options,
        )
        self.assertLess(time.monotonic() - began, bound)
        return checked

    def probed(self, timeout: float = 15) -> dict[str, str]:
        """Return host -> the observed role of r1, by the API alone.

        A host that could not be looked at has the kind of failure.
        """
        hosts = [
            {'host': name, 'routers': [self.router]} for name in self.lab.nodes
        ]
        answer = self.ask(
            'POST',
            '/v1/probe',
            {'requests': hosts, 'timeout': 20, 'probe_timeout': timeout},
            token=self._token,
        )
        self.assertEqual(200, answer.status, answer.body)
        *views, end = [line for line in answer.lines() if line is not None]
        self.assertEqual({'end': {}}, end)
        found = {}
        for line in views:
            shown = line['view']
            if shown['failure']:
                found[shown['host']] = shown['failure']['kind']
            else:
                (seen,) = shown['views']
                held = {each['address'] for each in seen['addresses']}
                role = 'active' if self._vip in held else 'standby'
                found[shown['host']] = role
        return found

    def setUp(self) -> None:
        super().setUp()
        self.active, self.standbys = self.settled()
        self._vip = self.lab.nodes[self.active].router(self.router).vip()
        #: taken while Keystone is there
        self._token = self.lab.admin.token()
        self.roles = {
            self.active: 'active',
            **dict.fromkeys(self.standbys, 'standby'),
        }


class ServiceTest(OutageTest):
    """A part of the cloud is down."""

    def test_l3_agents_down(self) -> None:
        for node in self.lab.nodes.values():
            node.kill_l3_agent()
        self.assertEqual(self.roles, self.probed())
        checked = self.by_agent('--recheck', '0')
        self.assertEqual(self.roles, checked.observed())

    def test_broker_down(self) -> None:
        with self.lab.control.without('broker'):
            self.assertEqual(self.roles, self.probed())
            checked = self.by_agent('--recheck', '0')
            self.assertEqual(self.roles, checked.observed())
            told = self.check(cloud='lab-demo-reader')
            self.assertEqual(
                ['replica-1', 'replica-2', 'replica-3'],
                sorted(told.observed()),
            )
            self.assertIn('active', told.observed().values())

    def test_neutron_down(self) -> None:
        with self.lab.control.without('neutron'):
            self._see_without_neutron(BOUND)

    def test_neutron_silent(self) -> None:
        """It takes connections and never answers, which costs time."""
        with self.lab.control.frozen('neutron'):
            # the client waits for it, and then the agent does
            self._see_without_neutron(55, '--timeout', '60')

    def _see_without_neutron(self, bound: float, *arguments: str) -> None:
        began = time.monotonic()
        self.assertEqual(self.roles, self.probed())
        # nodes are looked at without a word of Neutron
        self.assertLess(time.monotonic() - began, 5)
        checked = self.by_agent(*arguments, bound=bound)
        # what is not known is never well
        self.assertEqual('UNKNOWN', checked.row['Health'])
        self.assertEqual(3, checked.exit_code)
        self.assertEqual(self.roles, checked.observed())
        self.assertEqual([self.active], checked.row['Active Hosts'])
        self.assert_found(checked, 'RHA903', None)
        # whose router it is, only Neutron could tell
        answer = self.ask(
            'POST',
            '/v1/check',
            {'routers': [self.router]},
            token=self.lab.demo.token(),
        )
        message = self.refused(answer, 503)
        for secret in (*self.lab.nodes, '198.18', '9696'):
            self.assertNotIn(secret, message)

    def test_keystone_down(self) -> None:
        """A token that was seen before is good for a while."""
        fresh = self.lab.demo.token()
        self.assertEqual(self.roles, self.probed())
        with self.lab.control.without('keystone'):
            self.assertEqual(self.roles, self.probed())
            answer = self.ask(
                'POST', '/v1/check', {'routers': None}, token=fresh
            )
            self.refused(answer, 503)
            self.assertIn('retry-after', answer.headers)
            self.assertEqual(200, self.ask('GET', '/healthcheck').status)

    def test_keystone_silent(self) -> None:
        """It takes connections and never answers, which silences nobody."""
        fresh = self.lab.demo.token()
        self.assertEqual(self.roles, self.probed())
        body = {'routers': None}
        with (
            self.lab.control.frozen('keystone'),
            futures.ThreadPoolExecutor(CROWD) as pool,
        ):
            crowd = [
                pool.submit(
                    self.ask, 'POST', '/v1/check', body, token=f'nobodys-{n}'
                )
                for n in range(CROWD)
            ]
            time.sleep(1)
            for _ in range(3):
                began = time.monotonic()
                self.assertEqual(200, self.ask('GET', '/healthcheck').status)
                # tokens that were seen before are good for a while
                self.assertEqual(self.roles, self.probed())
                self.assertLess(time.monotonic() - began, 10)
            for waiting in crowd:
                answer = waiting.result()
                self.refused(answer, 503)
                self.assertIn('retry-after', answer.headers)
            began = time.monotonic()
            self.refused(self.ask('POST', '/v1/check', body, token=fresh), 503)
            self.assertLess(time.monotonic() - began, 15)

        def answered() -> bool:
            answer = self.ask('POST', '/v1/check', body, token=fresh)
            return answer.status == 200

        self.wait('Keystone to be asked again', answered, BOUND)


class PeerTest(OutageTest):
    """One of the agents is down: the others tell what they can."""

    def _see_without(self, dead: str, *kinds: str) -> None:
        found = self.probed(5)
        self.assertIn(found.pop(dead), kinds)
        self.assertEqual(found, {name: self.roles[name] for name in found})
        with futures.ThreadPoolExecutor() as pool:
            checks = pool.submit(self.by_agent)
            told = pool.submit(self.check, cloud='lab-demo-reader')
        checked = checks.result()
        self.assertEqual(3, checked.exit_code)
        self.assertEqual({('RHA901', dead)}, checked.found)
        self.assertEqual({**self.roles, dead: 'unknown'}, checked.observed())
        number = sorted(self.lab.nodes).index(dead) + 1
        self.assertEqual(
            {('RHA901', f'replica-{number}')}, told.result().found
        )

    def test_stopped(self) -> None:
        dead = self.standbys[-1]
        if dead == 'net1':
            dead = self.standbys[0]
        self.lab.nodes[dead].stop_ha_agent()
        self._see_without(dead, 'agent-unreachable')
        self.lab.nodes[dead].start_ha_agent()
        self.assertEqual(self.roles, self.probed())

    def test_hangs(self) -> None:
        """It costs its own time bound, and nobody else's."""
        dead = next(name for name in self.lab.nodes if name != 'net1')
        node = self.lab.nodes[dead]
        self.probed()
        node.signal_ha_agent(signal.SIGSTOP)
        self.addCleanup(node.signal_ha_agent, signal.SIGCONT)
        # not even a handshake, where no connection was left open
        self._see_without(dead, 'agent-timeout', 'agent-unreachable')
        began = time.monotonic()
        self.probed(2)
        self.assertLess(time.monotonic() - began, 4)
        node.signal_ha_agent(signal.SIGCONT)
        self.assertEqual(self.roles, self.probed())

    def test_certificate_of_another_ca(self) -> None:
        """An agent that cannot prove who it is, is not believed."""
        node = self.lab.nodes['net2']
        self.addCleanup(node.start_ha_agent)
        self.addCleanup(node.stop_ha_agent)
        folder = node.path('/etc/osc-ha-router')
        for name in ('cert.pem', 'key.pem'):
            kept = (folder / name).read_bytes()
            self.addCleanup((folder / name).write_bytes, kept)
        other = tls.Authority.make(
            folder / 'other.pem', folder / 'other.key', 'another CA'
        )
        names = ('DNS:net2', f'IP:{node.address}')
        other.certify(folder / 'cert.pem', folder / 'key.pem', *names)
        node.stop_ha_agent()
        node.start_ha_agent(other.certificate)
        self._see_without('net2', 'agent-tls')

    def test_entry_stopped(self) -> None:
        """Any other agent will do."""
        self.lab.nodes['net1'].stop_ha_agent()
        checked = self.by_agent()
        self.assertEqual(3, checked.exit_code)
        self.assertEqual(
            {('RHA901', name) for name in self.lab.nodes}, checked.found
        )
        address = self.lab.nodes['net2'].ha_agent_url
        found = self.by_agent(env={'OS_ROUTER_HA_AGENT_ENDPOINT': address})
        self.assertEqual({('RHA901', 'net1')}, found.found)
        self.lab.nodes['net1'].start_ha_agent()
        self.assertEqual(set(), self.by_agent().found)

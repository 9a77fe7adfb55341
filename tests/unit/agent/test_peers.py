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

"""How other agents are reached, and with whose token."""

import pathlib
import threading
import time

import fixtures
from keystoneauth1 import exceptions
from keystoneauth1 import identity

from osc_ha_router.agent import peers
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import web
from osc_ha_router.model import view
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.backends import agents

HOST = 'net2.example.org'


def shows_nothing(asked, line):
    """Answer for whatever host is asked for."""
    host = asked.path.split('/')[3]
    line.json({'host': host, 'views': [], 'residents': []})


class UrlTest(quiet.TestCase):
    def url(self, host, **settings):
        own = parts.SignedOn()
        found = peers.Peers(peers.Settings(**settings), own, bool)
        return found.url(host)

    def test_of_the_host(self):
        self.assertEqual(f'https://{HOST}:6689', self.url(HOST))

    def test_of_a_template(self):
        self.assertEqual(
            'https://net2.mgmt/agent',
            self.url(HOST, endpoint='https://{short}.mgmt/agent'),
        )
        self.assertEqual(
            'http://all:1', self.url(HOST, endpoint='http://all:1')
        )

    def test_what_is_no_name_of_a_host(self):
        """Neutron's word gets into no address unseen."""
        for host in (
            '',
            '-x',
            'net2/../../v3',
            'net2:80',
            'user@net2',
            'net2#',
            'net2?a=b',
            'net2\n',
            '[::1]',
            'a' * 254,
            'net2%2f',
            '{short}',
        ):
            exc = self.assertRaises(failures.Broken, self.url, host)
            self.assertEqual('agent-unresolved', exc.kind)


class AskTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.agent = self.useFixture(agents.Agent(shows_nothing))
        self.own = parts.SignedOn()
        self.peers = parts.Peers({HOST: self.agent.url}, self.own)

    def look(self, who=None):
        return self.peers.remote(HOST, who).look(
            base.Request(HOST, None), base.Deadline.after(5), 5.0
        )

    def headers(self):
        return self.agent.asked[-1].headers


class TokensTest(AskTest):
    def test_its_own(self):
        self.look()
        self.assertEqual('own-1', self.headers()['x-auth-token'])
        self.assertNotIn('x-service-token', self.headers())

    def test_its_own_on_behalf_of_somebody(self):
        """What was judged here is not asked with the caller's token."""
        self.look(parts.caller())
        self.assertEqual('own-1', self.headers()['x-auth-token'])

    def test_for_its_own_node_only(self):
        self.look()
        self.assertEqual({'direct': 'true'}, self.agent.asked[-1].query)

    def test_a_new_one_when_the_old_one_is_not_taken(self):
        def answer(asked, line):
            if asked.headers['x-auth-token'] == 'own-1':
                line.error(401, 'Expired.')
            else:
                shows_nothing(asked, line)

        agent = self.useFixture(agents.Agent(answer))
        self.peers = parts.Peers({HOST: agent.url}, self.own)
        self.assertIsNone(self.look().failure)
        self.assertEqual(2, len(agent.asked))

    def test_keystone_is_down(self):
        self.own.down = True
        shown = self.look()
        self.assertEqual('agent-token', shown.failure.kind)
        self.assertEqual([], self.agent.asked)

    def test_keystone_says_nothing(self):
        """A look does not take longer for that."""
        keystone = self.useFixture(agents.Agent(lambda a, line: line.rest(9)))
        own = web.session(
            auth=identity.V3Password(
                f'{keystone.url}/v3', username='u', password='p'
            )
        )
        self.peers = parts.Peers({HOST: self.agent.url}, own)
        with agents.within(2):
            shown = self.peers.remote(HOST).look(
                base.Request(HOST, None), base.Deadline.after(9), 0.5
            )
        self.assertEqual('agent-timeout', shown.failure.kind)
        self.assertEqual([], self.agent.asked)

    def test_the_callers_beside_its_own(self):
        adapter = self.peers.relay(HOST, parts.caller())
        adapter.get('/v1/hosts/x', raise_exc=False)
        self.assertEqual('token-of-somebody', self.headers()['x-auth-token'])
        self.assertEqual('own-1', self.headers()['x-service-token'])

    def test_the_callers_alone(self):
        """Keystone is down, and the caller's token is known over there."""
        self.own.down = True
        adapter = self.peers.relay(HOST, parts.caller())
        adapter.get('/v1/hosts/x', raise_exc=False)
        self.assertEqual('token-of-somebody', self.headers()['x-auth-token'])
        self.assertNotIn('x-service-token', self.headers())

    def test_none_for_a_host_that_is_no_node(self):
        self.peers.strangers.add(HOST)
        for ask in (
            lambda: self.peers.remote(HOST),
            lambda: self.peers.relay(HOST, parts.caller()),
        ):
            exc = self.assertRaises(failures.Broken, ask)
            self.assertEqual('agent-stranger', exc.kind)
        self.assertEqual(0, self.own.asked)
        self.assertEqual(0, self.agent.connections)

    def test_no_token_goes_where_a_redirect_leads(self):
        other = self.useFixture(agents.Agent(shows_nothing))

        def answer(asked, line):
            line.head(
                '307 Temporary Redirect',
                f'Location: {other.url}{asked.path}',
                'Content-Length: 0',
            )

        agent = self.useFixture(agents.Agent(answer))
        self.peers = parts.Peers({HOST: agent.url}, self.own)
        self.assertEqual('agent-garbled', self.look().failure.kind)
        self.assertEqual([], other.asked)


class RequestIdTest(AskTest):
    def test_a_callers_own(self):
        id_ = 'req-00000000-0000-0000-0000-000000000001'
        self.look(parts.caller(global_request_id=id_))
        self.assertEqual(id_, self.headers()['x-openstack-request-id'])

    def test_the_one_made_here(self):
        who = parts.caller()
        self.look(who)
        self.assertEqual(
            who.request_id, self.headers()['x-openstack-request-id']
        )

    def test_of_nobody(self):
        self.look()
        self.assertNotIn('x-openstack-request-id', self.headers())

    def test_beside_a_relayed_token(self):
        who = parts.caller()
        self.peers.relay(HOST, who).get('/v1/hosts/x', raise_exc=False)
        self.assertEqual(
            who.request_id, self.headers()['x-openstack-request-id']
        )


class TlsTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.good = agents.certificate(folder / 'good.pem', '127.0.0.1')
        self.other = agents.certificate(folder / 'other.pem', '127.0.0.1')
        self.agent = self.useFixture(agents.Agent(shows_nothing, self.good))

    def look(self, **settings):
        found = parts.Peers({HOST: self.agent.url}, **settings)
        return found.remote(HOST).look(
            base.Request(HOST, None), base.Deadline.after(5), 5.0
        )

    def test_ca_of_the_agents(self):
        shown = self.look(cafile=str(self.good))
        self.assertEqual(view.HostView, type(shown))
        self.assertIsNone(shown.failure)

    def test_another_ca(self):
        for settings in ({}, {'cafile': str(self.other)}):
            shown = self.look(**settings)
            self.assertEqual('agent-tls', shown.failure.kind)
        self.assertEqual([], self.agent.asked)


class OwnTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.keystone = parts.SignedOn()
        self.own = peers.Own(self.keystone)

    def test_errors_of_keystone_pass(self):
        self.keystone.down = True
        self.assertRaises(exceptions.ClientException, self.own.get_token, None)
        self.assertIsNone(self.own.get_token_if_any())

    def test_many_do_not_wait_after_each_other(self):
        self.keystone.down, self.keystone.slow = True, 0.2
        found = []
        threads = [
            threading.Thread(
                target=lambda: found.append(self.own.get_token_if_any())
            )
            for _ in range(20)
        ]
        with agents.within(1):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(5)
        self.assertEqual([None] * 20, found)
        self.assertEqual(1, self.keystone.asked)

    def test_asked_again_after_a_while(self):
        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.agent.peers._FRESH', 0.0)
        )
        self.keystone.down = True
        self.assertIsNone(self.own.get_token_if_any())
        self.keystone.down = False
        self.assertEqual('own-1', self.own.get_token_if_any())

    def test_what_can_be_done_without_is_not_waited_for(self):
        self.useFixture(
            fixtures.MonkeyPatch('osc_ha_router.agent.peers._SOON', 0.2)
        )
        silent = self.useFixture(agents.Agent(lambda a, line: line.rest(9)))
        own = peers.Own(
            web.session(
                auth=identity.V3Password(
                    f'{silent.url}/v3', username='u', password='p'
                )
            )
        )
        with agents.within(2):
            self.assertIsNone(own.get_token_if_any())

    def test_nobody_waits_for_another_beyond_their_own_time(self):
        self.keystone.slow = 2.0
        first = threading.Thread(target=self.own.get_token, args=(None,))
        first.start()
        self.addCleanup(first.join)
        while not self.keystone.asked:
            time.sleep(0.01)
        guard = web.Guard(base.Deadline.after(0.2))
        with agents.within(1), guard.applied():
            exc = self.assertRaises(failures.Broken, self.own.get_token, None)
        self.assertEqual('agent-timeout', exc.kind)

    def silent(self):
        """Return the agent's token of a Keystone that says nothing."""
        keystone = self.useFixture(agents.Agent(lambda a, line: line.rest(9)))
        return keystone, peers.Own(
            web.session(
                auth=identity.V3Password(
                    f'{keystone.url}/v3', username='u', password='p'
                )
            )
        )

    def ask(self, own, seconds):
        with web.Guard(base.Deadline.after(seconds)).applied():
            own.get_token(None)

    def test_silence_is_a_failure_for_others_too(self):
        self.patch(peers, '_ENOUGH', 0.2)
        keystone, own = self.silent()
        self.assertRaises(failures.Broken, self.ask, own, 0.3)
        with agents.within(0.5):
            exc = self.assertRaises(
                exceptions.ClientException, self.ask, own, 5
            )
        self.assertIn('Keystone', str(exc))
        self.assertEqual(1, len(keystone.asked))

    def test_too_little_time_is_no_failure_of_keystone(self):
        keystone, own = self.silent()
        for _ in range(2):
            self.assertRaises(failures.Broken, self.ask, own, 0.1)
        self.assertEqual(2, len(keystone.asked))

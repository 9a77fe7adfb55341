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

"""A client, the agent that it knows, and the agent of another node."""

import threading
import time

from keystoneauth1 import adapter
from keystoneauth1 import session
from keystoneauth1 import token_endpoint
from oslo_policy import policy

from osc_ha_router.agent import application
from osc_ha_router.agent import nodes
from osc_ha_router.agent import policies
from osc_ha_router.agent import relay
from osc_ha_router.agent import server
from osc_ha_router.agent import services
from osc_ha_router.agent import slow
from osc_ha_router.backends import base
from osc_ha_router.backends import remote
from osc_ha_router.model import view
from tests.unit.agent import house
from tests.unit.agent import parts
from tests.unit.backends import agents

NEAR, FAR = 'net1', 'net2'


class Here:
    """A node that is looked at."""

    def __init__(self, host):
        self.host = host
        self.asked = []

    def look(self, request, deadline, stop):
        self.asked.append(request)
        return view.HostView(self.host, residents=(), hostname=self.host)


class Endless(house.Conversations):
    """Whose replies do not end by themselves."""

    def __init__(self, host):
        super().__init__(host)
        self.gone = threading.Event()

    def _yield(self):
        try:
            yield {'event': 'begun'}
            while True:
                time.sleep(0.05)
                yield None
        finally:
            self.gone.set()


class ChainTest(house.HouseTestCase):
    def setUp(self):
        super().setUp()
        #: hosts that are none of the nodes
        self.strangers = {'evil'}
        self.keystone.add_token_data(
            token_id='own-1',
            user_id='agent',
            user_name='agent',
            user_domain_id='default',
            project_id='service',
            project_domain_id='default',
            role_list=['service'],
        )
        self.heres = {host: Here(host) for host in (NEAR, FAR)}
        self.talks = {host: house.Conversations(host) for host in self.heres}
        far = self.serve(FAR, {})
        self.url = self.serve(NEAR, {FAR: far})

    def serve(self, host, urls, rules=None):
        """Start the agent of a node, and return where it answers."""
        peers = parts.Peers(urls)
        peers.strangers |= self.strangers
        enforcer = policies.enforcer(self.conf)
        if rules:
            enforcer.set_rules(policy.Rules.from_dict(rules), overwrite=False)
        here = self.heres[host]
        found = server.Server(
            ('127.0.0.1', 0),
            application.build(
                services.Services(
                    host=host,
                    knows=lambda host: host not in peers.strangers,
                    conversations=self.talks[host],
                    nodes=lambda seconds: nodes.Nodes(here, peers, 8, seconds),
                    relay=relay.Relay(peers),
                    checker=self.checker,
                    alive=lambda: True,
                    metrics=lambda: b'',
                ),
                self.conf,
                enforcer,
            ),
            threads=16,
            tls=None,
            limit=64,
            waits=slow.Slow(4, 4),
            request_timeout=5.0,
        )
        found.expiration_interval = 0.1
        found.prepare()
        serving = threading.Thread(target=found.serve)
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(found.stop)
        return f'http://127.0.0.1:{found.bind_addr[1]}'

    def ask_as(self, token=None, url=None):
        """Return the client that SSH has no part in."""
        auth = token_endpoint.Token(url or self.url, token or self.admin)
        return remote.Remote(
            adapter.Adapter(
                session.Session(auth=auth), endpoint_override=url or self.url
            )
        )

    def trouble(self, call, *args):
        return self.assertRaises(base.Trouble, call, *args)


def soon():
    return base.Deadline.after(10)


class LooksTest(ChainTest):
    def test_both_through_one(self):
        requests = [base.Request(host, None) for host in (NEAR, FAR)]
        shown = self.ask_as().looks(requests, soon(), 5.0)
        self.assertEqual(
            {NEAR: None, FAR: None},
            {item.host: item.failure for item in shown},
        )
        for host, here in self.heres.items():
            self.assertEqual([base.Request(host, None)], here.asked)

    def test_one_by_its_address(self):
        shown = self.ask_as().look(base.Request(FAR, None), soon(), 5.0)
        self.assertEqual((FAR, None), (shown.hostname, shown.failure))

    def test_what_a_tenant_may_not(self):
        request = base.Request(FAR, None)
        shown = self.ask_as(self.reader).look(request, soon(), 5.0)
        self.assertEqual('agent-forbidden', shown.failure.kind)
        self.assertEqual([], self.heres[FAR].asked)

    def test_no_token_is_shown_to_strangers(self):
        evil = self.useFixture(agents.Agent(lambda asked, line: line.empty()))
        self.url = self.serve(NEAR, {'evil': evil.url})
        client = self.ask_as()
        request = base.Request('evil', None)
        shown = client.look(request, soon(), 5.0)
        self.assertEqual('agent-not-found', shown.failure.kind)
        requests = [request, base.Request(NEAR, None)]
        kinds = {
            item.host: item.failure and item.failure.kind
            for item in client.looks(requests, soon(), 5.0)
        }
        self.assertEqual({'evil': 'agent-stranger', NEAR: None}, kinds)
        exc = self.trouble(client.open, 'evil', soon())
        self.assertEqual('agent-not-found', exc.failure.kind)
        self.assertEqual(0, evil.connections)

    def test_one_that_nobody_knows(self):
        request = base.Request('net2.invalid', None)
        (shown,) = self.ask_as().looks([request], soon(), 5.0)
        self.assertIn(
            shown.failure.kind, ('agent-unresolved', 'agent-unreachable')
        )


class TalksTest(ChainTest):
    def test_from_its_beginning_to_its_end(self):
        far = self.talks[FAR]
        with self.ask_as().converse(FAR, soon(), threading.Event()) as line:
            replies = list(line.call('watch', {'router': 'x'}, soon()))
        self.assertEqual(far.replies, replies)
        self.assertEqual(
            ['open', 'request', 'close'],
            [what for what, *_ in far.asked if what != 'renew'],
        )
        self.assertEqual([], self.talks[NEAR].asked)

    def test_it_is_the_callers_on_the_other_node(self):
        with self.ask_as().converse(FAR, soon(), threading.Event()):
            pass
        self.assertEqual(('open', 'user-admin'), self.talks[FAR].asked[0])

    def test_refusal_of_the_node_program(self):
        self.talks[FAR].replies = [
            {'error': {'kind': 'locked', 'message': 'by alice'}}
        ]
        with self.ask_as().converse(FAR, soon(), threading.Event()) as line:
            exc = self.trouble(list, line.call('x', {}, soon()))
        self.assertEqual('locked', exc.refusal)
        self.assertIn('by alice', exc.failure.message)

    def test_client_goes_away(self):
        far = self.talks[FAR] = Endless(FAR)
        self.url = self.serve(NEAR, {FAR: self.serve(FAR, {})})
        replies = self.ask_as().request(FAR, house.ID, 'x', {}, soon())
        self.assertEqual({'event': 'begun'}, next(replies))
        with agents.within(3):
            replies.close()
            self.assertTrue(far.gone.wait(10))

    def test_conversation_that_nobody_knows(self):
        self.talks[FAR].raises = house.UNKNOWN
        client = self.ask_as()
        for call in (client.renew, client.stop, client.close):
            exc = self.trouble(call, FAR, house.ID, soon())
            self.assertEqual('agent-lost', exc.failure.kind)

    def test_as_many_as_may_be(self):
        self.talks[FAR].raises = house.BUSY
        exc = self.trouble(self.ask_as().open, FAR, base.Deadline.after(0.5))
        self.assertEqual('agent-busy', exc.failure.kind)

    def test_the_other_agent_judges_as_well(self):
        far = self.serve(FAR, {}, {policies.FAILOVER: '!'})
        self.url = self.serve(NEAR, {FAR: far})
        exc = self.trouble(self.ask_as().open, FAR, soon())
        self.assertEqual('agent-forbidden', exc.failure.kind)
        self.assertEqual([], self.talks[FAR].asked)

    def test_agent_of_another_node(self):
        """The address is wrong, or the name in its configuration."""
        self.url = self.serve(NEAR, {FAR: self.serve(NEAR, {})})
        exc = self.trouble(self.ask_as().open, FAR, soon())
        self.assertEqual('agent-wrong-host', exc.failure.kind)

    def test_dead_agent(self):
        self.url = self.serve(NEAR, {FAR: 'http://127.0.0.1:9'})
        exc = self.trouble(self.ask_as().open, FAR, soon())
        # the agent that was asked could, and says what it met
        self.assertEqual('agent-error', exc.failure.kind)
        self.assertIn('cannot be reached', exc.failure.message)

    def test_what_a_tenant_may_not(self):
        for host in (NEAR, FAR):
            exc = self.trouble(self.ask_as(self.reader).open, host, soon())
            self.assertEqual('agent-forbidden', exc.failure.kind)

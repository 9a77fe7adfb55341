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

"""Many nodes as one: this one, others, dead ones, odd ones."""

import threading
import time

from oslo_context import context

from osc_ha_router.agent import nodes
from osc_ha_router.backends import base
from osc_ha_router.backends import faults
from osc_ha_router.model import view
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.backends import agents

HERE = 'net1'
ROUTER = '00000000-0000-0000-0000-000000000001'


class Here:
    """This node."""

    host = HERE

    def __init__(self):
        self.asked = []
        self.left = []
        self.contexts = []
        self.failure = None
        #: waits for it, if it is set
        self.wait = None

    def look(self, request, deadline, stop):
        self.asked.append(request)
        self.left.append(deadline.left())
        self.contexts.append(context.get_current())
        if self.wait is not None:
            self.wait(stop)
        return view.HostView(HERE, self.failure, residents=())


def shows(asked, line):
    host = asked.path.split('/')[3]
    line.json({'host': host, 'views': [], 'residents': []})


def silent(asked, line):
    line.rest(20)


class NodesTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.here = Here()
        self.agents = {}

    def serve(self, host, answer=shows):
        agent = self.useFixture(agents.Agent(answer))
        self.agents[host] = agent
        return agent

    def nodes(self, probe_timeout=5.0, concurrency=8):
        urls = {host: agent.url for host, agent in self.agents.items()}
        self.peers = parts.Peers(urls)
        self.peers.strangers.add('evil')
        return nodes.Nodes(self.here, self.peers, concurrency, probe_timeout)

    def probe(self, *requests, seconds=10.0, **kwargs):
        requests = [
            base.Request(r, None) if isinstance(r, str) else r
            for r in requests
        ]
        return list(
            self.nodes(**kwargs).probe(requests, base.Deadline.after(seconds))
        )

    def kinds(self, shown):
        return {
            item.host: item.failure and item.failure.kind for item in shown
        }


class ProbeTest(NodesTest):
    def test_own_node_by_itself_and_others_by_their_agents(self):
        agent = self.serve('net2')
        request = base.Request('net2', (ROUTER,), 1.5)
        shown = self.probe(HERE, request)
        self.assertEqual({HERE: None, 'net2': None}, self.kinds(shown))
        self.assertEqual([base.Request(HERE, None)], self.here.asked)
        (asked,) = agent.asked
        self.assertEqual('/v1/hosts/net2/probe', asked.path)
        self.assertEqual([ROUTER], asked.body['routers'])
        self.assertEqual(1.5, asked.body['listen'])

    def test_nobody(self):
        self.assertEqual([], self.probe())

    def test_a_host_asked_for_twice(self):
        agent = self.serve('net2')
        one, other = base.Request('net2', None), base.Request('net2', ())
        shown = self.probe(one, other, one, HERE, HERE)
        self.assertEqual(
            ['net1', 'net1', 'net2', 'net2', 'net2'],
            sorted(item.host for item in shown),
        )
        self.assertEqual(2, len(agent.asked))
        self.assertEqual(1, len(self.here.asked))

    def test_what_is_no_name_of_a_host(self):
        shown = self.probe('net2/..', HERE)
        self.assertEqual(
            {'net2/..': 'agent-unresolved', HERE: None}, self.kinds(shown)
        )

    def test_what_is_no_node(self):
        agent = self.serve('evil')
        shown = self.probe('evil', HERE)
        self.assertEqual(
            {'evil': 'agent-stranger', HERE: None}, self.kinds(shown)
        )
        self.assertEqual([], agent.asked)

    def test_for_the_log_each_thread_knows_who_asks(self):
        who = parts.caller()
        before = context.get_current()
        who.update_store()
        try:
            backend = self.nodes()
        finally:
            if before is not None:
                before.update_store()
            else:
                del context._request_store.context

        def work():
            # as the API does, in another thread
            list(
                backend.probe(
                    [base.Request(HERE, None)], base.Deadline.after(5)
                )
            )

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(5)
        self.assertEqual([who], self.here.contexts)


class TroubleTest(NodesTest):
    def test_a_dead_peer_costs_its_own_time(self):
        self.serve('net2', silent)
        self.serve('net3')
        began = time.monotonic()
        took = {}
        requests = [base.Request(h, None) for h in ('net2', 'net3', HERE)]
        backend = self.nodes(probe_timeout=0.5)
        for shown in backend.probe(requests, base.Deadline.after(30)):
            took[shown.host] = time.monotonic() - began
        self.assertEqual({'net2', 'net3', HERE}, took.keys())
        self.assertTrue(took['net3'] < 0.4, took)
        self.assertTrue(0.4 < took['net2'] < 2, took)

    def test_it_is_told_that_it_was_slow(self):
        self.serve('net2', silent)
        (shown,) = self.probe('net2', probe_timeout=0.3)
        self.assertEqual('agent-timeout', shown.failure.kind)
        self.assertIn('--probe-timeout', shown.failure.advice)

    def test_or_that_there_was_no_time(self):
        self.serve('net2', silent)
        (shown,) = self.probe('net2', seconds=0.3)
        self.assertEqual('agent-deadline', shown.failure.kind)

    def test_peer_that_had_too_little_time_was_slow(self):
        """It knows no more than how long it was given."""
        failure = {'kind': 'deadline', 'message': 'no time', 'advice': 'x'}

        def late(asked, line):
            line.json({'host': 'net2', 'failure': failure, 'views': []})

        self.serve('net2', late)
        (shown,) = self.probe('net2', probe_timeout=1.0)
        self.assertEqual('agent-timeout', shown.failure.kind)
        (shown,) = self.probe('net2', probe_timeout=9.0, seconds=5.0)
        self.assertEqual('deadline', shown.failure.kind)

    def test_own_node_is_slow(self):
        self.here.failure = view.Failure('deadline', 'no time', 'x')
        (shown,) = self.probe(HERE, probe_timeout=1.0)
        self.assertEqual('timeout', shown.failure.kind)
        self.assertTrue(0.5 < self.here.left[0] <= 1.0, self.here.left)

    def test_listening_is_not_counted(self):
        self.probe(base.Request(HERE, None, 3.0), probe_timeout=1.0)
        self.assertTrue(3.5 < self.here.left[0] <= 4.0, self.here.left)

    def test_nobody_listens(self):
        agent = self.serve('net2')
        agent._server.shutdown()
        agent._server.server_close()
        (shown,) = self.probe('net2')
        self.assertEqual('agent-unreachable', shown.failure.kind)

    def test_agent_of_another_node(self):
        def wrong(asked, line):
            line.json({'host': 'net3', 'views': [], 'residents': []})

        def says_so(asked, line):
            line.error(421, 'This is the agent of net3.')

        self.serve('net2', wrong)
        self.serve('net4', says_so)
        self.assertEqual(
            {'net2': 'agent-garbled', 'net4': 'agent-wrong-host'},
            self.kinds(self.probe('net2', 'net4')),
        )

    def test_other_errors_are_those_of_the_client(self):
        for code, kind in (
            (401, 'agent-unauthorized'),
            (403, 'agent-forbidden'),
            (500, 'agent-error'),
        ):
            self.serve('net2', lambda a, line, c=code: line.error(c, 'No.'))
            (shown,) = self.probe('net2')
            self.assertEqual(kind, shown.failure.kind)
            self.assertIn(kind, faults.KINDS)

    def test_nobody_wants_the_rest(self):
        self.serve('net2', silent)
        requests = [base.Request(host, None) for host in (HERE, 'net2')]
        looks = self.nodes().probe(requests, base.Deadline.after(20))
        self.assertEqual(HERE, next(looks).host)
        with agents.within(2):
            looks.close()

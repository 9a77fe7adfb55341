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

"""The client's backend and two agents: real HTTP, real TLS, real tokens.

Only the node programs, Keystone and Neutron are the tests' own.
"""

import dataclasses
import threading
import time

from keystoneauth1 import session as ksa_session

from osc_ha_router import config
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.agent import application
from osc_ha_router.agent import conversations
from osc_ha_router.agent import local
from osc_ha_router.agent import nodes
from osc_ha_router.agent import peers
from osc_ha_router.agent import policies
from osc_ha_router.agent import relay
from osc_ha_router.agent import server
from osc_ha_router.agent import services
from osc_ha_router.agent import slow
from osc_ha_router.agent import transport
from osc_ha_router.backends import agent as backend
from osc_ha_router.backends import base
from tests.unit.agent import certificates
from tests.unit.agent import house
from tests.unit.agent import programs
from tests.unit.backends import agents
from tests.unit.backends import test_agent
from tests.unit.scene import Scene

NEAR, FAR = 'net1', 'net2'
LEASE = 1.5


def talk(program: programs.Program) -> None:
    """Be a node program for looks and for long conversations."""
    program.say(hello=programs.HELLO)
    while request := program.hear():
        number, op = request['id'], request['op']
        if op == 'probe':
            for router in request['routers'] or ():
                program.say(id=number, view=programs.seen(router))
            program.say(id=number, end={'residents': []})
        elif op == 'wait':
            program.say(id=number, event='waiting')
            later = program.hear()
            program.say(id=number, end={'stopped': later.get('op') == 'stop'})
            if later:
                program.say(id=later['id'], end={})
        elif op == 'refuse':
            program.say(
                id=number, error={'kind': 'locked', 'message': 'by alice'}
            )
        elif op == 'die':
            return
        else:
            program.say(id=number, event=op)
            program.say(id=number, end={'op': op})


class ClientTestCase(house.HouseTestCase):
    """Has two agents, and a client that reaches the first one only."""

    options = {'front_threads': 8}

    def setUp(self):
        super().setUp()
        self.certificate, self.key = certificates.make(self.folder())
        #: node programs by host
        self.keepers = {}
        # the agents' own token, for each other
        self.own = self.token('service')
        self.addresses = {}
        far = self.serve(FAR, None)
        self.url = self.serve(NEAR, far)

    def folder(self):
        return self.useFixture(house.fixtures.TempDir()).path

    def serve(self, host, other):
        """Start the agent of a host; return its URL."""
        keeper = self.useFixture(programs.Keeper(talk))
        self.keepers[host] = keeper
        here = local.Local(host, keeper, config.Settings())
        talks = conversations.Conversations(here, limit=4, lease=LEASE)
        self.addCleanup(talks.close_all)
        signed = ksa_session.Session(auth=Token(self.own))
        others = peers.Peers(
            peers.Settings(other or 'https://127.0.0.1:1', self.certificate),
            signed,
            lambda host: True,
        )
        app = application.build(
            services.Services(
                host=host,
                knows=lambda host: True,
                conversations=talks,
                nodes=lambda seconds: nodes.Nodes(here, others, 4, seconds),
                relay=relay.Relay(others),
                checker=self.checker,
                alive=lambda: True,
                metrics=lambda: b'',
            ),
            self.conf,
            policies.enforcer(self.conf),
        )
        serving = server.Server(
            ('127.0.0.1', 0),
            app,
            threads=16,
            tls=transport.load(self.certificate, self.key),
            limit=64,
            waits=slow.Slow(4, 4),
            request_timeout=5,
        )
        serving.prepare()
        thread = threading.Thread(target=serving.serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(serving.stop)
        return f'https://127.0.0.1:{serving.bind_addr[1]}'

    def backend(self, token, **settings):
        """Return the client's backend, as somebody with this token."""
        connection = test_agent.Connection(self.url)
        auth = agents.Credentials(self.url)
        auth.get_token = lambda session: token
        auth.invalidate = lambda: False
        connection.session = ksa_session.Session(
            auth=auth, verify=str(self.certificate)
        )
        return backend.AgentBackend(
            config.Settings(**settings), lambda: connection
        )


class Token(agents.Credentials):
    """Somebody who has this token."""

    def __init__(self, token):
        super().__init__(None)
        self._token = token

    def get_token(self, session, **kwargs):
        return self._token

    def invalidate(self):
        return False


class TestLooks(ClientTestCase):
    def look(self, token, hosts=(NEAR, FAR), **settings):
        requests = [base.Request(host, (house.ROUTER,)) for host in hosts]
        shown = self.backend(token, **settings).probe(
            requests, base.Deadline.after(20)
        )
        return {item.host: item for item in shown}

    def test_both_nodes_through_one(self):
        found = self.look(self.admin)
        self.assertEqual({NEAR, FAR}, set(found))
        for host, shown in found.items():
            self.assertIsNone(shown.failure, host)
            (seen,) = shown.views
            self.assertEqual(house.ROUTER, seen.router_id)
            self.assertEqual('net1.example', shown.hostname)

    def test_reader(self):
        kinds = {s.failure.kind for s in self.look(self.reader).values()}
        self.assertEqual({'agent-forbidden'}, kinds)

    def test_wrong_token(self):
        kinds = {s.failure.kind for s in self.look('nonsense').values()}
        self.assertEqual({'agent-unauthorized'}, kinds)

    def test_host_of_which_nobody_knows(self):
        """Both ways lead to the same agent here: it is not that of net9."""
        found = self.look(self.admin, (NEAR, 'net9'))
        self.assertIsNone(found[NEAR].failure)
        self.assertEqual('agent-wrong-host', found['net9'].failure.kind)

    def test_node_program_that_hangs(self):
        def hang(program):
            program.say(hello=programs.HELLO)
            while program.hear():
                pass

        self.keepers[FAR]._scripts[:] = [hang]
        with agents.within(5):
            found = self.look(self.admin, probe_timeout=1.5)
        self.assertIsNone(found[NEAR].failure)
        self.assertIn('timeout', found[FAR].failure.kind)


class TestConversations(ClientTestCase):
    def converse(self, host, token=None):
        return self.backend(token or self.admin).converse(
            host, base.Deadline.after(10), threading.Event()
        )

    def test_whole(self):
        until = base.Deadline.after(20)
        for host in (NEAR, FAR):
            with self.converse(host) as line:
                for op in ('begin', 'raise', 'finish'):
                    self.assertEqual(
                        [{'event': op}, {'end': {'op': op}}],
                        list(line.call(op, {'router': house.ROUTER}, until)),
                    )
            (program,) = self.keepers[host].programs
            self.assertTrue(program.gone.wait(5), host)

    def test_enough(self):
        for host in (NEAR, FAR):
            with self.converse(host) as line:
                until = base.Deadline.after(20)
                for wait in (0.0, 1.3):
                    ready = time.monotonic() + wait
                    with agents.within(wait + 1.5):
                        replies = list(
                            line.call(
                                'wait',
                                {},
                                until,
                                lambda ready=ready: time.monotonic() > ready,
                            )
                        )
                    self.assertEqual({'stopped': True}, replies[-1]['end'])
                # the conversation is in order
                list(line.call('finish', {}, until))

    def test_refusal(self):
        for host in (NEAR, FAR):
            with self.converse(host) as line:
                until = base.Deadline.after(20)
                trouble = self.assertRaises(
                    base.Trouble, list, line.call('refuse', {}, until)
                )
                self.assertEqual('locked', trouble.refusal)
                self.assertIn('by alice', trouble.failure.message)
                list(line.call('finish', {}, until))

    def test_program_that_dies(self):
        for host in (NEAR, FAR):
            with self.converse(host) as line:
                until = base.Deadline.after(20)
                for _ in range(2):
                    trouble = self.assertRaises(
                        base.Trouble, list, line.call('die', {}, until)
                    )
                    self.assertEqual('agent-lost', trouble.failure.kind)
                    self.assertIsNone(trouble.refusal)

    def test_reader(self):
        for host in (NEAR, FAR):
            trouble = self.assertRaises(
                base.Trouble, self.converse(host, self.reader).__enter__
            )
            self.assertEqual('agent-forbidden', trouble.failure.kind)
            self.assertEqual([], self.keepers[host].programs)

    def test_nobody_there_any_more(self):
        """The client goes on living, but neither renews nor asks."""
        agent = self.backend(self.admin)._remote
        for host in (NEAR, FAR):
            agent.open(host, base.Deadline.after(10))
            (program,) = self.keepers[host].programs
            self.assertFalse(program.gone.is_set())
            self.assertTrue(program.gone.wait(LEASE + 2), host)

    def test_longer_than_the_lease(self):
        for host in (NEAR, FAR):
            with self.converse(host) as line:
                time.sleep(LEASE * 1.5)
                list(line.call('finish', {}, base.Deadline.after(5)))

    def test_left_in_the_middle_of_an_answer(self):
        for host in (NEAR, FAR):
            with self.converse(host) as line:
                replies = line.call('wait', {}, base.Deadline.after(20))
                next(replies)
                replies.close()
                (program,) = self.keepers[host].programs
                self.assertTrue(program.gone.wait(5), host)

    def test_no_more_than_may_be(self):
        agent = self.backend(self.admin)._remote
        for _ in range(4):
            agent.open(NEAR, base.Deadline.after(10))
        with agents.within(3):
            trouble = self.assertRaises(
                base.Trouble, agent.open, NEAR, base.Deadline.after(1)
            )
        self.assertEqual('agent-busy', trouble.failure.kind)
        # those whose lease ends make room
        opened = agent.open(NEAR, base.Deadline.after(10))
        self.assertEqual(LEASE, opened.lease)


class TestReports(ClientTestCase):
    def check(self, *names, token=None):
        return self.backend(token or self.reader).check(
            engine.Question(names=names), base.Deadline.after(10)
        )

    def test_report(self):
        report = Scene.of('incident').judge()
        self.checker.answer = (report,)
        self.assertEqual((report,), self.check(report.router.id))
        ((who, asked),) = self.checker.asked
        self.assertEqual(['reader'], who.roles)
        self.assertEqual((report.router.id,), asked.routers)

    def test_no_such_router(self):
        self.checker.answer = errors.RouterNotFound('There is none.')
        trouble = self.assertRaises(base.Trouble, self.check, house.ROUTER)
        self.assertEqual('agent-not-found', trouble.failure.kind)
        self.assertIn('There is none (req-', trouble.failure.message)

    def test_not_ours_to_judge(self):
        self.checker.answer = errors.NotSupported('It is not an HA router.')
        trouble = self.assertRaises(base.Trouble, self.check, house.ROUTER)
        self.assertIn('not an HA router', trouble.failure.message)

    def test_no_word_of_tokens(self):
        trouble = self.assertRaises(
            base.Trouble, self.check, token='a-secret-token'
        )
        self.assertEqual('agent-unauthorized', trouble.failure.kind)
        self.assertNotIn('a-secret', str(dataclasses.astuple(trouble.failure)))
        self.assertNotIn('a-secret', self.log.output)

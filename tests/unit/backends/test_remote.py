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

"""The client of the node agents' API, looking: over real sockets."""

import dataclasses
import json
import pathlib
import socket
import threading
import time
from typing import Any

import fixtures
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session as ksa_session
import testtools

from osc_ha_router import codec
from osc_ha_router import engine
from osc_ha_router.backends import base
from osc_ha_router.backends import parcels
from osc_ha_router.backends import remote
from osc_ha_router.backends import request as asking
from osc_ha_router.backends import web
from osc_ha_router.model import view
from tests.unit import captures
from tests.unit.backends import agents

HEALTHY = captures.load('healthy')
SHOWN = {shown.host: shown for shown in HEALTHY.hosts}
HOSTS = tuple(sorted(SHOWN))
ROUTER = HEALTHY.claims.routers[0].id
REQUESTS = [base.Request(host, (ROUTER,)) for host in HOSTS]


def shown(host: str, router: str = ROUTER) -> view.HostView:
    """Return what a host shows of the one router."""
    found = SHOWN[host]
    return dataclasses.replace(
        found,
        views=tuple(v for v in found.views if v.router_id == router),
    )


def lines(*hosts: str) -> list[Any]:
    """Return the lines of an answer."""
    views = [{'view': codec.encode(shown(host))} for host in hosts]
    return [*views, {'end': {}}]


class AgentTest(testtools.TestCase):
    """One agent."""

    def serve(self, answer: agents.Answer, **kwargs: Any) -> agents.Agent:
        return self.useFixture(agents.Agent(answer, **kwargs))

    def remote(
        self, agent: agents.Agent, direct: bool = False, **kwargs: Any
    ) -> remote.Remote:
        return remote.Remote(
            agents.connect(agent.url, **kwargs), direct=direct
        )

    def looks(
        self,
        answer: agents.Answer,
        seconds: float = 10.0,
        stop: threading.Event | None = None,
    ) -> dict[str, view.HostView]:
        """Look at all hosts through an agent that answers like this."""
        found = list(
            self.remote(self.serve(answer)).looks(
                REQUESTS, base.Deadline.after(seconds), 5.0, stop
            )
        )
        self.assertEqual(len(HOSTS), len(found))
        return {item.host: item for item in found}

    def fails(
        self, answer: agents.Answer, seconds: float = 10.0
    ) -> view.Failure:
        """Return the first host's failure; the others' are alike."""
        failures = [
            item.failure for item in self.looks(answer, seconds).values()
        ]
        failure = failures[0]
        assert failure is not None
        self.assertEqual({failure.kind}, {f.kind for f in failures if f})
        for sentence in (failure.message, failure.advice):
            self.assertTrue(sentence.isprintable(), sentence)
            self.assertNotIn('token-', sentence)
        return failure


class LooksTest(AgentTest):
    def test_one_request_for_all_hosts(self):
        agent = self.serve(lambda asked, line: line.whole(*lines(*HOSTS)))
        found = list(
            self.remote(agent).looks(
                REQUESTS, base.Deadline.after(30), 7.0, threading.Event()
            )
        )
        self.assertEqual([shown(host) for host in HOSTS], found)
        (asked,) = agent.asked
        self.assertEqual(
            ('POST', '/v1/probe', {}), (asked.method, asked.path, asked.query)
        )
        self.assertEqual('token-1', asked.headers['x-auth-token'])
        self.assertEqual(
            [
                {'host': host, 'routers': [ROUTER], 'listen': 0.0}
                for host in HOSTS
            ],
            asked.body['requests'],
        )
        self.assertEqual(7.0, asked.body['probe_timeout'])
        # the agent is ready while somebody still waits for it
        self.assertTrue(28 < asked.body['timeout'] < 29.8)

    def test_each_view_as_it_comes(self):
        def answer(asked, line):
            line.stream()
            for item in lines(*HOSTS):
                line.line(item)
                line.rest(0.3)
            line.finish()

        came = []
        for _ in self.remote(self.serve(answer)).looks(
            REQUESTS, base.Deadline.after(10), 5.0
        ):
            came.append(time.monotonic())
        self.assertTrue(came[-1] - came[0] > 0.4, came)

    def test_connection_is_used_again(self):
        agent = self.serve(lambda asked, line: line.whole(*lines(*HOSTS)))
        talk = self.remote(agent)
        for _ in range(3):
            list(talk.looks(REQUESTS, base.Deadline.after(10), 5.0))
        self.assertEqual((3, 1), (len(agent.asked), agent.connections))

    def test_views_in_pieces_of_any_size(self):
        def answer(asked, line):
            line.stream()
            data = b''.join(
                json.dumps(item).encode() + b'\n\n' for item in lines(*HOSTS)
            )
            for start in range(0, len(data), 777):
                line.piece(data[start : start + 777])
            line.finish()

        found = self.looks(answer)
        self.assertEqual({host: shown(host) for host in HOSTS}, found)

    def test_closed_early(self):
        gone = []

        def answer(asked, line):
            line.stream()
            line.line(lines(*HOSTS)[0])
            gone.append(line.gone(5))

        looks = self.remote(self.serve(answer)).looks(
            REQUESTS, base.Deadline.after(10), 5.0
        )
        next(looks)
        with agents.within(1):
            looks.close()
        for _ in range(50):
            if gone:
                break
            time.sleep(0.05)
        self.assertEqual([True], gone)

    def test_failure_of_a_host_is_its_own(self):
        failure = view.Failure('agent-unreachable', 'Nobody.', 'Look.')

        def answer(asked, line):
            broken = view.HostView(HOSTS[0], failure)
            line.whole({'view': codec.encode(broken)}, *lines(*HOSTS[1:]))

        found = self.looks(answer)
        self.assertEqual(failure, found[HOSTS[0]].failure)
        self.assertEqual(shown(HOSTS[1]), found[HOSTS[1]])


class TroubleTest(AgentTest):
    def test_what_came_before_is_kept(self):
        def answer(asked, line):
            line.stream()
            line.line(lines(HOSTS[0])[0])
            raise ConnectionResetError

        found = self.looks(answer)
        self.assertEqual(shown(HOSTS[0]), found[HOSTS[0]])
        for host in HOSTS[1:]:
            self.assertEqual('agent-truncated', found[host].failure.kind)

    def test_truncated_in_the_middle_of_a_line(self):
        def answer(asked, line):
            line.stream()
            line.piece(b'{"view": {')
            line.finish()

        self.assertEqual('agent-truncated', self.fails(answer).kind)

    def test_truncated_after_a_line(self):
        def answer(asked, line):
            line.stream()
            line.finish()

        self.assertEqual('agent-truncated', self.fails(answer).kind)

    def test_hosts_are_missing(self):
        found = self.looks(lambda a, line: line.whole(*lines(HOSTS[0])))
        self.assertIsNone(found[HOSTS[0]].failure)
        self.assertEqual('agent-truncated', found[HOSTS[1]].failure.kind)

    def test_garbled(self):
        for value in (
            [],
            3,
            {},
            {'view': 3},
            {'view': {}},
            {'view': {'host': 'x'}},
            {'view': {'host': HOSTS[0], 'views': [{}]}},
            {'view': {'host': HOSTS[0], 'seconds': 'x'}},
        ):
            failure = self.fails(lambda a, line, v=value: line.whole(v))
            self.assertEqual('agent-garbled', failure.kind, value)

    def test_no_json(self):
        def answer(asked, line):
            line.stream()
            line.piece(b'<html>\x1b[2J hello\n')
            line.finish()

        failure = self.fails(answer)
        self.assertEqual('agent-garbled', failure.kind)
        self.assertIn(r'\x1b[2J', failure.message)

    def test_deeply_nested(self):
        def answer(asked, line):
            line.stream()
            line.piece(b'[' * 100000 + b'\n')
            line.finish()

        self.assertEqual('agent-garbled', self.fails(answer).kind)

    def test_routers_that_nobody_asked_for(self):
        other = dataclasses.replace(
            shown(HOSTS[0]).views[0], router_id='x' * 36
        )
        for views in ((other,), shown(HOSTS[0]).views * 2):
            wrong = dataclasses.replace(shown(HOSTS[0]), views=views)
            line = {'view': codec.encode(wrong)}
            failure = self.fails(lambda a, to, v=line: to.whole(v))
            self.assertEqual('agent-garbled', failure.kind)

    def test_host_twice(self):
        found = self.looks(
            lambda a, line: line.whole(*lines(HOSTS[0], HOSTS[0]))
        )
        self.assertIsNone(found[HOSTS[0]].failure)
        self.assertEqual('agent-garbled', found[HOSTS[1]].failure.kind)

    def test_control_characters(self):
        wrong = dataclasses.replace(shown(HOSTS[0]), hostname='a\x1b[2Jb')
        found = self.looks(
            lambda a, line: line.whole({'view': codec.encode(wrong)})
        )
        self.assertEqual(r'a\x1b[2Jb', found[HOSTS[0]].hostname)

    def test_line_without_end(self):
        self.useFixture(
            fixtures.MockPatch(
                'osc_ha_router.backends.channel.ANSWER_LIMIT', 100_000
            )
        )

        def answer(asked, line):
            line.stream()
            while not line.over.is_set():
                line.piece(b'x' * 4096)

        with agents.within(5):
            self.assertEqual('agent-oversized', self.fails(answer).kind)

    def test_more_than_is_taken(self):
        self.useFixture(
            fixtures.MockPatch(
                'osc_ha_router.backends.channel.ANSWER_LIMIT', 100_000
            )
        )

        def answer(asked, line):
            line.stream()
            while not line.over.is_set():
                line.piece(b'\n' * 4096)

        with agents.within(5):
            self.assertEqual('agent-oversized', self.fails(answer).kind)

    def test_error_instead_of_an_end(self):
        failure = self.fails(
            lambda a, line: line.whole({'error': {'message': 'no memory'}})
        )
        self.assertEqual('agent-error', failure.kind)
        self.assertIn('no memory', failure.message)


class TimeTest(AgentTest):
    """Nobody waits longer than was said, whatever the other side does."""

    def test_silence_before_the_answer(self):
        with agents.within(2):
            failure = self.fails(lambda a, line: line.rest(10), 1.0)
        self.assertEqual('agent-deadline', failure.kind)

    def test_signs_of_life_for_ever(self):
        def answer(asked, line):
            line.stream()
            while not line.over.is_set():
                line.piece(b'\n')
                line.rest(0.1)

        with agents.within(2):
            failure = self.fails(answer, 1.0)
        self.assertEqual('agent-deadline', failure.kind)

    def test_dripping_head(self):
        def answer(asked, line):
            for byte in b'HTTP/1.1 200 OK\r\nX-Long: ' + b'x' * 1000:
                line.send(bytes([byte]))
                line.rest(0.05)

        with agents.within(2):
            failure = self.fails(answer, 1.0)
        self.assertEqual('agent-deadline', failure.kind)

    def test_dripping_body(self):
        def answer(asked, line):
            line.stream()
            while not line.over.is_set():
                line.piece(b' ')
                line.rest(0.05)

        with agents.within(2):
            failure = self.fails(answer, 1.0)
        self.assertEqual('agent-deadline', failure.kind)

    def test_dripping_chunk(self):
        def answer(asked, line):
            line.stream()
            line.send(b'fffffff\r\n')
            while not line.over.is_set():
                line.send(b' ')
                line.rest(0.05)

        with agents.within(2):
            failure = self.fails(answer, 1.0)
        self.assertEqual('agent-deadline', failure.kind)

    def test_no_sign_of_life(self):
        self.useFixture(fixtures.MockPatchObject(asking, 'SILENCE', 0.5))

        def answer(asked, line):
            line.stream()
            line.line(lines(HOSTS[0])[0])
            line.rest(10)

        with agents.within(2):
            found = self.looks(answer, 20.0)
        self.assertEqual(shown(HOSTS[0]), found[HOSTS[0]])
        failure = found[HOSTS[1]].failure
        self.assertEqual('agent-timeout', failure.kind)
        self.assertIn('no sign of life', failure.message)

    def test_no_answer_at_all(self):
        self.useFixture(fixtures.MockPatchObject(asking, '_FIRST', 0.5))
        with agents.within(2):
            failure = self.fails(lambda a, line: line.rest(10), 20.0)
        self.assertEqual('agent-timeout', failure.kind)

    def test_stop(self):
        stop = threading.Event()
        threading.Timer(0.3, stop.set).start()
        with agents.within(1):
            found = self.looks(lambda a, line: line.rest(10), 20.0, stop)
        self.assertEqual(
            {'agent-interrupted'},
            {item.failure.kind for item in found.values()},
        )

    def test_stop_of_a_check(self):
        stop = threading.Event()
        threading.Timer(0.3, stop.set).start()
        talk = self.remote(self.serve(lambda a, line: line.rest(10)))
        with agents.within(1):
            trouble = self.assertRaises(
                base.Trouble,
                talk.check,
                engine.Question(),
                base.Deadline.after(20),
                5.0,
                stop,
            )
        self.assertEqual('agent-interrupted', trouble.failure.kind)

    def test_no_time_at_all(self):
        agent = self.serve(lambda a, line: line.whole())
        found = list(
            self.remote(agent).looks(REQUESTS, base.Deadline.after(0), 5.0)
        )
        self.assertEqual(
            {'agent-deadline'}, {item.failure.kind for item in found}
        )
        self.assertEqual([], agent.asked)

    def test_nobody_accepts(self):
        """A full backlog: the connection is never made."""
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen(0)
            port = listener.getsockname()[1]
            others = []
            for _ in range(3):
                other = socket.socket()
                other.setblocking(False)
                other.connect_ex(('127.0.0.1', port))
                others.append(other)
                self.addCleanup(other.close)
            talk = remote.Remote(agents.connect(f'http://127.0.0.1:{port}'))
            with agents.within(2):
                found = list(talk.looks(REQUESTS, base.Deadline.after(1), 5.0))
        self.assertEqual(
            {'agent-unreachable'}, {item.failure.kind for item in found}
        )


class StatusTest(AgentTest):
    def test_kinds(self):
        for code, kind in (
            (400, 'agent-error'),
            (401, 'agent-unauthorized'),
            (403, 'agent-forbidden'),
            (404, 'agent-not-found'),
            (413, 'agent-error'),
            (421, 'agent-wrong-host'),
            (500, 'agent-error'),
            # of an agent that could not reach another one
            (502, 'agent-error'),
            (503, 'agent-error'),
            (504, 'agent-timeout'),
        ):
            failure = self.fails(
                lambda a, line, c=code: line.error(c, 'Because of \x1b it.')
            )
            self.assertEqual(kind, failure.kind, code)
            self.assertIn(r'Because of \x1b it', failure.message)
            self.assertIn('req-1', failure.message)

    def test_errors_of_others(self):
        for body in (b'', b'<html>', b'[]', b'{"error": 3}', b'{"error": {}}'):

            def answer(asked, line, body=body):
                line.head('500 Oops', f'Content-Length: {len(body)}')
                line.send(body)

            failure = self.fails(answer)
            self.assertEqual('agent-error', failure.kind)
            self.assertIn('500 Oops', failure.message)

    def test_errors_of_a_proxy(self):
        for status in ('502 Bad Gateway', '504 Gateway Timeout'):
            failure = self.fails(
                lambda a, line, s=status: line.head(s, 'Content-Length: 0')
            )
            self.assertEqual('agent-unreachable', failure.kind)
            self.assertIn('proxy', failure.message)

    def test_token_goes_nowhere_else(self):
        other = self.serve(lambda a, line: line.whole(*lines(*HOSTS)))
        failure = self.fails(
            lambda a, line: line.head(
                '307 There',
                f'Location: {other.url}/v1/probe',
                'Content-Length: 0',
            )
        )
        self.assertEqual('agent-garbled', failure.kind)
        self.assertEqual([], other.asked)

    def test_expired_token(self):
        def answer(asked, line):
            if asked.headers['x-auth-token'] == 'token-1':
                line.error(401, 'Expired.')
            else:
                line.whole(*lines(*HOSTS))

        found = self.looks(answer)
        self.assertEqual({host: shown(host) for host in HOSTS}, found)

    def test_busy_until_it_is_not(self):
        count = []

        def answer(asked, line):
            count.append(asked)
            if len(count) < 3:
                line.error(503, 'Busy.', 'Retry-After: 0')
            else:
                line.whole(*lines(*HOSTS))

        found = self.looks(answer)
        self.assertEqual({host: shown(host) for host in HOSTS}, found)

    def test_busy_until_the_deadline(self):
        with agents.within(3):
            failure = self.fails(
                lambda a, line: line.error(503, 'Busy.', 'Retry-After: 1'),
                2.0,
            )
        self.assertEqual('agent-busy', failure.kind)
        self.assertIn('Busy', failure.message)

    def test_busy_and_interrupted(self):
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        with agents.within(2):
            found = self.looks(
                lambda a, line: line.error(503, 'Busy.', 'Retry-After: 100'),
                60.0,
                stop,
            )
        self.assertEqual(
            {'agent-interrupted'},
            {item.failure.kind for item in found.values()},
        )

    def test_huge_error(self):
        def answer(asked, line):
            line.head('500 Oops', 'Content-Length: 1000000000')
            while not line.over.is_set():
                line.send(b'x' * 65536)

        with agents.within(5):
            failure = self.fails(answer)
        self.assertEqual('agent-error', failure.kind)


class WayTest(AgentTest):
    """What is wrong before there is an answer."""

    def fails_at(self, url: str | None, **kwargs: Any) -> view.Failure:
        talk = remote.Remote(agents.connect(url, **kwargs))
        found = list(talk.looks(REQUESTS, base.Deadline.after(10), 5.0))
        (failure,) = {item.failure for item in found}
        for item in found:
            self.assertIsNotNone(item.seconds)
        return failure

    def certificate(self, *names: str) -> pathlib.Path:
        folder = self.useFixture(fixtures.TempDir()).path
        return agents.certificate(pathlib.Path(folder, 'pem'), *names)

    def test_refused(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            port = taken.getsockname()[1]
            failure = self.fails_at(f'https://127.0.0.1:{port}')
        self.assertEqual('agent-unreachable', failure.kind)
        self.assertIn(
            f'The node agent at https://127.0.0.1:{port} cannot be reached: '
            'Connection refused',
            failure.message,
        )

    def test_unknown_name(self):
        failure = self.fails_at('https://agent.invalid:6689')
        self.assertEqual('agent-unresolved', failure.kind)

    def test_not_in_the_catalogue(self):
        failure = self.fails_at(None)
        self.assertEqual('agent-missing', failure.kind)
        self.assertIn(
            'no public endpoint in region RegionOne', failure.message
        )

    def test_no_token(self):
        self.useFixture(
            fixtures.MockPatchObject(
                agents.Credentials,
                'get_token',
                side_effect=ksa_exceptions.Unauthorized('wrong password'),
            )
        )
        failure = self.fails_at('http://127.0.0.1:1')
        self.assertEqual('agent-token', failure.kind)
        self.assertIn('wrong password', failure.message)

    def test_tls(self):
        certificate = self.certificate('127.0.0.1')
        agent = self.serve(
            lambda a, line: line.whole(*lines(*HOSTS)), certificate=certificate
        )
        found = list(
            self.remote(agent, verify=str(certificate)).looks(
                REQUESTS, base.Deadline.after(10), 5.0
            )
        )
        self.assertEqual([shown(host) for host in HOSTS], found)

    def test_drip_over_tls(self):
        certificate = self.certificate('127.0.0.1')

        def answer(asked, line):
            line.stream()
            while not line.over.is_set():
                line.piece(b' ')
                line.rest(0.05)

        agent = self.serve(answer, certificate=certificate)
        with agents.within(2):
            found = list(
                self.remote(agent, verify=str(certificate)).looks(
                    REQUESTS, base.Deadline.after(1), 5.0
                )
            )
        self.assertEqual(
            {'agent-deadline'}, {item.failure.kind for item in found}
        )

    def test_slow_over_tls(self):
        """A wait that ends in the middle of a record goes on after it."""
        certificate = self.certificate('127.0.0.1')

        def answer(asked, line):
            line.stream()
            for item in lines(*HOSTS):
                line.rest(0.25)
                line.line(item)
            line.finish()

        agent = self.serve(answer, certificate=certificate)
        found = list(
            self.remote(agent, verify=str(certificate)).looks(
                REQUESTS, base.Deadline.after(10), 5.0
            )
        )
        self.assertEqual([shown(host) for host in HOSTS], found)

    def test_wrong_ca(self):
        agent = self.serve(
            lambda a, line: line.whole(*lines(*HOSTS)),
            certificate=self.certificate('127.0.0.1'),
        )
        other = self.certificate('127.0.0.1')
        failure = self.fails_at(agent.url, verify=str(other))
        self.assertEqual('agent-tls', failure.kind)
        self.assertIn('certificate', failure.message)
        self.assertIn('OS_CACERT', failure.advice)
        self.assertEqual([], agent.asked)

    def test_wrong_name(self):
        certificate = self.certificate('net1.example.org')
        agent = self.serve(lambda a, line: None, certificate=certificate)
        failure = self.fails_at(agent.url, verify=str(certificate))
        self.assertEqual('agent-tls', failure.kind)
        self.assertIn('127.0.0.1', failure.message)
        self.assertEqual([], agent.asked)

    def test_end_in_the_middle_of_the_handshake(self):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen()

            def hang_up():
                line, _ = listener.accept()
                with line:
                    line.recv(10000)

            thread = threading.Thread(target=hang_up)
            thread.start()
            port = listener.getsockname()[1]
            failure = self.fails_at(f'https://127.0.0.1:{port}')
            thread.join()
        self.assertEqual('agent-unreachable', failure.kind)

    def test_silence_in_the_handshake(self):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen()
            port = listener.getsockname()[1]
            talk = remote.Remote(agents.connect(f'https://127.0.0.1:{port}'))
            with agents.within(2):
                found = list(talk.looks(REQUESTS, base.Deadline.after(1), 5.0))
        self.assertEqual(
            {'agent-unreachable'}, {item.failure.kind for item in found}
        )

    def test_tls_to_a_plain_port(self):
        agent = self.serve(lambda a, line: line.whole(*lines(*HOSTS)))
        failure = self.fails_at(agent.url.replace('http', 'https'))
        self.assertEqual('agent-scheme', failure.kind)

    def test_plain_to_a_tls_port(self):
        failure = self.fails(
            lambda a, line: line.error(
                400, 'This server only speaks HTTPS on this port.'
            )
        )
        self.assertEqual('agent-scheme', failure.kind)

    def test_version_in_the_catalogue(self):
        agent = self.serve(lambda a, line: line.whole(*lines(*HOSTS)))
        for end in ('/', '/v1', '/v1/'):
            self.assertIsNone(self.fails_at(agent.url + end))
        self.assertEqual({'/v1/probe'}, {a.path for a in agent.asked})

    def test_the_session_is_shared(self):
        agent = self.serve(lambda a, line: line.whole(*lines(*HOSTS)))
        adapter = agents.connect(agent.url)
        bounded = web.bounded(adapter)
        self.assertIsNot(adapter.session, bounded.session)
        self.assertIs(bounded, web.bounded(bounded))
        self.assertIsInstance(bounded.session, ksa_session.Session)


class LookTest(AgentTest):
    """One host, as agents ask each other."""

    def look(
        self,
        answer: agents.Answer,
        request: base.Request = REQUESTS[0],
        seconds: float = 10.0,
        probe_timeout: float = 5.0,
    ) -> view.HostView:
        self.agent = self.serve(answer)
        return self.remote(self.agent, direct=True).look(
            request, base.Deadline.after(seconds), probe_timeout
        )

    def test_view(self):
        host = HOSTS[0]
        found = self.look(lambda a, line: line.json(codec.encode(shown(host))))
        self.assertIsNotNone(found.seconds)
        self.assertEqual(
            dataclasses.replace(shown(host), seconds=found.seconds), found
        )
        (asked,) = self.agent.asked
        self.assertEqual(
            (f'/v1/hosts/{host}/probe', {'direct': 'true'}),
            (asked.path, asked.query),
        )
        self.assertTrue(4 < asked.body['timeout'] < 5, asked.body)

    def test_another_host(self):
        found = self.look(
            lambda a, line: line.json(codec.encode(shown(HOSTS[1])))
        )
        self.assertEqual(
            (HOSTS[0], 'agent-garbled'), (found.host, found.failure.kind)
        )

    def test_its_own_time(self):
        with agents.within(2):
            found = self.look(lambda a, line: line.rest(10), probe_timeout=0.5)
        self.assertEqual('agent-timeout', found.failure.kind)

    def test_the_time_of_all(self):
        with agents.within(2):
            found = self.look(lambda a, line: line.rest(10), seconds=0.5)
        self.assertEqual('agent-deadline', found.failure.kind)

    def test_listening_takes_longer(self):
        request = dataclasses.replace(REQUESTS[0], listen=3.0)
        self.look(
            lambda a, line: line.json(codec.encode(shown(HOSTS[0]))), request
        )
        (asked,) = self.agent.asked
        self.assertEqual(3.0, asked.body['listen'])
        self.assertTrue(7 < asked.body['timeout'] < 8)

    def test_host_name_in_the_path(self):
        found = self.look(
            lambda a, line: line.error(404, 'No.'), base.Request('a/../b', ())
        )
        self.assertEqual('agent-not-found', found.failure.kind)
        (asked,) = self.agent.asked
        self.assertEqual('/v1/hosts/a%2F..%2Fb/probe', asked.path)


class ParcelsTest(AgentTest):
    """More than one request can hold."""

    def test_small_is_one(self):
        self.assertEqual([REQUESTS], list(parcels.batches(REQUESTS)))

    def test_all_routers_is_one(self):
        requests = [base.Request(f'net{n}', None) for n in range(500)]
        self.assertEqual([requests], list(parcels.batches(requests)))

    def test_no_more_than_fits(self):
        ids = tuple(f'{n:036x}' for n in range(2001))
        requests = [
            base.Request('n' * 250 + str(n), ids[: n * 500]) for n in range(5)
        ]
        batches = list(parcels.batches(requests))
        asked: dict[str, list[str]] = {}
        for batch in batches:
            hosts = [request.host for request in batch]
            self.assertEqual(len(hosts), len(set(hosts)))
            body = [dataclasses.asdict(request) for request in batch]
            self.assertLess(len(json.dumps(body)), 60_000)
            for request in batch:
                asked.setdefault(request.host, []).extend(request.routers)
        self.assertEqual({r.host: list(r.routers) for r in requests}, asked)

    def test_put_together(self):
        self.useFixture(fixtures.MockPatchObject(parcels, 'ROUTERS', 2))
        self.useFixture(fixtures.MockPatchObject(parcels, '_WORDS', 6))
        ids = tuple(f'{n:036x}' for n in range(5))

        def answer(asked, line):
            views = []
            for request in asked.body['requests']:
                seen = tuple(
                    view.NodeView(router, None)
                    for router in request['routers']
                )
                views.append(
                    view.HostView(
                        request['host'], views=seen, residents=(), seconds=1.0
                    )
                )
            line.whole(
                *({'view': codec.encode(item)} for item in views), {'end': {}}
            )

        agent = self.serve(answer)
        requests = [base.Request(host, ids) for host in HOSTS]
        found = list(
            self.remote(agent).looks(requests, base.Deadline.after(10), 5.0)
        )
        self.assertEqual(set(HOSTS), {item.host for item in found})
        self.assertEqual(len(HOSTS), len(found))
        for item in found:
            self.assertEqual(set(ids), {v.router_id for v in item.views})
            self.assertEqual((), item.residents)
        self.assertGreater(len(agent.asked), 1)

    def test_part_that_fails(self):
        request = base.Request('net1', tuple('abc'))
        self.useFixture(fixtures.MockPatchObject(parcels, 'ROUTERS', 2))
        joiner = parcels.Joiner([request])
        failure = view.Failure('x', 'y', 'z')
        self.assertIsNone(joiner.add(view.HostView('net1', failure)))
        whole = joiner.add(
            view.HostView('net1', views=(view.NodeView('c', None),))
        )
        self.assertEqual((failure, 1), (whole.failure, len(whole.views)))

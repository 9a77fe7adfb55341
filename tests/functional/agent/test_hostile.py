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

"""Clients that do not behave leave the agent answering the others."""

from collections.abc import Iterator
from concurrent import futures
import contextlib
import os
import pathlib
import socket
import ssl
import threading
import time

from tests.functional.agent import base
from tests.lab import https
from tests.lab.cloud import ENTRY_NODE
from tests.lab.layout import CONTROL
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.sockets import connect

#: seconds in which somebody who behaves is answered, whoever else is there
BOUND = 10.0
#: more connections than the agent has threads
CROWD = 280
#: what the agent may grow by, MiB
GROWTH = 100.0
MIB = 1 << 20
_HEAD = (
    b'POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
)
#: the beginning of a handshake
_HELLO = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(99)


class HostileTest(base.AgentTest):
    """Many at once, each in its own way, and a tenant who wants to check."""

    def setUp(self) -> None:
        super().setUp()
        self.settled()
        self.token = self.lab.demo.token()
        self._well()
        self._pid = self.lab.nodes[ENTRY_NODE].ha_agent_pids()[0]
        self._before = self._size()

    def _size(self) -> float:
        """Return what the agent has in memory, in MiB."""
        pages = pathlib.Path(f'/proc/{self._pid}/statm').read_text().split()[1]
        return int(pages) * os.sysconf('SC_PAGE_SIZE') / MIB

    def _plain(self) -> socket.socket:
        return connect(
            self.lab.layout.namespace_path(CONTROL),
            self.lab.nodes[ENTRY_NODE].address,
            HA_AGENT_PORT,
            20,
        )

    def _tls(self) -> ssl.SSLSocket:
        return https.dial(self.lab.layout, ENTRY_NODE, 20)

    def _well(self, bound: float = BOUND) -> None:
        """See that whoever behaves is answered soon."""
        for method, path, body, status in (
            ('GET', '/healthcheck', None, 200),
            (
                'POST',
                '/v1/check',
                {'routers': [self.router], 'recheck': 0},
                200,
            ),
            ('POST', '/v1/probe', {'requests': []}, 403),
        ):
            began = time.monotonic()
            answer = self.ask(method, path, body, token=self.token)
            self.assertEqual(status, answer.status, answer.body)
            self.assertLess(time.monotonic() - began, bound, path)

    def _endured(self) -> None:
        """See that it is the same agent, and has not grown."""
        self._well()
        pids = self.lab.nodes[ENTRY_NODE].ha_agent_pids()
        self.assertEqual(self._pid, pids[0])
        self.assertLess(self._size() - self._before, GROWTH)

    @contextlib.contextmanager
    def _crowd(
        self, number: int, tls: bool = True
    ) -> Iterator[list[socket.socket]]:
        """Open many connections."""
        make = self._tls if tls else self._plain
        with contextlib.ExitStack() as stack:
            with futures.ThreadPoolExecutor(16) as pool:
                found = [pool.submit(make) for _ in range(number)]
            links = [stack.enter_context(each.result()) for each in found]
            yield list(links)

    def test_silent(self) -> None:
        """Connected, before and after the handshake, and nothing more."""
        with self._crowd(300, tls=False), self._crowd(100):
            self._well()
        self._endured()

    @contextlib.contextmanager
    def _dripping(
        self, *crowds: tuple[list[socket.socket], bytes]
    ) -> Iterator[None]:
        """Send to all of some connections a byte each second."""
        over = threading.Event()

        def drip(links: list[socket.socket], data: bytes) -> None:
            for number in range(len(data)):
                if over.wait(1.0):
                    return
                for link in links:
                    with contextlib.suppress(OSError):
                        link.send(data[number : number + 1])

        with futures.ThreadPoolExecutor() as pool:
            for links, data in crowds:
                pool.submit(drip, links, data)
            try:
                yield
            finally:
                over.set()

    def test_slow(self) -> None:
        """A byte now and then: of the head, of the body, of a handshake.

        Of each there are more than threads.
        """
        with (
            self._crowd(CROWD) as heads,
            self._crowd(CROWD) as bodies,
            self._crowd(CROWD, tls=False) as handshakes,
        ):
            for link in bodies:
                link.sendall(_HEAD + b'Content-Length: 60000\r\n\r\n')
            with self._dripping(
                (heads, _HEAD * 9),
                (bodies, b' ' * 999),
                (handshakes, _HELLO),
            ):
                for _ in range(3):
                    self._well()
                    time.sleep(2)
                # no request takes longer than it may
                time.sleep(20)
                self._well()
                for link in (*heads, *bodies, *handshakes):
                    self.assertTrue(_ended(link), 'still open')
        self._endured()

    def test_slow_in_chunks(self) -> None:
        """A body whose end nobody knows, for which threads wait."""
        with self._crowd(CROWD) as links:
            for link in links:
                link.sendall(_HEAD + b'Transfer-Encoding: chunked\r\n\r\n')
            with self._dripping((links, b'1\r\nx\r\n' * 99)):
                for _ in range(3):
                    self._well()
                    time.sleep(2)
        self._endured()

    def test_slow_again_and_again(self) -> None:
        """Whose time is over begins anew, from the same address."""
        for _ in range(3):
            with (
                self._crowd(CROWD) as heads,
                self._crowd(CROWD, tls=False) as handshakes,
                self._dripping((heads, _HEAD), (handshakes, _HELLO)),
            ):
                self._well()
        self._endured()

    def test_unread(self) -> None:
        """Requests whose answers nobody reads."""
        line = b'GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'
        with self._crowd(60) as links:
            for link in links:
                link.settimeout(0.2)
                with contextlib.suppress(OSError):
                    for _ in range(200):
                        link.sendall(line)
            self._well()
        self._endured()

    def test_huge(self) -> None:
        """Much of everything; what can be answered is refused as JSON."""
        # or a body would not be looked at
        right = _HEAD + f'X-Auth-Token: {self.token}\r\n'.encode()
        chunk = b'10000\r\n' + b'x' * 65536 + b'\r\n'
        for codes, head, rest, times in (
            ((413,), right + b'Content-Length: 10000000000\r\n\r\n', b'', 0),
            ((413,), right + b'Content-Length: 100000\r\n\r\n', b'x', 100000),
            (
                (411, 413),
                right + b'Transfer-Encoding: chunked\r\n\r\n',
                chunk,
                200,
            ),
            ((431, 413, 414, 400), b'GET /', b'a' * 4096, 300),
            ((431, 413), b'GET / HTTP/1.1\r\nA: ', b'a' * 4096, 300),
            ((431, 413), b'GET / HTTP/1.1\r\n', b'A: b\r\n' * 500, 300),
            ((431, 413), _HEAD, b'X-Auth-Token: ' + b'a' * 9000, 300),
        ):
            with self._tls() as link:
                with contextlib.suppress(OSError):
                    link.sendall(head)
                    for _ in range(times):
                        link.sendall(rest)
                self._refused_on(link, codes, head)
        self._endured()

    def _refused_on(
        self, link: socket.socket, codes: tuple[int, ...], what: bytes
    ) -> None:
        """See that a connection ends, and what was said before that."""
        said = b''
        link.settimeout(30)
        # it may be reset while there is more to read
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := link.recv(65536):
                said += data
        if said:
            self.assertIn(int(said.split()[1]), codes, what)
            self.assertIn(b'"request_id"', said)

    def test_broken(self) -> None:
        """What is no request."""
        for data in (
            b'\r\n' * 50,
            b'\x00' * 100,
            b'GET\r\n\r\n',
            b'GET / HTTP/9.9\r\n\r\n',
            b'GET / HTTP/1.1\r\nContent-Length: -1\r\nHost: x\r\n\r\n',
            b'GET / HTTP/1.1\r\nContent-Length: x\r\nHost: x\r\n\r\n',
            b'GET / HTTP/1.1\r\n no colon\r\n\r\n',
            b'GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n',
            b'CONNECT net2:22 HTTP/1.1\r\nHost: x\r\n\r\n',
            b'GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n',
            _HEAD + b'Content-Length: 5\r\nContent-Length: 50\r\n\r\n{}',
            _HEAD
            + b'Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nzz',
            _HEAD + b'Transfer-Encoding: chunked\r\n\r\nffffffffffffff\r\n',
            b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
            b'\x16\x03\x01' + os.urandom(200),
        ):
            with self._tls() as link:
                with contextlib.suppress(OSError):
                    link.sendall(data)
                    link.shutdown(socket.SHUT_WR)
                link.settimeout(30)
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    said = link.recv(65536)
                    self.assertNotIn(b'root:', said)
                    self.assertNotIn(b' 500 ', said[:20], data)
            with self._plain() as plain:
                with contextlib.suppress(OSError):
                    plain.sendall(data)
        self._endured()

    def test_gone(self) -> None:
        """Those who ask for much and do not wait for it."""
        token = self.lab.admin.token()
        body = b'{"routers": null, "listen": 3, "recheck": 0}'
        head = (
            _HEAD
            + f'X-Auth-Token: {token}\r\nContent-Length: {len(body)}\r\n\r\n'.encode()
        )
        with self._crowd(40) as links:
            for link in links:
                link.sendall(head + body)
        # they have had their place in line, and a project has no more than
        # its share
        self._well(2 * BOUND)
        self.wait(
            'the end of what nobody waits for',
            lambda: all(
                len(node.ha_agent_pids()) <= 2
                for node in self.lab.nodes.values()
            ),
            90,
        )
        self._endured()


def _ended(link: socket.socket) -> bool:
    """Whether the other side has ended a connection, in one way or another."""
    link.settimeout(0.5)
    try:
        while link.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True

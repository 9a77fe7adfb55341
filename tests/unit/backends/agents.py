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

"""An agent as its client sees it: a socket that answers what a test says.

No HTTP library is on this side, so that it can be as wrong as anything on a
network can be: it drips, breaks off, says nothing.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import datetime
import ipaddress
import json
import pathlib
import socket
import socketserver
import ssl
import threading
import time
from typing import Any
from urllib import parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
import fixtures
from keystoneauth1 import adapter
from keystoneauth1 import plugin
from keystoneauth1 import session

#: longest that any test lets the server go on
_LONGEST = 20.0


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    #: without the query
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float


class Line:
    """The server's end of a connection."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self._sock = sock
        self.over = over

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def head(self, status: str, *headers: str) -> None:
        lines = (f'HTTP/1.1 {status}', *headers, '', '')
        self.send('\r\n'.join(lines).encode())

    def json(self, value: Any, status: str = '200 OK', *more: str) -> None:
        body = json.dumps(value).encode()
        length = f'Content-Length: {len(body)}'
        self.head(status, 'Content-Type: application/json', length, *more)
        self.send(body)

    def empty(self) -> None:
        self.head('204 No Content')

    def error(self, code: int, message: str, *headers: str) -> None:
        error = {'code': code, 'message': message, 'request_id': 'req-1'}
        self.json({'error': error}, f'{code} Trouble', *headers)

    def stream(self) -> None:
        """Begin an answer that comes in pieces."""
        self.head(
            '200 OK',
            'Content-Type: application/x-ndjson',
            'Transfer-Encoding: chunked',
        )

    def piece(self, data: bytes) -> None:
        self.send(b'%x\r\n%b\r\n' % (len(data), data))

    def line(self, value: Any) -> None:
        self.piece(json.dumps(value).encode() + b'\n')

    def finish(self) -> None:
        self.send(b'0\r\n\r\n')

    def whole(self, *values: Any) -> None:
        """Answer these lines, and no more."""
        self.stream()
        for value in values:
            self.line(value)
        self.finish()

    def rest(self, seconds: float) -> None:
        """Wait, unless the test is over."""
        self.over.wait(seconds)

    def gone(self, seconds: float) -> bool:
        """Return whether the other side hangs up in this time."""
        before = self._sock.gettimeout()
        self._sock.settimeout(seconds)
        try:
            return not self._sock.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            # another request may come on the same connection
            self._sock.settimeout(before)


Answer = Callable[[Asked, Line], None]


class Agent(fixtures.Fixture):
    """A server on the loopback address.

    :param answer: called for each request, in a thread for each connection
    :param certificate: file with key and certificate; speaks TLS with one
    """

    def __init__(
        self, answer: Answer, certificate: pathlib.Path | None = None
    ) -> None:
        self._answer = answer
        self._certificate = certificate
        #: what came, in order
        self.asked: list[Asked] = []
        #: how many connections there were
        self.connections = 0

    def _setUp(self) -> None:
        agent = self
        self._over = threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                agent.connections += 1
                with contextlib.suppress(OSError):
                    agent._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *args: Any) -> None:
                pass

        self._server = Server(('127.0.0.1', 0), Handler)
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        ).start()
        self.addCleanup(self._server.server_close)
        self.addCleanup(self._server.shutdown)
        self.addCleanup(self._over.set)
        scheme = 'http' if self._certificate is None else 'https'
        self.url = f'{scheme}://127.0.0.1:{self._server.server_address[1]}'

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(_LONGEST)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            sock = context.wrap_socket(sock, server_side=True)
        with sock, sock.makefile('rb') as stream:
            self._answer_all(sock, stream)

    def _answer_all(self, sock: socket.socket, stream: Any) -> None:
        while True:
            try:
                asked = _read(stream)
            except ValueError:
                Line(sock, self._over).error(400, 'Not HTTP.')
                return
            if asked is None:
                return
            self.asked.append(asked)
            self._answer(asked, Line(sock, self._over))
            if self._over.is_set():
                return


def _read(stream: Any) -> Asked | None:
    first = stream.readline()
    if not first:
        return None
    method, target, _ = first.decode().split()
    headers = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(':')
        headers[name.lower()] = value.strip()
    data = stream.read(int(headers.get('content-length', 0)))
    url = parse.urlsplit(target)
    return Asked(
        method,
        url.path,
        dict(parse.parse_qsl(url.query)),
        headers,
        json.loads(data) if data else None,
        time.monotonic(),
    )


class Credentials(plugin.BaseAuthPlugin):
    """Somebody with tokens, and a catalogue with one service.

    :param url: of the agent; None: it is not in the catalogue
    """

    def __init__(self, url: str | None) -> None:
        super().__init__()
        self._url = url
        #: how many tokens there were
        self.tokens = 1

    def get_token(self, session: Any, **kwargs: Any) -> str:
        return f'token-{self.tokens}'

    def get_endpoint(self, session: Any, **kwargs: Any) -> str | None:
        return self._url

    def invalidate(self) -> bool:
        self.tokens += 1
        return True


def connect(url: str | None, **kwargs: Any) -> adapter.Adapter:
    """Return an adapter as programs have it.

    :param kwargs: of its session
    """
    return adapter.Adapter(
        session.Session(auth=Credentials(url), **kwargs),
        service_type='router-ha',
        interface='public',
        region_name='RegionOne',
    )


def certificate(path: pathlib.Path, *names: str) -> pathlib.Path:
    """Write a key and a certificate that signs itself, for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'agent')])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([_name(name) for name in names]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the block takes longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    if took > seconds:
        raise AssertionError(f'it took {took:.2f} s, more than {seconds} s')

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

"""A server on this machine, and clients that behave or do not."""

import contextlib
import json
import socket
import ssl
import tempfile
import threading
import time

import fixtures

from osc_ha_router.agent import identity
from osc_ha_router.agent import server
from osc_ha_router.agent import slow
from osc_ha_router.agent import transport
from tests.unit import quiet
from tests.unit.agent import certificates

#: seconds that the server gives a request
PATIENCE = 1.5
LIMIT = 64


class Application:
    """Answers what it was sent, and keeps what was asked."""

    def __init__(self):
        self.seen = []
        self.closed = threading.Event()
        self.hold = threading.Event()

    def __call__(self, environ, start_response):
        self.seen.append(environ)
        path = environ['PATH_INFO']
        body = environ['wsgi.input'].read()
        if path in ('/beats', '/flood'):
            start_response('200 OK', [('Content-Type', 'text/plain')])
            return self.beats(b'\n' if path == '/beats' else b'x' * 65536)
        if path == '/hold':
            self.hold.wait(20)
        if path == '/raise':
            raise ValueError('a secret of the inside')
        answer = json.dumps(
            {'path': path, 'size': len(body), 'method': method(environ)}
        ).encode()
        start_response(
            '200 OK',
            [
                ('Content-Type', 'application/json'),
                ('Content-Length', str(len(answer))),
            ],
        )
        return [answer]

    def beats(self, line):
        try:
            while True:
                yield line
                time.sleep(0.01)
        finally:
            self.closed.set()


def method(environ):
    return environ['REQUEST_METHOD']


class Response:
    """What a server said on one connection, up to its end or a bound."""

    def __init__(self, data):
        self.data = data
        head, _, self.body = data.partition(b'\r\n\r\n')
        self.lines = head.decode('latin-1').split('\r\n')
        words = self.lines[0].split(' ')
        self.status = int(words[1]) if len(words) > 1 else None
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (
                line.partition(':') for line in self.lines[1:]
            )
        }

    def error(self):
        return json.loads(self.body)['error']


class ServerTestCase(quiet.TestCase):
    """Has a server with TLS and its address."""

    tls = True
    threads = 8
    limit = LIMIT

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        folder = self.folder()
        self.certificate, key = certificates.make(folder)
        self.application = Application()
        self.server = server.Server(
            ('127.0.0.1', 0),
            identity.Identity(self.application),
            threads=self.threads,
            tls=transport.load(self.certificate, key) if self.tls else None,
            limit=self.limit,
            waits=slow.Slow(max(1, self.threads // 4), 1),
            request_timeout=PATIENCE,
        )
        self.server.expiration_interval = 0.1
        self.server.prepare()
        self.address = self.server.bind_addr
        serving = threading.Thread(target=self.server.serve)
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(self.server.stop)
        self.addCleanup(self.application.hold.set)

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def plain(self):
        """Return a connection without TLS."""
        found = socket.create_connection(self.address, timeout=10)
        self.addCleanup(found.close)
        return found

    def secure(self, connection=None):
        """Return a connection with TLS, or without where there is none."""
        connection = connection or self.plain()
        if not self.tls:
            return connection
        context = ssl.create_default_context(cafile=self.certificate)
        found = context.wrap_socket(connection, server_hostname='localhost')
        self.addCleanup(found.close)
        return found

    def ask(self, *parts, connection=None):
        """Send this, read to the end of the connection."""
        connection = connection or self.secure()
        for part in parts:
            connection.sendall(part)
        with connection:
            return Response(rest(connection))

    def get(self, path='/', connection=None):
        """Send a well-formed request that is the last on its connection."""
        return self.ask(
            f'GET {path} HTTP/1.1\r\nHost: localhost\r\n'
            'Connection: close\r\n\r\n'.encode(),
            connection=connection,
        )


def rest(connection):
    """Return what comes until the end."""
    data = bytearray()
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while piece := connection.recv(65536):
            data += piece
    return bytes(data)


def drip(connection, data, pause=0.05):
    """Send byte by byte, until all is sent or nobody takes it any more.

    :return: how many seconds that took
    """
    began = time.monotonic()
    with contextlib.suppress(OSError):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)
    return time.monotonic() - began

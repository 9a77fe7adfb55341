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

"""The web server: cheroot, with what an open port on a node needs beside.

A connection that is silent costs no thread: it waits with all others until
there is something to read. A request has a deadline as a whole. What
cannot be read as one is answered as JSON, like everything else.
"""

import io
import math
import re
import socket
import ssl
import sys
import threading
import time
from typing import Any
from typing import TYPE_CHECKING

from cheroot import errors
from cheroot import server as cheroot_server
from cheroot import wsgi
from oslo_context import context
from oslo_log import log as logging

from osc_ha_router import text
from osc_ha_router.agent import identity
from osc_ha_router.agent import transport
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

#: bytes of request line and headers; tokens are in them
_HEADERS = 64 * 1024
#: seconds in which a client that was refused may read why
_LINGER = 1.0
#: connections that the kernel keeps until they are accepted
_BACKLOG = 512

_DIGITS = re.compile(rb'[0-9]{1,15}')

_PLAIN = 'This port speaks HTTPS only: use https:// in the address'


class _Headers(dict[bytes, bytes]):
    """Headers of a request, of which none is there twice with two meanings.

    Two readings of where a body ends are how requests are smuggled.
    """

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name == b'Content-Length':
            if not _DIGITS.fullmatch(value) or self.get(name, value) != value:
                raise ValueError('Content-Length has to be one number')
            if b'Transfer-Encoding' in self:
                raise ValueError('there are two lengths')
        elif name == b'Transfer-Encoding' and b'Content-Length' in self:
            raise ValueError('there are two lengths')
        super().__setitem__(name, value)


class _Reader(cheroot_server.HeaderReader):
    """Reads headers, and leaves out those that could pass for another.

    In the environment of WSGI ``X_Roles`` and ``X-Roles`` are the same.
    """

    def _allow_header(self, name: bytes) -> bool:
        return b'_' not in name

    def _transform_key(self, name: bytes) -> bytes:
        if not name or name != name.strip():
            raise ValueError('a header has no proper name')
        return name.title()


class _Request(cheroot_server.HTTPRequest):
    """One request on a connection."""

    header_reader = _Reader()

    def __init__(self, server: Any, conn: Any) -> None:
        super().__init__(server, conn)
        self.inheaders: dict[bytes, bytes] = _Headers()

    def read_request_line(self) -> bool:
        """Read the first line; false if it is refused."""
        try:
            return bool(
                super().read_request_line()  # type: ignore[no-untyped-call]
            )
        except ValueError:
            self.simple_response('400 Bad Request', 'Malformed Request-URI')
            return False

    def read_request_headers(self) -> bool:
        """Read the headers; false if they are refused."""
        try:
            return bool(
                super().read_request_headers()  # type: ignore[no-untyped-call]
            )
        except errors.MaxSizeExceeded:
            self.simple_response(
                '431 Request Header Fields Too Large',
                'The headers are longer than is taken',
            )
            return False

    def respond(self) -> None:
        """Read the body, then have the application answer.

        It is read here to the end, so that the application neither waits
        for a client nor finds out half-way that there is nothing more.
        """
        body = self._body()
        if body is None:
            return
        self.chunked_read = False
        self.rfile = io.BytesIO(body)
        self.inheaders.pop(b'Transfer-Encoding', None)
        dict.__setitem__(
            self.inheaders, b'Content-Length', str(len(body)).encode('ascii')
        )
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b'0\r\n\r\n')

    def _body(self) -> bytes | None:
        limit = self.server.max_request_body_size
        length = int(self.inheaders.get(b'Content-Length', b'0'))
        if not self.chunked_read:
            data: bytes = self.conn.rfile.read(length) if length else b''
            if len(data) == length:
                return data
            self.simple_response(
                '400 Bad Request', 'The body ended before its length'
            )
            return None
        # the lengths of chunks are lines, whose length nobody else bounds
        lines = cheroot_server.SizeCheckWrapper(self.conn.rfile, limit + 1024)
        chunked: Any = cheroot_server.ChunkedRFile(lines, limit)
        try:
            found: bytes = chunked.read(limit + 1)
            for _ in chunked.read_trailer_lines():
                # without meaning here
                pass
            return found
        except ValueError as exc:
            self.simple_response('400 Bad Request', str(exc))
        except (errors.MaxSizeExceeded, OSError) as exc:
            if isinstance(exc, (TimeoutError, ConnectionError)):
                raise
            self.simple_response('413 Content Too Large', 'Too long a body')
        return None

    def simple_response(self, status: Any, msg: str = '') -> None:
        """Answer what never gets to the application, as it would."""
        code = int(str(status)[:3])
        message = text.one_line(msg) or problems.title(code)
        who = context.RequestContext()
        body = problems.body(code, message, str(who.request_id))
        head = (
            f'HTTP/1.1 {code} {problems.title(code)}\r\n'
            f'Content-Type: {problems.MEDIA_TYPE}\r\n'
            f'Content-Length: {len(body)}\r\n'
            f'{identity.HEADER}: {who.request_id}\r\n'
            'Connection: close\r\n\r\n'
        )
        self.close_connection = True
        self.sent_headers = True
        self.conn.refused = True
        LOG.info('%s was refused: %d %s', self.conn.remote_addr, code, message)
        try:
            self.conn.wfile.write(head.encode('ascii') + body)
        except OSError:
            LOG.debug('It did not wait for the answer')


class _Connection(cheroot_server.HTTPConnection):
    """One connection, with a clock that all that reads from it goes by."""

    RequestHandlerClass = _Request

    def __init__(self, server: Any, sock: Any, makefile: Any = None) -> None:
        super().__init__(server, sock)
        self.clock = transport.Clock(server.request_timeout)
        self.rfile = transport.Reader(sock, self.rbufsize, self.clock)
        self.wfile = transport.Writer(sock, self.clock)
        #: whether it was told that its request cannot be read
        self.refused = False
        self._secured = not isinstance(sock, ssl.SSLSocket)
        transport.prepare(sock, server.request_timeout)

    def communicate(self) -> bool:
        """Do what can be done now; true to be called again for more."""
        self.clock.start()
        if not self._secured:
            return self._handshake()
        return bool(
            super().communicate()  # type: ignore[no-untyped-call]
        )

    def _handshake(self) -> bool:
        try:
            self.socket.settimeout(self.clock.left())
            self.socket.do_handshake()
        except (OSError, ValueError) as exc:
            reason = getattr(exc, 'reason', None)
            if reason == 'HTTP_REQUEST':
                self._answer_plain()
            else:
                LOG.info(
                    '%s has failed to agree on TLS: %s', self.remote_addr, exc
                )
            return False
        self._secured = True
        # whether its request is there already is not waited for here
        return True

    def _answer_plain(self) -> None:
        """Answer in clear text what was asked in clear text."""
        raw = socket.socket(fileno=socket.dup(self.socket.fileno()))
        self.wfile = transport.Writer(raw, self.clock)
        try:
            _Request(self.server, self).simple_response(
                '400 Bad Request', _PLAIN
            )
        finally:
            raw.close()

    def close(self) -> None:
        """End the connection."""
        if self.refused:
            transport.drain(self.socket, _LINGER)
        self.server.forget(self)
        super().close()


class Server(wsgi.Server):
    """Serves an application.

    :param address: to listen on, and the port; port 0: any
    :param app: what is served
    :param threads: how many requests are answered at the same time
    :param tls: with certificate and key; None: plain HTTP
    :param limit: how many connections may be open
    :param request_timeout: seconds for a whole request to come in, and
        after which a silent connection is closed
    """

    ConnectionClass = _Connection
    max_request_header_size = _HEADERS
    max_request_body_size = operations.LARGE
    # every connection may stay; how many there are is bounded below
    keep_alive_conn_limit = sys.maxsize

    _connections: Any

    def __init__(
        self,
        address: tuple[str, int],
        app: 'WSGIApplication',
        *,
        threads: int,
        tls: ssl.SSLContext | None,
        limit: int,
        request_timeout: float,
    ) -> None:
        super().__init__(
            address,
            app,
            numthreads=threads,
            max=threads,
            server_name='osc-ha-router-agent',
            request_queue_size=_BACKLOG,
            timeout=math.ceil(request_timeout),
            shutdown_timeout=1,
        )
        if tls is not None:
            self.ssl_adapter = transport.Adapter(tls)
        self.request_timeout = request_timeout
        self._limit = limit
        self._lock = threading.Lock()
        self._open: set[Any] = set()

    def process_conn(self, conn: Any) -> None:
        """Have a thread read from a connection, if there is something."""
        if conn.last_used is not None:
            super().process_conn(conn)
            return
        # new: who has said nothing yet gets no thread
        with self._lock:
            self._open.add(conn)
            full = len(self._open) > self._limit
        if full and not self._make_room():
            conn.close()
        else:
            self._connections.put(conn)

    def drain(self, seconds: float) -> bool:
        """Take nothing more, and wait for what is under way.

        :param seconds: to wait at most
        :return: whether all of it came to its end
        """
        self._connections.stop()
        self.socket.close()
        until = time.monotonic() + seconds
        while self._busy() and time.monotonic() < until:
            time.sleep(0.05)
        return not self._busy()

    def _busy(self) -> bool:
        pool = self.requests
        return bool(pool.qsize or pool.idle < len(pool._threads))

    def put_conn(self, conn: Any) -> None:
        """Wait for the next request of a connection."""
        pending = getattr(conn.socket, 'pending', None)
        if self.ready and pending is not None and pending():
            # read from the network already, so the kernel says nothing
            conn.last_used = time.time()
            super().process_conn(conn)
            return
        super().put_conn(conn)

    def forget(self, conn: Any) -> None:
        """Count a connection no more."""
        with self._lock:
            self._open.discard(conn)

    def _make_room(self) -> bool:
        """Close the connection that has been silent for longest.

        False if there is none. Runs in the loop that accepts, the one that may do this.
        """
        selector = self._connections._selector
        silent = [
            (conn.last_used, fileno, conn)
            for fileno, conn in selector.connections
            if conn is not self
        ]
        if not silent:
            return False
        _, fileno, conn = min(silent, key=lambda found: found[0])
        selector.unregister(fileno)
        conn.close()
        return True

    def error_log(
        self, msg: str = '', level: int = 20, traceback: bool = False
    ) -> None:
        """Write what cheroot has to say to the log."""
        LOG.log(level, '%s', text.one_line(str(msg)), exc_info=traceback)

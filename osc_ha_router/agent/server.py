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

A client that is silent, or slow, costs no thread: its connection waits with
all others until there is something to read, and a thread is only for what
has come: a step of the handshake, a request that is there. A request has a
deadline as a whole.
"""

import collections
import math
import socket
import ssl
import sys
import threading
import time
from typing import Any
from typing import TYPE_CHECKING

from cheroot import server as cheroot_server
from cheroot import wsgi
from oslo_log import log as logging

from osc_ha_router import text
from osc_ha_router.agent import connections
from osc_ha_router.agent import parsing
from osc_ha_router.agent import slow
from osc_ha_router.agent import transport
from osc_ha_router.agent.api import operations

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

#: seconds in which a client that was refused may read why
_LINGER = 1.0
#: connections that the kernel keeps until they are accepted
_BACKLOG = 512

_PLAIN = 'This port speaks HTTPS only: use https:// in the address'


class _Connection(cheroot_server.HTTPConnection):
    """One connection, with a clock that all that reads from it goes by."""

    RequestHandlerClass = parsing.Request

    def __init__(self, server: Any, sock: Any, makefile: Any = None) -> None:
        super().__init__(server, sock)
        self.clock = transport.Clock(server.request_timeout)
        self.grace = slow.Grace(server.slow, lambda: str(self.remote_addr))
        self.rfile = transport.Reader(sock, self.clock, self.grace)
        self.wfile = transport.Writer(sock, self.clock, self.grace)
        #: when the handshake or the request began, of which more has to come,
        #: in seconds of the epoch; None: it is silent
        self.begun: float | None = None
        #: whether it was told that its request cannot be read
        self.refused = False
        #: when it was told so, and that there will be no more
        self.finished: float | None = None
        self._secured = not isinstance(sock, ssl.SSLSocket)
        #: bytes that the request needs; None: not to be seen yet
        self._needs: int | None = None
        self._looked = 0
        transport.prepare(sock, server.request_timeout)

    def communicate(self) -> bool:
        """Do what can be done now; true to be called again for more."""
        if self.finished is not None:
            more = transport.empty(self.socket)
            return more and time.time() < self.finished + _LINGER
        again = self._proceed()
        if again or not self.refused:
            return again
        self.begun, self.finished = None, time.time()
        self.rfile.starved = True
        return transport.finish(self.socket)

    def _proceed(self) -> bool:
        if self.begun is None:
            self._begin()
        try:
            self.clock.left()
        except TimeoutError:
            self._late()
            return False
        if not self._secured:
            return self._handshake()
        self.rfile.take(parsing.AHEAD)
        if not self._whole():
            self.rfile.starved = True
            return True
        self.rfile.starved = False
        if not self.rfile.ahead:
            # all that has come is the end
            return False
        again = super().communicate()  # type: ignore[no-untyped-call]
        self.begun = self._needs = None
        self._looked = 0
        return bool(again)

    def _begin(self) -> None:
        self.begun = time.time()
        self.clock.start()
        self.grace.start()

    def _whole(self) -> bool:
        """Whether there is so much of a request that it can be answered."""
        ahead = self.rfile.ahead
        if self._needs is None:
            self._needs = parsing.needed(ahead, self._looked)
            self._looked = len(ahead)
        if self.rfile.over:
            return True
        return self._needs is not None and len(ahead) >= self._needs

    def _late(self) -> None:
        if self._secured:
            self._refuse('408 Request Timeout')
        else:
            LOG.info('%s takes too long to agree on TLS', self.remote_addr)

    def _refuse(self, status: str, message: str = '') -> None:
        parsing.Request(self.server, self).simple_response(status, message)

    def _handshake(self) -> bool:
        try:
            self.socket.settimeout(0)
            self.socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            # what there is to write fits into an empty socket
            return True
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
        self.begun = None
        return True

    def _answer_plain(self) -> None:
        """Answer in clear text what was asked in clear text."""
        raw = socket.socket(fileno=socket.dup(self.socket.fileno()))
        self.wfile = transport.Writer(raw, self.clock, self.grace)
        try:
            self._refuse('400 Bad Request', _PLAIN)
        finally:
            raw.close()

    def close(self) -> None:
        """End the connection."""
        self.server.forget(self)
        super().close()


class Server(wsgi.Server):
    """Serves an application.

    :param address: to listen on, and the port; port 0: any
    :param app: what is served
    :param threads: how many requests are answered at the same time
    :param tls: with certificate and key; None: plain HTTP
    :param limit: how many connections may be open
    :param waits: the places of threads that wait for clients
    :param request_timeout: seconds for a whole request to come in, and
        after which a silent connection is closed
    """

    ConnectionClass = _Connection
    max_request_header_size = parsing.HEADERS
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
        waits: slow.Slow,
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
        self.slow = waits
        self._limit = limit
        self._lock = threading.Lock()
        self._open: set[Any] = set()

    def prepare(self) -> None:
        """Open the port, and start the threads."""
        super().prepare()
        self._connections.close()
        self._connections = connections.Manager(self)

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
        """Wait for what else comes on a connection."""
        pending = getattr(conn.socket, 'pending', None)
        if conn.finished is not None:
            # for no longer than it may linger
            pending = None
            used = conn.finished - self.timeout + _LINGER
        else:
            # for no longer than the request may take
            used = conn.begun
        if self.ready and pending is not None and pending():
            # read from the network already, so the kernel says nothing
            conn.last_used = time.time()
            super().process_conn(conn)
            return
        super().put_conn(conn)
        if used is not None:
            conn.last_used = used

    def forget(self, conn: Any) -> None:
        """Count a connection no more."""
        with self._lock:
            self._open.discard(conn)

    def _make_room(self) -> bool:
        """Close the connection that waits for longest, of those who have most.

        False if there is none. Runs in the loop that accepts, the one that
        may do this.
        """
        waiting = self._connections.waiting()
        if not waiting:
            return False
        with self._lock:
            counts = collections.Counter(c.remote_addr for c in self._open)
        fileno, conn = max(
            waiting,
            key=lambda one: (counts[one[1].remote_addr], -one[1].last_used),
        )
        self._connections.drop(fileno, conn)
        return True

    def error_log(
        self, msg: str = '', level: int = 20, traceback: bool = False
    ) -> None:
        """Write what cheroot has to say to the log."""
        LOG.log(level, '%s', text.one_line(str(msg)), exc_info=traceback)

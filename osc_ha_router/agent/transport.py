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

"""Connections with a bound on every wait, TLS or not.

cheroot bounds the time from one byte to the next and shakes hands in the
loop that accepts. Here a whole request has a deadline, handshake included,
and the loop never waits for a client.
"""

import contextlib
import errno
import socket
import ssl
import time
from typing import Any

from cheroot import errors
from cheroot import makefile
from cheroot import ssl as cheroot_ssl

from osc_ha_router.agent import slow

#: bytes a second that a client has to read at least
_RATE = 64 * 1024
#: bytes that are received at once, and how often before others have a turn
_PIECE, _PIECES = 64 * 1024, 16

#: what a socket raises that is not to wait
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Clock:
    """When the wait for one connection's client is over."""

    def __init__(self, seconds: float) -> None:
        #: for a request, and for an answer beside what its length takes
        self.seconds = seconds
        self._at = 0.0
        self.start()

    def start(self, size: int = 0) -> None:
        """Begin to measure.

        :param size: bytes that are to be sent
        """
        self._at = time.monotonic() + self.seconds + size / _RATE

    def left(self) -> float:
        """Return the seconds that are left.

        :raises TimeoutError: none
        """
        left = self._at - time.monotonic()
        if left <= 0:
            # cheroot knows it by its words
            raise TimeoutError('timed out')
        return left


class Reader:
    """What cheroot reads from: what was taken before, then the socket.

    :param sock: with TLS or without
    :param clock: bounds the wait for what is not there yet
    :param grace: says how long a thread may wait for it
    """

    def __init__(
        self, sock: socket.socket, clock: Clock, grace: slow.Grace
    ) -> None:
        self._socket = sock
        self._clock = clock
        self._grace = grace
        #: what was taken and nobody has read
        self.ahead = bytearray()
        #: whether the client sends no more
        self.over = False
        #: whether what was taken is of no use without more of it
        self.starved = False
        #: which cheroot asks for
        self.closed = False
        self.bytes_read = 0

    def take(self, limit: int) -> None:
        """Take what has come, and wait for nothing.

        :param limit: bytes that are kept
        """
        self._socket.settimeout(0)
        with contextlib.suppress(*_NOT_NOW):
            while len(self.ahead) < limit and not self.over:
                self._receive()

    def has_data(self) -> bool:
        """Return whether there is more to do without waiting."""
        return bool(self.ahead) and not self.starved

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer where the client sends no more."""
        while len(self.ahead) < size and not self.over:
            self._wait()
        return self._given(size)

    def readline(self, size: int = -1) -> bytes:
        """Return a line, or so much of it."""
        start = 0
        while not (end := self.ahead.find(b'\n', start) + 1):
            start = len(self.ahead)
            if self.over or 0 <= size <= start:
                end = start
                break
            self._wait()
        return self._given(end if size < 0 else min(end, size))

    def close(self) -> None:
        """Forget what was taken."""
        self.closed = True
        self.ahead.clear()

    def _given(self, size: int) -> bytes:
        found = bytes(self.ahead[:size])
        del self.ahead[:size]
        self.bytes_read += len(found)
        return found

    def _wait(self) -> None:
        with self._grace.waiting(self._clock.left()) as seconds:
            self._socket.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                self._receive()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except _NOT_NOW:
            raise
        except ssl.SSLError as exc:
            raise _gone(exc) from None
        self.ahead += data
        self.over = not data


class Writer:
    """What cheroot writes to.

    :param sock: with TLS or without
    :param clock: bounds the wait for a client that does not read
    :param grace: says how long a thread may wait for it
    """

    def __init__(
        self, sock: socket.socket, clock: Clock, grace: slow.Grace
    ) -> None:
        self._socket = sock
        self._clock = clock
        self._grace = grace
        #: which cheroot's statistics want to know
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        """Write all of it in the time that its length takes."""
        self._clock.start(len(data))
        left = memoryview(data)
        try:
            while left:
                left = left[self._send(left) :]
        except (ssl.SSLError, TimeoutError) as exc:
            raise _gone(exc) from None
        self.bytes_written += len(data)
        return len(data)

    def _send(self, data: memoryview) -> int:
        self._socket.settimeout(0)
        with contextlib.suppress(*_NOT_NOW):
            return self._socket.send(data)
        with self._grace.waiting(self._clock.left()) as seconds:
            self._socket.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                return self._socket.send(data)
        return 0


def _gone(exc: OSError) -> ConnectionError:
    """Return what cheroot takes for the end of a connection, not a fault."""
    return ConnectionResetError(errno.ECONNRESET, str(exc))


class Adapter(cheroot_ssl.Adapter):
    """Makes TLS sockets whose handshake is still to be done.

    :param context: with certificate and key
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        """Return the socket that listens, as it is."""
        return sock

    def wrap(
        self, sock: socket.socket
    ) -> tuple[ssl.SSLSocket, dict[str, str]]:
        """Return the socket of a client, and what the application is told."""
        try:
            wrapped = self.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        except (OSError, ValueError) as exc:
            # the client is gone again
            raise errors.FatalSSLAlert(*exc.args) from exc
        return wrapped, {'wsgi.url_scheme': 'https', 'HTTPS': 'on'}

    def get_environ(self) -> dict[str, str]:
        """Return nothing more."""
        return {}

    def makefile(self, sock: Any, mode: str = 'r', size: int = -1) -> Any:
        """Return a file of the socket; see ``Reader`` and ``Writer``."""
        return makefile.MakeFile(sock, mode, size)


def load(certificate: str, key: str | None) -> ssl.SSLContext:
    """Return what TLS is served with.

    :param certificate: PEM file with the certificate and those that lead
        to its CA
    :param key: PEM file; None: in the same
    :raises OSError, ValueError: they cannot be read, or do not fit
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, _no_password)
    return context


def _no_password() -> str:
    # nobody is there to be asked for it
    raise ValueError('the key is encrypted')


def prepare(sock: socket.socket, seconds: float) -> None:
    """Have the kernel notice a client that has vanished without a word.

    What a client began to change is undone when its connection ends, so
    the end must not go unnoticed.

    :param seconds: after which it is given up
    """
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_KEEPIDLE, max(1, int(seconds / 2))),
            (socket.TCP_KEEPINTVL, max(1, int(seconds / 8))),
            (socket.TCP_KEEPCNT, 4),
            (socket.TCP_USER_TIMEOUT, int(seconds * 1000)),
        ):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def finish(sock: socket.socket) -> bool:
    """Say no more; return whether the client is there to hear it.

    A connection that is closed while something unread waits is reset, and
    the client might never see the last words on it. So what still comes is
    thrown away for a moment, by ``empty``.
    """
    with contextlib.suppress(OSError):
        # past TLS, whatever state it is in
        socket.socket.shutdown(sock, socket.SHUT_WR)
        return True
    return False


def empty(sock: socket.socket) -> bool:
    """Throw away what has come; return whether there may be more."""
    try:
        sock.settimeout(0)
        for _ in range(_PIECES):
            if not socket.socket.recv(sock, _PIECE):
                return False
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True

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

#: bytes a second that a client has to read at least
_RATE = 64 * 1024


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


class _Raw(socket.SocketIO):
    """A socket as a file, from which reading ends in time."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        super().__init__(sock, 'rb')
        self._clock = clock
        self._socket = sock

    def readinto(self, buffer: Any) -> int | None:
        # one bound for the whole call also where TLS reads several times
        self._socket.settimeout(self._clock.left())
        try:
            return super().readinto(buffer)
        except ssl.SSLError as exc:
            raise _gone(exc) from None


class Reader(makefile.StreamReader):
    """What cheroot reads from."""

    def __init__(self, sock: socket.socket, size: int, clock: Clock) -> None:
        # past StreamReader's own, which makes another raw file
        super(makefile.StreamReader, self).__init__(_Raw(sock, clock), size)
        self.bytes_read = 0


class Writer:
    """What cheroot writes to."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._socket = sock
        self._clock = clock
        #: which cheroot's statistics want to know
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        """Write all of it in the time that its length takes."""
        self._clock.start(len(data))
        left = memoryview(data)
        try:
            while left:
                self._socket.settimeout(self._clock.left())
                left = left[self._socket.send(left) :]
        except (ssl.SSLError, TimeoutError) as exc:
            raise _gone(exc) from None
        self.bytes_written += len(data)
        return len(data)


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


def drain(sock: socket.socket, seconds: float) -> None:
    """End a connection so that the last words on it arrive.

    A connection that is closed while something unread waits is reset, and
    the client might never see why.

    :param seconds: bound for reading what comes, which is thrown away
    """
    until = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        # past TLS, whatever state it is in
        socket.socket.shutdown(sock, socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            if not socket.socket.recv(sock, 1 << 16):
                return

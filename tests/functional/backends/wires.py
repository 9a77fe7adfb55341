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

"""A network that fails between ssh and sshd, as soon as so much has passed."""

from collections.abc import Callable
import contextlib
import socket
import struct
import threading
import time

import fixtures

_SERVER = ('127.0.0.1', 22)
#: seconds between two bytes that drip
_DRIP = 0.05
#: closes with a reset
_AT_ONCE = struct.pack('ii', 1, 0)


class Wire(fixtures.Fixture):
    """Passes on what both sides say, until it fails.

    :param port: where it listens, on 127.0.0.1
    :param after: bytes from the server that still arrive
    :param fail: given the client's end, the server's end and what has come
        too much; the connection is over when it returns
    """

    def __init__(
        self,
        port: int,
        after: int,
        fail: Callable[[socket.socket, socket.socket, bytes], None],
    ) -> None:
        super().__init__()
        self._port, self._after, self._fail = port, after, fail
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []

    def _setUp(self) -> None:
        self._listener = socket.create_server(('127.0.0.1', self._port))
        self.addCleanup(self._end)
        self._start(self._accept)

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(_SERVER)
                self._ends += [client, server]
                self._start(self._forth, client, server)
                self._start(self._back, client, server)

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        left = self._after
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data[:left])
                if len(data) > left:
                    self._fail(client, server, data[left:])
                    break
                left -= len(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(5)


def hang(client: socket.socket, server: socket.socket, rest: bytes) -> None:
    """Let nothing more pass, and keep both ends."""
    while server.recv(1 << 16):
        pass


def reset(client: socket.socket, server: socket.socket, rest: bytes) -> None:
    """End it with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    # whoever reads from it holds it open
    client.shutdown(socket.SHUT_RD)
    client.close()


def close(client: socket.socket, server: socket.socket, rest: bytes) -> None:
    """End it in order."""


def garble(client: socket.socket, server: socket.socket, rest: bytes) -> None:
    """Turn one bit, and pass on the rest as it is."""
    client.sendall(bytes((rest[0] ^ 1,)) + rest[1:])
    while data := server.recv(1 << 16):
        client.sendall(data)


def flood(client: socket.socket, server: socket.socket, rest: bytes) -> None:
    """Say anything, without end."""
    while True:
        client.sendall(b'\x55' * (1 << 16))


def drip(client: socket.socket, server: socket.socket, rest: bytes) -> None:
    """Pass on one byte after the other, very slowly."""
    while rest:
        for position in range(len(rest)):
            client.sendall(rest[position : position + 1])
            time.sleep(_DRIP)
        rest = server.recv(1 << 16)

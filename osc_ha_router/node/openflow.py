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


"""Deleting a flow over a bridge's own socket (source: OpenFlow 1.3).

That version is the one that Neutron's agent itself speaks. A process for
each look would take longer than all else together.
"""

import socket
import struct
import time
import typing

_VERSION = 4
_HEADER = struct.Struct('!BBHI')
_HELLO, _ERROR, _ECHO, _ECHOED, _FLOW_MOD = 0, 1, 2, 3, 14
_MULTIPART, _COUNTED, _BARRIER, _DONE = 18, 19, 20, 21
_AGGREGATE = 2
_DELETE_STRICT = 4
_ANY = 0xFFFFFFFF
_TIMEOUT = 1.0
_LIMIT = 1 << 16


class OpenflowError(Exception):
    """The bridge refuses, has gone or speaks something else."""


class Bridge:
    """A connection to a bridge.

    :param path: of its socket
    :raises OpenflowError: nobody is there, or nobody who understands
    """

    def __init__(self, path: str) -> None:
        self._number = 0
        self._buffer = b''
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC
        )
        self._socket.settimeout(_TIMEOUT)
        try:
            self._socket.connect(path)
            self._send(_HELLO, b'')
            self._until(_HELLO)
            # only now it is known whether it can agree to the version
            self._until(_DONE, self._send(_BARRIER, b''))
        except OSError as error:
            self.close()
            raise OpenflowError('%s: %s' % (path, error)) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> 'Bridge':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def delete(self, priority: int, port: int) -> bool:
        """Deletes the flow of table 0 with only that port as its match.

        :param priority: of the flow
        :param port: number of the port that frames come in by
        :returns: whether there was one
        :raises OpenflowError: it fails
        """
        match = struct.pack('!HHII4x', 1, 12, 0x80000004, port)
        count = (
            struct.pack('!HH4x', _AGGREGATE, 0)
            + struct.pack('!B3xII4xQQ', 0, _ANY, _ANY, 0, 0)
            + match
        )
        flow = (
            struct.pack('!QQBBHHH', 0, 0, 0, _DELETE_STRICT, 0, 0, priority)
            + struct.pack('!IIIH2x', _ANY, _ANY, _ANY, 0)
            + match
        )
        try:
            before = self._send(_MULTIPART, count)
            self._send(_FLOW_MOD, flow)
            # the second look must not overtake the deletion
            self._send(_BARRIER, b'')
            after = self._send(_MULTIPART, count)
            return self._count(before) > self._count(after)
        except OSError as error:
            raise OpenflowError('the bridge: %s' % error) from None

    def _count(self, number: int) -> int:
        body = self._until(_COUNTED, number)
        if len(body) < 28:
            raise OpenflowError('an answer is cut off')
        found = struct.unpack_from('!I', body, 24)[0]  # type: int
        return found

    def _send(self, kind: int, body: bytes) -> int:
        self._number += 1
        self._say(kind, self._number, body)
        return self._number

    def _say(self, kind: int, number: int, body: bytes) -> None:
        size = _HEADER.size + len(body)
        self._socket.sendall(_HEADER.pack(_VERSION, kind, size, number) + body)

    def _until(
        self, wanted: int, number: typing.Optional[int] = None
    ) -> bytes:
        """The body of the next message of a kind."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            version, kind, other, body = self._message()
            if kind == _ERROR:
                raise OpenflowError('the bridge refuses: %.40r' % body[:4])
            if kind == _ECHO:
                self._say(_ECHOED, other, body)
            elif kind == wanted and (number is None or number == other):
                if kind != _HELLO and version != _VERSION:
                    raise OpenflowError('the bridge speaks another version')
                return body
        raise OpenflowError('the bridge does not answer')

    def _message(self) -> typing.Tuple[int, int, int, bytes]:
        """Version, kind, number and body of the next message."""
        version, kind, size, number = _HEADER.unpack(self._read(_HEADER.size))
        if size < _HEADER.size:
            raise OpenflowError('a message has a wrong length')
        return version, kind, number, self._read(size - _HEADER.size)

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self._socket.recv(_LIMIT)
            if not data:
                raise OpenflowError('the bridge has hung up')
            self._buffer += data
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

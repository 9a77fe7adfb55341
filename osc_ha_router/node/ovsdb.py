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


"""Talking to ovsdb-server over its socket (source: RFC 7047).

Its own client is a process that would have to be started for each change,
and that would outlive this program if that were killed.
"""

import json
import select
import socket
import time
import typing

from osc_ha_router.node import protocol

#: where Open vSwitch keeps its sockets
FOLDERS = (
    '/run/openvswitch',
    '/var/run/openvswitch',
    '/usr/local/var/run/openvswitch',
)
_DATABASE = 'Open_vSwitch'
_TIMEOUT = 3.0
#: bytes of one message: a node with thousands of ports stays below
_LIMIT = 32 << 20

Rows = typing.Dict[str, protocol.Json]


class OvsdbError(Exception):
    """The database refuses, has gone or speaks something else."""


class Database:
    """A connection to the Open vSwitch database of a node.

    :param path: of its socket
    :raises OvsdbError: nobody is there
    """

    def __init__(self, path: str) -> None:
        self._buffer = b''
        self._waiting = []  # type: typing.List[typing.Any]
        self._number = 0
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC
        )
        self._socket.settimeout(_TIMEOUT)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise OvsdbError('%s: %s' % (path, error.strerror)) from None

    def __enter__(self) -> 'Database':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def fileno(self) -> int:
        """What to wait for."""
        return self._socket.fileno()

    def monitor(
        self, columns: typing.Dict[str, typing.Sequence[str]]
    ) -> typing.Any:
        """Asks to be told of changes, and how it is now.

        :param columns: which of each table
        :returns: table updates, as ``news`` has them
        :raises OvsdbError: it refuses
        """
        wanted = {
            table: {'columns': list(names)} for table, names in columns.items()
        }
        return _updates(self._call('monitor', [_DATABASE, None, wanted]))

    def transact(
        self, *operations: protocol.Json
    ) -> typing.List[protocol.Json]:
        """Does all or nothing.

        :returns: the result of each operation
        :raises OvsdbError: it refuses
        """
        results = self._call('transact', [_DATABASE, *operations])
        if not isinstance(results, list):
            raise OvsdbError('the answer to a transaction is no list')
        # after the results there may be the error of the whole
        if len(results) < len(operations):
            raise OvsdbError('the answer to a transaction lacks results')
        for result in results:
            # an operation that came too late to be done has a null
            if not isinstance(result, dict) or 'error' in result:
                raise OvsdbError('a transaction failed: %.200r' % (result,))
        return results[: len(operations)]

    def news(self) -> typing.List[typing.Any]:
        """The table updates that have come; does not wait for any.

        A table update is table -> row's UUID -> ``old`` and ``new``, the
        values by column; ``old`` holds only those that changed.

        :raises OvsdbError: the database has gone
        """
        # the rest of what never ends is for the next time
        until = time.monotonic() + _TIMEOUT
        while True:
            for message in self._messages():
                self._consider(message)
            ready = select.select([self._socket], [], [], 0)[0]
            if not ready or time.monotonic() > until:
                break
            self._read()
        found, self._waiting = self._waiting, []
        return found

    def _call(self, method: str, params: object) -> typing.Any:
        self._number += 1
        self._send({'method': method, 'params': params, 'id': self._number})
        deadline = time.monotonic() + _TIMEOUT
        while True:
            for message in self._messages():
                if message.get('id') != self._number or 'method' in message:
                    self._consider(message)
                elif message.get('error') is not None:
                    raise OvsdbError(
                        'ovsdb-server: %.200r' % (message['error'],)
                    )
                else:
                    return message.get('result')
            if time.monotonic() > deadline:
                raise OvsdbError('ovsdb-server does not answer')
            self._read()

    def _consider(self, message: protocol.Json) -> None:
        """Keeps an update, and answers to whether anybody is there."""
        method, params = message.get('method'), message.get('params')
        if method == 'echo':
            self._send(
                {'result': params, 'error': None, 'id': message.get('id')}
            )
        elif method == 'update' and isinstance(params, list):
            self._waiting.extend(map(_updates, params[1:2]))

    def _send(self, message: protocol.Json) -> None:
        try:
            self._socket.sendall(protocol.encode(message))
        except OSError as error:
            raise OvsdbError('ovsdb-server: %s' % error) from None

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 20)
        except OSError as error:
            raise OvsdbError('ovsdb-server: %s' % error) from None
        if not data:
            raise OvsdbError('ovsdb-server has hung up')
        self._buffer += data
        if len(self._buffer) > _LIMIT:
            raise OvsdbError('ovsdb-server says too much')

    def _messages(self) -> typing.Iterator[protocol.Json]:
        """What has come in whole; messages follow without any mark."""
        while self._buffer:
            # a whole message ends with a brace; most attempts end here
            if not self._buffer.rstrip().endswith(b'}'):
                return
            try:
                text = self._buffer.decode('utf-8')
                message, end = _DECODER.raw_decode(text.lstrip())
            except ValueError:
                return
            except RecursionError:
                raise OvsdbError('a message is nested too deep') from None
            self._buffer = text.lstrip()[end:].encode('utf-8')
            if isinstance(message, dict):
                yield message


def _constant(text: str) -> float:
    raise ValueError('%s is not JSON' % text)


_DECODER = json.JSONDecoder(parse_constant=_constant)


def rows(result: protocol.Json, *columns: str) -> typing.List[protocol.Json]:
    """The rows that a ``select`` has found.

    :param columns: those that were asked for
    :raises OvsdbError: it is not the result of one
    """
    found = result.get('rows')
    if not isinstance(found, list):
        raise OvsdbError('a result has no rows')
    for row in found:
        if not isinstance(row, dict) or not row.keys() >= set(columns):
            raise OvsdbError('a row is not what was asked for')
    return found


def _updates(value: typing.Any) -> typing.Dict[str, Rows]:
    """Table updates (RFC 7047, 4.1.6), as they have to be."""
    good = isinstance(value, dict) and all(
        isinstance(table, dict)
        and all(
            isinstance(row, dict)
            and isinstance(row.get('new', {}), dict)
            and isinstance(row.get('old', {}), dict)
            for row in table.values()
        )
        for table in value.values()
    )
    if not good:
        raise OvsdbError('an update is not what it must be')
    found = value  # type: typing.Dict[str, Rows]
    return found


def values(value: object) -> typing.List[typing.Any]:
    """The members of a set, which holds one alone as such."""
    if isinstance(value, list) and len(value) == 2:
        if value[0] == 'set' and isinstance(value[1], list):
            return value[1]
    return [value]


def where(**columns: object) -> typing.List[object]:
    """A condition: each of these columns has that value."""
    return [[name, '==', value] for name, value in columns.items()]

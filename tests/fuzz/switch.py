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

"""What Open vSwitch says: its database, a bridge, and both to a guard.

The first byte chooses who listens. To a guard the database speaks up to the
first zero byte, and the bridges behind it.
"""

from collections.abc import Callable
import json
import socket
import types
from typing import Any
from unittest import mock

from osc_ha_router.node import openflow
from osc_ha_router.node import ovsdb
from osc_ha_router.node import ports

DEVICE = 'qg-12345678-9a'


class End:
    """A socket at whose other end all was said, and is listened to."""

    def __init__(self, data: bytes) -> None:
        self._end, self._peer = socket.socketpair()
        self._peer.setblocking(False)
        self._peer.send(data)
        self._peer.shutdown(socket.SHUT_WR)

    def connect(self, path: str) -> None:
        """It is."""

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._end.fileno()

    def close(self) -> None:
        """Close both ends."""
        self._end.close()
        self._peer.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)


def says(module: types.ModuleType, data: bytes) -> Any:
    """Let whom a module of the node program connects to say this."""
    sockets = types.SimpleNamespace(
        **{**vars(socket), 'socket': lambda *args: End(data)}
    )
    return mock.patch.object(module, 'socket', sockets)


def check(data: bytes) -> None:
    """Listen to it in one of the ways."""
    if data:
        LISTENERS[data[0] % len(LISTENERS)](data[1:])


def _database(data: bytes) -> None:
    with says(ovsdb, data), ovsdb.Database('/x/db.sock') as database:
        try:
            database.monitor({'Port': ('name',)})
            (found,) = database.transact({'op': 'select'})
            for row in ovsdb.rows(found, 'name'):
                ovsdb.values(row['name'])
            told = database.news()
        except ovsdb.OvsdbError as error:
            assert str(error)
            return
    for update in told:
        assert all(isinstance(rows, dict) for rows in update.values())
    json.dumps(told, allow_nan=False)


def _bridge(data: bytes) -> None:
    with says(openflow, data):
        try:
            with openflow.Bridge('/x/br-int.mgmt') as bridge:
                assert bridge.delete(2, 5) in (True, False)
        except openflow.OpenflowError as error:
            assert str(error)


def _guard(data: bytes) -> None:
    database, _, bridge = data.partition(b'\0')
    with (
        mock.patch.object(ports, 'folder', lambda pid: '/x'),
        says(ovsdb, database),
        says(openflow, bridge),
        ports.Guard([DEVICE]) as guard,
    ):
        found = guard.look()
        assert {each['device'] for each in found} <= {DEVICE}
        assert guard.guarded or guard.reason


LISTENERS: tuple[Callable[[bytes], None], ...] = (_database, _bridge, _guard)

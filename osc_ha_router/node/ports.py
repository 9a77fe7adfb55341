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


"""Keeping a router's Open vSwitch ports alive while it moves.

After a takeover Neutron binds the router's ports to the new host in two
steps. An agent that looks between the two believes a port unbound, puts it
on the dead VLAN and drops what comes from it, and mends that only with its
next look, two seconds later. Whatever it does to a guarded port is taken
back at once; no port gets a VLAN that it has not had before.
"""

import os
import re
import time
import typing

from osc_ha_router.node import openflow
from osc_ha_router.node import ovsdb
from osc_ha_router.node import protocol

#: of the devices that Neutron plugs for an HA router
DEVICE = re.compile('(ha|qg|qr|sg)-[0-9a-f]{8}-[0-9a-f]{2}')

_DEAD = 4095
_BRIDGE = re.compile('[A-Za-z0-9_.-]{1,64}')
_COLUMNS = ('name', 'tag', 'vlan_mode', 'trunks')
#: times: whoever kills a port more often must mean it
_REVIVALS = 5
#: seconds after the dead VLAN within which the agent adds its drop flow
_CHASE = 2.0
#: of that flow, which matches nothing but the port
_PRIORITY = 2


_TROUBLE = (ovsdb.OvsdbError, openflow.OpenflowError, LookupError, TypeError)


class Port:
    """A guarded port.

    :param row: its columns
    """

    def __init__(self, row: protocol.Json, bridge: str) -> None:
        self.name = str(row['name'])
        self.bridge = bridge
        #: columns as they were when it was last alive
        self.alive = row
        self.revivals = 0
        #: when it was seen dead; None: it is not
        self.died = None  # type: typing.Optional[float]
        #: its number on the bridge, while a drop flow may still come
        self.number = None  # type: typing.Optional[int]
        self.restored = 0.0
        self.next = 0.0


class Guard:
    """Watches the ports of some devices until it is closed.

    :param devices: names; those of a router's port matter
    :param pid: of a process that may see an Open vSwitch that this one does
        not, in a container
    """

    def __init__(
        self,
        devices: typing.Iterable[str],
        pid: typing.Optional[int] = None,
    ) -> None:
        wanted = {name for name in devices if DEVICE.fullmatch(name)}
        self._ports = {}  # type: typing.Dict[str, Port]
        self._database = None  # type: typing.Optional[ovsdb.Database]
        #: why nothing is guarded; None: something is
        self.reason = None  # type: typing.Optional[str]
        #: those that were dead from the beginning, which are let be
        self.dead = []  # type: typing.List[str]
        self._bridges = {}  # type: typing.Dict[str, openflow.Bridge]
        self._folder = folder(pid)
        if self._folder is None:
            self.reason = 'there is no Open vSwitch'
            return
        try:
            self._open(os.path.join(self._folder, 'db.sock'), wanted)
        except _TROUBLE as error:
            self._give_up('Open vSwitch: %s' % error)

    def __enter__(self) -> 'Guard':
        return self

    def __exit__(self, *_: object) -> None:
        """Stops watching, and leaves no drop flow that it has seen come."""
        for port in self._chased():
            self._chase(port)
        self._hang_up()
        if self._database is not None:
            self._database.close()

    @property
    def guarded(self) -> bool:
        """Whether any port is watched."""
        return self._database is not None

    def descriptors(self) -> typing.List[int]:
        """What to wait for."""
        return [] if self._database is None else [self._database.fileno()]

    def due(self) -> typing.Optional[float]:
        """When ``look`` is wanted anyway, by the monotonic clock."""
        return min((port.next for port in self._chased()), default=None)

    def look(self) -> typing.List[protocol.Json]:
        """Revives what has died.

        :returns: ``device`` and ``seconds`` of each that is alive again
        """
        if self._database is not None:
            try:
                for update in self._database.news():
                    self._consider(update)
            except _TROUBLE as error:
                self._give_up('Open vSwitch: %s' % error)
        found = []
        now = time.monotonic()
        for port in self._chased():
            if port.next <= now and self._chase(port):
                seconds = port.restored - (port.died or port.restored)
                found.append(
                    {'device': port.name, 'seconds': round(seconds, 3)}
                )
                port.died = port.number = None
        if not self._chased():
            self._hang_up()
        return found

    def _open(self, path: str, wanted: typing.Set[str]) -> None:
        database = self._database = ovsdb.Database(path)
        now = database.monitor({'Port': _COLUMNS})
        (bridges,) = database.transact(
            {
                'op': 'select',
                'table': 'Bridge',
                'where': [],
                'columns': ['name', 'ports'],
            }
        )
        homes = {
            port[1]: row['name']
            for row in ovsdb.rows(bridges, 'name', 'ports')
            for port in ovsdb.values(row['ports'])
        }
        for uuid, update in now.get('Port', {}).items():
            row = update['new']
            bridge = homes.get(uuid, '')
            if row['name'] not in wanted or not _BRIDGE.fullmatch(bridge):
                continue
            if row['tag'] == _DEAD:
                self.dead.append(row['name'])
            elif _vlan(row['tag']):
                self._ports[uuid] = Port(row, bridge)
        if not self._ports:
            self._give_up('none of its ports is one of Open vSwitch')
        # a bridge that does not answer now would not when it matters
        for port in self._ports.values():
            self._bridge(port)
        self._hang_up()

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        if self._database is not None:
            self._database.close()
            self._database = None

    def _consider(self, update: typing.Any) -> None:
        for uuid, change in update.get('Port', {}).items():
            port = self._ports.get(uuid)
            if port is None:
                continue
            row = change.get('new')
            if row is None:
                # somebody has unplugged it
                del self._ports[uuid]
            elif _vlan(row['tag']):
                port.alive = row
            elif row['tag'] == _DEAD and port.revivals < _REVIVALS:
                self._revive(port)

    def _revive(self, port: Port) -> None:
        assert self._database is not None  # noqa: S101
        seen = time.monotonic()
        # The condition and the change are one: if the agent was quicker,
        # its will stands.
        changed, found = self._database.transact(
            {
                'op': 'update',
                'table': 'Port',
                'where': ovsdb.where(name=port.name, tag=_DEAD),
                'row': {
                    name: port.alive[name]
                    for name in ('tag', 'vlan_mode', 'trunks')
                },
            },
            {
                'op': 'select',
                'table': 'Interface',
                'where': ovsdb.where(name=port.name),
                'columns': ['ofport'],
            },
        )
        if changed.get('count') != 1:
            return
        port.revivals += 1
        port.restored = time.monotonic()
        if port.died is None:
            port.died = seen
        numbers = [row['ofport'] for row in ovsdb.rows(found, 'ofport')]
        if len(numbers) == 1 and _physical(numbers[0]):
            port.number = numbers[0]
            port.next = port.restored
        else:
            port.died = None

    def _chased(self) -> typing.List[Port]:
        return [
            port for port in self._ports.values() if port.number is not None
        ]

    def _chase(self, port: Port) -> bool:
        """Deletes the agent's drop flow, which comes after the dead VLAN.

        :returns: whether it is gone, or did not come at all
        """
        try:
            if self._bridge(port).delete(_PRIORITY, port.number or 0):
                port.restored = time.monotonic()
                return True
        except openflow.OpenflowError as error:
            self.reason = str(error)
            self._hang_up()
        now = time.monotonic()
        elapsed = now - port.restored
        port.next = now + 0.004 + elapsed / 8
        return elapsed > _CHASE

    def _bridge(self, port: Port) -> openflow.Bridge:
        """A connection to its bridge, whose socket is beside the database's.

        Kept only as long as it is used: somebody might ask whether anybody
        is there.
        """
        bridge = self._bridges.get(port.bridge)
        if bridge is None:
            path = '%s/%s.mgmt' % (self._folder, port.bridge)
            bridge = self._bridges[port.bridge] = openflow.Bridge(path)
        return bridge

    def _hang_up(self) -> None:
        for bridge in self._bridges.values():
            bridge.close()
        self._bridges.clear()


def folder(pid: typing.Optional[int] = None) -> typing.Optional[str]:
    """Where the sockets of this node's Open vSwitch are; None: it has none.

    :param pid: of a process whose files are looked at after the host's own
    """
    roots = [''] if pid is None else ['', '/proc/%d/root' % pid]
    for root in roots:
        for place in ovsdb.FOLDERS:
            if os.path.exists('%s%s/db.sock' % (root, place)):
                return root + place
    return None


def _vlan(tag: object) -> bool:
    return isinstance(tag, int) and 0 < tag < _DEAD


def _physical(number: object) -> bool:
    """Whether a port has a number: it has none before it is ready."""
    return isinstance(number, int) and 0 < number < 0xFFFFFF00

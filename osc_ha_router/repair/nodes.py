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

"""What a repair asks of the nodes, in the words of the node program."""

from collections.abc import Mapping
from collections.abc import Sized
import dataclasses
from typing import Any

from osc_ha_router.backends import base
from osc_ha_router.failover import nodes
from osc_ha_router.model import view
from osc_ha_router.repair import action

#: one that was not begun on, or that is known to have nothing
_NOTHING = 'nothing to do'


@dataclasses.dataclass(frozen=True)
class Begun:
    """How a node was found when the repair began."""

    #: what a predecessor that was killed had left, and was undone
    undone: tuple[str, ...]
    #: of keepalived.conf; None: there is none, or none that can be used
    sha256: str | None
    #: pids of those that live
    keepalived: tuple[int, ...]
    #: None: there is nothing that could serve there
    namespace: str | None


@dataclasses.dataclass(frozen=True)
class Done:
    """What came of one request."""

    #: whether anything is different now
    changed: bool
    #: in words
    words: str


@dataclasses.dataclass(frozen=True)
class _Clean:
    addresses: tuple[view.ConfiguredAddress, ...] = ()
    routes: tuple[view.ConfiguredRoute, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Pids:
    pids: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class _Changed:
    changed: bool


@dataclasses.dataclass(frozen=True)
class _Evicted:
    pids: tuple[int, ...]
    addresses: tuple[str, ...]
    devices: tuple[str, ...]
    namespace: bool


class Node(nodes.Node):
    """One node during a repair."""

    def take(self, by: str, until: base.Deadline) -> Begun:
        """Take the router's lock on the node, whatever else is there.

        :raises Trouble: refusal ``locked`` if somebody else has it
        """
        end = self._ask(
            'begin', until, by=by, seconds=nodes.seconds(until), bare=True
        )
        self.found = self._read(Begun, end)
        return self.found

    #: how it was found, known after ``take``
    found: Begun | None = None

    def serves(self, until: base.Deadline) -> bool:
        """Return whether the HA address is on the node now."""
        return not self.watch(until, lambda: True)

    def owe(self, host: str | None, until: base.Deadline) -> None:
        """Note to whose L3 agent Neutron has to give the router back.

        :param host: None: to none any more
        """
        self._ask('owe', until, agent=host)

    def clean(self, fields: Mapping[str, Any], until: base.Deadline) -> Done:
        """Remove addresses and routes."""
        end = self._read(_Clean, self._ask('clean', until, **fields))
        return _counted(end, 'removed')

    def add(self, fields: Mapping[str, Any], until: base.Deadline) -> Done:
        """Set addresses."""
        end = self._read(_Clean, self._ask('add', until, **fields))
        return _counted(end, 'set')

    def end(self, pids: list[int], extra: bool, until: base.Deadline) -> Done:
        """End processes that do no good.

        :param extra: whether the one that the agent knows is passed over
        """
        end = self._ask('end', until, pids=pids, extra=extra)
        return _pids(self._read(_Pids, end), 'ended')

    def wake(self, pids: list[int], until: base.Deadline) -> Done:
        """Let a keepalived that is stopped go on."""
        return _pids(
            self._read(_Pids, self._ask('wake', until, pids=pids)), 'goes on'
        )

    def link_up(self, device: str, until: base.Deadline) -> Done:
        """Set a device up."""
        end = self._ask('link-up', until, device=device)
        return _flag(self._read(_Changed, end), f'{device} is up')

    def forward(self, device: str, until: base.Deadline) -> Done:
        """Set IPv6 forwarding, on for all, or off for a gateway device."""
        end = self._ask('forward', until, device=device)
        how = 'on' if device == 'all' else f'off for {device}'
        return _flag(self._read(_Changed, end), f'IPv6 forwarding is {how}')

    def reload(self, until: base.Deadline) -> Done:
        """Have keepalived read its file again."""
        self._ask('reload', until)
        return Done(True, 'keepalived has read its file again')

    def evict(
        self, namespace: str | None, whole: bool, until: base.Deadline
    ) -> Done:
        """Remove what is left of the router."""
        end = self._read(
            _Evicted,
            self._ask('evict', until, namespace=namespace, whole=whole),
        )
        parts = [
            f'{_number(found, one, many)} {verb}'
            for found, one, many, verb in (
                (end.pids, 'process', 'processes', 'ended'),
                (end.addresses, 'address', 'addresses', 'removed'),
                (end.devices, 'device', 'devices', 'removed'),
            )
            if found
        ]
        if end.namespace:
            parts.append(f'{namespace} removed')
        return Done(bool(parts), ', '.join(parts) or _NOTHING)

    def run(self, todo: action.Action, until: base.Deadline) -> Done:
        """Carry out an action that is one request."""
        fields = todo.fields
        match todo.op:
            case action.Op.WAKE:
                return self.wake(fields['pids'], until)
            case action.Op.END:
                return self.end(
                    fields['pids'], bool(fields.get('extra')), until
                )
            case action.Op.CLEAN:
                return self.clean(fields, until)
            case action.Op.ADD:
                return self.add(fields, until)
            case action.Op.RELOAD:
                return self.reload(until)
            case action.Op.FORWARD:
                return self.forward(fields['device'], until)
        raise AssertionError(todo.op)


def _counted(end: _Clean, verb: str) -> Done:
    parts = [
        _number(found, one, many)
        for found, one, many in (
            (end.addresses, 'address', 'addresses'),
            (end.routes, 'route', 'routes'),
        )
        if found
    ]
    if not parts:
        return Done(False, _NOTHING)
    return Done(True, f'{" and ".join(parts)} {verb}')


def _number(found: Sized, one: str, many: str) -> str:
    return f'{len(found)} {one if len(found) == 1 else many}'


def _pids(end: _Pids, verb: str) -> Done:
    if not end.pids:
        return Done(False, _NOTHING)
    pids = ', '.join(str(pid) for pid in end.pids)
    return Done(True, f'process {pids} {verb}')


def _flag(end: _Changed, words: str) -> Done:
    return Done(end.changed, words if end.changed else _NOTHING)

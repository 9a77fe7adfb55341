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


"""What a failover asks of the nodes, in the words of the node program."""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
from typing import Any
from typing import TypeVar

from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.model import view

T = TypeVar('T')

_BATCH = 500


@dataclasses.dataclass(frozen=True)
class Begun:
    """How a node was found when the move began."""

    #: what a predecessor that was killed had left, and was undone
    undone: tuple[str, ...]
    #: pids, the parent first
    keepalived: tuple[int, ...]
    #: of keepalived.conf
    sha256: str


@dataclasses.dataclass(frozen=True)
class Revived:
    """A port that Open vSwitch had cut off, and that was put back."""

    device: str
    #: for how long it was cut off
    seconds: float


@dataclasses.dataclass(frozen=True)
class Takeover:
    """How a wait for the active role ended."""

    active: bool
    #: why not
    reason: str | None = None
    #: whether keepalived.conf was put back
    restored: bool = False
    revived: tuple[Revived, ...] = ()
    #: whether the ports of Open vSwitch were watched
    guarded: bool = False


@dataclasses.dataclass(frozen=True)
class Carried:
    """How much of a router's memory went from one node to another."""

    neighbours: int = 0
    #: None: could not be read
    connections: int | None = None
    refused: int = 0
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Quiet:
    """Whether the old node's multicast reports are held off."""

    quiet: bool
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Told:
    """What came of telling an L3 agent."""

    #: what it was told, None for nothing
    state: str | None
    answered: bool = False
    #: whether it has the router; None: not known
    known: bool | None = None


@dataclasses.dataclass(frozen=True)
class _Gone:
    gone: bool


@dataclasses.dataclass(frozen=True)
class _Finished:
    undone: tuple[str, ...]


class Node:
    """One node during a move.

    :param line: to the node program there
    :param router_id: the router that moves
    """

    def __init__(self, line: base.Conversation, router_id: str) -> None:
        self._line = line
        self._router_id = router_id
        self.host = line.host
        #: known after ``begin``
        self.begun: Begun | None = None

    def begin(self, by: str, until: base.Deadline) -> Begun:
        """Take the router's lock on the node.

        :param by: who does it, for whoever is refused meanwhile
        :param until: whatever is not finished then, the node undoes
        :raises Trouble: refusal ``locked`` if somebody else has it
        """
        end = self._ask('begin', until, by=by, seconds=seconds(until))
        self.begun = self._read(Begun, end)
        return self.begun

    def promote(
        self, priority: int, preempt: bool, until: base.Deadline
    ) -> None:
        """Give keepalived another priority.

        :param preempt: whether it may take over from a living node
        :raises Trouble: refusal ``changed`` if the file was changed since
        """
        assert self.begun is not None  # noqa: S101
        self._ask(
            'raise',
            until,
            priority=priority,
            preempt=preempt,
            sha256=self.begun.sha256,
        )

    def quiet(self, until: base.Deadline) -> Quiet:
        """Hold off multicast reports, which mislead switches."""
        return self._read(Quiet, self._ask('quiet', until))

    def terminate(self, until: base.Deadline) -> None:
        """End keepalived the polite way: it resigns at once."""
        self._ask('terminate', until)

    def watch(self, until: base.Deadline, enough: Callable[[], bool]) -> bool:
        """Wait until the HA address is gone; say whether it is."""
        end = self._ask('watch', until, enough=enough, timeout=seconds(until))
        return self._read(_Gone, end).gone

    def takeover(
        self,
        until: base.Deadline,
        *,
        timeout: float,
        hold: float,
        stay: float,
        event: Callable[[dict[str, Any]], None],
        enough: Callable[[], bool],
    ) -> Takeover:
        """Wait for the HA address, and look after it in the first seconds.

        :param timeout: how long to wait for it
        :param hold: how long after it keepalived.conf is put back
        :param stay: how long after it to look after it
        :param event: told what happens, as it happens
        """
        fields = {'timeout': timeout, 'hold': hold, 'stay': stay}
        for reply in self._call('takeover', until, fields, enough):
            if 'end' in reply:
                return self._read(Takeover, reply['end'])
            event(reply)
        raise AssertionError  # the last reply has an end

    def export(
        self, until: base.Deadline
    ) -> tuple[Carried, list[Any], list[Any]]:
        """Return the neighbours and the tracked connections."""
        neighbours: list[Any] = []
        connections: list[Any] = []
        fields = {'neighbours': True, 'connections': True}
        for reply in self._call('export', until, fields):
            if 'end' in reply:
                count = self._read(Carried, reply['end'])
                return count, neighbours, connections
            # taken as they come: the other node checks every one
            neighbours += reply.get('neighbours', ())
            connections += reply.get('connections', ())
        raise AssertionError  # the last reply has an end

    def absorb(
        self,
        neighbours: list[Any],
        connections: list[Any],
        until: base.Deadline,
    ) -> Carried:
        """Take over what another node has exported."""
        total = Carried(connections=0)
        most = max(len(neighbours), len(connections), 1)
        for start in range(0, most, _BATCH):
            # a request has a limit, and both lists may be long
            some_of = slice(start, start + _BATCH)
            end = self._ask(
                'import',
                until,
                neighbours=neighbours[some_of],
                connections=connections[some_of],
            )
            some = self._read(Carried, end)
            total = Carried(
                total.neighbours + some.neighbours,
                (total.connections or 0) + (some.connections or 0),
                total.refused + some.refused,
                total.reason or some.reason,
            )
        return total

    def report(
        self,
        guard: float,
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Told:
        """Tell the L3 agent what the node is.

        :param guard: seconds to watch over the ports of Open vSwitch then
        :param enough: asked now and then whether that can end before
        :raises Trouble: refusal ``absent`` where there is no agent's socket
        """
        end = self._ask('report', until, enough, guard=guard)
        return self._read(Told, end)

    def finish(self, until: base.Deadline) -> tuple[str, ...]:
        """Undo what is left to be undone, and give the lock back."""
        return self._read(_Finished, self._ask('finish', until)).undone

    def _ask(
        self,
        op: str,
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
        **fields: Any,
    ) -> Any:
        end = None
        for reply in self._call(op, until, fields, enough):
            end = reply.get('end')
        return end

    def _call(
        self,
        op: str,
        until: base.Deadline,
        fields: dict[str, Any],
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        request = {'router': self._router_id, **fields}
        yield from self._line.call(op, request, until, enough)

    def _read(self, kind: type[T], data: Any) -> T:
        try:
            return codec.decode(kind, data)
        except codec.DecodeError as exc:
            failure = view.Failure(
                'garbled',
                f'{self.host} answered something else than expected: {exc}',
                'Look whether the same version of osc-ha-router is there.',
            )
            raise base.Trouble(failure, None) from None


def refused(trouble: base.Trouble) -> errors.Refused:
    """Return why nothing is begun, when a node cannot be had for it."""
    kind = errors.Locked if trouble.refusal == 'locked' else errors.Refused
    return kind(f'{trouble.failure.message}\n{trouble.failure.advice}')


def seconds(until: base.Deadline) -> float:
    """Return the time left, as much of it as the node program takes."""
    return min(max(1.0, round(until.left(), 1)), 900.0)

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


"""Who holds a router's VRRP address, by the moment.

The kernel tells every change of an address as it happens; nothing is polled.
Times are those of the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import dataclasses
import errno
import os
import selectors
import socket
import struct
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from tests.lab.errors import LabError
from tests.lab.sockets import inside

if TYPE_CHECKING:
    from tests.lab.lab import Lab

# rtnetlink(7), netlink(7)
_RTMGRP_IPV4_IFADDR = 0x10
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_REQUEST_DUMP = 0x301
_IFA_LOCAL = 2
_HEADER = struct.Struct("=IHHII")
_ADDRESS_HEADER = 8
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER = 1 << 20


@dataclasses.dataclass(frozen=True)
class Change:
    """A node got the address, or lost it."""

    at: float
    node: str
    holds: bool


@dataclasses.dataclass(frozen=True)
class Span:
    """A time in which the same nodes held the address."""

    start: float
    end: float
    nodes: frozenset[str]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


def spans(
    changes: Iterable[Change], start: float, end: float
) -> Iterator[Span]:
    """The times between the changes, from `start`, when nobody held it."""
    holders: frozenset[str] = frozenset()
    since = start
    for change in changes:
        if change.at > since:
            yield Span(since, change.at, holders)
        since = change.at
        if change.holds:
            holders |= {change.node}
        else:
            holders -= {change.node}
    if end > since:
        yield Span(since, end, holders)


def longest(
    found: Iterable[Span], wanted: Callable[[frozenset[str]], bool]
) -> float:
    """The longest time without a break that is as `wanted`, in seconds."""
    best = whole = 0.0
    for span in found:
        whole = whole + span.seconds if wanted(span.nodes) else 0.0
        best = max(best, whole)
    return best


class Holders:
    """Watches the VRRP address on all nodes while the context is open."""

    def __init__(self, lab: Lab, router_id: str) -> None:
        self._lab = lab
        self._router_id = router_id
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._began = self._ended = 0.0
        self._trouble: list[str] = []

    def __enter__(self) -> Holders:
        self._selector = selectors.DefaultSelector()
        for name, node in self._lab.nodes.items():
            replica = node.router(self._router_id)
            vip = replica.vip()
            if vip is None:
                raise LabError(f"{name} has no router {self._router_id}")
            wanted = socket.inet_aton(vip.partition("/")[0])
            path = node.path(f"/run/netns/{replica.namespace}")
            link = inside(path, _subscribe)
            self._selector.register(link, selectors.EVENT_READ, (name, wanted))
        self._ours, theirs = os.pipe()
        self._selector.register(self._ours, selectors.EVENT_READ, None)
        self._stop = theirs
        # The kernel's first answers are there by now.
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._stop)
        self._thread.join()
        self._ended = time.monotonic()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        os.close(self._ours)
        self._selector.close()
        if self._trouble and error is None:
            raise LabError(self._trouble[0])

    def changes(self) -> list[Change]:
        """Every change, those of the beginning first."""
        with self._lock:
            return list(self._changes)

    def now(self) -> set[str]:
        """The nodes that hold the address at this moment."""
        holders: set[str] = set()
        for change in self.changes():
            (holders.add if change.holds else holders.discard)(change.node)
        return holders

    def spans(self) -> list[Span]:
        """The times between the changes up to now, or up to the end."""
        end = self._ended or time.monotonic()
        return list(spans(self.changes(), self._began, end))

    def shared(self) -> float:
        """The longest time in which two nodes held it, in seconds."""
        return longest(self.spans(), lambda nodes: len(nodes) > 1)

    def vacant(self) -> float:
        """The longest time in which no node held it, in seconds."""
        return longest(self.spans(), lambda nodes: not nodes)

    def arrival(self, since: float, source: str) -> Change | None:
        """The first time after `since` that another node got it."""
        for change in self.changes():
            if change.at >= since and change.holds and change.node != source:
                return change
        return None

    def settled(self, source: str) -> Change | None:
        """When the one that holds it now got it, if that is not `source`.

        None as well when no node or more than one holds it.
        """
        if len(holders := self.now()) != 1 or source in holders:
            return None
        gained = [c for c in self.changes() if c.holds and c.node in holders]
        return gained[-1]

    def _watch(self) -> None:
        held: dict[str, bool] = {}
        while True:
            for key, _events in self._selector.select():
                if key.data is None:
                    return
                name, wanted = key.data
                assert isinstance(key.fileobj, socket.socket)
                try:
                    data = key.fileobj.recv(_BUFFER)
                except OSError as error:
                    if error.errno == errno.ENOBUFS:
                        self._trouble.append("changes of addresses were lost")
                    continue
                now = time.monotonic()
                for holds in _told(data, wanted):
                    # A refresh of an address says it once more.
                    if held.get(name, False) != holds:
                        held[name] = holds
                        with self._lock:
                            self._changes.append(Change(now, name, holds))


def _subscribe() -> socket.socket:
    """A socket that tells what addresses there are, and every change."""
    link = socket.socket(
        socket.AF_NETLINK,
        socket.SOCK_RAW | socket.SOCK_CLOEXEC,
        socket.NETLINK_ROUTE,
    )
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    # First to hear, then to ask: nothing falls between the two.
    link.bind((0, _RTMGRP_IPV4_IFADDR))
    body = struct.pack("=BBBBi", socket.AF_INET, 0, 0, 0, 0)
    size = _HEADER.size + len(body)
    header = _HEADER.pack(size, _RTM_GETADDR, _REQUEST_DUMP, 1, 0)
    link.send(header + body)
    return link


def _told(data: bytes, wanted: bytes) -> Iterator[bool]:
    """Whether the address is there, for each message about it."""
    offset = 0
    while len(data) - offset >= _HEADER.size:
        length, kind, _flags, _number, _port = _HEADER.unpack_from(
            data, offset
        )
        if length < _HEADER.size:
            return
        if kind in (_RTM_NEWADDR, _RTM_DELADDR):
            start = offset + _HEADER.size + _ADDRESS_HEADER
            if wanted in _locals(data[start : offset + length]):
                yield kind == _RTM_NEWADDR
        offset += (length + 3) & ~3


def _locals(data: bytes) -> Iterator[bytes]:
    offset = 0
    while len(data) - offset >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        if kind == _IFA_LOCAL:
            yield data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3

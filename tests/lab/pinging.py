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


"""Pings every 20 ms from `ctl`, and how long nobody answered them.

A process of its own, so that nothing else its caller does delays it. Its
times are those of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import dataclasses
import json
import os
from pathlib import Path
import select
import socket
import struct
import subprocess
import sys
import time
from types import TracebackType

from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import Layout

#: Seconds from one ping to the next.
INTERVAL = 0.02
#: Seconds after which it ends by itself.
LONGEST = 300.0
#: Seconds that the last pings have to be answered.
_LAST = 1.0

_ROOT = Path(__file__).resolve().parent.parent.parent
_HEADER = struct.Struct("!BBHHH")
_REQUEST, _REPLY = 8, 0
_MINIMUM = 5


@dataclasses.dataclass(frozen=True)
class Gap:
    """A time in which no ping was answered; on the monotonic clock."""

    #: when the last ping before it was sent that was answered
    start: float
    #: when the first ping after it was sent that was answered
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclasses.dataclass(frozen=True)
class Trail:
    """The pings of one address, in the order of their sending."""

    #: when each was sent
    sent: tuple[float, ...]
    #: when each was answered, None when it was not
    answered: tuple[float | None, ...]

    def gaps(self) -> list[Gap]:
        """Every time in which pings were lost, in their order.

        From the sending of the last answered ping before to the sending of
        the first answered one after: with one ping lost, two intervals.
        Nothing is subtracted, so that the true outage is at most that long.
        """
        found = []
        last, lost = self.sent[0] if self.sent else 0.0, 0
        for sent, answered in zip(self.sent, self.answered, strict=True):
            if answered is None:
                lost += 1
                continue
            if lost:
                found.append(Gap(last, sent))
            last, lost = sent, 0
        if lost:
            found.append(Gap(last, self.sent[-1]))
        return found

    def outage(self) -> float:
        """The longest gap in seconds, 0 when no ping was lost."""
        return max((gap.seconds for gap in self.gaps()), default=0.0)

    def slowest(self) -> float:
        """The longest time that an answer took, in seconds.

        A ping that waited somewhere and was not lost shows here only.
        """
        pairs = zip(self.sent, self.answered, strict=True)
        return max((b - a for a, b in pairs if b is not None), default=0.0)


class Pings:
    """Pings addresses from `ctl` while the context is open."""

    def __init__(
        self,
        layout: Layout,
        addresses: Sequence[str],
        longest: float = LONGEST,
    ) -> None:
        self._addresses = list(addresses)
        self._argv = [
            "nsenter",
            f"--net={layout.namespace_path(CONTROL)}",
            "--",
            sys.executable,
            *("-m", "tests.lab.pinging", f"--seconds={longest:g}"),
            *self._addresses,
        ]
        #: by address, once the context is left
        self.trails: dict[str, Trail] = {}

    def __enter__(self) -> Pings:
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The end of its input ends it, and so does the end of this process.
        output, _ = self._process.communicate(timeout=30)
        if self._process.returncode:
            raise LabError("the pings ended with an error")
        found = json.loads(output)
        self.trails = {
            address: Trail(tuple(each["sent"]), tuple(each["answered"]))
            for address, each in found.items()
        }


def ping(
    addresses: Sequence[str], seconds: float
) -> dict[str, dict[str, list[float | None]]]:
    """Ping until standard input ends or the time is up."""
    links = {address: _socket(address) for address in addresses}
    mark = os.getpid() & 0xFFFF
    sent: dict[str, list[float | None]] = {a: [] for a in addresses}
    answered: dict[str, list[float | None]] = {a: [] for a in addresses}
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    for link in links.values():
        poll.register(link, select.POLLIN)
    numbers = {link.fileno(): address for address, link in links.items()}
    due = time.monotonic()
    stop = due + seconds
    end = stop + _LAST
    while (now := time.monotonic()) < end:
        if now >= due and now < stop:
            for address, link in links.items():
                request = _request(mark, len(sent[address]))
                sent[address].append(time.monotonic())
                answered[address].append(None)
                try:
                    link.send(request)
                except OSError:
                    # No answer, then: a queue is full, or it is unreachable.
                    pass
            # One that comes late is not made up for by a burst.
            due = max(due + INTERVAL, now + INTERVAL / 2)
        wait = max(0.0, (due if now < stop else end) - time.monotonic())
        for number, _event in poll.poll(wait * 1000):
            if number == sys.stdin.fileno():
                poll.unregister(sys.stdin)
                stop = time.monotonic()
                end = stop + _LAST
                continue
            address = numbers[number]
            if (index := _reply(links[address], mark)) is not None:
                # The first answer counts; sequence numbers have 16 bits.
                count = len(sent[address])
                index += (count - 1 - index) // 65536 * 65536
                if 0 <= index < count and answered[address][index] is None:
                    answered[address][index] = time.monotonic()
    return {
        address: {"sent": sent[address], "answered": answered[address]}
        for address in addresses
    }


def _socket(address: str) -> socket.socket:
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    # Connected, it gets what comes from this address only.
    link.connect((address, 0))
    link.setblocking(False)
    return link


def _request(mark: int, number: int) -> bytes:
    body = bytes(range(48))
    plain = _HEADER.pack(_REQUEST, 0, 0, mark, number & 0xFFFF) + body
    words = struct.unpack(f"!{len(plain) // 2}H", plain)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (
        _HEADER.pack(_REQUEST, 0, ~total & 0xFFFF, mark, number & 0xFFFF)
        + body
    )


def _reply(link: socket.socket, mark: int) -> int | None:
    """The sequence number of an echo reply of ours, else None."""
    try:
        data = link.recv(2048)
    except OSError:
        # Also what an ICMP error, such as "host unreachable", becomes.
        return None
    length = (data[0] & 0xF) * 4 if data else 0
    if length < _MINIMUM * 4 or len(data) < length + _HEADER.size:
        return None
    kind, _code, _sum, whose, number = _HEADER.unpack_from(data, length)
    return number if kind == _REPLY and whose == mark else None


def main() -> int:
    """Ping, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.pinging")
    parser.add_argument("--seconds", type=float, default=LONGEST)
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS")
    options = parser.parse_args()
    json.dump(ping(options.addresses, options.seconds), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

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


"""TCP connections through a router that both ends send on all the time."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import dataclasses
from pathlib import Path
import socket
import struct
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from tests.lab import checksums
from tests.lab import server
from tests.lab.cloud import SERVER_NODE
from tests.lab.layout import CONTROL
from tests.lab.layout import EXTERNAL_GATEWAY
from tests.lab.progress import until
from tests.lab.sockets import inside

if TYPE_CHECKING:
    from tests.lab.lab import Lab

#: Seconds from one message of an end to its next.
INTERVAL = 0.1

#: The device of `ctl` on the external network.
_DATA = "br-data"
_NUMBER = struct.Struct("!Q")
_CONNECT = 10.0


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one end of a connection is."""

    #: the file that stands for its network namespace
    namespace: Path
    #: its own address there
    address: str


@dataclasses.dataclass(frozen=True)
class Silence:
    """A time in which one end of a connection heard nothing."""

    seconds: float
    #: client or listener
    end: str
    #: on the monotonic clock
    began: float


class _End:
    """One end: sends a number every so often, and notes what arrives."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        link.settimeout(INTERVAL)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._over = threading.Event()
        self.trouble: str | None = None
        #: when each message arrived, on the monotonic clock
        self.arrived: list[float] = []
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._send, self._receive)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._link.close()

    def _send(self) -> None:
        number = 0
        while not self._over.wait(INTERVAL):
            try:
                self._link.sendall(_NUMBER.pack(number))
            except TimeoutError:
                # Cannot be with some bytes each time; then it is no more
                # known what was sent.
                self.trouble = "nothing can be sent any more"
                return
            except OSError as error:
                self.trouble = self.trouble or str(error)
                return
            number += 1

    def _receive(self) -> None:
        data = b""
        while not self._over.is_set():
            try:
                more = self._link.recv(4096)
            except TimeoutError:
                continue
            except OSError as error:
                self.trouble = self.trouble or str(error)
                return
            if not more:
                self.trouble = self.trouble or "closed by the other end"
                return
            data += more
            now = time.monotonic()
            while len(data) >= _NUMBER.size:
                (number,) = _NUMBER.unpack_from(data)
                data = data[_NUMBER.size :]
                if number != len(self.arrived):
                    self.trouble = f"{number} instead of {len(self.arrived)}"
                    return
                self.arrived.append(now)


class Stream:
    """A TCP connection that carries data both ways every tenth of a second.

    Neither end waits for the other: whoever is first to send after a move
    shows whether the router still knows the connection. OSError when it
    cannot be made.
    """

    def __init__(
        self, client: Place, listener: Place, address: str | None = None
    ) -> None:
        """Connect.

        `address` is where the client finds the listener, if that is not the
        listener's own address.
        """
        with inside(listener.namespace, lambda: _listen(listener)) as waiting:
            port = waiting.getsockname()[1]
            place = (address or listener.address, port)
            source = (client.address, 0)
            here = inside(
                client.namespace,
                lambda: socket.create_connection(place, _CONNECT, source),
            )
            try:
                there, (self.seen_from, _port) = waiting.accept()
            except OSError:
                here.close()
                raise
        self._ends = {"client": _End(here), "listener": _End(there)}

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in self._ends.values():
            end.close()

    def trouble(self) -> str | None:
        """Why it does not carry data any more, or None."""
        for name, end in self._ends.items():
            if end.trouble is not None:
                return f"{name}: {end.trouble}"
        return None

    def carries(self, since: float | None = None, messages: int = 5) -> bool:
        """Whether so many messages have arrived at both ends since then.

        Since now, which takes a moment, when no time is given.
        """
        since = time.monotonic() if since is None else since

        def look() -> bool:
            return all(
                sum(at > since for at in list(end.arrived)) >= messages
                for end in self._ends.values()
            )

        end = time.monotonic() + 20 * INTERVAL * messages
        while not look():
            if self.trouble() or time.monotonic() > end:
                return False
            time.sleep(INTERVAL)
        return True

    def silence(self) -> Silence:
        """The longest time in which an end heard nothing.

        Up to now, if that is not over.
        """
        found = Silence(0.0, "neither end", 0.0)
        for name, end in self._ends.items():
            times = [*end.arrived, time.monotonic()]
            for began, ended in zip(times, times[1:], strict=False):
                if ended - began > found.seconds:
                    found = Silence(ended - began, name, began)
        return found


def outside(lab: Lab) -> Place:
    """A host on the external network."""
    namespace = lab.layout.namespace_path(CONTROL)
    checksums.fill_in(namespace, _DATA)
    return Place(namespace, EXTERNAL_GATEWAY)


def behind(lab: Lab) -> Place:
    """The server behind the floating IP."""
    node = lab.nodes[SERVER_NODE]
    path = node.path(f"/run/netns/{server.NAMESPACE}")
    return Place(path, lab.facts["server_ip"])


@contextlib.contextmanager
def without_floating_ip(lab: Lab) -> Iterator[Place]:
    """The server at a second address, which has no floating IP.

    What it sends goes out with the router's own address (SNAT).
    """
    path = f"/ports/{lab.facts['server_port']}"
    before = lab.admin.neutron("GET", path)["port"]["fixed_ips"]
    one_more = [*before, {"subnet_id": lab.facts["subnet"]}]
    body = {"port": {"fixed_ips": one_more}}
    after = lab.admin.neutron("PUT", path, body)["port"]["fixed_ips"]
    known = {fixed["ip_address"] for fixed in before}
    (address,) = {fixed["ip_address"] for fixed in after} - known
    node = lab.nodes[SERVER_NODE]
    device = f"tap{lab.facts['server_port'][:11]}"
    change = ["ip", "-n", server.NAMESPACE, "address"]
    place = [f"{address}/24", "dev", device]
    try:
        node.run([*change, "add", *place])
        ping = ["ping", "-c", "1", "-W", "1", "-I", address, EXTERNAL_GATEWAY]
        enter = ["ip", "netns", "exec", server.NAMESPACE]

        def look() -> bool:
            if node.run([*enter, *ping], check=False).returncode == 0:
                return True
            # With DVR nothing else tells the switches where the MAC is that
            # the answers go to.
            lab.announce(lab.facts)
            return False

        until(f"{address} to reach the outside", look, 30)
        yield Place(behind(lab).namespace, address)
    finally:
        node.run([*change, "del", *place], check=False)
        lab.admin.neutron("PUT", path, {"port": {"fixed_ips": before}})


def _listen(place: Place) -> socket.socket:
    link = socket.create_server((place.address, 0))
    link.settimeout(_CONNECT)
    return link

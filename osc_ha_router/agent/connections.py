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
"""Connections that wait, all of them in one thread, for their clients."""

from collections.abc import Iterator
import selectors
from typing import Any

from cheroot import connections


class _Selector(connections._ThreadsafeSelector):
    """Tells what there is to read, of connections that are still here.

    One that makes room for another is closed while this is under way, and
    its number may already be that of the next one.
    """

    _selector: Any

    def select(self, timeout: float | None = None) -> Iterator[Any]:
        """Yield number and connection."""
        ready = self._selector.select(timeout=timeout)
        for key, _ in ready:
            number, conn = key.fd, key.data
            if (self._selector.get_map() or {}).get(number) is key:
                yield number, conn


class Manager(connections.ConnectionManager):
    """Waits for something to read, or for the end of a client's time.

    :param server: its socket is open
    """

    _selector: Any

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._selector.close()
        self._selector = _Selector()
        self._selector.register(
            server.socket.fileno(), selectors.EVENT_READ, data=server
        )

    def waiting(self) -> list[tuple[int, Any]]:
        """Return number and connection of each."""
        return [
            (fileno, conn)
            for fileno, conn in self._selector.connections
            if conn is not self.server
        ]

    def drop(self, fileno: int, conn: Any) -> None:
        """Close one; for the loop that accepts alone."""
        self._selector.unregister(fileno)
        conn.close()

    def _expire(self, threshold: float) -> None:
        """Close those that are silent since then.

        Who is in the middle of a request is told so, by a thread.
        """
        for fileno, conn in self.waiting():
            if conn.last_used >= threshold:
                continue
            if conn.begun is None:
                self.drop(fileno, conn)
            else:
                self._selector.unregister(fileno)
                self.server.process_conn(conn)

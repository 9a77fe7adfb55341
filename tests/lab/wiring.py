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


"""What becomes of the VLAN tags of a node's ports, by the moment.

Neutron's Open vSwitch agent puts a port that it believes unbound on the dead
VLAN, and nothing passes until it thinks better of it.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.spaces import Space

#: The VLAN of ports that belong nowhere.
DEAD = 4095


@dataclasses.dataclass(frozen=True)
class Change:
    """A port got another tag; on the monotonic clock."""

    at: float
    node: str
    port: str
    before: int | None
    after: int | None


class Tags:
    """Watches the tags of all ports of a node while the context is open."""

    def __init__(self, node: Space) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._changes: list[Change] = []

    def __enter__(self) -> Tags:
        self._process = subprocess.Popen(
            self._node.enter(
                [
                    "ovsdb-client", "monitor", "--format=json",
                    "unix:/run/openvswitch/db.sock", "Open_vSwitch",
                    "Port", "name,tag",
                ]
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def changes(self) -> list[Change]:
        """Every change so far."""
        with self._lock:
            return list(self._changes)

    def _read(self) -> None:
        assert self._process.stdout is not None
        old: dict[str, int | None] = {}
        for line in self._process.stdout:
            now = time.monotonic()
            try:
                rows = json.loads(line)["data"]
            except (ValueError, KeyError, TypeError):
                continue
            name = None
            for _row, action, port, tag in rows:
                # Of a changed row, what was, without the name, comes first.
                name = port if isinstance(port, str) else name
                if action == "old":
                    continue
                if name is None:
                    continue
                value = tag if isinstance(tag, int) else None
                if action == "delete":
                    old.pop(name, None)
                    continue
                if action == "new" and old.get(name, value) != value:
                    change = Change(
                        now, self._node.name, name, old.get(name), value
                    )
                    with self._lock:
                        self._changes.append(change)
                old[name] = value

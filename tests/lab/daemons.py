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

"""Starting daemons, remembering them, and ending exactly those."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import os
import signal
import subprocess
import threading
import time

from tests.lab import processes
from tests.lab.commands import CLEAN
from tests.lab.errors import LabError
from tests.lab.layout import Layout

# Popen objects of the daemons that this very program started: they have to be
# waited for when they end, or they would stay as zombies for as long as the
# program (a test run) lives.
_children: list[subprocess.Popen[bytes]] = []
_reaping = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Record:
    """One daemon: the process that was started for it."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether that very process still lives."""
        reap()
        return processes.started(self.pid) == self.started


class Daemons:
    """The daemons of one lab by name, such as `net1.l3-agent`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def start(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> Record:
        """Start a daemon in a session of its own, and record it.

        Its output goes to logs/<name>.log.

        The session makes it independent of whoever starts it: a daemon's
        children outlive it, as they do on a real node, and a Ctrl-C in the
        terminal of `up` does not reach it.
        """
        self._layout.logs.mkdir(parents=True, exist_ok=True)
        self._layout.records.mkdir(parents=True, exist_ok=True)
        with open(self._layout.logs / f"{name}.log", "ab") as log:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**CLEAN, **(env or {})},
                cwd="/",
                start_new_session=True,
            )
        _children.append(child)
        since = processes.started(child.pid)
        if since is None:
            raise LabError(f"{name} ended at once{self.last_words(name)}")
        record = Record(name, child.pid, since)
        # Written aside and moved: a killed run must not leave half a record.
        path = self._layout.records / f"{name}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(dataclasses.asdict(record)))
        part.replace(path)
        return record

    def find(self, name: str) -> Record | None:
        """The record of a daemon, whether it is alive or not."""
        try:
            return Record(
                **json.loads(
                    (self._layout.records / f"{name}.json").read_text()
                )
            )
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def all(self) -> list[Record]:
        """Every recorded daemon, by name."""
        names = sorted(
            path.stem for path in self._layout.records.glob("*.json")
        )
        return [record for record in map(self.find, names) if record]

    def alive(self, name: str) -> bool:
        """Whether a daemon is recorded and alive."""
        record = self.find(name)
        return record is not None and record.alive

    def last_words(self, name: str) -> str:
        """The end of a daemon's log, for an error message."""
        try:
            lines = (
                (self._layout.logs / f"{name}.log")
                .read_text(errors="replace")
                .splitlines()[-15:]
            )
        except OSError:
            return ""
        return "".join(f"\n  | {line}" for line in lines)

    def must_live(self, *names: str) -> bool:
        """True, or LabError with the log of one that ended."""
        for name in names:
            if not self.alive(name):
                raise LabError(f"{name} ended{self.last_words(name)}")
        return True


def reap() -> None:
    """Take leave of those of our own children that ended."""
    with _reaping:
        for child in list(_children):
            if child.poll() is not None:
                _children.remove(child)


def send(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to processes that may be gone already."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end(pids: Iterable[int], patience: float = 3) -> None:
    """SIGTERM, after `patience` seconds SIGKILL; returns when all are gone."""
    left = {
        pid: since
        for pid in pids
        if (since := processes.started(pid)) is not None
    }

    def living() -> list[int]:
        reap()
        return [
            pid
            for pid, since in left.items()
            if processes.started(pid) == since
        ]

    for number, seconds in (
        (signal.SIGTERM, patience),
        (signal.SIGKILL, 10.0),
    ):
        if seconds <= 0:
            continue
        send(living(), number)
        # A stopped process takes no SIGTERM before it runs again.
        send(living(), signal.SIGCONT)
        limit = time.monotonic() + seconds
        while living() and time.monotonic() < limit:
            time.sleep(0.05)
    if living():
        raise LabError(f"still alive after SIGKILL: {living()}")

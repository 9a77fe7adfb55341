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

"""Reading /proc: who is alive, since when, and in which namespaces."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import time

#: Written to every private /run that the lab makes. Whoever sees it as
#: /run/<this> runs inside the lab.
MARK = "osc-ha-router-lab"


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, the state, on."""
    # The second, the name, may hold anything, spaces and brackets too.
    return (
        Path(f"/proc/{pid}/stat")
        .read_text(errors="replace")
        .rpartition(")")[2]
        .split()
    )


def started(pid: int) -> int | None:
    """The start time of a living process in clock ticks since boot.

    None when there is no such process.

    A zombie is not alive. Together with the pid the start time names a process
    for good.
    """
    try:
        fields = _fields(pid)
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def session(pid: int) -> int | None:
    """The session that a process belongs to."""
    try:
        return int(_fields(pid)[3])
    except OSError:
        return None


def parent(pid: int) -> int | None:
    """The pid of a process's parent."""
    try:
        return int(_fields(pid)[1])
    except OSError:
        return None


class Stopwatch:
    """What living processes would take on a machine of their own.

    The time since this was made, without that for which one of them could
    have run and others did.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._began = self._now()

    def seconds(self) -> float:
        return self._now() - self._began

    def _now(self) -> float:
        return time.monotonic() - sum(map(_delayed, self._pids))


def _delayed(pid: int) -> float:
    text = Path(f"/proc/{pid}/schedstat").read_text()
    return int(text.split()[1]) / 1e9


def children(pid: int) -> list[int]:
    """The pids of a process's children in order, zombies included.

    By asking every process who its parent is: /proc/PID/task/TID/children may
    leave some out when another one ends meanwhile.
    """
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [child for child in pids if parent(child) == pid]


def command(pid: int) -> list[str]:
    """The argument list of a process; empty when it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="replace") for part in raw.split(b"\0") if part]


def everyone() -> Iterator[int]:
    """The pids of all living processes."""
    for name in os.listdir("/proc"):
        if name.isdigit() and started(int(name)) is not None:
            yield int(name)


def inhabitants(state: Path, name: str | None = None) -> list[int]:
    """Processes inside a lab, or only those inside one of its machines.

    Told by the mark in their own /run, which is a property of their mount
    namespace: exact, whatever became of parents, sessions and pid files, and
    it cannot match a process of anybody else.
    """
    found = []
    for pid in everyone():
        try:
            text = Path(f"/proc/{pid}/root/run/{MARK}").read_text()
        except OSError:
            continue
        where, _, who = text.rstrip("\n").partition("\n")
        if where != str(state) or name not in (None, who):
            continue
        # A container may have a lab with the same path in a tree of its own.
        if identity(f"/proc/{pid}/root{state}") == identity(str(state)):
            found.append(pid)
    return found


def identity(path: str) -> tuple[int, int] | None:
    """What tells a file, such as one that stands for a namespace."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino

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

"""Sockets from inside other network namespaces."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import ctypes
import os
from pathlib import Path
import socket
import threading
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def inside(namespace: Path, make: Callable[[], T]) -> T:
    """What `make` returns when it runs in a network namespace.

    `namespace` is the file that stands for it, such as /run/netns/NAME. A
    socket belongs to the namespace of the thread that made it, and setns(2)
    moves one thread only: so a thread is started for it alone, and everyone
    else stays where they are. OSError as `make` raises it, or when there is
    no such namespace.
    """
    result: list[T] = []
    failed: list[OSError] = []

    def work() -> None:
        try:
            file = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _enter(file)
            finally:
                os.close(file)
            result.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return result[0]


@contextlib.contextmanager
def joined(namespace: Path) -> Iterator[None]:
    """Have the calling thread, and it alone, be in a network namespace.

    For libraries that open their connections themselves.
    """
    with (
        open("/proc/thread-self/ns/net", "rb") as home,
        open(namespace, "rb") as there,
    ):
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(file: int) -> None:
    if _libc.setns(file, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def connect(
    namespace: Path, host: str, port: int, timeout: float = 30
) -> socket.socket:
    """A connected TCP socket in a network namespace; OSError when not."""
    return inside(
        namespace, lambda: socket.create_connection((host, port), timeout)
    )

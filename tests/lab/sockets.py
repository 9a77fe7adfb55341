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

"""TCP connections from inside another network namespace."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
import socket
import threading

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def connect(
    namespace: Path, host: str, port: int, timeout: float = 30
) -> socket.socket:
    """A connected socket in the network namespace of /run/netns/NAME.

    A socket belongs to the namespace of the thread that made it, and setns(2)
    moves one thread only: so a thread is started for the connection alone, and
    everyone else stays where they are. OSError when there is no connection.
    """
    result: list[socket.socket | OSError] = []

    def work() -> None:
        try:
            file = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(file, _CLONE_NEWNET):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), str(namespace))
            finally:
                os.close(file)
            result.append(socket.create_connection((host, port), timeout))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    found = result[0]
    if isinstance(found, OSError):
        raise found
    return found

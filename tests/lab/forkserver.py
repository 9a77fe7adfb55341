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

"""Be `openstack`, loaded once and forked for each command.

    python -P forkserver.py NUMBER PROGRAM

NUMBER is an open socket, PROGRAM the path of the real one; `forking` is who
asks, and says why. Not a part of the package: with `-P` it sees the modules
that `openstack` sees, and no other.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.metadata
import json
import os
import socket
import sys
from typing import Any

#: what a command loads besides those that are named by entry points
_LATE = (
    "openstackclient.shell",
    "cryptography.hazmat.primitives.serialization.ssh",
    "keystoneauth1.identity.v3",
    "keystoneclient.v3.client",
    "openstack.image.v2._proxy",
    "openstack.network.v2._proxy",
    "openstackclient.api.compute_v2",
    "openstackclient.api.volume_v3",
    "osc_ha_router.backends.agent",
    "osc_ha_router.backends.ssh",
)
#: a request is smaller than that, and brings four files
_REQUEST, _FILES = 1 << 20, 4


def _load() -> Any:
    """Import what any command would at its start; returns the shell."""
    for group in importlib.metadata.entry_points().groups:
        if group.startswith(("openstack.", "cliff.", "keystoneauth1.")):
            for entry in importlib.metadata.entry_points(group=group):
                # One that fails is left out by the command too.
                with contextlib.suppress(Exception):
                    entry.load()
    for name in _LATE:
        importlib.import_module(name)
    shell = sys.modules["openstackclient.shell"]
    # The names of the commands, which are found by reading all entry points.
    shell.OpenStackShell()
    # What is never collected is not copied for each fork.
    gc.collect()
    gc.freeze()
    return shell


def _serve(door: socket.socket) -> list[str] | None:
    """Fork for each request until nobody can ask any more.

    Returns the arguments of a command, in the process that is to be it, or
    None in the server at its end.
    """
    while True:
        data, files, _flags, _address = socket.recv_fds(door, _REQUEST, _FILES)
        if not data:
            return None
        if os.fork() == 0:
            door.close()
            return _attend(json.loads(data), files)
        for file in files:
            os.close(file)
        while _reap():
            pass


def _reap() -> bool:
    """Forget one who attended to a request and is done."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _attend(request: dict[str, object], files: list[int]) -> list[str]:
    """Fork the command, and say its pid and then how it ended.

    Returns in the command only: its arguments.
    """
    answer = socket.socket(fileno=files[0])
    pid = os.fork()
    if pid == 0:
        answer.close()
        return _become(request, files[1:])
    # Whoever reads what it prints is to see its end.
    for file in files[1:]:
        os.close(file)
    answer.send(str(pid).encode())
    _pid, status = os.waitpid(pid, 0)
    answer.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(request: dict[str, object], files: list[int]) -> list[str]:
    """Be as a process that was started for the command."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict) and isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(request["folder"]))
    sys.argv[1:] = arguments
    return arguments


def main() -> int:
    """Serve; each command returns from here as the real one does."""
    door = socket.socket(fileno=int(sys.argv[1]))
    door.set_inheritable(False)
    # The client takes its own name from there when it is loaded.
    sys.argv = sys.argv[2:]
    shell = _load()
    arguments = _serve(door)
    return 0 if arguments is None else int(shell.main(arguments))


if __name__ == "__main__":
    sys.exit(main())

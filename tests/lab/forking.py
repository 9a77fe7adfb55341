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

"""Commands of `openstack` without its start.

Loading Python and all modules of the client takes a processor one second and
a half, on a slow machine three, and the functional tests run the command some
five hundred times. So one process has loaded them, and is forked for each
command. The command is the real one otherwise: its arguments, environment,
files, exit code and end are its own. What is killed, sits at a terminal or is
looked at while it runs is started by the tests themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextlib import suppress
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import threading

from tests.lab.commands import judged
from tests.lab.errors import LabError

_SERVER = Path(__file__).with_name("forkserver.py")
#: room for a pid, and for an exit code
_ANSWER = 64


class Forkserver:
    """A process that is forked for each command; ends with this program."""

    def __init__(self, enter: Sequence[str], program: Path) -> None:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._door = ours
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-P", str(_SERVER), str(number)]
            self._program = str(program)
            self._process = subprocess.Popen(
                [*enter, *command, self._program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[number],
                cwd="/",
            )

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        input: str | None,
        check: bool,
        timeout: float | None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as `commands.run` does, in that environment alone."""
        argv = [self._program, *arguments]
        with ExitStack() as stack:
            ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
            answer = stack.enter_context(ours)
            answer.settimeout(timeout)
            pipes = [os.pipe(), os.pipe()]
            printed = [stack.enter_context(open(r, "rb")) for r, _ in pipes]
            request = {
                "arguments": arguments,
                "environment": dict(environment),
                "folder": "/",
            }
            stdin = _holding(input)
            files = [theirs.fileno(), stdin, *(w for _, w in pipes)]
            try:
                self._ask(json.dumps(request).encode(), files)
            finally:
                theirs.close()
                for file in files[1:]:
                    os.close(file)
            pool = stack.enter_context(ThreadPoolExecutor(len(printed)))
            texts = [pool.submit(file.read) for file in printed]
            code = _awaited(answer, " ".join(argv), timeout)
            stdout, stderr = (
                text.result().decode(errors="replace") for text in texts
            )
        done = subprocess.CompletedProcess(argv, code, stdout, stderr)
        return judged(done, check)

    def _ask(self, request: bytes, files: list[int]) -> None:
        try:
            socket.send_fds(self._door, [request], files)
        except OSError as error:
            code = self._process.poll()
            raise LabError(f"no forkserver, exit {code}: {error}") from error


def _holding(text: str | None) -> int:
    """A file to read a text from, or nothing at all."""
    if text is None:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    file = os.memfd_create("stdin")
    os.write(file, text.encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _awaited(
    answer: socket.socket, command: str, timeout: float | None
) -> int:
    """The exit code of a command; it is killed when there is none in time."""
    pid = 0
    try:
        pid = int(answer.recv(_ANSWER) or 0)
        code = answer.recv(_ANSWER)
    except TimeoutError as error:
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
        raise LabError(f"no end after {timeout:g} s: {command}") from error
    if not code:
        raise LabError(f"the forkserver ended during: {command}")
    return int(code)


_servers: dict[object, Forkserver] = {}
_starting = threading.Lock()


def forkserver(
    enter: Sequence[str], namespace: object, program: Path
) -> Forkserver:
    """The one of this program for a namespace, and the way into that."""
    with _starting:
        server = _servers.get(namespace)
        if server is None or not server.alive:
            server = _servers[namespace] = Forkserver(enter, program)
        return server

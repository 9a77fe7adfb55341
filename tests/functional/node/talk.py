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

"""The node program as a process, sent along the way that SSH sends it."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import fixtures

from osc_ha_router.backends import archive
from tests.lab import processes


class Talk(fixtures.Fixture):
    """A conversation with the program."""

    def __init__(self, python: str = sys.executable) -> None:
        """Start nothing yet.

        :param python: the one to run it with
        """
        super().__init__()
        self._python = python
        self._number = 0

    def _setUp(self) -> None:
        self.process = subprocess.Popen(
            archive.words(self._python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for stream in (self.stdin, self.stdout, self.stderr):
            self.addCleanup(stream.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.stdin.write(archive.build())
        self.stdin.flush()
        json.loads(self.stdout.readline())['hello']

    @property
    def stdin(self) -> Any:
        return self.process.stdin

    @property
    def stdout(self) -> Any:
        return self.process.stdout

    @property
    def stderr(self) -> Any:
        return self.process.stderr

    def send(self, op: str, **fields: Any) -> None:
        self._number += 1
        request = {'id': self._number, 'op': op, **fields}
        self.stdin.write(json.dumps(request).encode() + b'\n')
        self.stdin.flush()

    def reply(self) -> dict[str, Any]:
        """The next line; raises ValueError at the end."""
        reply = json.loads(self.stdout.readline())
        reply.pop('id')
        return reply

    def ask(self, op: str, **fields: Any) -> Any:
        """What is in the end or the error, and nothing before it."""
        self.send(op, **fields)
        ((_, found),) = self.reply().items()
        return found

    def stopwatch(self) -> processes.Stopwatch:
        """Measure what the program and who talks to it take."""
        return processes.Stopwatch(self.process.pid, os.getpid())

    def guardian(self) -> int:
        """The pid of the guardian of the only errand."""
        (pid,) = processes.children(self.process.pid)
        return pid

    def kill(self, *pids: int) -> None:
        """Kill these first, and then the program."""
        for pid in (*pids, self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def hang_up(self) -> None:
        self.stdin.close()

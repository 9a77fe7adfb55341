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


"""The node program as the keeper forks it, to talk to in tests."""

import io
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import fixtures

from osc_ha_router.agent import keeper
from tests.functional.node import talk
from tests.lab import processes


class Keeper(fixtures.Fixture):
    """A keeper whose standard error goes into a file."""

    def _setUp(self):
        folder = self.useFixture(fixtures.TempDir()).path
        self._log = pathlib.Path(folder) / 'stderr'
        ours = os.dup(2)
        log = os.open(self._log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            os.dup2(log, 2)
            self.handle = keeper.start(16)
        finally:
            os.dup2(ours, 2)
            os.close(ours)
            os.close(log)
        self.addCleanup(self.handle.wait, 40)

    def programs(self):
        return set(processes.children(self.handle.pid))

    def code(self, pid):
        """How a program has ended, as the keeper says it."""
        found = re.search(
            rf'program {pid} ended (?:by signal|with code) (\d+)',
            self._log.read_text(),
        )
        if not found:
            return 0
        return -int(found[1]) if 'by signal' in found[0] else int(found[1])

    def said(self):
        """What others than the keeper itself have written there."""
        lines = self._log.read_text().splitlines()
        return ''.join(
            line for line in lines if not line.startswith('osc-ha-router ')
        )


class Talk(talk.Talk):
    """A conversation with a program that a keeper has forked."""

    def __init__(self, house):
        super().__init__()
        self._house = house

    def _setUp(self):
        before = self._house.programs()
        self._stream = self._house.handle.open()
        self._stream.settimeout(30)
        (pid,) = self._house.programs() - before
        self.process = Program(self._house, pid, self._stream)
        self.addCleanup(self.process.wait, 10)
        self.addCleanup(self.process.close)
        json.loads(self.stdout.readline())['hello']


class Program:
    """What a test does with a process, without being its parent."""

    def __init__(self, house, pid, stream):
        self._house = house
        self._stream = stream
        self.pid = pid
        self.stdin = _Input(stream)
        self.stdout = stream.makefile('rb')

    @property
    def stderr(self):
        return io.BytesIO(self._house.said().encode())

    def wait(self, timeout=10):
        until = time.monotonic() + timeout
        while self.pid in self._house.programs():
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired('the node program', timeout)
            time.sleep(0.002)
        return self._house.code(self.pid)

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def close(self):
        self.stdout.close()
        self._stream.close()


class _Input:
    """The half of a socket that is written to."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, data):
        self._stream.sendall(data)

    def flush(self):
        """Do nothing: all of it is under way."""

    def close(self):
        try:
            self._stream.shutdown(1)
        except OSError:
            # the other end has gone
            pass

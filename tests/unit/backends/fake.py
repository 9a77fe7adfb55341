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

"""A stand-in for the ssh program, where the real one cannot be had.

The functional tests have a real one. This one plays what was recorded of it,
misbehaves in ways that a real one seldom does, or runs the command that is
meant for the node on this machine.
"""

import json
import os
import pathlib
import sys
from typing import Any

import fixtures

HELLO: dict[str, Any] = {
    'program': 'osc-ha-router-node',
    'protocol': 1,
    'hostname': 'net1',
    'python': '3.9.1',
    'uid': 0,
}

_HEAD = """\
#!{python} -IS
import json, os, signal, sys, time

def out(text):
    os.write(1, text.encode() if isinstance(text, str) else text)

def err(text):
    os.write(2, text.encode() if isinstance(text, str) else text)

def say(**reply):
    out(json.dumps(reply) + '\\n')

def hear():
    return json.loads(sys.stdin.buffer.readline())

HELLO = {hello!r}
with open({calls!r}, 'a') as calls:
    calls.write(json.dumps([os.getpid(), sys.argv]) + '\\n')
# not the archive, which these tests do not run
size = sys.argv[-1].rsplit(' ', 1)[-1]
archive = sys.stdin.buffer.read(int(size)) if size.isdigit() and {eat} else b''
"""


class FakeSsh(fixtures.Fixture):
    """The first ``ssh`` in PATH is this program."""

    def __init__(self, script: str, eat: bool = True) -> None:
        """Start nothing yet.

        :param script: Python, with ``out``, ``err``, ``say`` and ``hear``
        :param eat: read the archive that is sent along
        """
        self._script = script
        self._eat = eat

    def _setUp(self) -> None:
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self._calls = folder / 'calls'
        head = _HEAD.format(
            python=sys.executable,
            hello=HELLO,
            calls=str(self._calls),
            eat=self._eat,
        )
        program = folder / 'ssh'
        program.write_text(head + self._script)
        program.chmod(0o755)
        path = f'{folder}{os.pathsep}{os.environ["PATH"]}'
        self.useFixture(fixtures.EnvironmentVariable('PATH', path))

    @property
    def pids(self) -> list[int]:
        """Of those that were started."""
        return [pid for pid, _ in self._read()]

    @property
    def argvs(self) -> list[list[str]]:
        """With which they were started, without the name."""
        return [argv[1:] for _, argv in self._read()]

    def _read(self) -> list[tuple[int, list[str]]]:
        if not self._calls.exists():
            return []
        lines = self._calls.read_text().splitlines()
        return [tuple(json.loads(line)) for line in lines]


def alive(pid: int) -> bool:
    """Return whether there is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

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


"""A keeper whose node programs are functions of the test."""

from collections.abc import Callable
import json
import socket
import threading
from typing import Any

import fixtures

from osc_ha_router.agent import keeper

HELLO = {
    'program': 'osc-ha-router-node',
    'protocol': 1,
    'hostname': 'net1.example',
    'python': '3.9.1',
    'uid': 0,
}


class Program:
    """One node program: the other end of a socket, and what it heard."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lines = stream.makefile('rb')
        #: when its input has ended
        self.gone = threading.Event()

    def say(self, **reply: Any) -> None:
        try:
            self._stream.sendall(json.dumps(reply).encode() + b'\n')
        except OSError:
            # as the real one, which ends then
            self.gone.set()

    def hear(self) -> dict[str, Any]:
        """The next request; empty at the end of all."""
        try:
            line = self._lines.readline()
        except OSError:
            line = b''
        if not line:
            self.gone.set()
            return {}
        request: dict[str, Any] = json.loads(line)
        return request

    def end(self) -> None:
        self._lines.close()
        self._stream.close()


def answer(program: Program) -> None:
    """Be a node that has nothing of any router."""
    program.say(hello=HELLO)
    while request := program.hear():
        for router in request.get('routers') or ():
            program.say(id=request['id'], view=seen(router))
        program.say(id=request['id'], end={'residents': []})


def seen(router: str) -> dict[str, Any]:
    """A view of a router."""
    return {'router_id': router, 'namespace': None}


class Keeper(fixtures.Fixture):
    """Starts a thread where the real one forks."""

    def __init__(self, *scripts: Callable[[Program], None]) -> None:
        """Start nothing yet.

        :param scripts: for one program each; the last one for all others
        """
        super().__init__()
        self._scripts = list(scripts or (answer,))
        self.programs: list[Program] = []
        #: raised by ``open``
        self.trouble: Exception | None = None
        self._threads: list[threading.Thread] = []

    def _setUp(self) -> None:
        self.addCleanup(self._end)

    def _end(self) -> None:
        for thread in self._threads:
            thread.join(5)
            if thread.is_alive():
                raise RuntimeError('a node program goes on')

    def open(self) -> socket.socket:
        if self.trouble is not None:
            raise self.trouble
        ours, theirs = socket.socketpair()
        program = Program(theirs)
        self.programs.append(program)
        script = self._scripts[0]
        if len(self._scripts) > 1:
            self._scripts.pop(0)

        def run() -> None:
            try:
                script(program)
            finally:
                program.end()

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()
        return ours


BUSY = keeper.Busy('as many node programs run as may')

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

"""A conversation with the node program, whichever way leads to it.

One request or many: ``check`` asks once, a failover goes on for a while.
Every wait has a bound, every amount of data has a limit, and whatever
happens nothing is left open when the ``with`` block ends.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import json
import threading
from typing import Any
from typing import Protocol

from osc_ha_router import codec
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import wire

PROGRAM = 'osc-ha-router-node'
PROTOCOL = 1

#: One line is one router: 4 MiB hold some ten thousand addresses, several
#: times what keepalived copes with.
LINE_LIMIT = 4 << 20
#: One answer is one host: a thousand large routers.
ANSWER_LIMIT = 64 << 20
#: What a login shell may print before the program starts.
NOISE_LIMIT = 64 << 10

#: seconds until is noticed what no pipe tells: the caller wants to stop, or
#: ssh has ended while something else holds its pipes
_TICK = 0.1
#: seconds for the other end to end by itself after the last answer
_FAREWELL = 1.0


@dataclasses.dataclass(frozen=True)
class Hello:
    """What the program on the node says first."""

    program: str
    protocol: int
    #: uname's
    hostname: str
    #: version, such as 3.11.2
    python: str
    uid: int


class Way(Protocol):
    """What leads to a program, and knows what became of it."""

    def start(self, line_limit: int) -> wire.Wire:
        """Reach for the program.

        :param line_limit: longest line that is taken, bytes
        :raises Broken: nothing can be started
        """

    def late(self) -> failures.Broken:
        """Return why the program has not said a word in time."""

    def epitaph(self, noise: str, greeted: bool) -> failures.Broken:
        """Return why the wire has ended.

        :param noise: what came before the program's first line
        :param greeted: whether that line came
        """


class Channel:
    """A wire and the program at its other end.

    A context manager: leaving it ends the wire, whatever its state. Not
    for use by several threads at the same time.
    """

    def __init__(self, way: Way, stop: threading.Event | None = None) -> None:
        """Start nothing yet.

        :param way: leads to the program
        :param stop: ends every wait with ``interrupted`` when it is set
        """
        self._way = way
        self._stop = stop or threading.Event()
        self._wire: wire.Wire | None = None
        self._hello: Hello | None = None
        self._noise = bytearray()
        self._requests = 0
        #: requests whose replies nobody waits for
        self._unheard: set[int] = set()

    def __enter__(self) -> 'Channel':
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._wire:
            self._wire.kill()

    def open(self, until: base.Deadline) -> Hello:
        """Reach for the program and wait for its first line.

        :raises Broken: with the reason
        """
        self._wire = self._way.start(NOISE_LIMIT)
        self._hello = hello = self._await_hello(until)
        if (hello.program, hello.protocol) != (PROGRAM, PROTOCOL):
            raise failures.Broken(
                'version',
                f'{hello.program} with protocol {hello.protocol} there, '
                f'{PROGRAM} with protocol {PROTOCOL} here',
            )
        return hello

    def call(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Send a request and yield its replies; the last one has ``end``.

        :param op: the operation
        :param fields: what else is in the request
        :param until: bound for the whole answer
        :param enough: asked again and again; true ends an operation that
            waits for something
        :raises Broken: with the reason, the program's own errors included
        """
        for reply in self.replies(op, fields, until, enough):
            if reply is None:
                continue
            if 'error' in reply:
                raise _node_error(reply)
            yield reply

    def replies(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
        beat: float | None = None,
    ) -> Iterator[dict[str, Any] | None]:
        """Send a request and yield its replies as they are.

        The last one has ``end`` or ``error``.

        :param op: as ``call``, and so are the others
        :param beat: seconds of silence after each of which None is yielded
        :raises Broken: with the reason, without the program's own errors
        """
        running = self._running()
        running.line_limit = LINE_LIMIT
        running.credit = ANSWER_LIMIT
        number = self._send(op, fields)
        # until it has its end: what comes of it later is for nobody
        self._unheard.add(number)
        stopped = False
        pause = _pause(beat)
        while True:
            if enough is not None and not stopped and enough():
                # whatever is asked next ends the wait
                self._unheard.add(self._send('stop', {}))
                stopped = True
            line = self._next_line(
                until, enough if not stopped else None, pause
            )
            if line is None:
                if pause and not pause.left():
                    yield None
                    pause = _pause(beat)
                continue
            reply = _decode(line)
            other = reply.get('id')
            if other != number:
                if isinstance(other, int) and other in self._unheard:
                    continue
                raise failures.Broken('garbled', json.dumps(reply))
            last = 'end' in reply or 'error' in reply
            if last:
                self._unheard.remove(number)
            yield reply
            if last:
                return
            pause = _pause(beat)

    def _send(self, op: str, fields: Mapping[str, Any]) -> int:
        self._requests += 1
        # the fields may come from outside
        head = {'id': self._requests, 'op': op}
        request = {**head, **fields, **head}
        self._running().send(json.dumps(request).encode('ascii') + b'\n')
        return self._requests

    def close(self) -> None:
        """End the conversation; give the other end a moment to end by itself.

        With which exit code changes nothing about what was answered.
        """
        self._running().hang_up(_FAREWELL)

    def linger(self, seconds: float) -> None:
        """Hang up, and wait for the other end to end as long as it may take.

        :param seconds: at most
        """
        if self._wire:
            self._wire.hang_up(seconds)

    def _running(self) -> wire.Wire:
        if self._wire is None:
            raise RuntimeError('the channel is not open')
        return self._wire

    def _await_hello(self, until: base.Deadline) -> Hello:
        while True:
            line = self._next_line(until) or b''
            # a prompt without a newline may stand before it
            start = line.find(b'{"hello"')
            if start >= 0:
                try:
                    data = _decode(line[start:])['hello']
                    return codec.decode(Hello, data)
                except codec.DecodeError as exc:
                    raise failures.Broken('garbled', str(exc)) from None
            if line.startswith(b'{"error"'):
                raise _node_error(_decode(line))
            self._noise += line + b'\n'

    def _next_line(
        self,
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
        pause: base.Deadline | None = None,
    ) -> bytes | None:
        """Return the next line; None: ``enough`` has come, or a beat."""
        running = self._running()
        while not running.lines:
            if enough is not None and enough():
                return None
            if pause and not pause.left():
                return None
            if running.flooded:
                raise self._flooded(running)
            if running.ended:
                raise self._way.epitaph(
                    self._noise_text(running), self._hello is not None
                )
            if self._stop.is_set():
                raise failures.Broken('interrupted')
            if not until.left():
                raise self._late(running)
            running.pump(min(_TICK, until.left()))
        return running.lines.popleft()

    def _late(self, running: wire.Wire) -> failures.Broken:
        if self._hello:
            return failures.Broken('timeout', 'it stopped in between')
        noise = self._noise_text(running)
        if noise:
            return failures.Broken('noise', noise)
        return self._way.late()

    def _flooded(self, running: wire.Wire) -> failures.Broken:
        if not self._hello:
            return failures.Broken('noise', self._noise_text(running))
        if running.credit < 0:
            detail = f'more than {ANSWER_LIMIT >> 20} MiB'
        else:
            detail = f'a line of more than {LINE_LIMIT >> 20} MiB'
        return failures.Broken('oversized', detail)

    def _noise_text(self, running: wire.Wire) -> str:
        # a part is enough, no sentence shows more of it
        seen = [bytes(self._noise), *running.lines, bytes(running.partial)]
        return _text(b'\n'.join(seen)[:1024]).strip()


def _pause(beat: float | None) -> base.Deadline | None:
    return None if beat is None else base.Deadline.after(beat)


def _decode(line: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise failures.Broken('garbled', _text(line[:1024]))
    return reply


def _node_error(reply: dict[str, Any]) -> failures.Broken:
    """Return what the program says of itself.

    Its kinds are those of ``osc_ha_router.node.errors``, and ``python-old``
    of ``bootstrap``.
    """
    error = reply['error']
    if not isinstance(error, dict):
        return failures.Broken('garbled', json.dumps(reply))
    kind, message = str(error.get('kind')), str(error.get('message'))
    if kind in ('no-rights', 'python-old'):
        return failures.Broken(kind, message)
    if kind == 'unknown-op':
        return failures.Broken('version', message)
    if kind in failures.REFUSALS:
        return failures.Broken('node-refusal', message, refusal=kind)
    return failures.Broken('node-error', f'{kind}: {message}')


def _text(data: bytes | bytearray) -> str:
    return data.decode('utf-8', 'backslashreplace')

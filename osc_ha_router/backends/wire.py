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


"""What moves bytes to a program and back, with bounds on everything.

Whoever owns the program at the other end, a process here or a socket that
leads to one, derives from ``Wire`` and says what its end means.
"""

import abc
import collections
from collections.abc import Callable
from collections.abc import Mapping
import contextlib
import functools
import os
import selectors
import typing

#: how much of the end of standard error is kept, bytes
STDERR_LIMIT = 16 << 10
CHUNK = 64 << 10


class End(typing.Protocol):
    """An open pipe or socket."""

    @property
    def closed(self) -> bool:
        """Whether it is closed already."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def close(self) -> None:
        """Close it."""


class Wire(abc.ABC):
    """What a program has written, and what it is to be told.

    Not for use by several threads at the same time.

    :param line_limit: longest line that is taken, bytes
    :raises OSError: no more files can be opened
    """

    def __init__(self, line_limit: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._stdin: End
        self._takers: Mapping[End, Callable[[bytes], None]]
        #: lines of standard output without their newlines, to be taken away
        self.lines: collections.deque[bytes] = collections.deque()
        #: the last line of standard output as far as it is there
        self.partial = bytearray()
        #: the end of standard error
        self.stderr = bytearray()
        self.line_limit = line_limit
        #: how many more bytes of standard output are taken
        self.credit = line_limit
        #: whether it has written more than it may; then no more is read
        self.flooded = False
        self._outgoing = bytearray()

    def _attach(
        self, stdin: End, stdout: End, stderr: End | None = None
    ) -> None:
        """Move bytes through these, which must not be the same file."""
        self._stdin = stdin
        self._stdout = stdout
        self._takers = {stdout: self._take_stdout}
        if stderr is not None:
            self._takers[stderr] = self._take_stderr
        for end in (stdin, *self._takers):
            os.set_blocking(end.fileno(), False)
        for end in self._takers:
            self._selector.register(
                end.fileno(),
                selectors.EVENT_READ,
                functools.partial(self._read, end),
            )

    @property
    @abc.abstractmethod
    def ended(self) -> bool:
        """Whether the program has ended, and all it has written is read."""

    @abc.abstractmethod
    def hang_up(self, timeout: float) -> None:
        """Close standard input and give the program time to end by itself.

        :param timeout: seconds
        """

    @abc.abstractmethod
    def kill(self) -> None:
        """End it, whatever its state, and close everything."""

    def send(self, data: bytes) -> None:
        """Write this to standard input as soon as it can be."""
        if not data or self._stdin.closed:
            return
        if not self._outgoing:
            self._selector.register(
                self._stdin.fileno(), selectors.EVENT_WRITE, self._write
            )
        self._outgoing += data

    def pump(self, timeout: float) -> None:
        """Wait until something happens, and move what can be moved.

        :param timeout: seconds to wait at most
        """
        for key, _ in self._selector.select(timeout):
            key.data()

    def _shut(self) -> None:
        for end in (self._stdin, *self._takers):
            self._close(end)
        self._selector.close()

    def _write(self) -> None:
        try:
            sent = os.write(self._stdin.fileno(), self._outgoing[:CHUNK])
        except BlockingIOError:
            return
        except OSError:
            # Nobody reads any more; why, the other ends will tell.
            self._outgoing.clear()
            self._close(self._stdin)
            return
        del self._outgoing[:sent]
        if not self._outgoing:
            self._selector.unregister(self._stdin.fileno())

    def _read(self, end: End) -> int:
        """Read once; return how much it was, 0 for nothing there."""
        try:
            data = os.read(end.fileno(), CHUNK)
        except BlockingIOError:
            return 0
        except ConnectionError:
            # it was gone before it had read everything
            data = b''
        if data:
            self._takers[end](data)
        else:
            self._close(end)
        return len(data)

    def _take_stdout(self, data: bytes) -> None:
        self.credit -= len(data)
        first, *others = data.split(b'\n')
        self.partial += first
        for other in others:
            self.lines.append(bytes(self.partial))
            self.partial = bytearray(other)
        if self.credit < 0 or len(self.partial) > self.line_limit:
            # what came before is whole, and is kept
            self.flooded = True
            self._close(self._stdout)

    def _take_stderr(self, data: bytes) -> None:
        self.stderr += data
        del self.stderr[:-STDERR_LIMIT]

    def _close(self, end: End) -> None:
        if not end.closed:
            with contextlib.suppress(KeyError):
                self._selector.unregister(end.fileno())
            end.close()

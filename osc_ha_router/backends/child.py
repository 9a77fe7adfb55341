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

"""A child process behind pipes, with bounds on everything it may do.

The pipes are read without ever waiting for their end: a ControlMaster that
ssh has left in the background may hold standard error open for hours after
ssh itself has ended.
"""

import collections
from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import functools
import os
import selectors
import signal
import subprocess
import time
import typing

#: how much of the end of standard error is kept, bytes
STDERR_LIMIT = 16 << 10
#: seconds between asking a process to end and ending it
_GRACE = 0.3
#: seconds between two looks whether it has
_NAP = 0.01
_CHUNK = 64 << 10
#: the largest pipe that Linux gives to anyone, bytes
_PIPE = 1 << 20


class Child:
    """A process, what it has written, and what it is to be told."""

    def __init__(self, argv: Sequence[str], line_limit: int) -> None:
        """Start the process, in a session and process group of its own.

        It has no terminal to ask on, and it can be ended together with
        what it has started, such as a ProxyCommand.

        :param argv: program and arguments, no shell is involved
        :param line_limit: longest line that is taken, bytes
        :raises OSError: it cannot be started
        """
        environ = {
            **os.environ,
            # messages in the language in which they are looked for
            'LC_ALL': 'C',
            # a ProxyJump is a second ssh, which does not inherit BatchMode
            'SSH_ASKPASS_REQUIRE': 'never',
        }
        # first, for it needs a file, and without one nothing may be started
        self._selector = selectors.DefaultSelector()
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environ,
                start_new_session=True,
            )
        except OSError:
            self._selector.close()
            raise
        stdin, stdout, stderr = (
            typing.cast(typing.IO[bytes], pipe)
            for pipe in (
                self._process.stdin,
                self._process.stdout,
                self._process.stderr,
            )
        )
        self._stdin = stdin
        self._stdout = stdout
        self._takers: dict[typing.IO[bytes], Callable[[bytes], None]] = {
            stdout: self._take_stdout,
            stderr: self._take_stderr,
        }
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
        #: exit code once all is read; negative: the signal that ended it
        self.code: int | None = None
        self._outgoing = bytearray()
        for pipe in (self._stdin, *self._takers):
            os.set_blocking(pipe.fileno(), False)
        for pipe in self._takers:
            self._selector.register(
                pipe,
                selectors.EVENT_READ,
                functools.partial(self._read, pipe),
            )

    def send(self, data: bytes) -> None:
        """Write this to standard input as soon as it can be."""
        if not data or self._stdin.closed:
            return
        if not self._outgoing:
            self._selector.register(
                self._stdin, selectors.EVENT_WRITE, self._write
            )
        self._outgoing += data

    def pump(self, timeout: float) -> None:
        """Wait until something happens, and move what can be moved.

        :param timeout: seconds to wait at most
        """
        for key, _ in self._selector.select(timeout):
            key.data()
        if all(pipe.closed for pipe in self._takers):
            # it is about to end, and nothing else will tell of it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        code = self._process.poll()
        if code is not None:
            self._drain()
            self.code = code

    def hang_up(self, timeout: float) -> None:
        """Close standard input and give the process time to end by itself."""
        self._close(self._stdin)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)

    def kill(self) -> None:
        """End the process and its group, and close the pipes."""
        if self._process.poll() is None:
            # ssh removes the socket of a ControlMaster when it may
            self._signal_group(signal.SIGTERM)
            self._await_end(_GRACE)
            self._signal_group(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._stdin, *self._takers):
            self._close(pipe)
        self._selector.close()

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _await_end(self, timeout: float) -> None:
        """Wait for the end, but leave the process to be waited for.

        As long as it is, no other group can have its number.
        """
        until = time.monotonic() + timeout
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while time.monotonic() < until:
            if os.waitid(os.P_PID, self._process.pid, options):
                return
            time.sleep(_NAP)

    def _write(self) -> None:
        try:
            sent = os.write(self._stdin.fileno(), self._outgoing[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:
            # Nobody reads any more; why, the other pipes will tell.
            self._outgoing.clear()
            self._close(self._stdin)
            return
        del self._outgoing[:sent]
        if not self._outgoing:
            self._selector.unregister(self._stdin)

    def _read(self, pipe: typing.IO[bytes]) -> int:
        """Read once; return how much it was, 0 for nothing there."""
        try:
            data = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return 0
        if data:
            self._takers[pipe](data)
        else:
            self._close(pipe)
        return len(data)

    def _drain(self) -> None:
        """Read what the process has left in the pipes, and no more.

        Something else may still write into them.
        """
        for pipe in self._takers:
            left = _PIPE
            while left > 0 and not pipe.closed:
                read = self._read(pipe)
                left -= read or _PIPE

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

    def _close(self, pipe: typing.IO[bytes]) -> None:
        if not pipe.closed:
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe)
            pipe.close()

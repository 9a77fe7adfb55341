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

from collections.abc import Sequence
import contextlib
import os
import signal
import subprocess
import time
import typing

from osc_ha_router.backends import wire

#: seconds between asking a process to end and ending it
_GRACE = 0.3
#: seconds between two looks whether it has
_NAP = 0.01
#: the largest pipe that Linux gives to anyone, bytes
_PIPE = 1 << 20


class Child(wire.Wire):
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
        super().__init__(line_limit)
        #: exit code once all is read; negative: the signal that ended it
        self.code: int | None = None
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
        self._attach(
            *(
                typing.cast(typing.IO[bytes], pipe)
                for pipe in (
                    self._process.stdin,
                    self._process.stdout,
                    self._process.stderr,
                )
            )
        )

    @property
    def ended(self) -> bool:
        """Whether the process has ended, and all it has written is read."""
        return self.code is not None

    def pump(self, timeout: float) -> None:
        """Wait until something happens, and move what can be moved.

        :param timeout: seconds to wait at most
        """
        super().pump(timeout)
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
        self._shut()

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

    def _drain(self) -> None:
        """Read what the process has left in the pipes, and no more.

        Something else may still write into them.
        """
        for pipe in self._takers:
            left = _PIPE
            while left > 0 and not pipe.closed:
                read = self._read(pipe)
                left -= read or _PIPE

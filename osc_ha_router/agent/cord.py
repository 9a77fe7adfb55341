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


"""The way to a node program that the keeper has forked."""

import contextlib
import socket
import time

from osc_ha_router.agent import keeper as keepers
from osc_ha_router.backends import failures
from osc_ha_router.backends import wire


class Cord(wire.Wire):
    """The socket to a node program.

    :param stream: is this wire's from now on
    :param line_limit: longest line that is taken, bytes
    :raises OSError: no more files can be opened
    """

    def __init__(self, stream: socket.socket, line_limit: int) -> None:
        with contextlib.ExitStack() as stack:
            self._stream = stack.enter_context(stream)
            super().__init__(line_limit)
            stack.callback(self._selector.close)
            # two of them: one is waited for to read, one to write
            stdin, stdout = _End(stream), _End(stream)
            self._attach(stdin, stdout)
            stack.pop_all()

    @property
    def ended(self) -> bool:
        """Whether the program has ended, and all it has written is read."""
        return self._stdout.closed

    def hang_up(self, timeout: float) -> None:
        """Let the program know the end, and wait for that of its own."""
        self._close(self._stdin)
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_WR)
        until = time.monotonic() + timeout
        while not self._stdout.closed:
            left = until - time.monotonic()
            if left <= 0:
                return
            self.lines.clear()
            self.pump(left)

    def kill(self) -> None:
        """Close the socket: the program undoes what it has begun, and ends."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._shut()
        self._stream.close()


class Door:
    """What a keeper opens, as a ``channel.Way``.

    :param keeper: the privileged process
    """

    def __init__(self, keeper: keepers.Keeper) -> None:
        self._keeper = keeper

    def start(self, line_limit: int) -> Cord:
        """Have a node program forked.

        :raises Broken: ``agent-busy``, ``keeper-gone``
        """
        try:
            return Cord(self._keeper.open(), line_limit)
        except keepers.Busy as exc:
            raise failures.Broken('agent-busy', str(exc)) from None
        except (keepers.Gone, OSError) as exc:
            raise failures.Broken('keeper-gone', str(exc)) from None

    def late(self) -> failures.Broken:
        """Return why the program has not said a word in time."""
        return failures.Broken('timeout', 'it has not begun')

    def epitaph(self, noise: str, greeted: bool) -> failures.Broken:
        """Return why the program has ended."""
        return failures.Broken('truncated', noise)


class _End:
    """A socket with a descriptor of its own, which goes with it."""

    def __init__(self, stream: socket.socket) -> None:
        self._own = stream.dup()

    @property
    def closed(self) -> bool:
        return self._own.fileno() < 0

    def fileno(self) -> int:
        return self._own.fileno()

    def close(self) -> None:
        self._own.close()

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

"""A second process that undoes what the program cannot undo any more.

It waits at the other end of a socket: the end of the program, whatever its
cause, ends the socket, too. It is in a session of its own and has none of
the program's streams open, so that neither a signal to the program's group
reaches it nor anybody waits for it; it sleeps until it is needed.
"""

import ctypes
import os
import select
import signal
import socket
import time
import typing

_IGNORED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM)
#: what it is called in lists of processes, at most 15 characters
_NAME = b'osc-ha-guardian'
_PR_SET_NAME = 15

#: seconds beyond the deadline: the program has its own clock
_GRACE = 1.0
#: seconds for a process to end that was killed
_END = 2.0
#: seconds for the guardian to get ready, and to end
_PATIENCE = 5.0
_PAUSE = 0.002

_READY, _DONE = b'r', b'd'


class Guardian:
    """The guardian of one errand, from the program's side.

    :param seconds: until the deadline
    :param keep: descriptors that ``rescue`` needs
    :param rescue: undoes the errand; called in the guardian
    :raises OSError: there is no process to be had
    """

    def __init__(
        self,
        seconds: float,
        keep: typing.Sequence[int],
        rescue: typing.Callable[[], None],
    ) -> None:
        self._socket, theirs = socket.socketpair()
        program = os.getpid()
        deadline = time.monotonic() + seconds + _GRACE
        # A signal between the fork and the first lines of the guardian must
        # not make it do what the program would.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                try:
                    _prepare([theirs.fileno()] + list(keep), before)
                    _guard(theirs, program, deadline, rescue)
                finally:
                    # it must never return into the conversation
                    os._exit(0)
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._socket.settimeout(_PATIENCE)
        if self._socket.recv(1) != _READY:
            self.dismiss()
            raise OSError('the guardian did not start')

    def dismiss(self) -> None:
        """Tells it that nothing is left, and waits for its end."""
        try:
            self._socket.send(_DONE)
        except OSError:
            # it has gone before
            pass
        self._socket.close()
        until = time.monotonic() + _PATIENCE
        try:
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(_PAUSE)
        except ChildProcessError:
            pass


def _prepare(keep: typing.Sequence[int], mask: typing.Iterable[int]) -> None:
    os.setsid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    os.chdir('/')
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    kept = {0, 1, 2, *keep}
    for name in os.listdir('/proc/self/fd'):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                # the one that the list was read from
                pass
    ctypes.CDLL(None).prctl(_PR_SET_NAME, _NAME, 0, 0, 0)


def _guard(
    channel: socket.socket,
    program: int,
    deadline: float,
    rescue: typing.Callable[[], None],
) -> None:
    channel.send(_READY)
    word = _hear(channel, deadline - time.monotonic())
    if word is None:
        # It hangs. It is our own parent, so the number is still its own.
        if os.getppid() == program:
            os.kill(program, signal.SIGKILL)
        word = _hear(channel, _END)
    if word != _DONE:
        rescue()


def _hear(channel: socket.socket, seconds: float) -> typing.Optional[bytes]:
    """What the program says, nothing if it has ended; None: in vain."""
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    if not poll.poll(max(0, int(seconds * 1000))):
        return None
    try:
        return channel.recv(1)
    except OSError:
        return b''

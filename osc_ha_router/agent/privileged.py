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


"""The one process with rights: it starts a node program when it is asked.

Runs as ``python -I -m osc_ha_router.agent.privileged DESCRIPTOR LIMIT``, a
fresh interpreter that imports the standard library and the node program,
and nothing that talks to anybody else. The descriptor is a socket whose
other end the web process holds. On it one message is understood: ``open``
and a tag. The answer is the tag, and the end of another socket behind which
a node program waits, forked for it.

It is single-threaded, so a fork takes no lock along. It never reads what a
conversation says, and takes no file that somebody sends it.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import time
import traceback
import typing

#: what is understood, followed by a tag of ``TAG`` bytes
REQUEST = b'open'
TAG = 8
#: the first message of this side
READY = b'ready'
#: the byte behind the tag of an answer
GIVEN, BUSY, FAILED = b'g', b'b', b'f'
#: bytes of the longest message
LONGEST = 512

#: what it is called in lists of processes, at most 15 characters
_NAME = b'osc-ha-keeper'
_PROGRAM_NAME = b'osc-ha-node'
_PR_SET_NAME = 15
#: systemd sends them to every process of the service: node programs undo
#: what they have begun and end, and only then does this one
_IGNORED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
#: seconds for node programs to undo what they have begun; their guardians
#: do it for those that are killed then
_PATIENCE = 30.0
#: seconds for those to be gone
_END = 2.0


class Forker:
    """Forks node programs.

    :param channel: to the web process, of packets
    :param limit: how many node programs at once
    :param serve: what a forked process does with its standard streams
    """

    def __init__(
        self,
        channel: socket.socket,
        limit: int,
        serve: typing.Callable[[], int],
    ) -> None:
        self._channel = channel
        self._limit = limit
        self._serve = serve
        self._pids: set[int] = set()
        self._ending = False
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        # the end of a child makes this readable
        self._alarm, self._bell = socket.socketpair()
        for end in (channel, self._alarm, self._bell):
            end.setblocking(False)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)

    def run(self) -> None:
        """Serve until the web process has gone, and its programs have."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._alarm, select.POLLIN)
        self._send(READY)
        while True:
            ready = dict(poll.poll())
            if self._alarm.fileno() in ready:
                self._reap()
            events = ready.get(self._channel.fileno(), 0)
            # what it asked for last, it does not want any more
            if events & (select.POLLHUP | select.POLLERR):
                break
            if events:
                self._hear()
        self._channel.close()
        self._ending = True
        self._await_ends()

    def _hear(self) -> None:
        try:
            # without room for descriptors, the kernel closes any that come
            message = self._channel.recv(LONGEST)
        except OSError:
            # nothing there; that it has gone, the next poll tells
            return
        if message[:-TAG] != REQUEST:
            return
        tag = message[-TAG:]
        if len(self._pids) >= self._limit:
            self._send(tag + BUSY)
            return
        try:
            theirs = self._fork()
        except OSError as error:
            _say(f'no node program can be started: {error}')
            self._send(tag + FAILED + str(error).encode()[:200])
            return
        with theirs:
            self._send(tag + GIVEN, theirs.fileno())

    def _send(self, message: bytes, *descriptors: int) -> None:
        # If nobody takes it, the descriptor is closed with the message, and
        # the program behind it ends.
        with contextlib.suppress(OSError):
            socket.send_fds(self._channel, [message], descriptors)

    def _fork(self) -> socket.socket:
        """Start a node program and return what leads to it.

        :raises OSError: no process or no file is to be had
        """
        theirs, ours = socket.socketpair()
        with ours:
            # no signal may reach it while it does what this one would
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                pid = os.fork()
                if pid == 0:
                    self._become(ours)
            except OSError:
                theirs.close()
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._pids.add(pid)
        return theirs

    def _become(self, stream: socket.socket) -> typing.NoReturn:
        """Be a node program, from the fork to the end of the process."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # neither a signal to one group reaches others, nor a terminal's
            os.setsid()
            os.dup2(stream.fileno(), 0)
            os.dup2(stream.fileno(), 1)
            _close_all_but((0, 1, 2))
            _name(_PROGRAM_NAME)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            code = self._serve()
        except BaseException:
            traceback.print_exc()
        finally:
            # it must never return to where it was forked
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._alarm.recv(LONGEST):
                continue
        for pid in list(self._pids):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            self._pids.remove(pid)
            code = os.waitstatus_to_exitcode(status)
            if code and not (self._ending and code == -signal.SIGTERM):
                how = f'by signal {-code}' if code < 0 else f'with code {code}'
                _say(f'node program {pid} ended {how}')

    def _await_ends(self) -> None:
        """Wait for all node programs; kill those that hang."""
        # Each has lost who it talks to, but one that listens would notice it
        # only at its end. One that has begun something undoes it first.
        self._signal(signal.SIGTERM)
        self._await(_PATIENCE)
        for pid in self._pids:
            _say(f'node program {pid} hangs and is killed')
        self._signal(signal.SIGKILL)
        self._await(_END)

    def _signal(self, number: signal.Signals) -> None:
        self._reap()
        for pid in self._pids:
            # not waited for yet, so the number is still its own
            os.kill(pid, number)

    def _await(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._alarm, select.POLLIN)
        until = time.monotonic() + seconds
        self._reap()
        while self._pids:
            left = until - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return
            self._reap()


def main(arguments: typing.Sequence[str]) -> int:
    """Run as the keeper.

    :param arguments: descriptor and limit
    """
    descriptor, limit = map(int, arguments)
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    _name(_NAME)
    Forker(channel, limit, _load()).run()
    return 0


def _load() -> typing.Callable[[], int]:
    """Import all of the node program, so that no fork has to."""
    from osc_ha_router.node import main as program
    from osc_ha_router.node import serve

    for operation in serve.OPERATIONS.values():
        if isinstance(operation, serve.Later):
            operation.load()

    def run() -> int:
        return program.main([])

    return run


def _close_all_but(kept: typing.Container[int]) -> None:
    for name in os.listdir('/proc/self/fd'):
        if int(name) not in kept:
            # one of them is the one that the list was read from
            with contextlib.suppress(OSError):
                os.close(int(name))


def _name(name: bytes) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name, 0, 0, 0)


def _say(text: str) -> None:
    # the journal, or wherever the agent's standard error goes
    with contextlib.suppress(OSError):
        sys.stderr.write(f'osc-ha-router keeper: {text}\n')
        sys.stderr.flush()


def _nothing(number: int, frame: object) -> None:
    """Let a signal do no more than wake up the poll."""


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

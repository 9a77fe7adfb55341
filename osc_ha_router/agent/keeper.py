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


"""The handle of the privileged process, for the web process.

``start`` while this is still root; from then on everything that needs
rights goes through ``Keeper.open``.
"""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time

from osc_ha_router.agent import privileged

_MODULE = 'osc_ha_router.agent.privileged'
#: nothing of ours matters to it
_ENVIRONMENT = {
    'LC_ALL': 'C.UTF-8',
    'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
}
_INT = struct.Struct('i')
#: seconds for a fresh interpreter to be ready
_BEGINNING = 20.0
#: seconds for one fork, on a node that has much to do
_PATIENCE = 5.0
#: seconds for which it is believed to be well
_FRESH = 1.0


class Busy(Exception):
    """As many node programs run as may."""


class Gone(Exception):
    """The keeper does not answer, or can start no node program."""


class Keeper:
    """The privileged process; for use by any number of threads.

    :param process: that was started
    :param channel: to it
    """

    def __init__(
        self, process: 'subprocess.Popen[bytes]', channel: socket.socket
    ) -> None:
        self._process = process
        self._channel = channel
        self._asking = threading.Lock()
        self._checking = threading.Lock()
        self._checked = -_FRESH
        self._well = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def open(self, timeout: float = _PATIENCE) -> socket.socket:
        """Begin a conversation with a node program.

        :param timeout: seconds
        :return: a stream socket; closing it, or ending this process, ends
            the program, which undoes what it has begun
        :raises Busy: as many run as may
        :raises Gone: with the reason
        """
        until = time.monotonic() + timeout
        if not self._asking.acquire(timeout=timeout):
            raise Gone('it is asked too much')
        try:
            return self._open(until)
        except TimeoutError:
            raise Gone('it does not answer') from None
        except OSError as exc:
            raise Gone(exc.strerror or str(exc)) from None
        finally:
            self._asking.release()

    def _open(self, until: float) -> socket.socket:
        tag = os.urandom(privileged.TAG)
        self._bound(until)
        self._channel.send(privileged.REQUEST + tag)
        while True:
            self._bound(until)
            message, sockets = self._receive()
            if not message:
                raise Gone('it has ended')
            if message[: privileged.TAG] == tag:
                return self._given(message[privileged.TAG :], sockets)
            # somebody had asked who had no time to wait for it
            for end in sockets:
                end.close()

    def _receive(self) -> tuple[bytes, list[socket.socket]]:
        # socket.recv_fds pays no heed to flags, and what this process may
        # start must not keep a conversation open
        message, attached, _, _ = self._channel.recvmsg(
            privileged.LONGEST,
            socket.CMSG_LEN(_INT.size),
            socket.MSG_CMSG_CLOEXEC,
        )
        return message, [
            socket.socket(fileno=_INT.unpack(data)[0])
            for level, kind, data in attached
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        ]

    def _given(
        self, answer: bytes, sockets: list[socket.socket]
    ) -> socket.socket:
        if answer == privileged.BUSY:
            raise Busy('as many node programs run as may')
        if answer != privileged.GIVEN or not sockets:
            reason = answer[len(privileged.FAILED) :]
            raise Gone(reason.decode('utf-8', 'replace') or 'no file left')
        return sockets[0]

    def _bound(self, until: float) -> None:
        # zero would mean not to wait at all
        self._channel.settimeout(max(0.001, until - time.monotonic()))

    def alive(self) -> bool:
        """Return whether it starts node programs.

        What is true is asked at most once a second.
        """
        with self._checking:
            if time.monotonic() - self._checked >= _FRESH:
                self._well = self._try()
                self._checked = time.monotonic()
            return self._well

    def _try(self) -> bool:
        if self.ended():
            return False
        try:
            with self.open() as end:
                end.settimeout(_PATIENCE)
                return end.recv(1) == b'{'
        except Busy:
            # that is an answer
            return True
        except (Gone, OSError):
            return False

    def ended(self) -> bool:
        """Return whether it has ended, which it does not by itself."""
        return self._process.poll() is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Let it go, and wait until it and its node programs have ended.

        Conversations that are still open end, and it waits for what they
        undo.

        :param timeout: seconds
        :return: whether it has ended
        """
        with contextlib.suppress(OSError):
            # even if another thread is about to ask
            self._channel.shutdown(socket.SHUT_RDWR)
        self._channel.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True


def start(limit: int) -> Keeper:
    """Start the privileged process, with the rights of this one.

    :param limit: how many node programs may run at once
    :raises Gone: it does not start; standard error says why
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # -I: nothing in the environment, in a home directory or in the
        # current one has a say in what root runs
        process = subprocess.Popen(
            [
                *(sys.executable, '-I', '-m', _MODULE),
                *(str(theirs.fileno()), str(limit)),
            ],
            stdin=subprocess.DEVNULL,
            # it has nothing to say there
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=_ENVIRONMENT,
            cwd='/',
            umask=0o022,
            start_new_session=True,
        )
    ours.settimeout(_BEGINNING)
    try:
        if ours.recv(privileged.LONGEST) == privileged.READY:
            return Keeper(process, ours)
    except OSError:
        pass
    ours.close()
    process.kill()
    process.wait()
    raise Gone('it does not start')

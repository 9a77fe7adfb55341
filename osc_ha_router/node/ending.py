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

"""Signals that end the program, so that it can undo what it has changed."""

import contextlib
import signal
import threading
import typing

#: the last one is that of the program's own clock
_NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM)


class Ended(BaseException):
    """A signal that ends the program came.

    No Exception: what takes mistakes for an answer must not take this.
    """


class Trap:
    """Turns the first of such signals into ``Ended``; more are ignored.

    Signals that somebody had the program ignore stay ignored.
    """

    def __init__(self) -> None:
        self._before = {}  # type: typing.Dict[int, typing.Any]
        self._came = False
        self._raised = False
        self._held = 0

    def arm(self) -> None:
        """From now on; only the main thread can be signalled."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _NUMBERS:
            if number in self._before:
                continue
            before = signal.getsignal(number)
            if before != signal.SIG_IGN or number == signal.SIGALRM:
                self._before[number] = before
                signal.signal(number, self._note)

    def disarm(self) -> None:
        """Back to what it was before."""
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, before in self._before.items():
            # None: what a library had set, and nobody can set again
            signal.signal(number, before or signal.SIG_DFL)
        self._before.clear()

    def alarm(self, seconds: float) -> None:
        """Ends the program after this time, if it is armed."""
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))

    @contextlib.contextmanager
    def held(self) -> typing.Iterator[None]:
        """Runs its body without being interrupted.

        :raises Ended: afterwards, if a signal came meanwhile
        """
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self.check()

    def check(self) -> None:
        """Raises what could not be raised when the signal came.

        :raises Ended: once
        """
        if self._came and not self._raised and not self._held:
            self._raised = True
            raise Ended()

    def _note(self, number: int, frame: object) -> None:
        self._came = True
        self.check()

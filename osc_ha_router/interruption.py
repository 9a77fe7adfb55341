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
"""Somebody wants what there is now, and not wait for the rest.

An exception out of nowhere would lose what is known, so Ctrl-C is heard only
where the program waits; in between it is kept until it waits the next time.
"""

from collections.abc import Callable
from collections.abc import Iterator
from concurrent import futures
import contextlib
import signal
import threading
import types
from typing import TypeVar

from osc_ha_router.backends import base

T = TypeVar('T')

#: seconds that a call has, however late it is
_LEAST = 0.1


class Interruption:
    """Ctrl-C, as a wish that can be fulfilled in order.

    Used as a context manager in the main thread: within, the first Ctrl-C
    ends what ``waiting`` is about, and the second one is as always. Where
    SIGINT is ignored, as in a job in the background, it stays ignored.
    """

    def __init__(self) -> None:
        #: whether it has come
        self.wanted = False
        self._waiting = False
        self._before: signal._HANDLER = None
        self._installed = False

    def __enter__(self) -> 'Interruption':
        self._before = signal.getsignal(signal.SIGINT)
        self._installed = (
            threading.current_thread() is threading.main_thread()
            and self._before is not signal.SIG_IGN
        )
        if self._installed:
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Let it end this block; once it has come, before it begins.

        :raises KeyboardInterrupt: it has come
        """
        if self.wanted:
            raise KeyboardInterrupt
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def call(self, function: Callable[[], T], until: base.Deadline) -> T:
        """Call something that may hang, and wait for it in its place.

        :return: what it returns; what it raises is raised here
        :raises TimeoutError: it has not returned in time, and is left alone
        :raises KeyboardInterrupt: the same for an interruption
        """
        future: futures.Future[T] = futures.Future()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as exc:
                future.set_exception(exc)

        with self.waiting():
            # not begun if nobody waits for anything any more
            threading.Thread(target=work, name='call', daemon=True).start()
            return future.result(max(until.left(), _LEAST))

    def _take(self, number: int, frame: types.FrameType | None) -> None:
        again, self.wanted = self.wanted, True
        if again or self._waiting:
            raise KeyboardInterrupt


class Never(Interruption):
    """For whoever is interrupted like any other program."""

    def __enter__(self) -> 'Never':
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Do nothing."""
        yield

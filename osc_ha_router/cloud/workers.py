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
"""Threads for calls that nobody waits for at the end of the program.

``concurrent.futures`` joins its threads before the interpreter ends: whoever
presses Ctrl-C while an API is silent would wait until the calls time out.
"""

import collections
from collections.abc import Callable
from concurrent import futures
import threading
from typing import Any
from typing import TypeVar

T = TypeVar('T')


class Workers:
    """A few threads, and a queue of what they are to do.

    A context manager: leaving it drops what has not been begun, and leaves
    alone what has.

    :param number: how many threads at most
    """

    def __init__(self, number: int) -> None:
        self._number = number
        #: guards what follows
        self._changed = threading.Condition()
        self._queue: collections.deque[Callable[[], None]] = (
            collections.deque()
        )
        self._waiting: set[futures.Future[Any]] = set()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def __enter__(self) -> 'Workers':
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def submit(
        self, call: Callable[..., T], *args: Any
    ) -> 'futures.Future[T]':
        """Have something called, in the order in which it was asked for.

        :return: its result or exception; cancelled if it was dropped
        """
        future: futures.Future[T] = futures.Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call(*args))
            except BaseException as exc:
                future.set_exception(exc)

        with self._changed:
            if self._closed:
                future.cancel()
                return future
            self._waiting.add(future)
            self._queue.append(work)
            if self._idle >= len(self._queue):
                self._changed.notify()
            elif self._threads < self._number:
                self._threads += 1
                threading.Thread(
                    target=self._run, name='api', daemon=True
                ).start()
        future.add_done_callback(self._waiting.discard)
        return future

    def close(self) -> None:
        """Drop what has not been begun, and begin nothing more."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._queue and not self._closed:
                    self._changed.wait()
                self._idle -= 1
                if self._closed:
                    return
                work = self._queue.popleft()
            work()

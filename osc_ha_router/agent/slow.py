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
"""Threads that wait for clients, of which there may not be many.

What a client is slow with waits without a thread as far as possible, see
``server``. The rest of a long body, and an answer that nobody reads, are
waited for in threads: in few of them for long, in the others for a moment.
"""

import collections
from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import threading
import time

#: seconds that a request may wait altogether where there is no place
GRACE = 0.5


class Slow:
    """The places where a thread may wait for long.

    :param total: how many there are
    :param each: how many of them one address may have
    """

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._lock = threading.Lock()
        #: address -> how many it has
        self._taken: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def place(self, address: str) -> Iterator[bool]:
        """Hold a place in this block; yields whether there was one."""
        with self._lock:
            found = (
                self._taken.total() < self._total
                and self._taken[address] < self._each
            )
            if found:
                self._taken[address] += 1
        try:
            yield found
        finally:
            if found:
                with self._lock:
                    self._taken[address] -= 1
                    # addresses come and go
                    self._taken += collections.Counter()


class Grace:
    """How long a thread may wait for one connection's client.

    :param slow: the places
    :param address: says whose client it is
    """

    def __init__(self, slow: Slow, address: Callable[[], str]) -> None:
        self._slow = slow
        self._address = address
        self._spent = 0.0

    def start(self) -> None:
        """Begin to count, for another request."""
        self._spent = 0.0

    @contextlib.contextmanager
    def waiting(self, left: float) -> Iterator[float]:
        """Wait in this block, for as many seconds as are yielded.

        If they are not enough, there may be more if this is called again.

        :param left: seconds that there are at most
        :raises TimeoutError: there are none
        """
        with self._slow.place(self._address()) as found:
            if found:
                yield left
                return
            if self._spent >= GRACE:
                # cheroot knows it by its words
                raise TimeoutError('timed out')
            began = time.monotonic()
            try:
                yield min(left, GRACE - self._spent)
            finally:
                self._spent += time.monotonic() - began

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

"""A queue of those who wait for their turn.

The semaphores of ``threading`` let whoever comes at the right moment pass
those who wait, so that under load some would wait for ever. Here the next is
who waits for longest, among the owners that have the fewest turns; so nobody
gains by asking more often than others.
"""

import collections
import dataclasses
import threading
import time

from osc_ha_router import errors
from osc_ha_router.backends import base


class Busy(errors.Error):
    """It was nobody's turn until the deadline, or too many wait already."""


@dataclasses.dataclass(eq=False)
class _Waiter:
    """Somebody in the queue."""

    owner: str
    turn: threading.Event = dataclasses.field(default_factory=threading.Event)


class Queue:
    """Lets some work at the same time, and the others wait.

    :param limit: how many work at the same time
    :param share: how many of one owner may work, sleep and wait; None: any
    """

    def __init__(self, limit: int, share: int | None = None) -> None:
        self._lock = threading.Lock()
        self._free = limit
        self._share = share
        self._waiting: list[_Waiter] = []
        #: owner -> how many turns it has
        self._working: collections.Counter[str] = collections.Counter()
        #: owner -> how many are here, whatever they do
        self._here: collections.Counter[str] = collections.Counter()

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def come(self, owner: str) -> None:
        """Take a place; it has to be given back with ``go``.

        :raises Busy: the owner has as many as it may
        """
        with self._lock:
            if self._share is not None and self._here[owner] >= self._share:
                raise Busy(
                    'Your project has as many checks under way as it may. '
                    'Try again in a moment.'
                )
            self._here[owner] += 1

    def go(self, owner: str) -> None:
        """Give a place back."""
        with self._lock:
            _less(self._here, owner)

    def enter(self, owner: str, deadline: base.Deadline) -> None:
        """Wait for a turn; it has to be given back with ``leave``.

        :raises Busy: there was none until the deadline
        """
        with self._lock:
            if self._free:
                self._free -= 1
                self._working[owner] += 1
                return
            waiter = _Waiter(owner)
            self._waiting.append(waiter)
        if waiter.turn.wait(deadline.left()):
            return
        with self._lock:
            if waiter.turn.is_set():
                return
            self._waiting.remove(waiter)
        raise Busy(
            'This agent is busy with the checks of others. Try again in a '
            'moment.'
        )

    def leave(self, owner: str) -> None:
        """Give a turn back, to whoever is next."""
        with self._lock:
            _less(self._working, owner)
            if not self._waiting:
                self._free += 1
                return
            # of several, min gives the first
            waiter = min(self._waiting, key=lambda w: self._working[w.owner])
            self._waiting.remove(waiter)
            self._working[waiter.owner] += 1
            waiter.turn.set()


class Turn:
    """One turn, taken for the length of a block.

    :param deadline: bound for each wait
    :param owner: for whom
    """

    def __init__(
        self, queue: Queue, deadline: base.Deadline, owner: str = ''
    ) -> None:
        self._queue = queue
        self._deadline = deadline
        self._owner = owner
        self._held = False

    def __enter__(self) -> 'Turn':
        self._queue.come(self._owner)
        try:
            self._take()
        except BaseException:
            self._queue.go(self._owner)
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._give()
        self._queue.go(self._owner)

    def sleep(self, seconds: float) -> None:
        """Let others work for some seconds, then wait for another turn.

        :raises Busy: there was none until the deadline
        """
        self._give()
        time.sleep(seconds)
        self._take()

    def _take(self) -> None:
        self._queue.enter(self._owner, self._deadline)
        self._held = True

    def _give(self) -> None:
        if self._held:
            self._held = False
            self._queue.leave(self._owner)


def _less(counts: collections.Counter[str], owner: str) -> None:
    counts[owner] -= 1
    if not counts[owner]:
        # owners come and go; what is zero need not be kept
        del counts[owner]

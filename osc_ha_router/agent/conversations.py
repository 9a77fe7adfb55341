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


"""Conversations with the node program that go on from call to call.

Each belongs to whoever began it, and is a process of root's that may have
changed something: it ends, and what it has begun is undone, as soon as
nobody is there any more.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import threading
import time
from typing import Any
from typing import Protocol
import uuid

from oslo_log import log as logging

from osc_ha_router.backends import base
from osc_ha_router.backends import line as lines
from osc_ha_router.model import view

LOG = logging.getLogger(__name__)

#: seconds for the node program to say its first word
_OPENING = 10.0
#: seconds between two signs of life while the program says nothing
_BEAT = 1.0

_ENDED = view.Failure(
    'interrupted',
    'The conversation was ended, and what it had begun is undone',
    'Run the command again.',
)


class Unknown(Exception):
    """There is no such conversation, or it is somebody else's."""


class Busy(Exception):
    """There are as many as may be, or one request is under way already."""


class Local(Protocol):
    """What conversations are begun with."""

    def converse(
        self, deadline: base.Deadline, stop: threading.Event
    ) -> contextlib.AbstractContextManager[lines.Line]:
        """Open a line to the node program, as ``local.Local`` does."""


@dataclasses.dataclass(frozen=True)
class Opened:
    """A conversation that was begun."""

    id: str
    #: uname's
    hostname: str
    #: seconds that it lives without a request or a renewal
    lease: float


class _Talk:
    """One of them."""

    def __init__(
        self,
        owner: str,
        line: lines.Line,
        stack: contextlib.ExitStack,
        stop: threading.Event,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.owner = owner
        self.line = line
        self.stack = stack
        #: ends every wait of the line
        self.stop = stop
        #: ends an operation that waits
        self.enough = threading.Event()
        #: held while the line is used, never for longer than a beat
        self.using = threading.Lock()
        self.replies: Replies | None = None
        self.seen = time.monotonic()

    def shut(self) -> None:
        """End it; the program undoes what it has begun."""
        self.stop.set()
        with self.using:
            self.stack.close()


class Replies(Iterator[dict[str, Any] | None]):
    """The replies to one request, and None as sign of life.

    The last one has ``end`` or ``error``. Closing it before ends the
    conversation.
    """

    def __init__(
        self,
        house: 'Conversations',
        talk: _Talk,
        replies: Iterator[dict[str, Any] | None],
    ) -> None:
        self._house = house
        self._talk = talk
        self._replies = replies
        self._over = False

    def __next__(self) -> dict[str, Any] | None:
        if self._over:
            raise StopIteration
        try:
            with self._talk.using:
                if self._talk.stop.is_set():
                    raise base.Trouble(_ENDED, None)
                reply = next(self._replies)
        except base.Trouble as exc:
            self.close()
            failure = exc.failure
            return {
                'error': {'kind': failure.kind, 'message': failure.message}
            }
        except BaseException:
            self.close()
            raise
        self._talk.seen = time.monotonic()
        if reply is None:
            return None
        if 'end' in reply or 'error' in reply:
            self._over = True
            self._talk.replies = None
        return {name: reply[name] for name in reply if name != 'id'}

    def close(self) -> None:
        """End the conversation, unless the last reply was there."""
        if not self._over:
            self._over = True
            self._house.end(self._talk)


class Conversations:
    """All conversations of this host; for use by any number of threads.

    :param local: opens lines
    :param limit: how many there may be
    :param lease: seconds
    """

    def __init__(
        self, local: Local, *, limit: int = 16, lease: float = 10.0
    ) -> None:
        self._local = local
        self._limit = limit
        self._lease = lease
        self._lock = threading.Lock()
        self._talks: dict[str, _Talk] = {}
        #: how many are just being opened
        self._opening = 0
        self._closed = False
        self._reaper: threading.Thread | None = None
        self._wake = threading.Event()

    def open(self, owner: str) -> Opened:
        """Begin one.

        :param owner: who alone may use it
        :raises Busy: there are as many as may be
        :raises Trouble: the node program cannot be started
        """
        with self._lock:
            if self._closed:
                raise Busy('the agent is about to end')
            if len(self._talks) + self._opening >= self._limit:
                raise Busy(f'{self._limit} conversations are open')
            self._opening += 1
        try:
            talk = self._open(owner)
        except base.Trouble as exc:
            if exc.failure.kind == 'agent-busy':
                raise Busy(exc.failure.message) from None
            raise
        finally:
            with self._lock:
                self._opening -= 1
        return Opened(talk.id, talk.line.hostname, self._lease)

    def _open(self, owner: str) -> _Talk:
        stop = threading.Event()
        with contextlib.ExitStack() as stack:
            line = stack.enter_context(
                self._local.converse(base.Deadline.after(_OPENING), stop)
            )
            with self._lock:
                if self._closed:
                    raise Busy('the agent is about to end')
                self._watch()
                talk = _Talk(owner, line, stack.pop_all(), stop)
                self._talks[talk.id] = talk
        return talk

    def request(
        self,
        id: str,
        owner: str,
        op: str,
        fields: Mapping[str, Any],
        timeout: float,
    ) -> Replies:
        """Ask the node program for something.

        :param id: of the conversation
        :param owner: whose it is
        :param op: the operation
        :param fields: what else is in the request
        :param timeout: seconds for the whole answer
        :raises Unknown: there is no such conversation of this owner
        :raises Busy: a request is under way in it
        """
        with self._lock:
            talk = self._find(id, owner)
            if talk.replies is not None:
                raise Busy('a request is under way in this conversation')
            talk.enough.clear()
            replies = talk.line.replies(
                op,
                fields,
                base.Deadline.after(timeout),
                talk.enough.is_set,
                _BEAT,
            )
            talk.replies = Replies(self, talk, replies)
            return talk.replies

    def stop(self, id: str, owner: str) -> None:
        """End an operation that waits, with its end as reply.

        :raises Unknown: there is no such conversation of this owner
        """
        with self._lock:
            self._find(id, owner).enough.set()

    def renew(self, id: str, owner: str) -> None:
        """Keep it for another lease.

        :raises Unknown: there is no such conversation of this owner
        """
        with self._lock:
            self._find(id, owner)

    def close(self, id: str, owner: str) -> None:
        """End it, and give the program a moment to undo what it has begun.

        :raises Unknown: there is no such conversation of this owner
        """
        with self._lock:
            talk = self._find(id, owner)
        self.end(talk)

    def close_all(self) -> None:
        """End all of them, and let nobody begin another."""
        with self._lock:
            self._closed = True
            talks = list(self._talks.values())
        self._wake.set()
        self._end_all(talks)

    def end(self, talk: _Talk) -> None:
        """End one, whoever does it first."""
        with self._lock:
            if self._talks.pop(talk.id, None) is None:
                return
        talk.shut()

    def _find(self, id: str, owner: str) -> _Talk:
        """Return one, and note that its owner is there; under the lock."""
        talk = self._talks.get(id)
        if talk is None or talk.owner != owner:
            raise Unknown('there is no such conversation')
        talk.seen = time.monotonic()
        return talk

    def _watch(self) -> None:
        if self._reaper is None:
            reaper = threading.Thread(
                target=self._reap, name='reaper', daemon=True
            )
            reaper.start()
            self._reaper = reaper

    def _reap(self) -> None:
        while not self._wake.wait(min(0.5, self._lease / 4)):
            oldest = time.monotonic() - self._lease
            with self._lock:
                talks = [t for t in self._talks.values() if t.seen < oldest]
            for talk in talks:
                LOG.warning(
                    'Conversation %s is ended: nobody has been there for '
                    '%g seconds',
                    talk.id,
                    self._lease,
                )
            self._end_all(talks)

    def _end_all(self, talks: list[_Talk]) -> None:
        # each may take a moment
        threads = []
        for talk in talks:
            thread = threading.Thread(
                target=self.end, args=(talk,), name='end', daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # none left; one after the other, then
                self.end(talk)
                continue
            threads.append(thread)
        for thread in threads:
            thread.join()

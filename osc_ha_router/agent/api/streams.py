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

"""Answers of one JSON object a line, with empty lines as signs of life."""

from collections.abc import Iterator
import json
import queue
import threading
from typing import Any
from typing import TypeVar

from oslo_log import log as logging

from osc_ha_router.backends import base

T = TypeVar('T')
Item = dict[str, Any] | bytes | None

LOG = logging.getLogger(__name__)

#: seconds from one sign of life to the next
BEAT = 1.0


class Lines:
    """The body of such an answer.

    The first line is waited for before there is an answer at all, so that
    what is refused is refused with a status of its own. What goes wrong
    later is said on the last line, as ``error``.

    :param items: what is on the lines, JSON or what becomes it; None: a sign
        of life. Closed as soon as nobody reads any more.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._over = False
        try:
            self._first: bytes | None = _line(next(items))
        except StopIteration:
            self._first, self._over = None, True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first
        if self._over:
            raise StopIteration
        try:
            return _line(next(self._items))
        except StopIteration:
            self._over = True
            raise
        except Exception as exc:
            self._over = True
            return _line({'error': _error(exc)})

    def close(self) -> None:
        """End what makes the lines."""
        close = getattr(self._items, 'close', None)
        if close is not None:
            close()


def _error(exc: Exception) -> dict[str, str]:
    if isinstance(exc, base.Trouble):
        failure = exc.failure
        return {'kind': failure.kind, 'message': failure.message}
    LOG.error('An answer broke off', exc_info=exc)
    return {
        'kind': 'agent-error',
        'message': 'The agent failed; its log says why',
    }


def _line(item: Item) -> bytes:
    if item is None:
        return b'\n'
    if isinstance(item, bytes):
        return item + b'\n'
    return json.dumps(item, separators=(',', ':')).encode('ascii') + b'\n'


def beating(items: Iterator[T], every: float = BEAT) -> Iterator[T | None]:
    """Yield the items as they come, and None where there is none in time.

    The items are made in a thread. Closing this early closes them as soon
    as the next one is there.

    :param items: an iterator that blocks
    :param every: seconds
    """
    made: queue.SimpleQueue[tuple[T | None, BaseException | None, bool]] = (
        queue.SimpleQueue()
    )
    enough = threading.Event()

    def make() -> None:
        try:
            for item in items:
                if enough.is_set():
                    return
                made.put((item, None, False))
            made.put((None, None, True))
        except BaseException as exc:
            made.put((None, exc, True))
        finally:
            close = getattr(items, 'close', None)
            if close is not None:
                close()

    thread = threading.Thread(target=make, name='stream', daemon=True)
    thread.start()
    try:
        while True:
            try:
                item, exc, end = made.get(timeout=every)
            except queue.Empty:
                yield None
                continue
            if exc is not None:
                raise exc
            if end:
                return
            yield item
    finally:
        enough.set()

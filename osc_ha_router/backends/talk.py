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

"""A conversation with the node program on a host, by way of node agents."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import logging
import threading
import time
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router.backends import base

if TYPE_CHECKING:
    from osc_ha_router.backends import steps

LOG = logging.getLogger(__name__)

#: how often a conversation is renewed in the time that it lives without
_RENEWALS = 3
#: seconds until an operation that was told to end and has not is told again:
#: it may not have begun when it was told first
_AGAIN = 0.2
#: seconds for the word that an operation is to end
_WORD = 2.0
#: seconds for the end of a conversation, in which the node undoes what is
#: still to be undone; after trouble nobody waits for that
_FAREWELL, _SHORT_FAREWELL = 10.0, 2.0


@contextlib.contextmanager
def begin(
    agent: 'steps.Steps',
    host: str,
    deadline: base.Deadline,
    stop: threading.Event,
) -> Iterator[base.Conversation]:
    """Open a line to a host, as ``base.Backend.converse`` describes.

    The conversation is renewed in a thread. If this program is killed it is
    not renewed any more, and the node undoes what was begun.
    """
    opened = agent.open(host, deadline, stop)
    over = threading.Event()
    farewell = _SHORT_FAREWELL
    renewing = threading.Thread(
        target=_renew,
        args=(agent, host, opened, over),
        name=f'lease-{host}',
        daemon=True,
    )
    try:
        renewing.start()
        yield _Talk(agent, host, opened.id, stop)
        farewell = _FAREWELL
    finally:
        over.set()
        _close(agent, host, opened.id, farewell)
        renewing.join()


def _renew(
    agent: 'steps.Steps',
    host: str,
    opened: 'steps.Opened',
    over: threading.Event,
) -> None:
    pause = opened.lease / _RENEWALS
    while not over.wait(pause):
        try:
            agent.renew(host, opened.id, base.Deadline.after(pause), over)
        except base.Trouble as trouble:
            # the next call says it, if it is still so then
            LOG.debug('%s', trouble)


def _close(agent: 'steps.Steps', host: str, id_: str, seconds: float) -> None:
    try:
        agent.close(host, id_, base.Deadline.after(seconds))
    except base.Trouble as trouble:
        # nobody renews it, so it ends soon
        LOG.debug('%s', trouble)


class _Talk(base.Conversation):
    """An open conversation."""

    def __init__(
        self,
        agent: 'steps.Steps',
        host: str,
        id_: str,
        stop: threading.Event,
    ) -> None:
        self.host = host
        self._agent = agent
        self._id = id_
        self._stop = stop

    def call(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Send a request, as ``base.Conversation`` describes."""
        replies = self._agent.request(
            self.host,
            self._id,
            op,
            fields,
            until,
            self._stop,
            self._ender(until, enough),
        )
        for reply in replies:
            if reply is not None:
                yield reply

    def _ender(
        self, until: base.Deadline, enough: Callable[[], bool] | None
    ) -> Callable[[], None]:
        """Return what ends the operation as soon as there is enough."""
        told: float | None = None

        def look() -> None:
            nonlocal told
            if enough is None:
                return
            now = time.monotonic()
            if told is None and not enough():
                return
            if told is None or now - told >= _AGAIN:
                told = now
                bound = base.Deadline.after(min(_WORD, until.left()))
                try:
                    self._agent.stop(self.host, self._id, bound)
                except base.Trouble as trouble:
                    # if it is more than that, the operation's answer tells
                    LOG.debug('%s', trouble)

        return look

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


"""This host: looks at it, and conversations with its node program."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import threading
import time

from osc_ha_router import config
from osc_ha_router import packing
from osc_ha_router.agent import cord
from osc_ha_router.agent import keeper as keepers
from osc_ha_router.agent import sharing
from osc_ha_router.agent import trouble
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import failures
from osc_ha_router.backends import line
from osc_ha_router.backends import look as looking
from osc_ha_router.model import view

#: node programs that look at the same time, and as many that listen
_AT_ONCE = 4
#: seconds for one to end that nobody listens to any more
_REST = 15.0


class Local:
    """The host that this agent is on; for use by any number of threads.

    :param host: as Neutron knows it
    :param keeper: starts node programs
    :param settings: ``probe_timeout`` is the bound of a look
    """

    def __init__(
        self, host: str, keeper: keepers.Keeper, settings: config.Settings
    ) -> None:
        self.host = host
        self._keeper = keeper
        self._settings = settings
        self._sharing = sharing.Sharing(host, self._work, _AT_ONCE)

    def look(
        self,
        request: base.Request,
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> view.HostView:
        """Look at the host, together with others who ask at the same time.

        :param request: its host is this one
        :param deadline: bound for everything, beside that of one look
        :param stop: ends the wait when it is set
        :return: whatever happens, with the failure if there was one
        """
        began = time.monotonic()
        bound = looking.Bound.begin(
            self._settings.probe_timeout + request.listen, deadline
        )
        answer = looking.Answer(request.routers)
        failure = None
        try:
            bound.check()
            looking.check(request)
            answer, broken = self._sharing.look(request, bound.until, stop)
            if broken is not None:
                raise broken
        except failures.Broken as exc:
            failure = self._describe(bound.kind(exc), exc.detail)
        return view.HostView(
            host=request.host,
            failure=failure,
            views=_own(request, answer),
            residents=answer.residents,
            hostname=answer.hostname,
            seconds=time.monotonic() - began,
        )

    def _work(
        self,
        request: base.Request,
        until: base.Deadline,
        stop: threading.Event,
        answer: looking.Answer,
        tell: sharing.Tell,
    ) -> None:
        with self._reach(stop) as talk:
            try:
                looking.ask(talk, request, until, answer)
            except failures.Broken as broken:
                tell(broken)
                # One that listens does not notice that nobody waits. It is
                # to hold its place: nobody may have more of them run than
                # may run by asking and going away.
                talk.linger(request.listen + _REST)

    @contextlib.contextmanager
    def converse(
        self, deadline: base.Deadline, stop: threading.Event
    ) -> Iterator[line.Line]:
        """Open a line to the node program; it ends with the block.

        :param deadline: bound for opening it
        :param stop: ends every wait with Trouble when it is set
        :raises Trouble: it cannot be opened, with the reason
        """
        with line.opened(
            self.host,
            lambda: self._reach(stop),
            deadline,
            self._describe,
        ) as found:
            yield found

    def _reach(self, stop: threading.Event) -> channel.Channel:
        return channel.Channel(cord.Door(self._keeper), stop)

    def _describe(self, kind: str, detail: str) -> view.Failure:
        return trouble.describe(kind, self.host, detail)


def _own(
    request: base.Request, answer: looking.Answer
) -> Sequence[view.NodeView]:
    """Return the views of those routers that were asked about."""
    if request.routers is None:
        return answer.views
    return packing.only(answer.views, frozenset(request.routers))

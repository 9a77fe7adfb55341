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

"""The SSH backend: the system's ssh, once for each host."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import re
import threading
import time
from typing import Any

from osc_ha_router import codec
from osc_ha_router.backends import archive
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.backends import fanout
from osc_ha_router.model import view

#: as Neutron writes one; the program on the node takes no other spelling
_UUID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')

_TIMEOUTS = ('connect-timeout', 'timeout')


class SshBackend(base.Backend):
    """Looks at hosts with the OpenSSH client and the user's own setup."""

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        """Look at several hosts at once, as ``base.Backend`` describes."""

        def look(
            request: base.Request, stop: threading.Event
        ) -> view.HostView:
            return self._look(request, deadline, stop)

        if requests and not self.settings.node_program:
            # once, before all threads find that it is still to be done
            archive.build()
        yield from fanout.run(look, requests, self.settings.concurrency)

    @contextlib.contextmanager
    def converse(
        self, host: str, deadline: base.Deadline, stop: threading.Event
    ) -> Iterator[base.Conversation]:
        """Open a line to one host, as ``base.Backend`` describes."""
        place = command.place(self.settings, host)
        bound = min(self.settings.probe_timeout, deadline.left())
        try:
            to = command.build(self.settings, host, bound)
        except failures.Broken as broken:
            raise _trouble(broken, place) from None
        with channel.Channel(to, stop) as talk:
            try:
                talk.open(base.Deadline.after(bound))
            except failures.Broken as broken:
                raise _trouble(broken, place) from None
            yield _Line(host, talk, place)
            # gives the program the time to undo what is still to be undone
            talk.close()

    def _look(
        self,
        request: base.Request,
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> view.HostView:
        bound = self.settings.probe_timeout + request.listen
        left = deadline.left()
        until = base.Deadline.after(min(bound, left))
        answer = _Answer(request.routers)
        failure = None
        began = time.monotonic()
        try:
            if not left:
                raise failures.Broken('deadline', 'before its turn')
            self._ask(request, until, stop, answer)
        except failures.Broken as broken:
            kind = broken.kind
            # what ssh itself has waited for in vain stays what it was
            ended_here = not until.left() and kind in _TIMEOUTS
            if ended_here and left < bound:
                kind = 'deadline'
            place = command.place(self.settings, request.host)
            failure = failures.describe(kind, place, broken.detail)
        return view.HostView(
            host=request.host,
            failure=failure,
            views=tuple(answer.views),
            residents=answer.residents,
            hostname=answer.hostname,
            seconds=time.monotonic() - began,
        )

    def _ask(
        self,
        request: base.Request,
        until: base.Deadline,
        stop: threading.Event,
        answer: '_Answer',
    ) -> None:
        fields = {
            'routers': _router_ids(request),
            'listen': request.listen,
            'residents': True,
            # what a failover has left whose program was killed
            'recover': True,
        }
        to = command.build(
            self.settings, request.host, self.settings.probe_timeout
        )
        with channel.Channel(to, stop) as talk:
            answer.hostname = talk.open(until).hostname
            for reply in talk.call('probe', fields, until):
                answer.take(reply)
            talk.close()


class _Line(base.Conversation):
    """A channel, with what goes wrong in words."""

    def __init__(
        self, host: str, talk: channel.Channel, place: failures.Place
    ) -> None:
        self.host = host
        self._talk = talk
        self._place = place

    def call(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Send a request, as ``base.Conversation`` describes."""
        try:
            yield from self._talk.call(op, fields, until, enough)
        except failures.Broken as broken:
            raise _trouble(broken, self._place) from None


def _trouble(broken: failures.Broken, place: failures.Place) -> base.Trouble:
    failure = failures.describe(broken.kind, place, broken.detail)
    return base.Trouble(failure, broken.refusal)


@dataclasses.dataclass(frozen=True)
class _End:
    """The closing line of a probe."""

    residents: tuple[view.Resident, ...] | None = None


class _Answer:
    """What a host has answered so far; kept whatever happens then."""

    def __init__(self, routers: tuple[str, ...] | None) -> None:
        self._routers = routers
        self._seen: set[str] = set()
        self.views: list[view.NodeView] = []
        self.residents: tuple[view.Resident, ...] | None = None
        self.hostname: str | None = None

    def take(self, reply: dict[str, Any]) -> None:
        """Keep what a reply says.

        :raises Broken: garbled
        """
        try:
            if 'end' in reply:
                self.residents = codec.decode(_End, reply['end']).residents
            elif 'view' in reply:
                self._take_view(codec.decode(view.NodeView, reply['view']))
        except codec.DecodeError as exc:
            raise failures.Broken('garbled', str(exc)) from None

    def _take_view(self, seen: view.NodeView) -> None:
        if self._routers is not None and seen.router_id not in self._routers:
            raise failures.Broken('garbled', 'a router nobody asked about')
        if seen.router_id in self._seen:
            raise failures.Broken('garbled', 'the same router twice')
        self._seen.add(seen.router_id)
        self.views.append(seen)


def _router_ids(request: base.Request) -> list[str] | None:
    if request.routers is None:
        return None
    for router in request.routers:
        if not _UUID.fullmatch(router):
            raise failures.Broken('invalid-router', router)
    return list(request.routers)

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


"""One look at a host through a channel, whichever way leads there."""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import json
import re
import time
from typing import Any

from osc_ha_router import codec
from osc_ha_router import packing
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import failures
from osc_ha_router.model import view

#: as Neutron writes one; the program on the node takes no other spelling
_UUID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')

_TIMEOUTS = ('connect-timeout', 'timeout')

#: turns a kind and a detail into sentences
Describe = Callable[[str, str], view.Failure]


@dataclasses.dataclass(frozen=True)
class Bound:
    """How long one look may take: its own time, and the deadline of all."""

    #: seconds for the look itself
    seconds: float
    #: seconds that were left for everything when it began
    left: float
    until: base.Deadline

    @classmethod
    def begin(cls, seconds: float, deadline: base.Deadline) -> 'Bound':
        """Begin to measure."""
        left = deadline.left()
        return cls(seconds, left, base.Deadline.after(min(seconds, left)))

    def check(self) -> None:
        """Refuse what there is no time for.

        :raises Broken: ``deadline``
        """
        if not self.left:
            raise failures.Broken('deadline', 'before its turn')

    def kind(self, broken: failures.Broken) -> str:
        """Return the kind of a failure: was it the deadline's fault."""
        # what the way there has waited for in vain stays what it was
        ended_here = not self.until.left() and broken.kind in _TIMEOUTS
        if ended_here and self.left < self.seconds:
            return 'deadline'
        return broken.kind


@dataclasses.dataclass(frozen=True)
class _End:
    """The closing line of a probe."""

    residents: tuple[view.Resident, ...] | None = None


class Answer:
    """What a host has answered so far; kept whatever happens then.

    :param routers: those asked about, None: all
    """

    def __init__(self, routers: tuple[str, ...] | None) -> None:
        self.routers = routers
        self._asked = None if routers is None else frozenset(routers)
        self._seen: set[str] = set()
        self._packer = packing.Packer()
        self.residents: tuple[view.Resident, ...] | None = None
        self.hostname: str | None = None

    @property
    def views(self) -> Sequence[view.NodeView]:
        """Return what was seen, in the order in which it came."""
        return self._packer.views()

    def take(self, reply: dict[str, Any]) -> None:
        """Keep what a reply says.

        :raises Broken: garbled
        """
        try:
            if 'end' in reply:
                self.residents = codec.decode(_End, reply['end']).residents
            elif 'view' in reply:
                # once more to JSON, and still four times as fast
                data = json.dumps(reply['view']).encode()
                self._take_view(codec.loads(view.NodeView, data))
        except codec.DecodeError as exc:
            raise failures.Broken('garbled', str(exc)) from None

    def _take_view(self, seen: view.NodeView) -> None:
        if self._asked is not None and seen.router_id not in self._asked:
            raise failures.Broken('garbled', 'a router nobody asked about')
        if seen.router_id in self._seen:
            raise failures.Broken('garbled', 'the same router twice')
        self._seen.add(seen.router_id)
        self._packer.add(seen)


def look(
    request: base.Request,
    bound: Bound,
    reach: Callable[[], channel.Channel],
    describe: Describe,
) -> view.HostView:
    """Look at a host once.

    :param request: what to look at
    :param bound: for the whole look
    :param reach: makes the channel; may raise Broken
    :param describe: puts what went wrong into words
    :return: whatever happens, with the failure if there was one
    """
    answer = Answer(request.routers)
    failure = None
    began = time.monotonic()
    try:
        bound.check()
        check(request)
        with reach() as talk:
            ask(talk, request, bound.until, answer)
    except failures.Broken as broken:
        failure = describe(bound.kind(broken), broken.detail)
    return view.HostView(
        host=request.host,
        failure=failure,
        views=answer.views,
        residents=answer.residents,
        hostname=answer.hostname,
        seconds=time.monotonic() - began,
    )


def check(request: base.Request) -> None:
    """Refuse ids that no router has.

    :raises Broken: ``invalid-router``
    """
    for router in request.routers or ():
        if not _UUID.fullmatch(router):
            raise failures.Broken('invalid-router', router)


def ask(
    talk: channel.Channel,
    request: base.Request,
    until: base.Deadline,
    answer: Answer,
) -> None:
    """Open a channel, have the host looked at, and close it.

    :param answer: is given what comes, as it comes
    :raises Broken: with the reason
    """
    fields = {
        'routers': None if request.routers is None else list(request.routers),
        'listen': request.listen,
        'residents': True,
        # what a failover has left whose program was killed
        'recover': True,
    }
    answer.hostname = talk.open(until).hostname
    for reply in talk.call('probe', fields, until):
        answer.take(reply)
    talk.close()

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

"""The node agents' API from a client's side; an agent is one to others.

What goes wrong becomes a ``view.Failure`` with a kind of ``faults``. Nothing
here prints or keeps a token; keystoneauth1 has it, and gets another one when
an agent no longer accepts it.
"""

from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import functools
import threading
import time
from typing import TYPE_CHECKING

from osc_ha_router.backends import answers
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import failures
from osc_ha_router.backends import fanout
from osc_ha_router.backends import parcels
from osc_ha_router.backends import request as asking
from osc_ha_router.backends import steps
from osc_ha_router.backends import talk
from osc_ha_router.model import report
from osc_ha_router.model import view

if TYPE_CHECKING:
    from osc_ha_router import engine

#: all reports of one answer, bytes
_REPORTS_LIMIT = 512 << 20
#: a word or two, bytes
_SMALL = 64 << 10
#: seconds by which the other side is to be ready before nobody waits any more
_MARGIN = 0.5
#: parts of one question that are under way at the same time
_PARTS = 8
#: seconds, the most that the API takes
_LONGEST_RECHECK = 300.0


@dataclasses.dataclass(frozen=True)
class _Reports:
    """The answer to a check."""

    reports: tuple[report.Report, ...]


class Remote(steps.Steps):
    """One agent, and through it all others.

    For use by several threads at the same time.

    :param adapter: leads to the agent: an endpoint, and credentials
    :param direct: ask for its own node only, as agents do among themselves
    """

    # -- looking -----------------------------------------------------------

    def look(
        self,
        request: base.Request,
        deadline: base.Deadline,
        probe_timeout: float,
        stop: threading.Event | None = None,
    ) -> view.HostView:
        """Look at one host; what goes wrong is in the view's ``failure``.

        :param probe_timeout: bound for the host, without its listening
        """
        began = time.monotonic()
        bound = probe_timeout + request.listen
        left = deadline.left()
        until = base.Deadline.after(min(bound, left))
        try:
            parts = [
                self._look_at(part, until, stop)
                for batch in parcels.batches([request])
                for part in batch
            ]
        except failures.Broken as broken:
            kind = broken.kind
            if kind == 'agent-timeout' and left < bound:
                kind = 'agent-deadline'
            failure = self.failure(request.host, kind, broken.detail)
            parts = [view.HostView(request.host, failure)]
        joiner = parcels.Joiner([request])
        shown = [joiner.add(part) for part in parts][-1] or parts[-1]
        return dataclasses.replace(shown, seconds=time.monotonic() - began)

    def _look_at(
        self,
        request: base.Request,
        until: base.Deadline,
        stop: threading.Event | None,
    ) -> view.HostView:
        call = self.on(request.host, 'POST', '/probe', until, stop)
        body = {
            'routers': _listed(request.routers),
            'listen': request.listen,
            'timeout': _seconds(until),
        }
        call = dataclasses.replace(call, body=body)
        data = call.content(channel.ANSWER_LIMIT)
        return answers.host(data, {request.host: request})

    def looks(
        self,
        requests: Sequence[base.Request],
        deadline: base.Deadline,
        probe_timeout: float,
        stop: threading.Event | None = None,
    ) -> Generator[view.HostView]:
        """Look at several, as ``base.Backend.probe`` describes."""
        batches = list(parcels.batches(requests))
        joiner = parcels.Joiner(requests)
        look = functools.partial(
            self._looks, deadline=deadline, probe_timeout=probe_timeout
        )
        if len(batches) == 1:
            # nothing is kept until all is there
            parts = look(batches[0], stop)
        else:
            parts = (
                shown
                for some in fanout.run(
                    lambda batch, over: list(look(batch, over)),
                    batches,
                    _PARTS,
                )
                for shown in some
            )
        with contextlib.closing(parts):
            for part in parts:
                shown = joiner.add(part)
                if shown is not None:
                    yield shown

    def _looks(
        self,
        requests: Sequence[base.Request],
        stop: threading.Event | None,
        deadline: base.Deadline,
        probe_timeout: float,
    ) -> Generator[view.HostView]:
        began = time.monotonic()
        waiting = {request.host: request for request in requests}
        try:
            for data in self._stream(requests, stop, deadline, probe_timeout):
                shown = answers.host(data, waiting)
                del waiting[shown.host]
                yield shown
            if waiting:
                raise failures.Broken('agent-truncated', 'hosts are missing')
        except failures.Broken as broken:
            kind = broken.kind
            if kind == 'agent-timeout' and not deadline.left():
                kind = 'agent-deadline'
            for host in waiting:
                yield view.HostView(
                    host,
                    self.failure(host, kind, broken.detail),
                    seconds=time.monotonic() - began,
                )

    def _stream(
        self,
        requests: Sequence[base.Request],
        stop: threading.Event | None,
        deadline: base.Deadline,
        probe_timeout: float,
    ) -> Iterator[bytes]:
        """Yield the JSON of each view."""
        if not deadline.left():
            raise failures.Broken('agent-deadline')
        body = {
            'requests': [
                {
                    'host': request.host,
                    'routers': _listed(request.routers),
                    'listen': request.listen,
                }
                for request in requests
            ],
            'timeout': _seconds(deadline),
            'probe_timeout': probe_timeout,
        }
        call = asking.Call(
            self.adapter, 'POST', '/v1/probe', deadline, stop, body=body
        )
        limit = channel.ANSWER_LIMIT
        rows = call.rows(limit, limit * len(requests))
        lines = answers.up_to(
            map(answers.row, rows), lambda row: bool(row and row.last), rows
        )
        for row in lines:
            if row is not None and row.error is not None:
                raise answers.agent_error(row.error)
            if row is not None and not row.last:
                yield bytes(row.view)

    # -- finished reports --------------------------------------------------

    def check(
        self,
        question: 'engine.Question',
        deadline: base.Deadline,
        probe_timeout: float,
        stop: threading.Event | None = None,
    ) -> tuple[report.Report, ...]:
        """Return finished reports, as ``engine.Service`` describes.

        :raises Trouble: with the reason
        """
        parts: list[tuple[str, ...] | None] = list(parcels.ids(question.names))
        with self.told(''):
            return tuple(
                found
                for names in parts or [None]
                for found in self._check(
                    names, question, deadline, probe_timeout, stop
                )
            )

    def _check(
        self,
        names: tuple[str, ...] | None,
        question: 'engine.Question',
        deadline: base.Deadline,
        probe_timeout: float,
        stop: threading.Event | None,
    ) -> tuple[report.Report, ...]:
        body = {
            'routers': _listed(names),
            'ignore': sorted(question.ignore),
            'listen': question.listen,
            'recheck': min(question.recheck, _LONGEST_RECHECK),
            'timeout': _seconds(deadline),
            'probe_timeout': probe_timeout,
        }
        call = asking.Call(
            self.adapter, 'POST', '/v1/check', deadline, stop, body=body
        )
        found = answers.decoded(_Reports, call.read(_REPORTS_LIMIT)).reports
        if names is not None and not {r.router.id for r in found} <= {*names}:
            raise failures.Broken('agent-garbled', 'a router nobody asked for')
        return found

    # -- conversations as a whole ----------------------------------------

    def converse(
        self, host: str, deadline: base.Deadline, stop: threading.Event
    ) -> contextlib.AbstractContextManager[base.Conversation]:
        """Open a line to a host, as ``base.Backend`` describes."""
        return talk.begin(self, host, deadline, stop)


def _seconds(until: base.Deadline) -> float:
    """Return how long the other side may take.

    It is to be ready a little earlier, so that what it has by then arrives.
    """
    left = until.left()
    return max(left - min(_MARGIN, left / 10), 0.05)


def _listed(routers: tuple[str, ...] | None) -> list[str] | None:
    return None if routers is None else list(routers)

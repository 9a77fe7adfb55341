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
"""One question, from Neutron's first word to the last report.

The nodes are looked at while Neutron is still being asked for what belongs
to each router, and a router is judged as soon as all of that is there. What
may be a change under way is kept back and looked at again at the end. Of the
others no more is kept than a reader asks for.
"""

from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
from typing import TYPE_CHECKING

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import looked
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.sweep import means
from osc_ha_router.sweep import patience
from osc_ha_router.sweep import said as saying
from osc_ha_router.sweep import second
from osc_ha_router.sweep import substitutes
from osc_ha_router.sweep import where

if TYPE_CHECKING:
    from osc_ha_router import engine

#: what is counted for whoever waits
CALLS, NODES, AGAIN = saying.CALLS, 'nodes', 'nodes again'
#: seconds that a second look takes besides its waiting and listening
_LOOK = 1.0


class Sweep:
    """Answers one question.

    :param recheck: false for what cannot change, such as a capture
    :param keep: whether what was seen is wanted afterwards, in ``claims``
        and ``hosts``
    :param lean: whether reports that are kept back may do without the views
        that they rest on, which are most of the memory
    """

    def __init__(
        self,
        given: means.Means,
        question: 'engine.Question',
        *,
        recheck: bool = True,
        keep: bool = False,
        lean: bool = False,
    ) -> None:
        self._given = given
        self._question = question
        self._recheck = recheck and question.recheck > 0
        self._keep = keep
        self._lean = lean
        self._patience = patience.Patience(given.stop, question.timeout)
        self._said = saying.Said(given, question, self._patience)
        self._routers: dict[str, claim.Router] = {}
        #: hosts of which a report says that they could not be looked at
        self._named: set[str | None] = set()
        #: every host looked at
        self.hosts = looked.Looked()
        #: whether there was no time for a verdict on some router
        self.unjudged = False

    @property
    def interrupted(self) -> bool:
        """Whether this is only what was known when somebody had enough."""
        return self._patience.interrupted

    @property
    def names(self) -> dict[str, str]:
        """Id -> name of each router, known from the first report on."""
        return dict(self._said.flow.names)

    @property
    def places(self) -> frozenset[str]:
        """Where routers may be, known from the first report on."""
        return frozenset({*(self._said.flow.hosts or ()), *self.hosts.by_name})

    @property
    def claims(self) -> claim.Claims:
        """What Neutron said, of those routers that there are reports on."""
        flow, routers = self._said.flow, self._routers
        listed = {id_: None for id_ in flow.ids if id_ in routers}
        return claim.Claims(
            tuple(routers[id_] for id_ in {**listed, **routers}),
            flow.hosts,
            flow.alive,
        )

    @property
    def unseen(self) -> tuple[view.HostView, ...]:
        """Hosts that could not be looked at, and no report says so.

        None of the routers is there as far as Neutron knows, so what is left
        there of routers is not known. Those that nobody waited for are left
        out; complete with the last report.
        """
        return tuple(
            shown
            for shown in self.hosts
            if shown.failure is not None
            and shown.failure.kind != substitutes.INTERRUPTED
            and shown.host not in self._named
        )

    def reports(self) -> Iterator[report.Report]:
        """Yield a report on each router, as soon as it is final.

        :raises Error: see ``errors``; trouble with one node is no error
        """
        with contextlib.closing(self._reports()) as reports:
            for found in reports:
                self._named.update(
                    finding.host
                    for finding in found.findings
                    if finding.name == 'node-unreachable'
                )
                yield found

    def _reports(self) -> Generator[report.Report]:
        unsettled: list[second.First] = []
        with contextlib.ExitStack() as flowing:
            self._said.begin(flowing)
            first = where.first(self._question, self._said.flow)
            self.hosts = self._look(first, NODES)
            for said, found in self._first():
                if self._recheck and self._may_settle(said, found):
                    lean = self._lean
                    kept = substitutes.without_views(found) if lean else found
                    unsettled.append(second.First(said, kept))
                else:
                    yield found
        if unsettled:
            yield from self._again(unsettled)
        yield from self._said.reports

    # -- what the nodes show -----------------------------------------------

    def _look(self, requests: list[base.Request], what: str) -> looked.Looked:
        """Return what the hosts show; those that nobody waits for fail.

        :param what: they are counted as
        """
        views: dict[str, view.HostView] = {}

        def look() -> None:
            with contextlib.closing(self._probe(requests)) as found:
                for shown in found:
                    views[shown.host] = shown
                    self._given.progress(what, len(views), len(requests))

        try:
            self._patience.wait(look)
        except errors.Interrupted:
            for request in requests:
                views.setdefault(
                    request.host, substitutes.unseen(request.host)
                )
        # with an index, as each of the routers is looked for in all of them
        return looked.Looked(views[host] for host in sorted(views))

    def _probe(self, requests: list[base.Request]) -> Generator[view.HostView]:
        yield from self._given.backend.probe(requests, self._patience.deadline)

    # -- what follows ------------------------------------------------------

    def _first(self) -> Iterator[tuple[claim.Router, report.Report]]:
        """Yield what the first look comes to, router by router."""
        for id_ in self._said.flow.ids:
            router = self._said.router(id_)
            if router is not None:
                self._remember(router)
                yield router, self._judged(router, self.hosts)
        for router in self._said.unlisted(self.hosts):
            found = self._judged(router, self.hosts)
            if found.findings or not router.deleted:
                self._remember(router)
                yield router, found

    def _remember(self, router: claim.Router) -> None:
        if self._keep:
            self._routers[router.id] = router

    def _judged(
        self, router: claim.Router, hosts: looked.Looked
    ) -> report.Report:
        if self._patience.exhausted:
            self.unjudged = True
            return substitutes.unjudged(router, self._question.ignore)
        return self._given.judge(router, hosts, self._question.ignore)

    def _may_settle(self, said: claim.Router, found: report.Report) -> bool:
        """Whether another look may show something else.

        :param said: by Neutron; the report may call hosts something else
        """
        return second.may_settle(found) or any(
            # where an agent has come to while this was under way
            agent.host not in self.hosts.by_name
            for agent in said.agents or ()
        )

    # -- the second look ---------------------------------------------------

    def _again(self, firsts: list[second.First]) -> Iterator[report.Report]:
        """Yield what another look comes to, or the first for want of one."""
        listen = second.listening(firsts, self._question.listen)
        routers = self._asked_again(firsts, listen)
        if routers is None:
            yield from (first.found for first in firsts)
            return
        asked = where.again(
            self._said.flow, routers, firsts, self.hosts, listen
        )
        hosts = self._look(asked, AGAIN)
        there = {router.id: router for router in routers}
        settled: set[str] = set()
        unsettled: list[second.First] = []
        for first in firsts:
            id_, now = first.said.id, there.get(first.said.id)
            if self._patience.wanted:
                # the first look is the whole, and this one may be a part
                yield first.found
            elif now is None and not first.said.deleted:
                # deleted in the meantime: there is nothing to report
                settled.add(id_)
                self._routers.pop(id_, None)
            else:
                later = self._judged(now or first.said, hosts)
                if second.less(first, now, later, self.hosts, hosts):
                    unsettled.append(first)
                    yield first.found
                    continue
                settled.add(id_)
                if now is None and not later.findings:
                    # its nodes have cleaned up
                    self._routers.pop(id_, None)
                    continue
                self._remember(now or first.said)
                yield self._changed(first, later)
        if self._keep and settled:
            self.hosts = second.joined(self.hosts, hosts, settled)
        if unsettled:
            self._given.warn(
                f'The second look saw less of {second.named(unsettled)} than '
                'the first one did, which is what is reported'
            )

    def _changed(
        self, first: second.First, later: report.Report
    ) -> report.Report:
        """Return the later report, with what is no longer as it was."""
        changes = second.changes(first.found, later, self._question.recheck)
        return verdict.conclude(
            later, [*later.findings, *changes], self._question.ignore
        )

    def _asked_again(
        self, firsts: Sequence[second.First], listen: float
    ) -> tuple[claim.Router, ...] | None:
        """Return what Neutron says later, None if nobody can wait for it."""
        given, left = self._given, self._patience.deadline.left()
        pause = max(self._question.recheck - listen, 0.0)
        named = second.named(firsts)
        if self._patience.wanted:
            return None
        if left < pause + listen + _LOOK:
            given.warn(
                f'There was no second look, as {left:.0f} s were left for it: '
                f'{named} may be in the middle of a change'
            )
            return None
        given.notify(
            f'{named} may be in the middle of a change: looking again in '
            f'{pause + listen:.0f} s'
        )
        try:
            self._patience.wait(lambda: given.sleep(pause))
            ids = tuple(first.said.id for first in firsts)
            return self._said.again(ids)
        except (errors.CloudError, errors.Interrupted) as exc:
            if not self._patience.wanted:
                given.warn(f'There was no second look: {exc}')
        return None

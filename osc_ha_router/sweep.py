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

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import time
from typing import Any
from typing import TYPE_CHECKING
from typing import TypeVar

from osc_ha_router import errors
from osc_ha_router import means
from osc_ha_router import second
from osc_ha_router import served
from osc_ha_router import substitutes
from osc_ha_router import where
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import looked
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

if TYPE_CHECKING:
    from osc_ha_router import engine

T = TypeVar('T')

#: seconds of judging that somebody waits for who has asked for an end
_HURRY = 0.4

#: what is counted for whoever waits
CALLS, NODES, AGAIN = 'API calls', 'nodes', 'nodes again'
_NO_WORD = 'Neutron has not said which routers there are'


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
        self._deadline = base.Deadline.after(question.timeout)
        #: when somebody asked for an end
        self._hurried: float | None = None
        self._said: Any = means.Listed(claim.Claims((), None))
        self._told = served.Served()
        self._routers: dict[str, claim.Router] = {}
        #: the router of the latest report, as Neutron has it
        self._latest: claim.Router | None = None
        #: every host looked at
        self.hosts = looked.Looked()

    @property
    def interrupted(self) -> bool:
        """Whether this is only what was known when somebody had enough."""
        return self._hurried is not None

    @property
    def names(self) -> dict[str, str]:
        """Id -> name of each router, known from the first report on."""
        return dict(self._said.names)

    @property
    def places(self) -> frozenset[str]:
        """Where routers may be, known from the first report on."""
        return frozenset({*(self._said.hosts or ()), *self.hosts.by_name})

    @property
    def claims(self) -> claim.Claims:
        """What Neutron said, of those routers that there are reports on."""
        listed = {id_: None for id_ in self._said.ids if id_ in self._routers}
        return claim.Claims(
            tuple(self._routers[id_] for id_ in {**listed, **self._routers}),
            self._said.hosts,
            self._said.alive,
        )

    def reports(self) -> Iterator[report.Report]:
        """Yield a report on each router, as soon as it is final.

        :raises Error: see ``errors``; trouble with one node is no error
        """
        unsettled: dict[str, report.Report] = {}
        with contextlib.ExitStack() as flowing:
            self._said = self._begin(flowing)
            first = where.first(self._question, self._said)
            self.hosts = self._look(first, NODES)
            for found in self._first():
                if self._recheck and self._may_settle(found):
                    unsettled[found.router.id] = (
                        substitutes.without_views(found)
                        if self._lean
                        else found
                    )
                else:
                    yield found
        if unsettled:
            yield from self._again(unsettled)
        yield from self._told.reports

    # -- what Neutron says -------------------------------------------------

    def _begin(self, flowing: contextlib.ExitStack) -> Any:
        """Return a flow, or what stands for one."""
        given, question = self._given, self._question
        try:
            flow = getattr(given.source, 'flow', None)
            if flow is not None and not question.names:
                context = flow(
                    project=question.project,
                    host=question.host,
                    tell=lambda *done: given.progress(CALLS, *done),
                )
                found = self._ask(context.__enter__)
                flowing.push(context)
                # whoever sees neither routers nor hosts may have some all
                # the same, which the service knows
                nothing = not found.ids and not found.hosts
                if given.service is None or not (found.blind or nothing):
                    return found
                claims = self._ask(found.claims)
            else:
                claims = self._ask(
                    lambda: given.source.claims(
                        question.names,
                        project=question.project,
                        host=question.host,
                    )
                )
        except errors.CloudUnreachable as exc:
            if given.service is None:
                raise
            self._told = served.instead(
                given.service, question, self._deadline, exc
            )
            return means.Listed(claim.Claims((), None))
        if given.service is not None and served.wanted(claims, question):
            self._told = served.ask(
                given.service, claims, question, self._deadline
            )
            claims = self._told.rest(claims)
        return means.Listed(claims)

    def _ask(self, call: Callable[[], T]) -> T:
        """Call what may hang, within the time that there is.

        :raises CloudUnreachable: there is none left
        :raises Interrupted: somebody does not wait for it
        """
        try:
            return self._given.stop.call(call, self._deadline)
        except TimeoutError:
            raise errors.CloudUnreachable(
                f'The API did not answer in time: {_NO_WORD}'
            ) from None
        except KeyboardInterrupt:
            self._hurry()
            raise errors.Interrupted(f'Interrupted: {_NO_WORD}') from None

    def _hurry(self) -> None:
        """Wait for nothing any more; for the place where Ctrl-C is caught.

        :raises KeyboardInterrupt: nobody asked for what there is
        """
        if not self._given.stop.wanted:
            raise KeyboardInterrupt
        self._hurried = self._hurried or time.monotonic()

    # -- what the nodes show -----------------------------------------------

    def _look(self, requests: list[base.Request], what: str) -> looked.Looked:
        """Return what the hosts show; those that nobody waits for fail.

        :param what: they are counted as
        """
        given = self._given
        views: dict[str, view.HostView] = {}
        try:
            with (
                given.stop.waiting(),
                contextlib.closing(self._probe(requests)) as found,
            ):
                for shown in found:
                    views[shown.host] = shown
                    given.progress(what, len(views), len(requests))
        except KeyboardInterrupt:
            self._hurry()
            for request in requests:
                views.setdefault(
                    request.host, substitutes.unseen(request.host)
                )
        # with an index, as each of the routers is looked for in all of them
        return looked.Looked(views[host] for host in sorted(views))

    def _probe(self, requests: list[base.Request]) -> Generator[view.HostView]:
        yield from self._given.backend.probe(requests, self._deadline)

    # -- what follows ------------------------------------------------------

    def _first(self) -> Iterator[report.Report]:
        """Yield what the first look comes to, router by router."""
        for id_ in self._said.ids:
            router = self._router(id_)
            if router is not None:
                yield self._judged(router, self.hosts)
        for router in self._unlisted():
            found = self._judged(router, self.hosts)
            if found.findings or not router.deleted:
                yield found
            else:
                self._routers.pop(router.id, None)

    def _router(self, id_: str) -> claim.Router | None:
        """Return what Neutron says of a router, as far as there is time."""
        router: claim.Router | None
        if not self.interrupted:
            try:
                with self._given.stop.waiting():
                    router = self._said.router(id_, self._deadline)
                return router
            except KeyboardInterrupt:
                self._hurry()
        router = self._said.router(id_, base.Deadline(0.0))
        return router

    def _unlisted(self) -> Iterator[claim.Router]:
        """Yield routers of which nodes have something and Neutron had not.

        Those that were created meanwhile, and those that there are no more.
        """
        known = self._said.known
        if known is None or self.interrupted:
            return
        strangers = sorted(
            {
                resident.router_id
                for shown in self.hosts
                for resident in shown.residents or ()
            }
            - known
        )
        if not strangers:
            return
        source: Any = self._given.source
        try:
            there = self._ask(lambda: source.owners(strangers))
            yield from self._ask(lambda: source.again(sorted(there)))
        except (errors.CloudError, errors.Interrupted) as exc:
            self._given.notify(
                f'{len(strangers)} routers that nodes have and Neutron did '
                f'not list are left out: {exc}'
            )
            return
        for id_ in strangers:
            if id_ not in there:
                yield substitutes.deleted(id_)

    def _judged(
        self, router: claim.Router, hosts: looked.Looked
    ) -> report.Report:
        self._latest = router
        if self._keep:
            self._routers[router.id] = router
        since = self._hurried
        if since is not None and time.monotonic() - since > _HURRY:
            return substitutes.unjudged(router, self._question.ignore)
        return self._given.judge(router, hosts, self._question.ignore)

    def _may_settle(self, found: report.Report) -> bool:
        """Whether another look may show something else."""
        # by what Neutron said: the report may call hosts something else
        said = self._latest or found.router
        return second.may_settle(found) or any(
            # where an agent has come to while this was under way
            agent.host not in self.hosts.by_name
            for agent in said.agents or ()
        )

    def _again(
        self, unsettled: dict[str, report.Report]
    ) -> Iterator[report.Report]:
        """Yield what another look comes to, or the first for want of one."""
        question = self._question
        firsts = list(unsettled.values())
        listen = question.listen
        if any(map(second.needs_listening, firsts)):
            listen = max(listen, second.LISTEN)
        routers = self._asked_again(firsts, listen)
        if routers is None:
            yield from firsts
            return
        asked = where.again(self._said, routers, firsts, self.hosts, listen)
        hosts = self._look(asked, AGAIN)
        if self._keep:
            self.hosts = second.joined(self.hosts, unsettled, hosts)
        there = {router.id: router for router in routers}
        for id_, first in unsettled.items():
            self._routers.pop(id_, None)
            router = there.get(id_)
            if router is None and not first.router.deleted:
                # deleted in the meantime: there is nothing to report
                continue
            later = self._judged(router or first.router, hosts)
            if router is None and not later.findings:
                self._routers.pop(id_, None)
                continue
            changes = second.changes(first, later, question.recheck)
            yield verdict.conclude(
                later, [*later.findings, *changes], question.ignore
            )

    def _asked_again(
        self, firsts: Sequence[report.Report], listen: float
    ) -> tuple[claim.Router, ...] | None:
        """Return what Neutron says later, None if nobody can wait for it."""
        given, left = self._given, self._deadline.left()
        if self.interrupted or not left:
            return None
        pause = min(max(self._question.recheck - listen, 0.0), left)
        given.notify(
            f'{second.named(firsts)} may be in the middle of a change: '
            f'looking again in {pause + listen:.0f} s'
        )
        try:
            with given.stop.waiting():
                given.sleep(pause)
            ids = tuple(first.router.id for first in firsts)
            return self._ask(lambda: given.source.again(ids))
        except KeyboardInterrupt:
            self._hurry()
        except (errors.CloudError, errors.Interrupted) as exc:
            given.notify(f'There was no second look: {exc}')
        return None

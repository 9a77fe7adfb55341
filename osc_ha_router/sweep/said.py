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
"""What Neutron says to one question, and a service in its place."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import contextlib
import threading
from typing import Any
from typing import TYPE_CHECKING
from typing import TypeVar

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.sweep import means
from osc_ha_router.sweep import patience as patiences
from osc_ha_router.sweep import served
from osc_ha_router.sweep import substitutes

if TYPE_CHECKING:
    from osc_ha_router import engine

T = TypeVar('T')

#: what is counted for whoever waits
CALLS = 'API calls'
_NO_WORD = 'Neutron has not said which routers there are'


class Said:
    """What is said, as it comes.

    :param patience: that there is for all of it
    """

    def __init__(
        self,
        given: means.Means,
        question: 'engine.Question',
        patience: patiences.Patience,
    ) -> None:
        self._given = given
        self._question = question
        self._patience = patience
        #: a flow of routers, or what stands for one
        self.flow: Any = means.Listed(claim.Claims((), None))
        #: finished reports, on routers that are not in the flow
        self.reports: tuple[report.Report, ...] = ()

    def begin(self, flowing: contextlib.ExitStack) -> None:
        """Ask which routers there are; ``flow`` has them.

        :param flowing: ends what is still being asked for
        :raises Error: see ``errors``
        """
        given, question = self._given, self._question
        try:
            flow = getattr(given.source, 'flow', None)
            if flow is not None and not question.names:
                context = flow(
                    project=question.project,
                    host=question.host,
                    tell=lambda *done: given.progress(CALLS, *done),
                )
                self.flow = self._ask(context.__enter__, _NO_WORD)
                flowing.push(context)
                blind = self.flow.blind and given.service is not None
                if self.flow.hosts and not blind:
                    return
                # where to look only the routers themselves tell, or the
                # service; whoever sees neither routers nor hosts may have
                # some all the same, which the service knows
                claims = self._all()
            else:
                claims = self._ask(
                    lambda: given.source.claims(
                        question.names,
                        project=question.project,
                        host=question.host,
                    ),
                    _NO_WORD,
                )
        except errors.CloudUnreachable as exc:
            if given.service is None:
                raise
            self._without_neutron(given.service, exc)
            return
        if given.service is not None and served.wanted(claims, question):
            ids = served.untold(claims, question)
            told = self._served(given.service, ids).beside(claims, question)
            self.reports = told.reports
            claims = told.rest(claims)
        self.flow = means.Listed(claims)

    def router(self, id_: str) -> claim.Router | None:
        """Return what is said of one, as far as there is time.

        :return: None for one that is not ours, or is gone
        """
        flow, deadline = self.flow, self._patience.deadline
        router: claim.Router | None
        try:
            router = self._patience.wait(lambda: flow.router(id_, deadline))
        except errors.Interrupted:
            router = flow.router(id_, base.Deadline(0.0))
        return router

    def unlisted(self, hosts: Iterable[view.HostView]) -> list[claim.Router]:
        """Return routers of which nodes have something and Neutron had not.

        Those that were created meanwhile, those that there are no more, and
        those of which Neutron does not say whether there are.

        :param hosts: what the nodes show
        """
        if self.flow.known is None:
            return []
        strangers = sorted(
            {
                resident.router_id
                for shown in hosts
                for resident in shown.residents or ()
            }
            - self.flow.known
        )
        if not strangers:
            return []
        source: Any = self._given.source
        try:
            there = self._ask(lambda: source.owners(strangers))
            found = self.again(sorted(there))
        except (errors.CloudError, errors.Interrupted) as exc:
            gap = f'whether there is such a router: {exc}'
            return [claim.untold(id_, gap) for id_ in strangers]
        gone = (id_ for id_ in strangers if id_ not in there)
        return [*found, *map(substitutes.deleted, gone)]

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return what is said now of routers, without those that are gone.

        :raises CloudError: nothing is said, or not in time
        :raises Interrupted: somebody does not wait for it
        """
        return self._ask(lambda: self._given.source.again(ids))

    def _all(self) -> claim.Claims:
        """Return all of the flow, as far as there is time."""
        routers = [self.router(id_) for id_ in self.flow.ids]
        return claim.Claims(
            tuple(router for router in routers if router is not None),
            self.flow.hosts,
            self.flow.alive,
        )

    def _ask(self, call: Callable[[], T], left_out: str = '') -> T:
        """Ask Neutron, within the time that there is.

        :param left_out: what is not known without it, in a sentence
        :raises CloudUnreachable: there is none left
        :raises Interrupted: somebody does not wait for it
        """
        left_out = left_out and f': {left_out}'
        try:
            return self._patience.call(call)
        except TimeoutError:
            raise errors.CloudUnreachable(
                f'The API did not answer in time{left_out}'
            ) from None
        except errors.Interrupted as exc:
            raise errors.Interrupted(f'{exc}{left_out}') from None

    # -- a service in its place --------------------------------------------

    def _without_neutron(
        self, service: 'engine.Service', exc: errors.CloudUnreachable
    ) -> None:
        """Have the reports of a service, and no routers besides.

        :param exc: why Neutron says nothing
        """
        told = self._served(service, served.instead(self._question, exc))
        if told is served.INTERRUPTED:
            raise errors.Interrupted(f'Interrupted: {_NO_WORD}') from None
        if told.failure is not None:
            raise errors.CloudUnreachable(
                f'{exc}\n{told.failure.sentences}'
            ) from None
        self.reports = told.reports
        self.flow = means.Listed(claim.Claims((), None))

    def _served(
        self, service: 'engine.Service', ids: Sequence[str]
    ) -> served.Served:
        """Ask a service for reports, as long as somebody waits for them.

        :param ids: of routers; none: all
        """
        question, deadline = self._question, self._patience.deadline
        enough = threading.Event()
        try:
            return self._patience.call(
                lambda: served.ask(service, ids, question, deadline, enough)
            )
        except TimeoutError:
            return served.LATE
        except errors.Interrupted:
            return served.INTERRUPTED
        finally:
            # it goes on in a thread of its own
            enough.set()

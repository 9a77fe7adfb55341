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

"""Gather, diagnose, report: the one way in for every front end."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
import dataclasses
import time
from typing import Protocol

from osc_ha_router import capture
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

#: with named routers, look for leftovers on every host with an L3 agent if
#: there are no more than this; a sweep looks at all of them anyway
_SMALL_CLOUD = 16

#: seconds of listening that hold at least two advertisements: three
#: intervals of Neutron's default ha_vrrp_advert_int, and one to spare
_LISTEN = 7.0

#: findings that only advertisements explain
_NEEDS_LISTENING = frozenset(('multiple-active',))


class Source(Protocol):
    """What Neutron says: ``cloud.Cloud`` or a capture of it."""

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        """Return what it says of these routers, or of all."""

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return what it says now of these, without those that are gone."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What to check. Times are in seconds."""

    #: names or ids; none: every HA router that the caller sees
    names: tuple[str, ...] = ()
    project: str | None = None
    host: str | None = None
    #: codes of findings that do not count
    ignore: frozenset[str] = frozenset()
    #: listen for VRRP advertisements this long on the first look
    listen: float = 0.0
    #: look again this much later at what may be a move under way; 0: do not
    recheck: float = 10.0
    timeout: float = 120.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """The reports, and the last look that they rest on."""

    reports: tuple[report.Report, ...]
    look: capture.Capture


class Engine:
    """Puts a source and a backend together.

    :param source: what Neutron says
    :param backend: what the nodes show
    :param notify: told in a sentence what takes time
    """

    def __init__(
        self,
        source: Source,
        backend: base.Backend,
        *,
        notify: Callable[[str], None] = lambda message: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._backend = backend
        self._notify = notify
        self._sleep = sleep

    def check(self, question: Question, *, recheck: bool = True) -> Answer:
        """Say what each router really is.

        :param recheck: false for what cannot change, such as a capture
        :raises Error: see ``errors``; trouble with one node is no error
        """
        deadline = base.Deadline.after(question.timeout)
        claims = self._source.claims(
            question.names, project=question.project, host=question.host
        )
        hosts = self._probe(claims, question, question.listen, deadline)
        reports = {
            router.id: verdict.judge(router, hosts, question.ignore)
            for router in claims.routers
        }
        unsettled = [r for r in reports.values() if _may_settle(r)]
        if recheck and unsettled and question.recheck and deadline.left():
            again, hosts_again = self._look_again(
                unsettled, claims.hosts, question, deadline
            )
            asked = {found.router.id for found in unsettled}
            claims = _replace_routers(claims, asked, again)
            hosts = _replace_views(hosts, asked, hosts_again)
            for gone in asked - {router.id for router in again}:
                # deleted in the meantime: there is nothing to report
                del reports[gone]
            for router in again:
                reports[router.id] = self._second(
                    reports[router.id], router, hosts_again, question
                )
        return Answer(
            tuple(reports.values()),
            capture.Capture(claims, hosts, capture.now()),
        )

    def _look_again(
        self,
        unsettled: list[report.Report],
        hosts: tuple[str, ...] | None,
        question: Question,
        deadline: base.Deadline,
    ) -> tuple[tuple[claim.Router, ...], tuple[view.HostView, ...]]:
        listen = question.listen
        if any(
            finding.name in _NEEDS_LISTENING
            for found in unsettled
            for finding in found.findings
        ):
            listen = max(listen, _LISTEN)
        pause = min(max(question.recheck - listen, 0.0), deadline.left())
        self._notify(
            f'{_named(unsettled)} may be in the middle of a change: looking '
            f'again in {pause + listen:.0f} s'
        )
        self._sleep(pause)
        ids = tuple(found.router.id for found in unsettled)
        routers = self._source.again(ids)
        named = dataclasses.replace(question, names=ids)
        return routers, self._probe(
            claim.Claims(routers, hosts), named, listen, deadline
        )

    def _second(
        self,
        first: report.Report,
        router: claim.Router,
        hosts: tuple[view.HostView, ...],
        question: Question,
    ) -> report.Report:
        """Judge the second look, and say so if the first was different."""
        second = verdict.judge(router, hosts, question.ignore)
        before = first.active_hosts
        after = second.active_hosts
        gone = {f.name for f in first.findings} - {
            f.name for f in second.findings
        }
        added = []
        if len(before) == len(after) == 1 and before != after:
            added.append(
                catalogue.finding(
                    'active-moved',
                    None,
                    before=before[0],
                    after=after[0],
                    seconds=question.recheck,
                )
            )
        elif gone:
            added.append(
                catalogue.finding(
                    'changed-meanwhile',
                    None,
                    seconds=question.recheck,
                    earlier=', '.join(sorted(gone)),
                )
            )
        return verdict.conclude(
            second, [*second.findings, *added], question.ignore
        )

    def _probe(
        self,
        claims: claim.Claims,
        question: Question,
        listen: float,
        deadline: base.Deadline,
    ) -> tuple[view.HostView, ...]:
        requests = _requests(claims, question, listen)
        views = self._backend.probe(requests, deadline)
        return tuple(sorted(views, key=lambda shown: shown.host))


def _requests(
    claims: claim.Claims, question: Question, listen: float
) -> list[base.Request]:
    """Return which hosts to look at, and for which routers."""
    hosts = {
        agent.host
        for router in claims.routers
        for agent in router.agents or ()
    }
    everywhere = claims.hosts or ()
    if not question.names or len(everywhere) <= _SMALL_CLOUD:
        hosts.update(everywhere)
    if question.host is not None and not question.names:
        wanted = {router.id for router in claims.routers}
        routers: tuple[str, ...] | None = tuple(sorted(wanted))
    elif question.names:
        routers = tuple(router.id for router in claims.routers)
    else:
        routers = None
    return [base.Request(host, routers, listen) for host in sorted(hosts)]


def _named(reports: list[report.Report]) -> str:
    if len(reports) > 1:
        return f'{len(reports)} routers'
    (only,) = reports
    return f'Router {only.router.name or only.router.id}'


def _may_settle(found: report.Report) -> bool:
    entries = catalogue.entries()
    return any(
        entries[finding.name].settles
        for finding in found.findings
        if not finding.ignored
    )


def _replace_routers(
    claims: claim.Claims,
    asked: Collection[str],
    again: tuple[claim.Router, ...],
) -> claim.Claims:
    newer = {router.id: router for router in again}
    return dataclasses.replace(
        claims,
        routers=tuple(
            newer.get(r.id, r)
            for r in claims.routers
            if r.id in newer or r.id not in asked
        ),
    )


def _replace_views(
    hosts: tuple[view.HostView, ...],
    asked: Collection[str],
    again: tuple[view.HostView, ...],
) -> tuple[view.HostView, ...]:
    """Put the second look in the place of the first one's.

    What the second look did not show of a router that was asked for must
    not be taken from the first.
    """
    merged = {shown.host: shown for shown in hosts}
    for shown in again:
        old = merged.get(shown.host)
        kept = (
            tuple(v for v in old.views if v.router_id not in asked)
            if old is not None
            else ()
        )
        merged[shown.host] = dataclasses.replace(
            shown, views=kept + shown.views
        )
    return tuple(merged.values())

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

"""Checks for others: may they, and what do they see.

Who may check a router is judged by its project as Neutron knows it, never
by what the caller says. Until that is known nothing else is asked: not
another word of Neutron, and no node. A router of somebody else and one that
does not exist are the same from outside, in words and in time.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
import dataclasses
import uuid

from oslo_context import context
from oslo_log import log

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.agent import aliases
from osc_ha_router.agent import claims as claiming
from osc_ha_router.agent import policies
from osc_ha_router.agent import queue
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

LOG = log.getLogger(__name__)

#: a project that nobody has: who may check its routers may check any
_NOBODYS = uuid.uuid4().hex

#: rule, caller, project of the router: whether the caller may
Allows = Callable[[str, context.RequestContext, str], bool]


class Forbidden(errors.Error):
    """Not even routers of the caller's own project."""


class Unavailable(errors.Error):
    """Neutron does not say what has to be known."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What to check. Times are in seconds."""

    #: ids; None: every HA router that the caller may check
    routers: tuple[str, ...] | None = None
    #: codes of findings that do not count
    ignore: frozenset[str] = frozenset()
    listen: float = 0.0
    recheck: float = 10.0
    timeout: float = 120.0
    probe_timeout: float = 15.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much of it there may be. Times are in seconds."""

    #: checks under way at the same time; others wait in the queue
    checks: int
    #: how many of one project are under way or wait; None: any
    share: int | None = None
    #: the longest for who may not check any router: of a check, of a node
    timeout: float = 600.0
    probe_timeout: float = 60.0

    def on(self, asked: Asked) -> Asked:
        """Return what is asked, for no longer than it may take."""
        return dataclasses.replace(
            asked,
            timeout=min(asked.timeout, self.timeout),
            probe_timeout=min(asked.probe_timeout, self.probe_timeout),
        )


class Checker:
    """Checks routers for callers of whom Keystone has said who they are.

    :param claims: asks Neutron with the agent's own rights
    :param nodes: gives a backend for a probe timeout
    :param allows: says what a caller may
    """

    def __init__(
        self,
        claims: claiming.Claims,
        nodes: Callable[[float], base.Backend],
        allows: Allows,
        limits: Limits,
    ) -> None:
        self._claims = claims
        self._nodes = nodes
        self._allows = allows
        self._limits = limits
        self._queue = queue.Queue(limits.checks, limits.share)

    def check(
        self, who: context.RequestContext, asked: Asked
    ) -> tuple[report.Report, ...]:
        """Say what routers really are, as far as the caller may know.

        :raises Forbidden: the caller may not check any router
        :raises RouterNotFound: one that does not exist, or not for the caller
        :raises NotSupported: one that keepalived does not run
        :raises Unavailable: whether the caller may cannot be judged now
        :raises Busy: of ``queue``: others, or too many of the same project, are
            before it
        """
        rights = _Rights(self._allows, who)
        if not rights.everything:
            asked = self._limits.on(asked)
        deadline = base.Deadline.after(asked.timeout)
        if not rights.everything and not rights.check(who.project_id):
            raise Forbidden(
                'Your roles do not allow you to check routers. Ask for the '
                'role reader or member in the project of the router.'
            )
        owner = str(who.project_id or who.user_id)
        with queue.Turn(self._queue, deadline, owner) as turn:
            names: tuple[str, ...] = ()
            source: engine.Source = self._claims
            judge = _judge(rights, None)
            if asked.routers is not None or not rights.everything:
                claims = self._authorise(who, rights, asked.routers)
                if not claims.routers:
                    return ()
                names = tuple(router.id for router in claims.routers)
                source = _Known(claims, self._claims, rights)
                judge = _judge(rights, claims.routers)
            machine = engine.Engine(
                source,
                self._nodes(asked.probe_timeout),
                sleep=_pause(turn),
                judge=judge,
            )
            question = engine.Question(
                names=names,
                ignore=asked.ignore,
                listen=asked.listen,
                recheck=asked.recheck,
                timeout=deadline.left(),
            )
            try:
                reports = machine.check(question).reports
            except errors.CloudError as exc:
                raise _unavailable(rights, exc) from None
        LOG.info(
            'Checked %d routers for user %s of project %s',
            len(reports),
            who.user_id,
            who.project_id,
        )
        return reports

    def _authorise(
        self,
        who: context.RequestContext,
        rights: '_Rights',
        ids: Sequence[str] | None,
    ) -> claim.Claims:
        """Return what Neutron says of the routers, if the caller may know.

        Who may check any router needs no word of Neutron for it.
        """
        try:
            if ids is None:
                return self._own(who, rights)
            if not rights.everything:
                owners = self._claims.owners(ids)
                for id_ in ids:
                    # one that is nobody's is not there for anybody either
                    if not rights.check(owners.get(id_)):
                        raise _not_found(id_)
            return self._some(rights, ids)
        except (errors.CloudError, errors.UsageError) as exc:
            raise _unavailable(rights, exc) from None

    def _some(self, rights: '_Rights', ids: Sequence[str]) -> claim.Claims:
        try:
            found = self._claims.claims(ids)
        except (errors.RouterNotFound, errors.AmbiguousName):
            # which one, its words do not tell; it takes an id that it does
            # not know for a name
            owners = self._claims.owners(ids)
            gone = [id_ for id_ in ids if id_ not in owners]
            raise _not_found((gone or list(ids))[0]) from None
        known = {r.id: r for r in found.routers if rights.keep(r)}
        for id_ in ids:
            if id_ not in known:
                raise _not_found(id_)
        return dataclasses.replace(found, routers=tuple(known.values()))

    def _own(
        self, who: context.RequestContext, rights: '_Rights'
    ) -> claim.Claims:
        found = self._claims.claims((), project=who.project_id)
        return dataclasses.replace(
            found, routers=tuple(r for r in found.routers if rights.keep(r))
        )


class _Rights:
    """What one caller may, asked once for each project."""

    def __init__(self, allows: Allows, who: context.RequestContext) -> None:
        self._allows = allows
        self._who = who
        self._found: dict[tuple[str, str], bool] = {}
        #: whether the caller may check any router, there or not
        self.everything = self.check(_NOBODYS)

    def check(self, project_id: str | None) -> bool:
        return self._may(policies.CHECK, project_id)

    def keep(self, router: claim.Router) -> bool:
        """Whether the caller may know of a router that was asked for."""
        if router.project_id is None:
            return self.everything
        return self.check(router.project_id)

    def hosts(self, router: claim.Router) -> bool:
        """Whether the caller may see on which nodes a router is."""
        return self._may(policies.HOSTS, router.project_id or _NOBODYS)

    def _may(self, rule: str, project_id: str | None) -> bool:
        if not project_id:
            return False
        key = rule, project_id
        if key not in self._found:
            self._found[key] = self._allows(rule, self._who, project_id)
        return self._found[key]


class _Known:
    """What Neutron said before, and what it says of the same later."""

    def __init__(
        self, first: claim.Claims, later: engine.Source, rights: _Rights
    ) -> None:
        self._first = first
        self._later = later
        self._rights = rights

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        return self._first

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        return tuple(
            router
            for router in self._later.again(ids)
            if router.id in ids
            # not known any more: who may was judged when it was
            and (router.project_id is None or self._rights.keep(router))
        )


def _judge(
    rights: _Rights, routers: Sequence[claim.Router] | None
) -> engine.Judge:
    """Return a judge that names nodes only to those who may know.

    :param routers: those that the caller checks; None: any that come
    """
    ids = None if routers is None else {router.id for router in routers}
    #: router -> whether its nodes are named, the same at every look
    named = {router.id: rights.hosts(router) for router in routers or ()}
    hidden = aliases.Aliases(ids)

    def judge(
        router: claim.Router,
        hosts: Sequence[view.HostView],
        ignore: Collection[str],
    ) -> report.Report:
        if router.id not in named:
            named[router.id] = ids is None and rights.hosts(router)
        if named[router.id]:
            return verdict.judge(router, hosts, ignore)
        return hidden.judge(router, hosts, ignore)

    return judge


def _pause(turn: queue.Turn) -> Callable[[float], None]:
    """Return what waits for the second look, which there need not be."""

    def pause(seconds: float) -> None:
        try:
            turn.sleep(seconds)
        except queue.Busy as exc:
            # what the first look has come to is an answer
            raise errors.Interrupted(str(exc)) from None

    return pause


def _unavailable(rights: _Rights, exc: errors.Error) -> Unavailable:
    if rights.everything:
        return Unavailable(
            f'Neutron does not say which routers there are: {exc}'
        )
    # the address of the API is none of a tenant's business
    LOG.warning('Neutron does not say whose routers are: %s', exc)
    return Unavailable(
        'Neutron does not answer this service, so nobody can tell which '
        'routers are yours. Try again in a moment.'
    )


def _not_found(id_: str) -> errors.RouterNotFound:
    return errors.RouterNotFound(
        f'There is no router with the ID {text.one_line(id_)} that you can '
        'see. Look at "openstack router list".'
    )

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
from osc_ha_router.agent import line
from osc_ha_router.agent import policies
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


class Checker:
    """Checks routers for callers of whom Keystone has said who they are.

    :param claims: asks Neutron with the agent's own rights
    :param nodes: gives a backend for a probe timeout
    :param allows: says what a caller may
    :param limit: how many checks are under way at the same time; others
        wait in line
    :param share: how many of them one project may have there; None: any
    """

    def __init__(
        self,
        claims: claiming.Claims,
        nodes: Callable[[float], base.Backend],
        allows: Allows,
        limit: int,
        share: int | None = None,
    ) -> None:
        self._claims = claims
        self._nodes = nodes
        self._allows = allows
        self._line = line.Line(limit, share)

    def check(
        self, who: context.RequestContext, asked: Asked
    ) -> tuple[report.Report, ...]:
        """Say what routers really are, as far as the caller may know.

        :raises Forbidden: the caller may not check any router
        :raises RouterNotFound: one that does not exist, or not for the caller
        :raises NotSupported: one that keepalived does not run
        :raises Unavailable: whether the caller may cannot be judged now
        :raises Busy: of ``line``: others, or too many of the same project, are
            before it
        """
        deadline = base.Deadline.after(asked.timeout)
        rights = _Rights(self._allows, who)
        if not rights.everything and not rights.check(who.project_id):
            raise Forbidden(
                'Your roles do not allow you to check routers. Ask for the '
                'role reader or member in the project of the router.'
            )
        owner = str(who.project_id or who.user_id)
        with line.Turn(self._line, deadline, owner) as turn:
            claims = self._authorise(who, rights, asked.routers)
            if not claims.routers:
                return ()
            sweep = asked.routers is None and rights.everything
            machine = engine.Engine(
                _Known(claims, self._claims, rights),
                self._nodes(asked.probe_timeout),
                sleep=turn.sleep,
                judge=_judge(claims, rights),
            )
            question = engine.Question(
                names=()
                if sweep
                else tuple(router.id for router in claims.routers),
                ignore=asked.ignore,
                listen=asked.listen,
                recheck=asked.recheck,
                timeout=deadline.left(),
            )
            reports = machine.check(question).reports
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
                return self._all(who, rights)
            if not rights.everything:
                owners = self._claims.owners(ids)
                for id_ in ids:
                    # one that is nobody's is not there for anybody either
                    if not rights.check(owners.get(id_)):
                        raise _not_found(id_)
            return self._some(rights, ids)
        except (errors.CloudError, errors.UsageError) as exc:
            if rights.everything:
                raise Unavailable(
                    f'Neutron does not say which routers there are: {exc}'
                ) from None
            LOG.warning('Neutron does not say whose routers are: %s', exc)
            raise Unavailable(
                'Neutron does not answer this service, so nobody can tell '
                'which routers are yours. Try again in a moment.'
            ) from None

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

    def _all(
        self, who: context.RequestContext, rights: '_Rights'
    ) -> claim.Claims:
        project = None if rights.everything else who.project_id
        found = self._claims.claims((), project=project)
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


def _judge(claims: claim.Claims, rights: _Rights) -> engine.Judge:
    """Return a judge that names nodes only to those who may know."""
    open_to = {r.id for r in claims.routers if rights.hosts(r)}
    hidden = aliases.Aliases({router.id for router in claims.routers})

    def judge(
        router: claim.Router,
        hosts: Sequence[view.HostView],
        ignore: Collection[str],
    ) -> report.Report:
        if router.id in open_to:
            return verdict.judge(router, hosts, ignore)
        return hidden.judge(router, hosts, ignore)

    return judge


def _not_found(id_: str) -> errors.RouterNotFound:
    return errors.RouterNotFound(
        f'There is no router with the ID {text.one_line(id_)} that you can '
        'see. Look at "openstack router list".'
    )

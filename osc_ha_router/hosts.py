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

"""The reports of all routers, counted for each network node."""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
import dataclasses

from osc_ha_router import engine
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

#: what stands for a node that was not looked at, wholly or in part
UNREACHABLE = 'node-unreachable'
NOT_LOOKED_AT = 'not-looked-at'


@dataclasses.dataclass(frozen=True)
class Host:
    """One network node. None: not known, because it was not looked at."""

    host: str
    #: routers that are active there, as seen
    active: int | None
    #: routers that stand by there, as seen
    standby: int | None
    #: replicas there with findings of WARNING or above that count
    problems: int | None
    #: replicas there of routers that Neutron does not have there
    orphans: int | None
    #: whether Neutron gets heartbeats of its L3 agent
    alive: bool | None
    #: whether it could be looked at; None: nobody tried
    reachable: bool | None
    #: how long the look took
    seconds: float | None
    #: why it could not be looked at
    failure: view.Failure | None = None

    @property
    def gap(self) -> str | None:
        """Return the name of the finding that says what is not known."""
        if self.failure is not None:
            return UNREACHABLE
        known = (self.active, self.standby, self.problems, self.orphans)
        return NOT_LOOKED_AT if None in known else None


def count(answer: engine.Answer) -> tuple[Host, ...]:
    """Return each network node, ordered by name.

    :param answer: to a question about all routers; of one about some, the
        numbers are of these
    """
    claims = answer.look.claims
    looked = {shown.host: shown for shown in answer.look.hosts}
    alive = _alive(claims)
    there: dict[str, list[_Place]] = {
        host: [] for host in {*(claims.hosts or ()), *alive, *looked}
    }
    for item in answer.reports:
        for replica in item.replicas:
            there.setdefault(replica.host, []).append(_place(item, replica))
    found = (
        _host(
            host,
            places,
            looked.get(host, view.HostView(host)),
            alive.get(host),
        )
        for host, places in sorted(there.items())
    )
    # one without a verdict may be on any of them, as anything
    return tuple(map(_uncounted, found) if answer.unjudged else found)


@dataclasses.dataclass(frozen=True)
class _Place:
    """What counts of one replica."""

    observed: report.Observed
    #: None: not known
    problem: bool | None
    orphan: bool | None


def _place(item: report.Report, replica: report.Replica) -> _Place:
    problem: bool | None = False
    if any(
        finding.severity.rank >= report.Severity.WARNING.rank
        for finding in item.findings
        if finding.host == replica.host and not finding.ignored
    ):
        problem = True
    elif any(
        finding.severity == report.Severity.UNKNOWN
        for finding in item.findings
        # what Neutron did not tell may be missing on any of its nodes
        if finding.host in (None, replica.host)
    ):
        # to ignore that nobody looked does not make it known
        problem = None
    return _Place(
        replica.observed,
        problem,
        # of a router of which Neutron does not tell where it belongs
        None if item.router.agents is None else replica.agent is None,
    )


def _host(
    host: str,
    places: Collection[_Place],
    looked: view.HostView,
    alive: bool | None,
) -> Host:
    states = [place.observed for place in places]
    # a node that did not list all it has may have more
    complete = looked.failure is None and looked.residents is not None
    seen = complete and report.Observed.UNKNOWN not in states
    problems = [place.problem for place in places]
    reachable = None
    if looked.failure is not None:
        reachable = False
    elif complete or looked.views:
        reachable = True
    return Host(
        host=host,
        active=states.count(report.Observed.ACTIVE) if seen else None,
        standby=states.count(report.Observed.STANDBY) if seen else None,
        problems=_sum(problems) if seen else None,
        orphans=_sum(place.orphan for place in places) if complete else None,
        alive=alive,
        reachable=reachable,
        seconds=looked.seconds,
        failure=looked.failure,
    )


def _uncounted(host: Host) -> Host:
    return dataclasses.replace(
        host, active=None, standby=None, problems=None, orphans=None
    )


def _sum(values: Iterable[bool | None]) -> int | None:
    """Return how many are true, None where that is not known of all."""
    counted = list(values)
    return None if None in counted else counted.count(True)


def _alive(claims: claim.Claims) -> dict[str, bool]:
    """Return host -> whether its agent lives, as far as Neutron told."""
    return dict(_told(claims))


def _told(claims: claim.Claims) -> Iterator[tuple[str, bool]]:
    if claims.alive is not None:
        for host in claims.hosts or ():
            yield host, host in claims.alive
    # these may be of the second look, and so they come last
    for router in claims.routers:
        for agent in router.agents or ():
            yield agent.host, agent.alive

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

"""Which routers are to move where, and which cannot.

Pure functions from fresh reports, listening included, to a plan.
"""

import collections
from collections.abc import Callable
from collections.abc import Iterable
import dataclasses

from osc_ha_router import errors
from osc_ha_router.failover import plan as planning
from osc_ha_router.fleet import balance
from osc_ha_router.model import report


@dataclasses.dataclass(frozen=True)
class Move:
    """One failover that is to be."""

    router_id: str
    name: str
    source: str
    target: str


@dataclasses.dataclass(frozen=True)
class Stuck:
    """A router that should move and cannot, or nobody knows."""

    router_id: str
    name: str
    #: where it is, or may be
    source: str
    #: in sentences
    reason: str
    #: whether it is only not known, because the host was not looked at
    unknown: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is going to be done to how many."""

    moves: tuple[Move, ...]
    stuck: tuple[Stuck, ...]
    #: host -> routers that are active there now
    before: dict[str, int]
    #: the same when all has been moved
    after: dict[str, int]
    #: hosts where more may be active than that, since not all was seen
    unseen: frozenset[str] = frozenset()
    #: whether the aim is not proven for that
    blind: bool = False


def evacuate(
    reports: Iterable[report.Report], host: str, ignore: frozenset[str]
) -> Plan:
    """Return how to leave no active router on a host.

    :param reports: of all routers, so that the others' load is known
    :param ignore: codes of findings that do not count
    """
    fleet = _Fleet(reports, ignore)
    for found in fleet.reports:
        fleet.settle(found, lambda source: source == host, stays=False)
        fleet.doubt(found, host)
    return fleet.plan()


def rebalance(
    reports: Iterable[report.Report], ignore: frozenset[str]
) -> Plan:
    """Return the fewest moves that even out the active routers.

    A router that cannot be moved counts where it is.

    :param reports: of all routers
    :param ignore: codes of findings that do not count
    """
    fleet = _Fleet(reports, ignore)
    for found in fleet.reports:
        fleet.settle(found, lambda source: True, stays=True)
    # how many are active on every host is what it is about
    return fleet.plan(everywhere=True)


class _Fleet:
    """The routers while a plan is made."""

    def __init__(
        self, reports: Iterable[report.Report], ignore: frozenset[str]
    ) -> None:
        self.reports = sorted(
            reports, key=lambda r: (r.router.name, r.router.id)
        )
        self._ignore = ignore
        self._names = {r.router.id: r.router.name for r in self.reports}
        self._before: collections.Counter[str] = collections.Counter()
        self._fixed: collections.Counter[str] = collections.Counter()
        self._seats: list[balance.Seat] = []
        self._stuck: list[Stuck] = []
        unknown = [
            (found, replica.host)
            for found in self.reports
            for replica in found.replicas
            if replica.observed == report.Observed.UNKNOWN
        ]
        self._unseen = frozenset(host for _, host in unknown)
        #: whether that counts for one of them
        self._blind = not all(_passed(found, host) for found, host in unknown)

    def settle(
        self,
        found: report.Report,
        moves: Callable[[str], bool],
        stays: bool,
    ) -> None:
        """Say of an active router whether it may move, and where to.

        :param moves: whether a router that is active on this host may
        :param stays: whether it may as well stay
        """
        for source in found.active_hosts:
            self._before[source] += 1
            reason = ''
            ready: tuple[str, ...] = ()
            if moves(source):
                ready, reason = self._ready(found, source)
            if ready:
                self._seats.append(
                    balance.Seat(found.router.id, source, ready, stays)
                )
                continue
            self._fixed[source] += 1
            if reason and not stays:
                self._stick(found, source, reason)

    def doubt(self, found: report.Report, host: str) -> None:
        """Name a router that holds its address there without being active.

        And one of which nobody knows, because the host was not looked at.
        """
        for replica in found.replicas:
            if replica.host != host:
                continue
            if replica.observed == report.Observed.UNKNOWN:
                why = replica.failure
                self._stick(
                    found,
                    host,
                    why.message if why else f'{host} was not looked at',
                    unknown=True,
                )
            elif replica.vip and replica.observed != report.Observed.ACTIVE:
                self._stick(
                    found,
                    host,
                    f'{host} holds its address and is {replica.observed}: '
                    'see "openstack router ha check"',
                )

    def plan(self, everywhere: bool = False) -> Plan:
        """Return the plan.

        :param everywhere: whether the aim is about all hosts
        """
        where = balance.even(self._seats, self._fixed)
        after = self._fixed + collections.Counter(where.values())
        hosts = sorted({*self._before, *after, *self._all()})
        return Plan(
            tuple(
                Move(
                    seat.router_id,
                    self._names[seat.router_id],
                    seat.host,
                    where[seat.router_id],
                )
                for seat in self._seats
                if where[seat.router_id] != seat.host
            ),
            tuple(self._stuck),
            {host: self._before[host] for host in hosts},
            {host: after[host] for host in hosts},
            self._unseen,
            everywhere and self._blind,
        )

    def _all(self) -> set[str]:
        """Return every host that has a replica."""
        return {
            replica.host
            for found in self.reports
            for replica in found.replicas
            if replica.agent is not None
        }

    def _stick(
        self,
        found: report.Report,
        source: str,
        reason: str,
        unknown: bool = False,
    ) -> None:
        router = found.router
        self._stuck.append(
            Stuck(router.id, router.name, source, reason, unknown)
        )

    def _ready(
        self, found: report.Report, source: str
    ) -> tuple[tuple[str, ...], str]:
        """Return which hosts can take over, and why none can."""
        wish = planning.Wish(from_=source, ignore=self._ignore)
        try:
            candidates = planning.make(found, wish).candidates
        except errors.Refused as refusal:
            return (), str(refusal)
        ready = []
        reason = ''
        for candidate in candidates:
            if candidate.obstacles:
                continue
            try:
                # what is wrong with the target counts only now
                planning.make(
                    found, dataclasses.replace(wish, to=candidate.host)
                )
            except errors.Refused as refusal:
                reason = str(refusal)
            else:
                ready.append(candidate.host)
        return tuple(ready), reason


def _passed(found: report.Report, host: str) -> bool:
    """Return whether somebody has said that a host out of sight is well."""
    return any(
        finding.ignored
        and finding.host == host
        and finding.severity == report.Severity.UNKNOWN
        for finding in found.findings
    )

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

"""What a failover would do, or why it must not be done.

Pure functions from a fresh report and a wish to a plan: no I/O, no clock.
"""

from collections.abc import Iterable
import dataclasses

from osc_ha_router.diagnosis import case
from osc_ha_router.failover import methods
from osc_ha_router.failover import obstacles
from osc_ha_router.failover import outlook
from osc_ha_router.failover import preflight
from osc_ha_router.model import claim
from osc_ha_router.model import report

Method = methods.Method
METHODS = methods.METHODS

#: Neutron's default ha_vrrp_advert_int, in seconds
_ADVERT_INT = 2.0
#: seconds by which an advertisement may be late
_LATE = 0.5
#: seconds that a node listens at most
_LONGEST = 60.0


@dataclasses.dataclass(frozen=True)
class Wish:
    """What was asked for."""

    #: the host that is to be active
    to: str | None = None
    #: the host that must be active now
    from_: str | None = None
    #: one of ``METHODS``; None: the best one that is possible
    method: str | None = None
    #: codes of findings that do not count
    ignore: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A replica that could take over, or why it cannot."""

    host: str
    #: sentences without a final dot; none: ready
    obstacles: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is going to be done."""

    report: report.Report
    #: the active host
    source: str
    #: None: release, the winner is not chosen
    target: str | None
    #: one of ``METHODS``, empty if there is nothing to be done
    method: str
    #: all other replicas, ready ones first, by name
    candidates: tuple[Candidate, ...]
    #: what will be lost, and what can go wrong; sentences without final dot
    warnings: tuple[str, ...]
    #: what a plan alone does not prove, the same
    unproven: tuple[str, ...]
    #: the target is active already
    done: bool
    #: in seconds
    advert_int: float

    @property
    def router(self) -> claim.Router:
        """Return the router, as Neutron describes it."""
        return self.report.router

    @property
    def hosts(self) -> list[str]:
        """Return the hosts where there is something to be locked.

        A replica that was not looked at, or that has no namespace or no
        keepalived.conf, cannot take part in a move.
        """
        return sorted(
            replica.host
            for replica in self.report.replicas
            if replica.view is not None
            and replica.view.namespace is not None
            and replica.view.keepalived_conf is not None
        )


def listening(found: Iterable[report.Report], listened: float) -> float:
    """Return for how long a look has to listen that is good for a plan.

    Nothing heard means nothing before an interval has gone by.

    :param found: of a look
    :param listened: for how long that look has listened, in seconds
    :return: in seconds; 0: that was enough for all of them
    """
    longest = max(
        (
            conf.advert_int or 0.0
            for each in found
            for replica in each.replicas
            if replica.view is not None
            and (conf := replica.view.keepalived_conf) is not None
        ),
        default=0.0,
    )
    if longest <= listened:
        return 0.0
    return min(longest + _LATE, _LONGEST)


def make(found: report.Report, wish: Wish) -> Plan:
    """Say how the wish can be fulfilled.

    :param found: from a look of just now, listening included
    :raises Refused: it cannot, and why; in lines for whoever is on call
    """
    this = case.Case(
        found.router,
        found.replicas,
        frozenset(found.vips),
        # what other routers there are is in the findings by now
        peers=(),
    )
    check = preflight.Preflight(this, found.findings, wish.ignore)
    check.free()
    check.asked(wish.to, wish.method)
    source = check.source()
    check.guard(source, wish.from_)
    check.hosting(wish.to)
    met = obstacles.of(this, found.findings, source)
    candidates = tuple(
        Candidate(host, met[host])
        for host in sorted(met, key=lambda host: (bool(met[host]), host))
    )
    conf = source.view.keepalived_conf if source.view else None
    bare = Plan(
        report=found,
        source=source.host,
        target=source.host,
        method='',
        candidates=candidates,
        warnings=(),
        unproven=(),
        done=True,
        advert_int=(conf.advert_int if conf else None) or _ADVERT_INT,
    )
    if wish.to == source.host:
        check.alone(source)
        return bare
    target = check.target(met, source, wish.to)
    moves_to = None if wish.method == methods.RELEASE else target
    check.health(source, moves_to)
    method = check.method(source, moves_to, wish.method)
    ahead = outlook.Outlook(this, source, moves_to, met, method)
    return dataclasses.replace(
        bare,
        target=moves_to,
        method=method,
        warnings=(*ahead.warnings(), *check.passed()),
        unproven=tuple(ahead.unproven()),
        done=False,
    )

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

import dataclasses

from osc_ha_router.model import claim
from osc_ha_router.model import report


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to move the active role."""

    #: as it is typed
    name: str
    #: what is done, in one sentence
    summary: str
    #: what it costs, in sentences
    cost: str


PROMOTE = 'promote'
HANDOVER = 'handover'
RELEASE = 'release'

#: by name, the best one first
METHODS = {
    method.name: method
    for method in (
        Method(
            PROMOTE,
            'The target is given the highest priority and takes over while '
            'the old node still forwards.',
            'No ping is lost in most runs; the outage is up to about 0.1 s. '
            'No keepalived is restarted. It begins after three '
            'advertisement intervals.',
        ),
        Method(
            HANDOVER,
            'The target is given the highest priority, then keepalived on '
            'the active node is ended with SIGTERM, so that it resigns.',
            'The outage is 0.2 to 0.5 s. Redundancy is missing until '
            'Neutron starts keepalived again on the old node '
            '(check_child_processes_interval, 60 s by default).',
        ),
        Method(
            RELEASE,
            'keepalived on the active node is ended with SIGTERM; no other '
            'node is changed, and VRRP chooses who takes over.',
            'The outage is 0.8 to 1.6 s, and the winner is not chosen. '
            'Redundancy is missing until Neutron starts keepalived again on '
            'the old node (check_child_processes_interval, 60 s by default).',
        ),
    )
}


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
    #: what will be lost, and what can go wrong, a sentence each
    warnings: tuple[str, ...]
    #: what a plan alone does not prove, a sentence each
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
        """Return the hosts of all replicas that could be looked at."""
        return sorted(
            r.host for r in self.report.replicas if r.view is not None
        )


def make(found: report.Report, wish: Wish) -> Plan:
    """Say how the wish can be fulfilled.

    :param found: from a look of just now, listening included
    :raises Refused: it cannot, and why; in lines for whoever is on call
    """
    raise NotImplementedError

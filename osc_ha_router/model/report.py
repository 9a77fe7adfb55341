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

"""What follows: one ``Report`` for each router."""

import dataclasses
import enum

from osc_ha_router.model import claim
from osc_ha_router.model import view as node


class Severity(enum.StrEnum):
    """How bad, in words; ``rank`` orders them."""

    OK = 'OK'
    INFO = 'INFO'
    UNKNOWN = 'UNKNOWN'
    WARNING = 'WARNING'
    ERROR = 'ERROR'

    @property
    def rank(self) -> int:
        """Return 0 for OK up to 4 for ERROR."""
        return list(Severity).index(self)


class Observed(enum.StrEnum):
    """What a replica really is, by the evidence on its node."""

    #: holds the HA VIP, and a live keepalived VRRP process owns it
    ACTIVE = 'active'
    #: a live keepalived VRRP process, no VIP, able to take over
    STANDBY = 'standby'
    #: holds the HA VIP without a live keepalived
    STALE = 'stale'
    #: no VIP, and unable to take over
    FAULT = 'fault'
    #: no namespace
    ABSENT = 'absent'
    #: not looked at, or not enough of it
    UNKNOWN = 'unknown'


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, with its evidence."""

    code: str
    name: str
    severity: Severity
    #: the node it is about, None for the router as a whole
    host: str | None
    #: one line with what was expected and what was seen
    summary: str
    #: one line with what to do
    hint: str
    documentation_url: str
    #: shown, but left out of health and exit code, because of --ignore
    ignored: bool = False


@dataclasses.dataclass(frozen=True)
class Replica:
    """One router on one host: what is claimed beside what is seen."""

    host: str
    agent: claim.Agent | None
    #: None: the host was not looked at
    view: node.NodeView | None
    observed: Observed
    #: whether the HA VIP is in the namespace; None: not looked at
    vip: bool | None
    #: whether a live keepalived VRRP process was seen
    keepalived: bool | None
    #: whether the state-change monitor was seen
    monitor: bool | None
    #: why the host could not be looked at
    failure: node.Failure | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """The verdict on one router."""

    router: claim.Router
    health: Severity
    replicas: tuple[Replica, ...]
    findings: tuple[Finding, ...]
    #: the HA VIP with prefix, by keepalived.conf or guessed from the nodes
    vips: tuple[str, ...] = ()

    @property
    def active_hosts(self) -> list[str]:
        """Return the hosts where the router is active, as seen."""
        return [r.host for r in self.replicas if r.observed == Observed.ACTIVE]

    @property
    def reported_active(self) -> list[str]:
        """Return the hosts that Neutron calls active."""
        return [
            r.host
            for r in self.replicas
            if r.agent is not None and r.agent.ha_state == 'active'
        ]

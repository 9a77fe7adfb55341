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

"""What counts as a change, of one router, in a few words."""

import collections
import dataclasses

from osc_ha_router.model import report

#: findings that tell of one look only: that they are gone is no news
_PASSING = frozenset(('changed-meanwhile', 'active-moved', 'failover-undone'))


@dataclasses.dataclass(frozen=True)
class State:
    """What counts as a change, of one router."""

    name: str
    health: str
    active: tuple[str, ...]
    reported: tuple[str, ...]
    #: host, observed, reported
    replicas: tuple[tuple[str, str, str | None], ...]
    #: code, name, host, ignored; each as often as it is found
    findings: tuple[tuple[str, str, str | None, bool], ...]

    @classmethod
    def of(cls, item: report.Report) -> 'State':
        """Return the state that a report tells of."""
        return cls(
            item.router.name,
            item.health.value,
            tuple(item.active_hosts),
            tuple(item.reported_active),
            tuple(
                (
                    r.host,
                    r.observed.value,
                    r.agent.ha_state if r.agent else None,
                )
                for r in item.replicas
            ),
            tuple((f.code, f.name, f.host, f.ignored) for f in item.findings),
        )

    @property
    def unhealthy(self) -> bool:
        """Whether there is a finding that counts."""
        return not all(ignored for *_, ignored in self.findings)

    @property
    def lasting(self) -> 'State':
        """Return the same without what tells of one look only."""
        kept = tuple(f for f in self.findings if f[1] not in _PASSING)
        health = self.health
        if health == report.Severity.INFO and all(f[3] for f in kept):
            health = report.Severity.OK.value
        return dataclasses.replace(self, health=health, findings=kept)

    def new(self, item: report.Report) -> list[report.Finding]:
        """Return the findings of a later report that were not there."""
        known = collections.Counter(self.findings)
        found = []
        for finding in item.findings:
            key = finding.code, finding.name, finding.host, finding.ignored
            if known[key]:
                known[key] -= 1
            else:
                found.append(finding)
        return found

    def missing(self, later: 'State') -> list[tuple[str, str, str | None]]:
        """Return code, name and host of findings that are no longer there."""
        gone = collections.Counter(self.findings)
        gone.subtract(later.findings)
        return [key[:3] for key, count in gone.items() if count > 0]

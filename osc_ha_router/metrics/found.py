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

"""What the metrics say of reports, and of looks at nodes."""

import collections
from collections.abc import Iterable
from collections.abc import Mapping

from osc_ha_router.metrics import page
from osc_ha_router.model import report
from osc_ha_router.model import view

#: a rule must see when there is none of these, so there is always a sample
_COUNTED = (
    report.Observed.ACTIVE,
    report.Observed.STANDBY,
    report.Observed.UNKNOWN,
)


class Found:
    """What a check found, taken in report by report.

    Nothing of a report is kept but what the metrics say, so that the whole
    need not be in memory.
    """

    def __init__(self) -> None:
        self.metrics = page.Metrics()
        self._health: dict[str, report.Severity] = {}
        #: hosts that were looked at, and whether they could be
        self.hosts: dict[str, bool] = {}

    def router(self, item: report.Report) -> None:
        """Take in the report on one router."""
        router = item.router
        if router.id in self._health:
            return
        self._health[router.id] = item.health
        say = self.metrics.set
        say(
            'router_ha_router_info',
            1,
            router.id,
            router.name,
            router.project_id or '',
        )
        say('router_ha_router_health', 1, router.id, item.health)
        if not router.deleted and router.admin_state_up is not False:
            self._count(item)
        for replica in item.replicas:
            self._replica(item, replica)
        for finding in item.findings:
            self.metrics.add(
                'router_ha_ignored_findings'
                if finding.ignored
                else 'router_ha_findings',
                router.id,
                finding.host or '',
                finding.code,
                finding.name,
                finding.severity,
            )

    def _count(self, item: report.Report) -> None:
        counts = collections.Counter(r.observed for r in item.replicas)
        for observed in report.Observed:
            if observed in _COUNTED or counts[observed]:
                self.metrics.set(
                    'router_ha_router_replicas',
                    counts[observed],
                    item.router.id,
                    observed,
                )

    def _replica(self, item: report.Report, replica: report.Replica) -> None:
        where = item.router.id, replica.host
        if replica.observed != report.Observed.UNKNOWN:
            self.metrics.set(
                'router_ha_replica_active',
                replica.observed == report.Observed.ACTIVE,
                *where,
            )
        if replica.agent is not None:
            reported = replica.agent.ha_state or 'unknown'
        else:
            reported = 'unknown' if item.router.agents is None else 'none'
        self.metrics.set(
            'router_ha_replica_state', 1, *where, replica.observed, reported
        )

    def node(self, shown: view.HostView) -> None:
        """Take in how the look at one node went."""
        failure = shown.failure
        self.hosts[shown.host] = failure is None
        say = self.metrics.set
        say('router_ha_probe_success', failure is None, shown.host)
        if failure is not None:
            say('router_ha_probe_failed', 1, shown.host, failure.kind)
        if shown.seconds is not None:
            say('router_ha_probe_duration_seconds', shown.seconds, shown.host)

    def end(
        self, at: float, earlier: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Take in that this is all.

        :param at: when the check began, in seconds of the epoch
        :param earlier: when nodes were last looked at before this check
        :return: when each node of this check was last looked at
        """
        for health in report.Severity:
            count = sum(h == health for h in self._health.values())
            self.metrics.set('router_ha_routers', count, health)
        known = earlier or {}
        last = {
            host: at if success else known[host]
            for host, success in self.hosts.items()
            if success or host in known
        }
        for host, then in last.items():
            self.metrics.set(
                'router_ha_last_look_timestamp_seconds', then, host
            )
        return last


def gather(
    reports: Iterable[report.Report], hosts: Iterable[view.HostView]
) -> Found:
    """Take in all of a check; its ``end`` is left to be called."""
    found = Found()
    for item in reports:
        found.router(item)
    for shown in hosts:
        found.node(shown)
    return found

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

"""All rules over one router, put in order: the report."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
import dataclasses

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis.rules import address
from osc_ha_router.diagnosis.rules import claims
from osc_ha_router.diagnosis.rules import device
from osc_ha_router.diagnosis.rules import errand
from osc_ha_router.diagnosis.rules import process
from osc_ha_router.diagnosis.rules import residue
from osc_ha_router.diagnosis.rules import role
from osc_ha_router.diagnosis.rules import unknown
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

Rule = Callable[[case.Case], Iterator[report.Finding]]

RULES: tuple[Rule, ...] = (
    role.stale,
    role.several,
    role.nobody,
    claims.claimed,
    claims.agents,
    claims.redundancy,
    claims.bindings,
    claims.router,
    claims.ha_ports,
    process.keepalived,
    process.astray,
    process.monitor,
    process.helpers,
    process.forwarding,
    device.ha_devices,
    device.tracked,
    device.router_devices,
    address.missing,
    address.routes,
    address.leftovers,
    address.detection,
    residue.namespaces,
    residue.leftovers,
    residue.duplicate_vrid,
    residue.configuration,
    errand.errands,
    unknown.nodes,
    unknown.claims,
)


def judge(
    router: claim.Router,
    hosts: Iterable[view.HostView],
    ignore: Collection[str] = (),
) -> report.Report:
    """Say what one router really is.

    :param router: what Neutron says
    :param hosts: what the nodes show, also of other routers
    :param ignore: codes of findings that are shown but do not count
    """
    this = case.build(router, hosts)
    if router.deleted:
        # nothing is to be expected, and so nothing is missing
        found = [*residue.leftovers(this), *errand.errands(this)]
    elif router.admin_state_up is False:
        # Neutron takes a disabled router off all nodes: nothing to expect
        found = [
            catalogue.finding('router-disabled', None, router_id=router.id),
            *residue.disabled(this),
            *errand.errands(this),
            *unknown.nodes(this),
        ]
    else:
        found = [finding for rule in RULES for finding in rule(this)]
    return conclude(
        report.Report(
            this.router,
            report.Severity.OK,
            this.replicas,
            findings=(),
            vips=tuple(sorted(this.vips)),
        ),
        found,
        ignore,
    )


def conclude(
    bare: report.Report,
    found: Iterable[report.Finding],
    ignore: Collection[str] = (),
) -> report.Report:
    """Return the report with these findings, worst first, and its health.

    :param bare: a report whose own findings and health do not matter
    """
    findings = tuple(
        sorted(
            (dataclasses.replace(f, ignored=f.code in ignore) for f in found),
            key=lambda f: (f.ignored, -f.severity.rank, f.code, f.host or ''),
        )
    )
    health = max(
        (f.severity for f in findings if not f.ignored),
        key=lambda severity: severity.rank,
        default=report.Severity.OK,
    )
    return report.Report(
        bare.router, health, bare.replicas, findings, bare.vips
    )

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

"""What is there and should not be, or the other way round (RHA6xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis.rules import address
from osc_ha_router.diagnosis.rules import process
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.model import report

ABSENT = report.Observed.ABSENT


def namespaces(this: case.Case) -> Iterator[report.Finding]:
    """Namespaces missing where Neutron has the router."""
    for replica in this.hosted:
        if replica.observed == ABSENT:
            yield catalogue.finding('namespace-absent', replica.host)


def leftovers(this: case.Case) -> Iterator[report.Finding]:
    """Replicas on nodes that Neutron does not name."""
    if this.router.agents is None:
        return
    for replica in this.replicas:
        shown = replica.view
        if replica.agent is not None or shown is None:
            continue
        if replica.vip:
            yield catalogue.finding(
                'leftover-active',
                replica.host,
                vip=', '.join(sorted(this.vips)),
            )
            continue
        what = [f'the namespace {shown.namespace}'] if shown.namespace else []
        what += sorted({p.role for p in shown.processes or ()})
        yield catalogue.finding(
            'leftover-replica', replica.host, what=' and '.join(what)
        )


def disabled(this: case.Case) -> Iterator[report.Finding]:
    """Nodes that still serve a router which is administratively down."""
    for replica in this.holders:
        yield catalogue.finding(
            'leftover-active',
            replica.host,
            vip=', '.join(sorted(this.vips)),
        )


def duplicate_vrid(this: case.Case) -> Iterator[report.Finding]:
    """Another router of the HA network with the same virtual router id."""
    vrids = {conf.vrid for _, conf in this.confs() if conf.vrid is not None}
    clashes = {
        (resident.vrid, resident.router_id)
        for resident in this.peers
        if resident.vrid in vrids
    }
    for vrid, other in sorted(clashes, key=str):
        yield catalogue.finding('duplicate-vrid', None, vrid=vrid, other=other)


def configuration(this: case.Case) -> Iterator[report.Finding]:
    """keepalived.conf: there, readable, and the same everywhere."""
    for replica, shown in process.looked(this):
        if not shown.files or shown.keepalived_conf is not None:
            continue
        said = [
            p.message for p in shown.problems if p.what == 'keepalived_conf'
        ]
        yield catalogue.finding(
            'conf-missing',
            replica.host,
            what=f'cannot be used: {said[0]}' if said else 'is missing',
        )
    named = {replica.host for replica in this.hosted}
    confs = [(host, conf) for host, conf in this.confs() if host in named]
    differences = [
        f'{label} is '
        + ', '.join(f'{value} on {host}' for host, value in values.items())
        for label, values in (
            ('virtual_router_id', {host: c.vrid for host, c in confs}),
            ('advert_int', {host: c.advert_int for host, c in confs}),
        )
        if len(set(values.values())) > 1
    ]
    differences += _lacking(
        {host: address.configured(conf) for host, conf in confs}
    )
    if differences:
        yield catalogue.finding(
            'conf-differs', None, differences='; '.join(differences)
        )


def _lacking(addresses: dict[str, frozenset[str]]) -> list[str]:
    """Return in words what a node's file lacks and another's has."""
    every = frozenset[str]().union(*addresses.values())
    return [
        f'{host} lacks {words.some(every - own)}'
        for host, own in addresses.items()
        if every - own
    ]

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


def duplicate_vrid(this: case.Case) -> Iterator[report.Finding]:
    """Another router of the HA network with the same virtual router id."""
    peers = {peer.router_id for peer in this.router.peers or ()}
    vrids = {conf.vrid for _, conf in this.confs() if conf.vrid is not None}
    clashes = {
        (resident.vrid, resident.router_id)
        for residents in this.residents.values()
        for resident in residents
        if resident.router_id in peers and resident.vrid in vrids
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
    differences = []
    for label, values in (
        ('virtual_router_id', {host: str(c.vrid) for host, c in confs}),
        ('advert_int', {host: str(c.advert_int) for host, c in confs}),
        (
            'addresses',
            {
                host: words.some(address.configured(c)) or 'none'
                for host, c in confs
            },
        ),
    ):
        if label == 'addresses':
            differ = len({address.configured(c) for _, c in confs}) > 1
        else:
            differ = len(set(values.values())) > 1
        if differ:
            differences.append(
                f'{label} is '
                + ', '.join(f'{v} on {h}' for h, v in values.items())
            )
    if differences:
        yield catalogue.finding(
            'conf-differs', None, differences='; '.join(differences)
        )

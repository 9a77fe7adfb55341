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

"""Addresses and routes: all on the active node, none elsewhere (RHA5xx)."""

from collections.abc import Iterator
import shlex

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis.rules import process
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

ACTIVE = report.Observed.ACTIVE

#: SIGHUP does not help: keepalived 2.2.7 sets only what is new in the file
#: flags of an address that is in use
_SETTLED = ('permanent',)

_ADD = (
    'ip netns exec {} ip address add <address> dev <device>, or fail over; '
    'SIGHUP to keepalived does not bring an address back'
)
_UPDATE = (
    'make the L3 agent write keepalived.conf again with any update of the '
    'router, such as openstack router set --description; do not add it by '
    'hand'
)


def missing(this: case.Case) -> Iterator[report.Finding]:
    """What an active node must hold and does not."""
    for replica, shown in process.looked(this):
        held = evidence.held(shown)
        if replica.observed != ACTIVE or held is None:
            continue
        plain = evidence.held_plain(shown)
        conf = shown.keepalived_conf
        told = configured(conf)
        wanted = claimed(this)
        if told <= held and wanted <= plain:
            continue
        lost = {a for a in told if evidence.bare(a) not in plain}
        unset = (
            wanted - {evidence.bare(a) for a in told} - plain
            if conf is not None
            else wanted - plain
        )
        floating = {ip.address for ip in this.router.floating_ips or ()}
        for addresses, source in (
            (lost, ''),
            (unset, _unset_source(conf)),
        ):
            yield from _lacks(
                replica.host,
                shown,
                {a for a in addresses if _is_floating(a, floating, told)},
                source,
                'floating-ip-missing',
            )
            yield from _lacks(
                replica.host,
                shown,
                {a for a in addresses if not _is_floating(a, floating, told)},
                source,
                'address-missing',
            )


def routes(this: case.Case) -> Iterator[report.Finding]:
    """Routes of keepalived.conf that an active node does not have."""
    for replica, shown in process.looked(this):
        conf = shown.keepalived_conf
        if replica.observed != ACTIVE or conf is None or shown.routes is None:
            continue
        there = {(r.destination, r.gateway) for r in shown.routes}
        destinations = {r.destination for r in shown.routes}
        gone = [
            route.destination
            + (f' via {route.gateway}' if route.gateway else '')
            for route in conf.routes
            if (route.destination, route.gateway) not in there
            and (route.gateway or route.destination not in destinations)
        ]
        if gone:
            yield catalogue.finding(
                'route-missing',
                replica.host,
                routes=words.some(gone),
                pid=_parent(shown),
            )


def leftovers(this: case.Case) -> Iterator[report.Finding]:
    """The active node's addresses on a node without the VIP."""
    told = frozenset().union(*[configured(conf) for _, conf in this.confs()])
    for replica, shown in process.looked(this):
        held = evidence.held(shown)
        if replica.vip is not False or held is None:
            continue
        extra = held & (told - this.vips)
        link_local = {a for a in extra if a.startswith('fe80:')}
        for name, addresses in (
            ('address-on-standby', extra - link_local),
            ('link-local-on-standby', link_local),
        ):
            if addresses:
                yield catalogue.finding(
                    name,
                    replica.host,
                    addresses=words.some(addresses),
                    namespace=shown.namespace,
                )


def detection(this: case.Case) -> Iterator[report.Finding]:
    """IPv6 addresses that duplicate address detection keeps unused."""
    for replica, shown in process.looked(this):
        # all but the usual, of which there is no more to say
        flagged = [a for a in shown.addresses or () if a.flags != _SETTLED]
        failed = [a.address for a in flagged if 'dadfailed' in a.flags]
        waiting = [
            a.address
            for a in flagged
            if 'tentative' in a.flags and 'dadfailed' not in a.flags
        ]
        if failed:
            yield catalogue.finding(
                'dadfailed',
                replica.host,
                addresses=words.some(failed),
                namespace=shown.namespace,
            )
        if waiting and replica.observed == ACTIVE:
            yield catalogue.finding(
                'address-tentative',
                replica.host,
                addresses=words.some(waiting),
            )


def configured(conf: view.KeepalivedConf | None) -> frozenset[str]:
    """Return what keepalived.conf gives to the active node, normalised."""
    return frozenset() if conf is None else _configured(conf)


@evidence.remembered
def _configured(conf: view.KeepalivedConf) -> frozenset[str]:
    return frozenset(
        [evidence.normal(a.address) for a in (*conf.vips, *conf.excluded)]
    )


def claimed(this: case.Case) -> frozenset[str]:
    """Return the addresses that Neutron expects, without prefixes.

    With DVR most floating IPs and internal addresses live elsewhere, so
    only the gateway's and the SNAT ports' count.
    """
    owners = [claim.GATEWAY_PORT, claim.SNAT_PORT]
    floating: set[str] = set()
    if not this.router.distributed:
        owners.append(claim.INTERNAL_PORT)
        floating = {ip.address for ip in this.router.floating_ips or ()}
    return frozenset(
        evidence.bare(address)
        for address in floating.union(
            *(port.addresses for port in this.ports(*owners))
        )
    )


def _is_floating(
    address: str, floating: set[str], told: frozenset[str]
) -> bool:
    return evidence.bare(address) in floating or (
        # without Neutron's word a lone IPv4 address is a floating IP
        not floating and address in told and address.endswith('/32')
    )


def _unset_source(conf: view.KeepalivedConf | None) -> str:
    if conf is None:
        return ', which Neutron expects (no keepalived.conf was read)'
    return ', which Neutron expects but keepalived.conf does not name'


def _lacks(
    host: str,
    shown: view.NodeView,
    addresses: set[str],
    source: str,
    name: str,
) -> Iterator[report.Finding]:
    if addresses:
        yield catalogue.finding(
            name,
            host,
            addresses=words.some(addresses),
            source=source,
            cure=_UPDATE
            if source
            else _ADD.format(shlex.quote(str(shown.namespace))),
        )


def _parent(shown: view.NodeView) -> int | str:
    parents = evidence.with_role(shown, 'keepalived')
    return parents[0].pid if parents else 'unknown'

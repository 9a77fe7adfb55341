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

"""Network devices in the namespaces (RHA4xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis.rules import process
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

ACTIVE = report.Observed.ACTIVE
UNKNOWN = report.Observed.UNKNOWN

#: characters of a port's id in the device's name (IFNAMSIZ leaves 14)
#: operational states of a device whose other end is missing or down
_NO_CARRIER = frozenset(('DOWN', 'LOWERLAYERDOWN', 'NOTPRESENT'))

_ID_LENGTH = 11
_PREFIXES = {
    claim.GATEWAY_PORT: 'qg-',
    claim.SNAT_PORT: 'sg-',
    claim.INTERNAL_PORT: 'qr-',
}


def ha_devices(this: case.Case) -> Iterator[report.Finding]:
    """The ha- device, on every node."""
    for replica, shown in process.looked(this):
        if shown.links is None:
            continue
        found = evidence.ha_devices(shown)
        state = _state(found[0] if found else None)
        if state:
            yield catalogue.finding(
                'ha-device-down',
                replica.host,
                device=found[0].name if found else _expected(this, replica),
                state=state,
                namespace=shown.namespace,
            )
        elif evidence.able(shown) is False:
            yield catalogue.finding(
                'ha-address-missing', replica.host, device=found[0].name
            )
        if len(found) > 1:
            yield catalogue.finding(
                'several-ha-devices',
                replica.host,
                count=len(found),
                devices=', '.join(link.name for link in found),
            )


def tracked(this: case.Case) -> Iterator[report.Finding]:
    """Devices that are down and take keepalived with them."""
    for replica, shown in process.looked(this):
        for link in evidence.followed(shown):
            state = _state(link)
            if state and not link.name.startswith('ha-'):
                yield catalogue.finding(
                    'tracked-device-down',
                    replica.host,
                    device=link.name,
                    state=state,
                    namespace=shown.namespace,
                )


def router_devices(this: case.Case) -> Iterator[report.Finding]:
    """qg-, qr- and sg- devices: ready where active, there where not."""
    for replica, shown in process.looked(this):
        if shown.links is None or replica.vip is None:
            continue
        serving = replica.vip and replica.observed in (ACTIVE, UNKNOWN)
        if replica.vip and not serving:
            # stale: the devices of a node that must let go do not matter
            continue
        ports = _ports(this, shown)
        for name in sorted(ports.keys() - {x.name for x in shown.links}):
            yield _missing(replica.host, name, ports[name], bool(serving))
        states = {
            link.name: _state(link)
            for link in shown.links
            if not link.up or link.oper in _NO_CARRIER
        }
        for name, state in sorted(states.items()):
            if not state or name.startswith('ha-'):
                continue
            if serving:
                yield from _down(replica.host, name, state, shown)
            elif name.startswith(('qr-', 'sg-')):
                # a qg- that is down on a standby is by design in Neutron
                # from Queens to Yoga
                yield catalogue.finding(
                    'device-not-ready', replica.host, device=name, state=state
                )


def _ports(this: case.Case, shown: view.NodeView) -> dict[str, claim.Port]:
    """Return the devices that Neutron's ports ask for in this namespace."""
    ports = _devices(this.router)
    if not (shown.namespace or '').startswith('snat-'):
        return ports
    # with DVR the internal devices stay in the qrouter- namespace
    return {
        name: port
        for name, port in ports.items()
        if port.owner != claim.INTERNAL_PORT
    }


@evidence.remembered
def _devices(router: claim.Router) -> dict[str, claim.Port]:
    return {
        _PREFIXES[port.owner] + port.id[:_ID_LENGTH]: port
        for port in router.ports or ()
        if port.owner in _PREFIXES
    }


def _missing(
    host: str, device: str, port: claim.Port, serving: bool
) -> report.Finding:
    if serving:
        return catalogue.finding(
            'device-missing',
            host,
            device=device,
            kind=port.owner.partition(':')[2],
            port_id=port.id,
        )
    return catalogue.finding(
        'device-not-ready', host, device=device, state='missing'
    )


def _down(
    host: str, device: str, state: str, shown: view.NodeView
) -> Iterator[report.Finding]:
    if device.startswith('qg-'):
        name = 'gateway-device-down'
    elif device.startswith(('qr-', 'sg-')):
        name = 'internal-device-down'
    else:
        return
    yield catalogue.finding(
        name, host, device=device, state=state, namespace=shown.namespace
    )


def _state(link: view.Link | None) -> str | None:
    """Return what is wrong with a device in words, None if nothing is."""
    if link is None:
        return 'missing'
    if not link.up:
        return 'administratively down'
    if link.oper in _NO_CARRIER:
        return 'up but without carrier'
    return None


def _expected(this: case.Case, replica: report.Replica) -> str:
    port = this.ha_port(replica.host)
    return 'ha-' + port.id[:_ID_LENGTH] if port else 'ha-...'

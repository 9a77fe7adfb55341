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
"""One router, put together of what several calls said."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import convert
from osc_ha_router.model import claim

_OVN_AGENT = 'OVN Controller Gateway agent'

_NO_AGENTS = (
    'which L3 agents host it: the policy get_l3-agents does not allow you '
    '(administrators by default)'
)
_NO_SIGN = (
    'whether it is an HA router at all: the attribute ha is shown to '
    'administrators only'
)


def ovn(agents: Sequence[neutron.Json] | None) -> bool:
    """Whether these are gateways of OVN, which has no keepalived."""
    return bool(agents and all(a['agent_type'] == _OVN_AGENT for a in agents))


def refuse(router: neutron.Json) -> errors.NotSupported:
    """Return why a foreign router that was asked for is not judged."""
    name = text.clean(router['name'] or '') or router['id']
    return errors.NotSupported(
        f'Router {name!r} is run by OVN, which has no '
        'keepalived: see "openstack network agent list --router '
        f'{router["id"]} --long" for its gateway chassis and '
        '"openstack network agent router set '
        '--ha-chassis-priority" to move it (Neutron 2026.2 and '
        'newer), or ask ovn-nbctl lrp-get-gateway-chassis'
    )


def router(
    said: neutron.Json,
    agents: Sequence[neutron.Json] | None,
    ports: Sequence[claim.Port] | None,
    floating_ips: Sequence[claim.FloatingIP] | None,
    peers: Mapping[str, Sequence[claim.Peer]] | None,
    gaps: Sequence[str] = (),
) -> claim.Router:
    """Return the router.

    :param said: the router as Neutron lists it
    :param peers: HA network -> all that are on it
    :param gaps: why something is None; without any the caller may not
        know of the agents
    """
    found = list(gaps)
    if agents is None and not gaps:
        found.append(_NO_AGENTS)
        if not sees_ha(said, ports):
            found.append(_NO_SIGN)
    networks = {p.network_id for p in ports or () if p.owner == claim.HA_PORT}
    return claim.Router(
        id=said['id'],
        name=text.clean(said['name'] or ''),
        project_id=convert.optional(said.get('project_id')),
        status=convert.optional(said.get('status')),
        admin_state_up=said.get('admin_state_up'),
        distributed=said.get('distributed'),
        gateway=bool(said.get('external_gateway_info')),
        agents=None if agents is None else tuple(map(convert.agent, agents)),
        # without the right to see agents the HA ports are hidden too,
        # so the list is not the whole
        ports=None if agents is None or ports is None else tuple(ports),
        floating_ips=None if floating_ips is None else tuple(floating_ips),
        peers=None
        if agents is None or ports is None or peers is None
        else tuple(
            peer
            for network in sorted(networks)
            for peer in peers.get(network, ())
            if peer.router_id != said['id']
        ),
        gaps=tuple(found),
    )


def sees_ha(said: neutron.Json, ports: Iterable[claim.Port] | None) -> bool:
    """Whether the caller can know that a router is an HA router."""
    return bool(said.get('ha')) or any(
        port.owner == claim.INTERNAL_PORT for port in ports or ()
    )


def shared(
    networks: Iterable[tuple[str, Mapping[str, int]]],
) -> dict[str, tuple[claim.Peer, ...]]:
    """Return HA network -> all that are on it, for all of its routers.

    :param networks: network and router -> number of its HA ports
    """
    return {
        network: tuple(
            claim.Peer(router_id, number)
            for router_id, number in sorted(routers.items())
        )
        for network, routers in networks
    }

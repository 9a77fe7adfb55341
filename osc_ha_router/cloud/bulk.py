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
"""The calls that say what belongs to routers, each for one or for many."""

import collections
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TypeAlias

from openstack import exceptions as sdk_exceptions

from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import convert
from osc_ha_router.model import claim

#: what is wanted of each; the server leaves the rest out, and is quicker
_ROUTER = (
    'id',
    'name',
    'project_id',
    'status',
    'admin_state_up',
    'distributed',
    'ha',
    'external_gateway_info',
)
_PORT = (
    'id',
    'device_id',
    'device_owner',
    'network_id',
    'mac_address',
    'fixed_ips',
    'status',
    'binding:host_id',
    'binding:vif_type',
)
_FLOATING_IP = (
    'id',
    'router_id',
    'floating_ip_address',
    'fixed_ip_address',
    'status',
)


class NoScheduler:
    """The API has no L3 agents for this router: an OVN cloud, or it is gone."""


#: those that host a router; None: the caller may not know
Agents: TypeAlias = list[neutron.Json] | NoScheduler | None
#: HA network -> router -> number of its HA ports
Peers: TypeAlias = dict[str, dict[str, int]]


def routers(
    api: neutron.Api, project_id: str | None, **query: neutron.Value
) -> list[neutron.Json]:
    """Return the routers that the caller sees, HA or not."""
    if project_id is not None:
        query['project_id'] = project_id
    return api.list('/routers', 'routers', _ROUTER, **query)


def routers_by_id(
    api: neutron.Api, router_ids: Sequence[str]
) -> list[neutron.Json]:
    """Return those of these routers that there are."""
    return routers(api, None, id=router_ids)


def owners(api: neutron.Api, router_ids: Sequence[str]) -> list[neutron.Json]:
    """Return the same with no more than which project they are of."""
    return api.list('/routers', 'routers', ('id', 'project_id'), id=router_ids)


def agents(api: neutron.Api, router_id: str) -> Agents:
    """Return the agents that host a router."""
    try:
        return api.list(f'/routers/{router_id}/l3-agents', 'agents')
    except sdk_exceptions.ForbiddenException:
        return None
    except sdk_exceptions.NotFoundException:
        return NoScheduler()


def l3_agents(api: neutron.Api) -> list[neutron.Json] | None:
    """Return all L3 agents, None if the caller may not know."""
    try:
        return api.list(
            '/agents',
            'agents',
            ('id', 'host', 'alive'),
            agent_type='L3 agent',
        )
    except sdk_exceptions.ForbiddenException:
        return None
    except sdk_exceptions.NotFoundException:
        return []


def hosted(api: neutron.Api, agent_id: str) -> set[str]:
    """Return the ids of the routers on an agent."""
    found = api.list(f'/agents/{agent_id}/l3-routers', 'routers')
    return {router['id'] for router in found}


def ports(
    api: neutron.Api, router_ids: Sequence[str]
) -> dict[str, list[claim.Port]]:
    """Return router -> its ports."""
    found = collections.defaultdict(list)
    for port in api.list('/ports', 'ports', _PORT, device_id=router_ids):
        found[port['device_id']].append(convert.port(port))
    return found


def floating_ips(
    api: neutron.Api, router_ids: Sequence[str]
) -> dict[str, list[claim.FloatingIP]]:
    """Return router -> its floating IPs."""
    found = collections.defaultdict(list)
    for ip in api.list(
        '/floatingips', 'floatingips', _FLOATING_IP, router_id=router_ids
    ):
        found[ip['router_id']].append(convert.floating_ip(ip))
    return found


def peers(api: neutron.Api, network_ids: Sequence[str]) -> Peers:
    """Return who is on these HA networks."""
    found = api.list(
        '/ports',
        'ports',
        ('device_id', 'network_id'),
        network_id=network_ids,
        device_owner=claim.HA_PORT,
    )
    return count((port['network_id'], port['device_id']) for port in found)


def count(ha_ports: Iterable[tuple[str, str]]) -> Peers:
    """Return who is on which HA network, by network and router of HA ports."""
    counts: Peers = collections.defaultdict(dict)
    for network_id, router_id in ha_ports:
        routers = counts[network_id]
        routers[router_id] = routers.get(router_id, 0) + 1
    return counts

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

"""What Neutron says: one ``Router`` for each router asked about."""

import dataclasses

from osc_ha_router.model import view

#: device_owner of the port on the HA network, one for each agent
HA_PORT = 'network:router_ha_interface'
GATEWAY_PORT = 'network:router_gateway'
#: an internal port that moves with the active role, which a DVR router's
#: does not; the one sign of HA that a tenant can see
INTERNAL_PORT = 'network:ha_router_replicated_interface'
SNAT_PORT = 'network:router_centralized_snat'


@dataclasses.dataclass(frozen=True)
class Agent:
    """An L3 agent that hosts the router (source: GET l3-agents)."""

    id: str
    host: str
    alive: bool
    admin_state_up: bool
    #: active, standby or unknown; a claim, and rewritten by the server for
    #: agents that are dead or disabled
    ha_state: str | None
    #: legacy, dvr, dvr_snat, dvr_no_external
    mode: str | None = None


@dataclasses.dataclass(frozen=True)
class Port:
    """A port whose device is the router (source: GET ports)."""

    id: str
    #: device_owner, such as network:router_ha_interface
    owner: str
    network_id: str
    mac: str | None
    #: without prefix length: the API gives subnets, not prefixes
    addresses: tuple[str, ...]
    #: ACTIVE, DOWN, BUILD, ERROR
    status: str
    #: binding:host_id, None when the caller may not see it
    host: str | None
    #: binding:vif_type: ovs, unbound, binding_failed, ...
    vif_type: str | None


@dataclasses.dataclass(frozen=True)
class FloatingIP:
    """A floating IP that the router translates (source: GET floatingips)."""

    id: str
    address: str
    fixed_address: str | None
    status: str | None


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another router on the same HA network (source: its HA ports)."""

    router_id: str
    #: how many HA ports it has, that is, on how many agents it should be
    replicas: int


@dataclasses.dataclass(frozen=True)
class Router:
    """One router as Neutron describes it. None: not to be learned."""

    id: str
    name: str
    project_id: str | None
    #: ACTIVE, ERROR, ALLOCATING, DOWN
    status: str | None
    admin_state_up: bool | None
    distributed: bool | None
    #: whether the router has a gateway to an external network
    gateway: bool | None
    agents: tuple[Agent, ...] | None
    ports: tuple[Port, ...] | None
    floating_ips: tuple[FloatingIP, ...] | None
    #: the other routers on the same HA network
    peers: tuple[Peer, ...] | None = None
    #: what could not be learned, and whom to ask, a sentence each
    gaps: tuple[str, ...] = ()
    #: why the service was not to be had that judges for those who may not
    #: see where the router is
    service: view.Failure | None = None
    #: whether Neutron has no such router any more, but nodes have
    deleted: bool = False


@dataclasses.dataclass(frozen=True)
class Claims:
    """What one round of API calls brought."""

    routers: tuple[Router, ...]
    #: every host with an L3 agent, hosting the routers or not
    hosts: tuple[str, ...] | None
    #: those of them whose L3 agent sends heartbeats
    alive: tuple[str, ...] | None = None


def untold(
    id_: str, gap: str, name: str = '', project_id: str | None = None
) -> Router:
    """Return a router of which Neutron did not tell more than that.

    :param gap: what it did not tell, and why
    """
    return Router(
        id=id_,
        name=name,
        project_id=project_id,
        status=None,
        admin_state_up=None,
        distributed=None,
        gateway=None,
        agents=None,
        ports=None,
        floating_ips=None,
        gaps=(gap,),
    )

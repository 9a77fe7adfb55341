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

"""Neutron's claim against the evidence, and the agents (RHA2xx)."""

import collections
from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis.rules import words
from osc_ha_router.model import claim
from osc_ha_router.model import report

ACTIVE = report.Observed.ACTIVE
STANDBY = report.Observed.STANDBY
STALE = report.Observed.STALE
UNKNOWN = report.Observed.UNKNOWN


def claimed(this: case.Case) -> Iterator[report.Finding]:
    """Where ha_state and the node differ about who is active."""
    for replica in this.hosted:
        agent = replica.agent
        # a stale VIP is a finding of its own, whatever Neutron says of it
        if agent is None or replica.observed in (UNKNOWN, STALE):
            continue
        says_active = agent.ha_state == 'active'
        if says_active == (replica.observed == ACTIVE):
            continue
        if replica.observed == ACTIVE and not (
            agent.alive and agent.admin_state_up
        ):
            yield catalogue.finding(
                'hidden-active',
                replica.host,
                reported=agent.ha_state or 'nothing',
                agent='disabled' if agent.alive else 'dead',
            )
        else:
            yield catalogue.finding(
                'claim-differs',
                replica.host,
                reported=agent.ha_state or 'nothing',
                observed=replica.observed,
            )


def agents(this: case.Case) -> Iterator[report.Finding]:
    """Agents that are dead, disabled or too few."""
    router = this.router
    if router.agents is None:
        return
    for agent in router.agents:
        if not agent.alive:
            yield catalogue.finding('agent-dead', agent.host)
        if not agent.admin_state_up:
            yield catalogue.finding(
                'agent-disabled', agent.host, agent_id=agent.id
            )
    if not router.agents:
        yield catalogue.finding('no-agents', None, router_id=router.id)
    elif len(router.agents) == 1:
        yield catalogue.finding('single-replica', None, router_id=router.id)
    else:
        yield from _unusual(this, len(router.agents))


def _unusual(this: case.Case, count: int) -> Iterator[report.Finding]:
    """Another number of agents than the router's neighbours have.

    The wanted number is a server setting that the API does not show; two
    neighbours that agree tell it.
    """
    peers = this.router.peers or ()
    usual = collections.Counter(peer.replicas for peer in peers)
    if len(peers) < 2 or len(usual) != 1:
        return
    (number,) = usual
    if number != count:
        yield catalogue.finding(
            'fewer-replicas' if count < number else 'more-replicas',
            None,
            count=count,
            peers=len(peers),
            usual=number,
            router_id=this.router.id,
        )


def redundancy(this: case.Case) -> Iterator[report.Finding]:
    """An active node that nobody could follow."""
    active = this.seen(ACTIVE)
    others = [r for r in this.hosted if r.observed != ACTIVE]
    if not active or not others:
        return
    if not any(r.observed in (STANDBY, UNKNOWN) for r in others):
        yield catalogue.finding(
            'no-standby',
            None,
            active=words.hosts(active),
            states=words.states(others),
        )


def bindings(this: case.Case) -> Iterator[report.Finding]:
    """Ports that Neutron binds to another node than the active one."""
    if this.active is None:
        return
    elsewhere = collections.defaultdict(list)
    for port in this.ports(
        claim.GATEWAY_PORT, claim.INTERNAL_PORT, claim.SNAT_PORT
    ):
        if port.host != this.active.host:
            elsewhere[port.host or 'no host'].append(port.id)
    for bound, ids in sorted(elsewhere.items()):
        yield catalogue.finding(
            'binding-differs',
            None,
            count=len(ids),
            ports=words.some(ids),
            bound=bound,
            active=this.active.host,
        )


def router(this: case.Case) -> Iterator[report.Finding]:
    """What Neutron itself says is wrong with the router."""
    if this.router.status == 'ERROR':
        yield catalogue.finding('router-error', None, status='ERROR')


def ha_ports(this: case.Case) -> Iterator[report.Finding]:
    """One HA network, and an HA port on it for each agent."""
    if this.router.ports is None:
        return
    networks = {port.network_id for port in this.ports(claim.HA_PORT)}
    if len(networks) > 1:
        yield catalogue.finding(
            'several-ha-networks',
            None,
            count=len(networks),
            networks=', '.join(sorted(networks)),
        )
    for agent in this.router.agents or ():
        port = this.ha_port(agent.host)
        if port is None:
            yield catalogue.finding(
                'ha-port-missing',
                agent.host,
                agent_id=agent.id,
                router_id=this.router.id,
            )
        elif port.status != 'ACTIVE' or port.vif_type in (
            'unbound',
            'binding_failed',
        ):
            yield catalogue.finding(
                'ha-port-not-active',
                agent.host,
                port_id=port.id,
                status=port.status,
                vif_type=port.vif_type or 'not shown',
            )

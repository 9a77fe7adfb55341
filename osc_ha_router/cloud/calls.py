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

"""One round of API calls: which routers, and what belongs to them."""

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
import re
from typing import Any
from typing import TypeVar

from openstack import exceptions as sdk_exceptions

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import convert
from osc_ha_router.model import claim

T = TypeVar('T')

OVN_AGENT = 'OVN Controller Gateway agent'

_UUID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
#: ids in one query, so that the URL stays below common 8 KiB limits
_IDS_A_QUERY = 100

_NO_AGENTS = (
    'which L3 agents host it: the policy get_l3-agents does not allow you '
    '(administrators by default)'
)


class Round:
    """One round of calls, in parallel where they do not need each other."""

    def __init__(self, network: Any, pool: futures.ThreadPoolExecutor) -> None:
        self._network = network
        self._pool = pool

    def run(
        self, names: Sequence[str], project_id: str | None, host: str | None
    ) -> claim.Claims:
        agents = self._submit(self._l3_agents)
        if names:
            routers = [self._find(name, project_id) for name in names]
            routers = list({router.id: router for router in routers}.values())
        else:
            routers = list(self._all(project_id))
        l3_agents = agents.result()
        if host is not None:
            routers = self._only_on(host, routers, l3_agents)
        described = tuple(self._describe(routers, named=bool(names)))
        if l3_agents is None:
            return claim.Claims(described, None)
        return claim.Claims(
            described,
            _hosts(l3_agents),
            _hosts(agent for agent in l3_agents if agent.is_alive),
        )

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        routers = [
            router
            for found in self._chunks(
                list(ids), lambda some: list(self._network.routers(id=some))
            )
            for router in found
        ]
        return tuple(self._describe(routers, unsure=True))

    def _submit(
        self, call: Callable[..., T], *args: Any
    ) -> 'futures.Future[T]':
        return self._pool.submit(call, *args)

    # -- which routers -----------------------------------------------------

    def _find(self, name: str, project_id: str | None) -> Any:
        query = {'project_id': project_id} if project_id else {}
        found: list[Any] = []
        if _UUID.fullmatch(name):
            found = list(self._network.routers(id=name, **query))
        if not found:
            found = list(self._network.routers(name=name, **query))
        shown = text.clean(name)
        if not found:
            raise errors.RouterNotFound(
                f'No router with a name or ID of {shown!r} that you can see'
            )
        if len(found) > 1:
            ids = ', '.join(sorted(router.id for router in found))
            raise errors.AmbiguousName(
                f'Several routers are named {shown!r}: give the ID, one of '
                f'{ids}'
            )
        (router,) = found
        if router.is_ha is False:
            raise errors.NotSupported(
                f'Router {shown!r} is not an HA router: it lives on one L3 '
                'agent and has no standby; see "openstack network agent '
                f'list --router {router.id} --long"'
            )
        return router

    def _all(self, project_id: str | None) -> Iterator[Any]:
        query = {'project_id': project_id} if project_id else {}
        for router in self._network.routers(**query):
            # None: the caller may not see whether it is HA
            if router.is_ha is not False:
                yield router

    def _l3_agents(self) -> list[Any] | None:
        try:
            return list(self._network.agents(agent_type='L3 agent'))
        except sdk_exceptions.ForbiddenException:
            return None
        except sdk_exceptions.NotFoundException:
            return []

    def _only_on(
        self, host: str, routers: list[Any], l3_agents: list[Any] | None
    ) -> list[Any]:
        if not l3_agents:
            # Neutron refuses some, and shows others an empty list
            raise errors.CloudError(
                'You can see no L3 agent: --host needs the right to list '
                'agents (policy get_agent)'
            )
        here = [agent for agent in l3_agents if agent.host == host]
        if not here:
            known = ', '.join(sorted(text.clean(a.host) for a in l3_agents))
            raise errors.UsageError(
                f'No L3 agent on host {text.clean(host)!r}; there is one on '
                f'{known or "no host"}'
            )
        hosted = {
            router.id
            for agent in here
            for router in self._network.agent_hosted_routers(agent)
        }
        return [router for router in routers if router.id in hosted]

    # -- what belongs to them ----------------------------------------------

    def _describe(
        self,
        routers: list[Any],
        *,
        named: bool = False,
        unsure: bool = False,
    ) -> Iterator[claim.Router]:
        """Yield the routers that are ours.

        :param named: refuse those that are not, instead of leaving them out
        :param unsure: keep those that the caller cannot know to be HA
        """
        ids = [router.id for router in routers]
        agents = {
            router.id: self._submit(self._agents, router) for router in routers
        }
        floating_ips = self._submit(self._floating_ips, ids)
        ports = self._by_device(ids)
        peers = self._peers(
            {
                port.network_id
                for owned in ports.values()
                for port in owned
                if port.owner == claim.HA_PORT
            }
        )
        for router in routers:
            kept = self._describe_one(
                router,
                agents[router.id].result(),
                tuple(ports[router.id]),
                tuple(floating_ips.result()[router.id]),
                peers,
                named=named,
                unsure=named or unsure,
            )
            if kept is not None:
                yield kept

    def _describe_one(
        self,
        router: Any,
        agents: 'list[Any] | None | NoScheduler',
        ports: tuple[claim.Port, ...],
        floating_ips: tuple[claim.FloatingIP, ...],
        peers: dict[str, dict[str, int]],
        *,
        named: bool,
        unsure: bool,
    ) -> claim.Router | None:
        """Return the router, or None for one that is not ours."""
        name = text.clean(router.name or '')
        if isinstance(agents, NoScheduler) or (
            agents and all(a.agent_type == OVN_AGENT for a in agents)
        ):
            if not named:
                return None
            raise errors.NotSupported(
                f'Router {name or router.id!r} is run by OVN, which has no '
                'keepalived: see "openstack network agent list --router '
                f'{router.id} --long" for its gateway chassis and '
                '"openstack network agent router set '
                '--ha-chassis-priority" to move it (Neutron 2026.2 and '
                'newer), or ask ovn-nbctl lrp-get-gateway-chassis'
            )
        sees_ha = router.is_ha or any(
            port.owner == claim.INTERNAL_PORT for port in ports
        )
        gaps = []
        if agents is None:
            if not sees_ha and not unsure:
                return None
            gaps.append(_NO_AGENTS)
            if not sees_ha:
                gaps.append(
                    'whether it is an HA router at all: the attribute ha is '
                    'shown to administrators only'
                )
        network_ids = {p.network_id for p in ports if p.owner == claim.HA_PORT}
        return claim.Router(
            id=router.id,
            name=name,
            project_id=convert.optional(router.project_id),
            status=convert.optional(router.status),
            admin_state_up=router.is_admin_state_up,
            distributed=router.is_distributed,
            gateway=bool(router.external_gateway_info),
            agents=None
            if agents is None
            else tuple(map(convert.agent, agents)),
            # without the right to see agents the HA ports are hidden too,
            # so the list is not the whole
            ports=None if agents is None else ports,
            floating_ips=floating_ips,
            peers=(
                None
                if agents is None
                else tuple(
                    claim.Peer(peer, count)
                    for network_id in sorted(network_ids)
                    for peer, count in sorted(peers[network_id].items())
                    if peer != router.id
                )
            ),
            gaps=tuple(gaps),
        )

    def _agents(self, router: Any) -> 'list[Any] | None | NoScheduler':
        try:
            return list(self._network.routers_hosting_l3_agents(router))
        except sdk_exceptions.ForbiddenException:
            return None
        except sdk_exceptions.NotFoundException:
            return NoScheduler()

    def _by_device(self, ids: list[str]) -> dict[str, list[claim.Port]]:
        ports = collections.defaultdict(list)
        for found in self._chunks(
            ids, lambda some: list(self._network.ports(device_id=some))
        ):
            for port in found:
                ports[port.device_id].append(convert.port(port))
        return ports

    def _floating_ips(
        self, ids: list[str]
    ) -> dict[str, list[claim.FloatingIP]]:
        floating_ips = collections.defaultdict(list)
        for some in _chunked(ids):
            for ip in self._network.ips(router_id=some):
                floating_ips[ip.router_id].append(convert.floating_ip(ip))
        return floating_ips

    def _peers(self, network_ids: set[str]) -> dict[str, dict[str, int]]:
        """Return HA network -> router -> number of its HA ports."""
        peers: dict[str, dict[str, int]] = {id_: {} for id_ in network_ids}
        for found in self._chunks(
            sorted(network_ids),
            lambda some: list(
                self._network.ports(
                    network_id=some,
                    device_owner=claim.HA_PORT,
                    fields=['device_id', 'network_id'],
                )
            ),
        ):
            for port in found:
                counts = peers[port.network_id]
                counts[port.device_id] = counts.get(port.device_id, 0) + 1
        return peers

    def _chunks(
        self, ids: list[str], call: Callable[[list[str]], list[Any]]
    ) -> Iterable[list[Any]]:
        return self._pool.map(call, _chunked(ids))


class NoScheduler:
    """The API knows the router but has no L3 agents: an OVN cloud."""


def _hosts(agents: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({text.clean(agent.host) for agent in agents}))


def _chunked(ids: list[str]) -> list[list[str]]:
    return [
        ids[start : start + _IDS_A_QUERY]
        for start in range(0, len(ids), _IDS_A_QUERY)
    ]

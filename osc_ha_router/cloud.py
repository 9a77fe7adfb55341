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

"""What Neutron says, through openstacksdk: the only module that asks.

For one router: one call to find it, then its agents, its ports, its
floating IPs and the list of L3 agents at the same time, then the ports of
its HA network. For many, everything but the agents of each router comes in
bulk. Source of the API's behaviour: Neutron's ``db/l3_hamode_db.py`` and
``db/l3_hascheduler_db.py``; note that asking for a router's agents makes
the server rewrite ``ha_state`` of dead and disabled ones.
"""

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
import contextlib
import re
from typing import Any
from typing import TypeVar

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import connection
from openstack import exceptions as sdk_exceptions

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.model import claim

T = TypeVar('T')

HA_PORT = 'network:router_ha_interface'
#: an internal port of an HA router; the one sign of HA a tenant can see
HA_INTERNAL_PORT = 'network:ha_router_replicated_interface'
OVN_AGENT = 'OVN Controller Gateway agent'

_UUID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
#: ids in one query, so that the URL stays below common 8 KiB limits
_IDS_A_QUERY = 100

_NO_AGENTS = (
    'which L3 agents host it: the policy get_l3-agents does not allow you '
    '(administrators by default)'
)


class Cloud:
    """One cloud's Neutron.

    :param conn: an SDK connection; used from several threads at a time
    :param concurrency: how many API calls may be under way at once
    """

    def __init__(
        self,
        conn: connection.Connection,
        *,
        concurrency: int = 8,
    ) -> None:
        self._conn = conn
        self._network = conn.network
        self._concurrency = concurrency

    def bound(self, seconds: float) -> None:
        """Let no API call take longer than this, if nobody else bounds it."""
        if self._conn.session.timeout is None:
            self._conn.session.timeout = seconds

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        """Ask for routers and everything that belongs to them.

        :param names: names or ids; none: every HA router the caller sees
        :param project: name or id of the project the routers must be of
        :param host: only routers with an L3 agent on this host
        :raises RouterNotFound, AmbiguousName, NotSupported: see ``errors``
        :raises CloudError: when the API refuses or does not answer
        """
        with self._round() as calls:
            return calls.run(
                names, self._project_id(project) if project else None, host
            )

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Ask once more for routers; those that are gone are left out.

        :raises CloudError: when the API refuses or does not answer
        """
        with self._round() as calls:
            return calls.again(ids)

    @contextlib.contextmanager
    def _round(self) -> 'Iterator[_Round]':
        try:
            with futures.ThreadPoolExecutor(self._concurrency) as pool:
                yield _Round(self._network, pool)
        except (
            sdk_exceptions.SDKException,
            ksa_exceptions.ClientException,
        ) as exc:
            raise errors.CloudError(_explain(exc)) from None

    def _project_id(self, project: str) -> str:
        identity: Any = self._conn.identity
        try:
            found = identity.find_project(project, ignore_missing=False)
        except sdk_exceptions.ForbiddenException:
            # a caller who may not look projects up can still give an id
            return project
        except sdk_exceptions.NotFoundException:
            raise errors.UsageError(
                f'No project with a name or ID of {text.clean(project)!r}'
            ) from None
        except sdk_exceptions.DuplicateResource:
            raise errors.UsageError(
                f'Several projects are named {text.clean(project)!r}: '
                'give the ID'
            ) from None
        return str(found.id)


class _Round:
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
        hosts = (
            None
            if l3_agents is None
            else tuple(sorted({text.clean(a.host) for a in l3_agents}))
        )
        return claim.Claims(tuple(self._describe(routers, bool(names))), hosts)

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        routers = [
            router
            for found in self._chunks(
                list(ids), lambda some: list(self._network.routers(id=some))
            )
            for router in found
        ]
        return tuple(self._describe(routers, False))

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
        if l3_agents is None:
            raise errors.CloudError(
                '--host needs the right to list agents (policy get_agent)'
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
        self, routers: list[Any], named: bool
    ) -> Iterator[claim.Router]:
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
                if port.owner == HA_PORT
            }
        )
        for router in routers:
            kept = self._describe_one(
                router,
                agents[router.id].result(),
                tuple(ports[router.id]),
                tuple(floating_ips.result()[router.id]),
                peers,
                named,
            )
            if kept is not None:
                yield kept

    def _describe_one(
        self,
        router: Any,
        agents: 'list[Any] | None | _NoScheduler',
        ports: tuple[claim.Port, ...],
        floating_ips: tuple[claim.FloatingIP, ...],
        peers: dict[str, dict[str, int]],
        named: bool,
    ) -> claim.Router | None:
        """Return the router, or None for one of a sweep that is not ours."""
        name = text.clean(router.name or '')
        if isinstance(agents, _NoScheduler) or (
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
            port.owner == HA_INTERNAL_PORT for port in ports
        )
        gaps = []
        if agents is None:
            if not sees_ha and not named:
                return None
            gaps.append(_NO_AGENTS)
            if not sees_ha:
                gaps.append(
                    'whether it is an HA router at all: the attribute ha is '
                    'shown to administrators only'
                )
        network_ids = {p.network_id for p in ports if p.owner == HA_PORT}
        return claim.Router(
            id=router.id,
            name=name,
            project_id=_text(router.project_id),
            status=_text(router.status),
            admin_state_up=router.is_admin_state_up,
            distributed=router.is_distributed,
            gateway=bool(router.external_gateway_info),
            agents=None if agents is None else tuple(map(_agent, agents)),
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

    def _agents(self, router: Any) -> 'list[Any] | None | _NoScheduler':
        try:
            return list(self._network.routers_hosting_l3_agents(router))
        except sdk_exceptions.ForbiddenException:
            return None
        except sdk_exceptions.NotFoundException:
            return _NoScheduler()

    def _by_device(self, ids: list[str]) -> dict[str, list[claim.Port]]:
        ports = collections.defaultdict(list)
        for found in self._chunks(
            ids, lambda some: list(self._network.ports(device_id=some))
        ):
            for port in found:
                ports[port.device_id].append(_port(port))
        return ports

    def _floating_ips(
        self, ids: list[str]
    ) -> dict[str, list[claim.FloatingIP]]:
        floating_ips = collections.defaultdict(list)
        for some in _chunked(ids):
            for ip in self._network.ips(router_id=some):
                floating_ips[ip.router_id].append(_floating_ip(ip))
        return floating_ips

    def _peers(self, network_ids: set[str]) -> dict[str, dict[str, int]]:
        """Return HA network -> router -> number of its HA ports."""
        peers: dict[str, dict[str, int]] = {id_: {} for id_ in network_ids}
        for found in self._chunks(
            sorted(network_ids),
            lambda some: list(
                self._network.ports(
                    network_id=some,
                    device_owner=HA_PORT,
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


class _NoScheduler:
    """The API knows the router but has no L3 agents: an OVN cloud."""


def _chunked(ids: list[str]) -> list[list[str]]:
    return [
        ids[start : start + _IDS_A_QUERY]
        for start in range(0, len(ids), _IDS_A_QUERY)
    ]


def _text(value: Any) -> str | None:
    return None if value is None else text.clean(str(value))


def _agent(agent: Any) -> claim.Agent:
    configuration = agent.configuration
    mode = (
        configuration.get('agent_mode')
        if isinstance(configuration, dict)
        else None
    )
    return claim.Agent(
        id=agent.id,
        host=text.clean(agent.host),
        alive=bool(agent.is_alive),
        admin_state_up=bool(agent.is_admin_state_up),
        ha_state=_text(agent.ha_state),
        mode=_text(mode),
    )


def _port(port: Any) -> claim.Port:
    return claim.Port(
        id=port.id,
        owner=text.clean(port.device_owner or ''),
        network_id=port.network_id,
        mac=_text(port.mac_address),
        addresses=tuple(
            text.clean(ip['ip_address']) for ip in port.fixed_ips or ()
        ),
        status=text.clean(port.status or ''),
        host=_text(port.binding_host_id),
        vif_type=_text(port.binding_vif_type),
    )


def _floating_ip(ip: Any) -> claim.FloatingIP:
    return claim.FloatingIP(
        id=ip.id,
        address=text.clean(ip.floating_ip_address),
        fixed_address=_text(ip.fixed_ip_address),
        status=_text(ip.status),
    )


def _explain(exc: Exception) -> str:
    message = text.one_line(str(exc), 400)
    if isinstance(exc, sdk_exceptions.ForbiddenException):
        return f'Neutron refuses this to you: {message}'
    if isinstance(exc, ksa_exceptions.ConnectFailure):
        return f'The API cannot be reached: {message}'
    if isinstance(exc, ksa_exceptions.ConnectTimeout):
        return f'The API did not answer in time: {message}'
    return f'The API call failed: {message}'

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
"""Which routers there are, and what belongs to a few of them."""

from collections.abc import Iterator
from collections.abc import Sequence
import re

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import bulk
from osc_ha_router.cloud import convert
from osc_ha_router.cloud import describe
from osc_ha_router.model import claim

_UUID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


class Round:
    """Calls about a few routers, in parallel where they need not wait."""

    def __init__(self, api: neutron.Api) -> None:
        self._api = api

    def named(
        self,
        names: Sequence[str],
        project_id: str | None,
        host: str | None,
    ) -> claim.Claims:
        """Return routers that were asked for by name or id."""
        asked = self._api.submit(bulk.l3_agents, self._api)
        found = [self._find(name, project_id) for name in names]
        routers = list({router['id']: router for router in found}.values())
        agents = asked.result()
        if host is not None:
            hosted = on_host(self._api, host, agents)
            routers = [r for r in routers if r['id'] in hosted]
        described = tuple(self._describe(routers, named=True))
        if agents is None:
            return claim.Claims(described, None)
        return claim.Claims(
            described, convert.hosts(agents), convert.hosts(living(agents))
        )

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return routers that were known, without those that are gone."""
        routers = [
            router
            for found in self._api.in_parts(bulk.routers_by_id, ids)
            for router in found
        ]
        return tuple(self._describe(routers, named=False))

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return whose routers are, without those that are gone."""
        return {
            router['id']: convert.optional(router.get('project_id'))
            for found in self._api.in_parts(bulk.owners, ids)
            for router in found
        }

    def _find(self, name: str, project_id: str | None) -> neutron.Json:
        found: list[neutron.Json] = []
        if _UUID.fullmatch(name):
            found = bulk.routers(self._api, project_id, id=name)
        if not found:
            found = bulk.routers(self._api, project_id, name=name)
        shown = text.clean(name)
        if not found:
            raise errors.RouterNotFound(
                f'No router with a name or ID of {shown!r} that you can see'
            )
        if len(found) > 1:
            ids = ', '.join(sorted(router['id'] for router in found))
            raise errors.AmbiguousName(
                f'Several routers are named {shown!r}: give the ID, one of '
                f'{ids}'
            )
        (router,) = found
        if router.get('ha') is False:
            raise errors.NotSupported(
                f'Router {shown!r} is not an HA router: it lives on one L3 '
                'agent and has no standby; see "openstack network agent '
                f'list --router {router["id"]} --long"'
            )
        return router

    def _describe(
        self, routers: list[neutron.Json], *, named: bool
    ) -> Iterator[claim.Router]:
        """Yield the routers that are ours.

        :param named: refuse those that are not, instead of leaving them out
        """
        api = self._api
        ids = [router['id'] for router in routers]
        agents = {id_: api.submit(bulk.agents, api, id_) for id_ in ids}
        # all are asked before the first answer is waited for
        ports = api.in_parts(bulk.ports, ids)
        floating_ips = api.in_parts(bulk.floating_ips, ids)
        owned = {id_: found for part in ports for id_, found in part.items()}
        translated = {
            id_: found for part in floating_ips for id_, found in part.items()
        }
        networks = {
            port.network_id
            for found in owned.values()
            for port in found
            if port.owner == claim.HA_PORT
        }
        peers = describe.shared(
            network
            for part in api.in_parts(bulk.peers, sorted(networks))
            for network in part.items()
        )
        for router in routers:
            id_ = router['id']
            hosting = agents[id_].result()
            if isinstance(hosting, bulk.NoScheduler) or describe.ovn(hosting):
                if named:
                    raise describe.refuse(router)
                continue
            yield describe.router(
                router,
                hosting,
                owned.get(id_, ()),
                translated.get(id_, ()),
                peers,
            )


def on_host(
    api: neutron.Api, host: str, agents: list[neutron.Json] | None
) -> set[str]:
    """Return the ids of the routers with an L3 agent on a host.

    :param agents: all L3 agents
    """
    if not agents:
        # Neutron refuses some, and shows others an empty list
        raise errors.CloudError(
            'You can see no L3 agent: --host needs the right to list '
            'agents (policy get_agent)'
        )
    here = [agent for agent in agents if agent['host'] == host]
    if not here:
        known = ', '.join(convert.hosts(agents))
        raise errors.UsageError(
            f'No L3 agent on host {text.clean(host)!r}; there is one on '
            f'{known or "no host"}'
        )
    return {id_ for agent in here for id_ in bulk.hosted(api, agent['id'])}


def living(agents: Sequence[neutron.Json]) -> list[neutron.Json]:
    """Return the agents that send heartbeats."""
    return [agent for agent in agents if agent.get('alive')]

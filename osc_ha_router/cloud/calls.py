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

from collections.abc import Mapping
from collections.abc import Sequence
import re

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import bulk
from osc_ha_router.cloud import convert
from osc_ha_router.cloud import describe
from osc_ha_router.cloud import details
from osc_ha_router.cloud import gaps
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
        told = details.Details(
            self._api, {r['id']: r for r in routers}, agents=bool(agents)
        ).routers(doubtful=True)
        for router in routers:
            if told[router['id']] is None:
                raise describe.refuse(router)
        described = _there(told)
        if agents is None:
            return claim.Claims(described, None)
        return claim.Claims(
            described, convert.hosts(agents), convert.hosts(living(agents))
        )

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return routers that were known, without those that are gone.

        What Neutron fails to tell is a gap of the router that it is about.

        :raises SDKException, ClientException: it has failed to tell of all
        """
        said: dict[str, neutron.Json] = {}
        untold: list[claim.Router] = []
        parts = self._api.in_parts(bulk.routers_by_id, ids)
        gaps.check(asked.result() for _, asked in parts)
        for some, asked in parts:
            found = asked.result()
            if isinstance(found, gaps.Gap):
                what = f'anything of it: {found.why}'
                untold += [claim.untold(id_, what) for id_ in some]
                continue
            # None: the caller may not see whether it is HA
            said |= {r['id']: r for r in found if r.get('ha') is not False}
        now = details.Details(self._api, said).routers(doubtful=True)
        return *_there(now), *untold

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return whose routers are, without those that are gone.

        :raises SDKException, ClientException: it has failed to tell of some
        """
        owners: dict[str, str | None] = {}
        for _, asked in self._api.in_parts(bulk.owners, ids):
            found = asked.result()
            if isinstance(found, gaps.Gap):
                # one that is not in the answer would be taken to be gone
                gaps.check([found])
                continue
            for router in found:
                owner = convert.optional(router.get('project_id'))
                owners[router['id']] = owner
        return owners

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


def _there(
    routers: Mapping[str, claim.Router | None],
) -> tuple[claim.Router, ...]:
    return tuple(router for router in routers.values() if router is not None)

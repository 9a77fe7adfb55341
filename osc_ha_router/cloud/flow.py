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

"""All routers at once, each as soon as what belongs to it is known.

Which routers there are and where they may be comes first, so that the nodes
can be looked at while Neutron is asked for the rest.
"""

from osc_ha_router import text
from osc_ha_router.backends import base
from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import bulk
from osc_ha_router.cloud import caller
from osc_ha_router.cloud import calls
from osc_ha_router.cloud import convert
from osc_ha_router.cloud import details
from osc_ha_router.model import claim


class Flow:
    """What Neutron says of all HA routers that the caller sees.

    Made with the first calls done and all others under way.

    :param api: for the calls
    :param project_id: only routers of this project
    :param host: only routers with an L3 agent on this host
    :param tell: told how far it is
    :param who: asks; by default somebody of whom nothing is known
    :raises SDKException, ClientException: trouble with the first calls
    :raises CloudError, UsageError: nobody can say what is on that host
    """

    def __init__(
        self,
        api: neutron.Api,
        project_id: str | None = None,
        host: str | None = None,
        tell: details.Tell = lambda done, total: None,
        who: caller.Caller | None = None,
    ) -> None:
        asked = api.submit(bulk.l3_agents, api)
        listed = bulk.routers(api, project_id)
        agents = asked.result()
        hosted = None if host is None else calls.on_host(api, host, agents)
        self._said = {
            router['id']: router
            for router in sorted(
                listed, key=lambda said: (said['name'] or '', said['id'])
            )
            # None: the caller may not see whether it is HA
            if router.get('ha') is not False
            and (hosted is None or router['id'] in hosted)
        }
        who = who or caller.Caller()
        # with a host nodes do not show what routers besides these have
        every = project_id is None and host is None and who.sees_all(listed)
        #: every router that Neutron has, HA or not; None: not all are known
        self.known = (
            frozenset(router['id'] for router in listed)
            if agents and every
            else None
        )
        #: every host with an L3 agent; None: not to be learned
        self.hosts = None if agents is None else convert.hosts(agents)
        #: those of them whose L3 agent sends heartbeats
        self.alive = (
            None if agents is None else convert.hosts(calls.living(agents))
        )
        self._details = details.Details(
            api,
            self._said,
            agents=bool(agents),
            among=host is None,
            tell=tell,
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """The routers that may be ours, ordered by name."""
        return tuple(self._said)

    @property
    def names(self) -> dict[str, str]:
        """Id -> name of each."""
        return {
            id_: text.clean(said['name'] or '')
            for id_, said in self._said.items()
        }

    @property
    def blind(self) -> bool:
        """Whether the caller may not know where routers are."""
        return self._details.blind

    def router(self, id_: str, until: base.Deadline) -> claim.Router | None:
        """Return one router, with gaps for what is not there in time.

        :param until: how long to wait for it
        :return: None for one that is not ours, or is gone
        :raises SDKException, ClientException: nothing was told of any
            router's ports, or floating IPs
        """
        return self._details.router(id_, until)

    def claims(self) -> claim.Claims:
        """Return all of it, however long it takes.

        :raises SDKException, ClientException: Neutron has failed to tell of
            each router where it is
        """
        routers = self._details.routers().values()
        return claim.Claims(
            tuple(router for router in routers if router is not None),
            self.hosts,
            self.alive,
        )

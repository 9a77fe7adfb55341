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

"""What is changed through Neutron: the one part that writes.

For a repair it brings about what Neutron says already, or what it should. An
agent is disabled for whoever has emptied its node.
"""

from collections.abc import Iterable
from typing import Any

from openstack import connection
from openstack import exceptions as sdk_exceptions

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import trouble


class Changes:
    """The changes of one cloud's Neutron.

    :param conn: an SDK connection
    """

    def __init__(self, conn: connection.Connection) -> None:
        self._conn = conn

    def provoke(self, router_id: str) -> None:
        """Update a router with what it has, so that its agents look at it.

        :raises CloudError: when the API refuses or does not answer
        """
        with trouble.told():
            network: Any = self._conn.network
            router = network.get_router(router_id)
            # refused if somebody changes the router at the same moment
            network.update_router(
                router_id,
                if_revision=router.revision_number,
                name=router.name,
            )

    def rebind(self, port_ids: Iterable[str], host: str) -> None:
        """Bind ports to a host.

        :raises CloudError: when the API refuses or does not answer
        """
        with trouble.told():
            network: Any = self._conn.network
            for port_id in port_ids:
                network.update_port(port_id, binding_host_id=host)

    def reseat(self, router_id: str, host: str) -> None:
        """Take a router off the L3 agent that hosts it, and give it back.

        :raises CloudError: when the API refuses or does not answer
        """
        with trouble.told():
            agent_id = self._agent(host)
            if agent_id not in self._hosting(router_id):
                raise errors.CloudError(
                    f'The L3 agent on {host} does not host the router any '
                    'more: run the command again'
                )
            try:
                self._take(router_id, agent_id)
            finally:
                # also if it was interrupted, or its answer was lost
                self._give(router_id, agent_id)

    def expel(self, router_id: str, host: str) -> None:
        """Have an L3 agent remove a router that is not its own any more.

        It is told only of routers that it has: it gets it for a moment.

        :raises CloudError: when the API refuses or does not answer
        """
        with trouble.told():
            agent_id = self._agent(host)
            if agent_id in self._hosting(router_id):
                raise errors.CloudError(
                    f'The L3 agent on {host} hosts the router by now: run '
                    'the command again'
                )
            self._give(router_id, agent_id)
            self._take(router_id, agent_id)

    def can_disable(self, agent_id: str) -> None:
        """See that nothing but standby replicas depends on an L3 agent.

        That no HA router is active there is for the caller to see.

        :raises Refused: it serves routers that no other agent takes over
        :raises CloudError: when the API refuses or does not answer
        """
        with trouble.told():
            network: Any = self._conn.network
            agent = network.get_agent(agent_id)
            served = sorted(
                text.clean(router.name or router.id)
                for router in network.agent_hosted_routers(agent)
                if not router.is_ha or router.is_distributed
            )
        if served:
            raise errors.Refused(
                f'The L3 agent on {text.clean(agent.host)} is not disabled: '
                f'it serves {", ".join(served)}, not HA or distributed, which '
                'would be taken off it and served by none.\n'
                'Move them to another agent first, or leave --disable-agent '
                'out.'
            )

    def disable(self, agent_id: str) -> bool:
        """Disable an L3 agent, on which nothing is active.

        :return: whether it was enabled until now
        :raises Refused: as of ``can_disable``
        :raises CloudError: when the API refuses or does not answer
        """
        self.can_disable(agent_id)
        with trouble.told():
            network: Any = self._conn.network
            if not network.get_agent(agent_id).is_admin_state_up:
                return False
            network.update_agent(agent_id, is_admin_state_up=False)
            return True

    def _agent(self, host: str) -> str:
        network: Any = self._conn.network
        found = [
            agent
            for agent in network.agents(agent_type='L3 agent', host=host)
            if agent.host == host
        ]
        if len(found) != 1:
            raise errors.CloudError(f'Neutron has no L3 agent on {host}')
        return str(found[0].id)

    def _hosting(self, router_id: str) -> set[str]:
        network: Any = self._conn.network
        return {
            agent.id for agent in network.routers_hosting_l3_agents(router_id)
        }

    # The SDK's own methods for these two do not say when they fail.

    def _give(self, router_id: str, agent_id: str) -> None:
        network: Any = self._conn.network
        answer = network.post(
            f'/agents/{agent_id}/l3-routers', json={'router_id': router_id}
        )
        sdk_exceptions.raise_from_response(answer)

    def _take(self, router_id: str, agent_id: str) -> None:
        network: Any = self._conn.network
        answer = network.delete(f'/agents/{agent_id}/l3-routers/{router_id}')
        sdk_exceptions.raise_from_response(answer)

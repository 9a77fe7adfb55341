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

What Neutron plainly refuses it has not done. Where an answer is lost it may
do it yet: ``errors.Halfway``.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import time
from typing import Any

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import connection
from openstack import exceptions as sdk_exceptions

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import trouble

#: seconds for what was not answered to come about
_SETTLE = 20.0
_PAUSE = 0.5
#: how often something that must not be left undone is asked for
_TRIES = 3


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
        network = self._network()
        with trouble.told():
            router = network.get_router(router_id)
        with _changing():
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
        network = self._network()
        bound: list[str] = []
        for port_id in port_ids:
            try:
                with _changing():
                    network.update_port(port_id, binding_host_id=host)
            except errors.CloudError as exc:
                if not bound:
                    raise
                raise errors.Halfway(
                    f'{len(bound)} of the ports are bound, {port_id} is '
                    f'not: {exc}'
                ) from None
            bound.append(port_id)

    def hosts(self, router_id: str, host: str) -> bool:
        """Return whether Neutron has a router on a host.

        :raises CloudError: when the API refuses or does not answer
        """
        with trouble.told():
            network: Any = self._conn.network
            return any(
                agent.host == host
                for agent in network.routers_hosting_l3_agents(router_id)
            )

    def reseat(self, router_id: str, host: str) -> None:
        """Take a router off the L3 agent that hosts it, and give it back.

        It is given back whatever happens meanwhile, but the end of the
        program: as one piece only for whoever is not interrupted.

        :raises Halfway: it may be off
        :raises CloudError: it was not taken off
        """
        with trouble.told():
            agent_id = self._agent(host)
            if agent_id not in self._hosting(router_id):
                raise errors.CloudError(
                    f'The L3 agent on {host} does not host the router any '
                    'more: run the command again'
                )
        if not self._and_back(router_id, host, agent_id, False):
            raise errors.Halfway(
                'Neutron did not answer when it was asked to take the router '
                f'off the L3 agent on {host}, and has it there'
            )

    def give(self, router_id: str, host: str) -> None:
        """Give a router back to an L3 agent that it was taken off.

        :raises CloudError: it is not there, or nobody knows
        """
        with trouble.told():
            agent_id = self._agent(host)
            if agent_id in self._hosting(router_id):
                return
        self._insist(router_id, host, agent_id, True)

    def expel(self, router_id: str, host: str) -> None:
        """Have an L3 agent remove a router that is not its own any more.

        It is told only of routers that it has: it gets it for a moment.

        :raises Halfway: the agent may have got it, and may have it yet
        :raises CloudError: it has not got it
        """
        with trouble.told():
            agent_id = self._agent(host)
            if agent_id in self._hosting(router_id):
                raise errors.CloudError(
                    f'The L3 agent on {host} hosts the router by now: run '
                    'the command again'
                )
        if not self._and_back(router_id, host, agent_id, True):
            raise errors.Halfway(
                'Neutron did not answer when it was asked to give the router '
                f'to the L3 agent on {host}, and does not have it there'
            )

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
        :raises Halfway: it may be disabled
        :raises CloudError: it is not
        """
        self.can_disable(agent_id)
        network = self._network()
        with trouble.told():
            if not network.get_agent(agent_id).is_admin_state_up:
                return False
        with _changing():
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

    def _and_back(
        self, router_id: str, host: str, agent_id: str, wanted: bool
    ) -> bool:
        """Have a router put on an agent, or taken off, and then undo it.

        :param wanted: what is done first: whether it is to be there
        :return: whether that came about
        :raises Halfway: it is not undone
        :raises CloudError: it was refused, and nothing is to be undone
        """
        answered = refused = False
        try:
            self._put(router_id, agent_id, wanted)
            answered = True
        except errors.Halfway:
            pass
        except errors.CloudError:
            refused = True
            raise
        finally:
            if not refused:
                # undone before it has come about, it would stay for good
                done = answered or self._settled(router_id, agent_id, wanted)
                self._insist(router_id, host, agent_id, not wanted)
        return done

    def _settled(
        self,
        router_id: str,
        agent_id: str,
        wanted: bool,
        seconds: float | None = None,
    ) -> bool:
        """Wait until a router is on an agent, or off it; say whether it is.

        :param seconds: None: as long as an answer may be late
        """
        until = time.monotonic() + (_SETTLE if seconds is None else seconds)
        while True:
            with contextlib.suppress(*trouble.ERRORS):
                if (agent_id in self._hosting(router_id)) == wanted:
                    return True
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)

    def _insist(
        self, router_id: str, host: str, agent_id: str, on: bool
    ) -> None:
        """Put a router back to where it must be, on an agent or off it.

        :raises Halfway: it may not be
        """
        reason = ''
        for _ in range(_TRIES):
            try:
                self._put(router_id, agent_id, on)
                return
            except errors.CloudError as exc:
                reason = str(exc)
                late = isinstance(exc, errors.Halfway)
            if self._settled(router_id, agent_id, on, None if late else 0):
                return
            time.sleep(_PAUSE)
        was, again, verb = (
            ('taken off the', 'give it back', 'add')
            if on
            else ('given for a moment to the', 'take it off', 'remove')
        )
        raise errors.Halfway(
            f'The router was {was} L3 agent on {host}, and Neutron does not '
            f'{again} ({reason}); by hand: openstack network agent {verb} '
            f'router --l3 {agent_id} {router_id}'
        )

    # The SDK's own methods for this do not say when they fail.
    def _put(self, router_id: str, agent_id: str, on: bool) -> None:
        network = self._network()
        path = f'/agents/{agent_id}/l3-routers'
        with _changing():
            if on:
                answer = network.post(path, json={'router_id': router_id})
            else:
                answer = network.delete(f'{path}/{router_id}')
            sdk_exceptions.raise_from_response(answer)

    def _network(self) -> Any:
        """Return the SDK's proxy, which looks for the API when it is new."""
        with trouble.told():
            return self._conn.network


@contextlib.contextmanager
def _changing() -> Iterator[None]:
    """Tell what was plainly refused from what may come about.

    :raises Halfway: nobody knows whether it was done
    :raises CloudError: it was not
    """
    try:
        yield
    except trouble.ERRORS as exc:
        kind = errors.CloudError if _refused(exc) else errors.Halfway
        raise kind(trouble.explain(exc)) from None


def _refused(exc: Exception) -> bool:
    """Return whether Neutron, or Keystone, has said no.

    A proxy in front of it answers with 5xx what it does not know itself.
    """
    if isinstance(exc, sdk_exceptions.HttpException):
        return 400 <= (exc.status_code or 0) < 500
    if isinstance(exc, ksa_exceptions.HttpError):
        return 400 <= (exc.http_status or 0) < 500
    return False

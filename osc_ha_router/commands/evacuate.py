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

"""The command ``openstack router ha evacuate``."""

import argparse
from collections.abc import Iterable

from osc_ha_router import config
from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.commands import moving
from osc_ha_router.fleet import plan as plans
from osc_ha_router.fleet import run as running
from osc_ha_router.model import claim
from osc_ha_router.model import report


class EvacuateRouterHA(moving.MoveMany):
    """Move every active router off a network node, before maintenance.

    Each goes to a healthy standby, spread evenly, as "router ha failover"
    does it. Ctrl-C lets the moves under way come to their end and begins no
    others; pressed again, it cuts them off and the nodes undo them. Run
    again, it goes on with what is left.

    Exit status: 0 nothing is active there, 1 refused with nothing changed,
    2 wrong usage, 3 not known, or interrupted, 4 some could not be moved, or
    the agent could not be disabled.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'host', metavar='<host>', help='Network node to empty'
        )
        parser.add_argument(
            '--disable-agent',
            action='store_true',
            help='When nothing is active there any more, disable the L3 agent '
            'of the node: Neutron schedules no router there, and the standby '
            'replicas are taken off',
        )
        return parser

    def plan(
        self,
        parsed_args: argparse.Namespace,
        reports: Iterable[report.Report],
        ignore: frozenset[str],
    ) -> plans.Plan:
        reports = tuple(reports)
        host = parsed_args.host
        known = {
            replica.host for found in reports for replica in found.replicas
        }
        if host not in known:
            raise errors.UsageError(
                f'No router has a replica on {text.clean(host)!r}; there are '
                f'some on {", ".join(sorted(known)) or "no host"}'
            )
        self._agent: claim.Agent | None = None
        if parsed_args.disable_agent:
            self._agent = _agent(reports, host)
            self._changes().can_disable(self._agent.id)
        return plans.evacuate(reports, host, ignore)

    def sequel(self, plan: plans.Plan) -> str:
        agent = self._agent
        if agent is None or not agent.admin_state_up or plan.stuck:
            return ''
        return (
            f'disable the L3 agent on {agent.host}, which takes the standby '
            'replicas off the node'
        )

    def after(
        self,
        parsed_args: argparse.Namespace,
        fleet: running.Fleet,
        settings: config.Settings,
    ) -> int:
        """See whether anything is active there, moved or come meanwhile."""
        host = parsed_args.host
        if fleet.interrupted or not self.clean:
            self.note(
                f'It is not proven that {host} is empty: run the command '
                'again when what is said below has been seen to.'
            )
            self._left_enabled()
            return 3
        try:
            found = fleet.look(frozenset(), settings.timeout)
        except errors.Error as exc:
            self.note(f'It is not proven that {host} is empty: {exc}')
            self._left_enabled()
            return 3
        except KeyboardInterrupt:
            self._left_enabled()
            raise
        again = plans.evacuate(found, host, frozenset())
        left: list[plans.Move | plans.Stuck]
        left = [*again.moves, *again.stuck]
        if left:
            names = ', '.join(each.name or each.router_id for each in left)
            self.note(
                f'Active on {host} by now, or not known not to be: {names}. '
                'Run the command again.'
            )
            self._left_enabled()
            known = again.moves or any(
                not each.unknown for each in again.stuck
            )
            return 4 if known else 3
        self.note(f'No router is active on {host} now.')
        return 0 if self._agent is None else self._disable(self._agent)

    def _disable(self, agent: claim.Agent) -> int:
        undo = f'openstack network agent set --enable {agent.id}'
        # said before: whoever ends the command meanwhile needs it as well
        self.tell(
            'disable',
            f'disabling the L3 agent on {agent.host}; to undo it: {undo}',
        )
        done = f'The L3 agent on {agent.host} is disabled'
        code = 0
        try:
            news = self._changes().disable(agent.id)
        except KeyboardInterrupt:
            done = (
                'Interrupted: it is not known whether the L3 agent on '
                f'{agent.host} is disabled'
            )
            code = 3
        except errors.Halfway as exc:
            done = (
                f'It is not known whether the L3 agent on {agent.host} is '
                f'disabled. {exc}'
            )
            code = 3
        except errors.Error as exc:
            self.note(f'Its L3 agent is not disabled. {exc}')
            return 4
        else:
            done += (
                ', and takes the standby replicas off the node'
                if news
                else ' already'
            )
        self.note(f'{done.rstrip(".")}. To undo it:')
        self.note(f'  {undo}')
        return code

    def _left_enabled(self) -> None:
        if self._agent is not None:
            self.note('Nothing was done to its L3 agent.')


def _agent(reports: Iterable[report.Report], host: str) -> claim.Agent:
    """Return the L3 agent of a host.

    :raises UsageError: Neutron has no router on one there
    """
    for found in reports:
        for replica in found.replicas:
            if replica.host == host and replica.agent is not None:
                return replica.agent
    raise errors.UsageError(f'Neutron has no router on an L3 agent on {host}')

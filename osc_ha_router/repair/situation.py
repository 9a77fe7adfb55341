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

"""A broken router as the remedies see it."""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import functools
from typing import Any

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.repair import action

ACTIVE = report.Observed.ACTIVE
STANDBY = report.Observed.STANDBY
STALE = report.Observed.STALE
FAULT = report.Observed.FAULT
ABSENT = report.Observed.ABSENT

#: what a provoked agent does, in words
_PROVOKE_RISK = (
    'each L3 agent that hosts the router looks at it again and sends SIGHUP '
    'to its keepalived; the role does not move by that'
)
_RESEAT_RISK = (
    'the router is on one agent less meanwhile, and gets a new HA port there'
)


#: findings that are about the agent itself
_AGENTS = {
    'agent-dead': 'start it, and say why it died',
    'agent-disabled': 'say whether it is disabled on purpose',
    'hidden-active': 'bring the agent back; the node itself serves the router',
}


@dataclasses.dataclass(frozen=True)
class Situation:
    """What is known of one router that is to be mended."""

    case: case.Case
    #: the host that is to stay where there is a choice
    keep: str | None = None
    #: what was done already: key -> whether it has had its time
    tried: Mapping[action.Key, bool] = dataclasses.field(default_factory=dict)

    # -- who is what ---------------------------------------------------------

    @functools.cached_property
    def rivals(self) -> list[report.Replica]:
        """The nodes that hold the VIP, may be right, and host the router."""
        return [
            replica
            for replica in self.case.holders
            if replica.agent is not None and replica.observed != STALE
        ]

    @property
    def contested(self) -> bool:
        """Whether several nodes are rightly active at the same time.

        A node that does not host the router is wrong, whatever it shows.
        """
        return len(self.rivals) > 1

    @property
    def serving(self) -> report.Replica | None:
        """The one node that really is active, whoever else holds a VIP."""
        found = [r for r in self.rivals if r.observed == ACTIVE]
        return found[0] if len(found) == len(self.rivals) == 1 else None

    def served_beside(self, host: str) -> report.Replica | None:
        """The active node, if it is another one."""
        found = self.serving
        return found if found is not None and found.host != host else None

    @functools.cached_property
    def owed(self) -> frozenset[str]:
        """Hosts to whose L3 agent the router has to be given back."""
        return frozenset(
            errand.owed
            for replica in self.case.replicas
            if replica.view is not None
            and (errand := replica.view.errand) is not None
            and errand.owed
        )

    def replica(self, host: str | None) -> report.Replica:
        """The replica on a host that a finding names."""
        return next(r for r in self.case.replicas if r.host == host)

    def shown(self, host: str | None) -> view.NodeView:
        """What a host shows of the router, possibly nothing."""
        shown = self.replica(host).view
        return shown or view.NodeView(self.case.router.id, None)

    def links(self, host: str | None) -> dict[str, view.Link]:
        """The devices on a host by name."""
        return {link.name: link for link in self.shown(host).links or ()}

    def standby_beside(self, host: str) -> bool:
        """Whether another node could take over."""
        return any(
            replica.host != host and replica.agent is not None
            for replica in self.case.seen(STANDBY)
        )

    # -- who can be asked ----------------------------------------------------

    def works(self, host: str | None) -> bool:
        """Whether Neutron's L3 agent on a host will do something."""
        agent = self.replica(host).agent
        return agent is not None and agent.alive and agent.admin_state_up

    def wired(self, host: str) -> bool:
        """Whether the HA port is in the state in which agents start it."""
        port = self.case.ha_port(host)
        return port is not None and port.status == 'ACTIVE'

    def can_reseat(self, host: str) -> bool:
        """Whether the router can be taken off an agent without harm."""
        replica = self.replica(host)
        return (
            self.works(host)
            and replica.observed in (STANDBY, FAULT, ABSENT)
            and not replica.vip
            and self.served_beside(host) is not None
        )

    def fresh(self, op: action.Op, host: str | None) -> bool:
        """Whether something was not done yet."""
        return (op, host) not in self.tried

    def spent(self, op: action.Op, host: str | None) -> bool:
        """Whether something was done, had its time, and was of no use."""
        return self.tried.get((op, host), False)

    # -- making remedies -----------------------------------------------------

    def act(
        self,
        op: action.Op,
        finding: report.Finding,
        host: str | None = None,
        *,
        risk: str = '',
        waits_for: str = '',
        **fields: Any,
    ) -> action.Action:
        """Return an action for a finding, on its host or another one."""
        return action.Action(
            op,
            host if host is not None else finding.host,
            (finding.code,),
            fields,
            (risk,) if risk else (),
            waits_for,
        )

    def provoke(
        self, finding: report.Finding, waits_for: str, *risks: str
    ) -> action.Action:
        """Return that agents look again, or the wait for what comes of it."""
        if not self.fresh(action.Op.PROVOKE, None):
            return self.wait(finding, waits_for)
        return action.Action(
            action.Op.PROVOKE,
            None,
            (finding.code,),
            {},
            (_PROVOKE_RISK, *risks),
            waits_for,
        )

    def tell(
        self, finding: report.Finding, host: str, waits_for: str
    ) -> action.Action:
        """Return that the agent is told, or the wait for what comes of it."""
        if not self.fresh(action.Op.REPORT, host):
            return self.wait(finding, waits_for)
        return self.act(action.Op.REPORT, finding, host, waits_for=waits_for)

    def perhaps_tell(self, host: str) -> Iterator[action.Later]:
        """Yield that the agent is told, should its monitor not do it.

        A monitor whose agent was away when it had something to say misses
        the next change, and the one after it keeps silent until there is
        another (the shell script of 2026.2).
        """
        if self.works(host):
            yield action.Later(
                action.Op.REPORT,
                host,
                'if Neutron or the L3 agent has not learned what the node is',
            )

    def reseat(self, finding: report.Finding, host: str) -> action.Action:
        """Return that the router is taken off and given back."""
        waits_for = f'the L3 agent on {host} to build the router anew'
        if not (
            self.fresh(action.Op.RESEAT, host)
            and self.fresh(action.Op.GIVE, host)
        ):
            return self.wait(finding, waits_for)
        return self.act(
            action.Op.RESEAT,
            finding,
            host,
            risk=_RESEAT_RISK,
            waits_for=waits_for,
        )

    def wait(self, finding: report.Finding, waits_for: str) -> action.Action:
        """Return that Neutron's agents are waited for."""
        return self.act(action.Op.WAIT, finding, waits_for=waits_for)

    def announce(self, finding: report.Finding) -> Iterator[action.Remedy]:
        """Yield that all are told where the active node is.

        Switches are told anyway, Neutron if it has believed another node.
        """
        serving = self.serving
        if serving is None:
            return
        yield self.act(action.Op.ANNOUNCE, finding, serving.host)
        yield from self.perhaps_tell(serving.host)

    def leave(
        self,
        finding: report.Finding,
        reason: str,
        *first: str,
        whole: bool = True,
    ) -> action.Refusal:
        """Return that a finding is left to people.

        :param reason: why, without a final dot
        :param first: what to do before anything else
        :param whole: whether the steps of the catalogue follow
        """
        steps = catalogue.entries()[finding.name].fix if whole else ()
        return action.Refusal(
            finding.code,
            finding.name,
            finding.host,
            reason,
            tuple(
                self._filled(step, finding.host) for step in (*first, *steps)
            ),
        )

    def pass_over(
        self, finding: report.Finding, reason: str
    ) -> action.Refusal:
        """Return that a finding is left, which may go by itself yet."""
        return dataclasses.replace(self.leave(finding, reason), passing=True)

    def start_agent(self, finding: report.Finding) -> action.Refusal:
        """Return that only the L3 agent can do it, and it does not work."""
        host = finding.host
        agent = self.replica(host).agent
        if agent is None:
            return self.leave(
                finding, f'Neutron has no L3 agent on {host} for it'
            )
        if finding.name in _AGENTS:
            return self.leave(
                finding, f'nobody but you can {_AGENTS[finding.name]}'
            )
        state = 'disabled' if agent.alive else 'dead'
        return self.leave(
            finding,
            f'the L3 agent on {host} is {state}, and only it can do this',
            'openstack network agent set --enable <agent>, if nobody disabled '
            'it on purpose.'
            if agent.alive
            else 'Start the L3 agent on <host> (systemctl start '
            'neutron-l3-agent; Kolla: docker start neutron_l3_agent).',
            'Then repair again, if anything is left.',
            whole=False,
        )

    def _filled(self, step: str, host: str | None) -> str:
        words = {'<router>': self.case.router.id}
        if host is not None:
            words['<host>'] = host
            agent = self.replica(host).agent
            if agent is not None:
                words['<agent>'] = agent.id
        for placeholder, word in words.items():
            step = step.replace(placeholder, word)
        return step


def held(
    shown: view.NodeView, only: Collection[str] | None = None
) -> list[dict[str, str]]:
    """Return what a node holds of what its keepalived.conf names.

    :param only: of these addresses, normalised; None: of all
    """
    conf = shown.keepalived_conf
    named = {
        (entry.device, evidence.normal(entry.address))
        for entry in ((*conf.vips, *conf.excluded) if conf else ())
    }
    return [
        {'device': each.device, 'address': each.address}
        for each in shown.addresses or ()
        if (each.device, evidence.normal(each.address)) in named
        and (only is None or evidence.normal(each.address) in only)
    ]


def routed(shown: view.NodeView) -> list[dict[str, Any]]:
    """Return the routes of its keepalived.conf that a node has."""
    conf = shown.keepalived_conf
    there = [
        (each.destination, each.gateway, each.device)
        for each in shown.routes or ()
        if each.protocol != 'kernel'
    ]
    return [
        {
            'destination': route.destination,
            'gateway': route.gateway,
            'device': route.device,
        }
        for route in (conf.routes if conf else ())
        if any(
            destination == route.destination
            and route.gateway in (None, gateway)
            and route.device in (None, device)
            for destination, gateway, device in there
        )
    ]

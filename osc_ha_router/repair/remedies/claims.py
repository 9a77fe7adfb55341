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

from collections.abc import Iterator

from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation

_CUT = (
    'the Open vSwitch agent may cut a port off for up to 2 s while it wires '
    'it anew; the node watches for that and takes it back'
)


def differs(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent is told what its node is, and acts as it then does.

    It sets what belongs to the role, and reports to Neutron.
    """
    host = finding.host or ''
    replica = this.replica(host)
    if replica.observed == situation.ABSENT:
        yield action.Follows(finding.code, host)
    elif not this.works(host):
        yield this.start_agent(finding)
    else:
        yield this.tell(finding, host, f'Neutron to say of {host} what it is')


def agent(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Left to you: to start the agent, or to enable it."""
    yield this.start_agent(finding)


def hidden(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Left to you, and nothing is touched: the node serves the router."""
    yield this.start_agent(finding)


def bindings(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent of the active node is told again, and has them bound.

    If that does not help, or there is no such agent, Neutron is asked to.
    """
    serving = this.serving
    if serving is None:
        yield action.Follows(finding.code, None)
        return
    host = serving.host
    waits_for = f'Neutron to bind the ports to {host}'
    if this.works(host) and not this.spent(action.Op.REPORT, host):
        if this.fresh(action.Op.REPORT, host):
            yield this.act(
                action.Op.REPORT,
                finding,
                host,
                risk=_CUT,
                waits_for=waits_for,
                # the node watches its switch for so long
                guard=True,
            )
            yield action.Later(
                action.Op.REBIND, host, 'if Neutron does not by itself'
            )
        else:
            yield this.wait(finding, waits_for)
    elif this.fresh(action.Op.REBIND, host):
        yield this.act(
            action.Op.REBIND,
            finding,
            host,
            risk=_CUT,
            waits_for=waits_for,
            ports=[
                port.id
                for port in this.case.ports(
                    claim.GATEWAY_PORT, claim.INTERNAL_PORT, claim.SNAT_PORT
                )
                if port.host != host
            ],
        )
    else:
        yield this.wait(finding, waits_for)


def ha_port(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The router is taken off the L3 agent, and given back with a new port.

    Only while another node is active.
    """
    host = finding.host or ''
    if this.can_reseat(host):
        yield this.reseat(finding, host)
    else:
        yield no_reseat(this, finding)


def no_reseat(
    this: situation.Situation, finding: report.Finding
) -> action.Refusal:
    if not this.works(finding.host):
        return this.start_agent(finding)
    return this.leave(
        finding,
        'the router would have to be taken off the L3 agent there and given '
        'back, which is safe only while another node is active',
    )


def people(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Left to you: it needs a decision, or a hand, that no program has."""
    yield this.leave(finding, REASONS[finding.name])


#: why each of them is left
REASONS = {
    'no-agents': 'on which nodes the router belongs is not for a repair to '
    'decide',
    'single-replica': 'on which other node it belongs is not for a repair to '
    'decide',
    'router-error': 'its cause is in the Neutron server, and the cure is an '
    'outage',
    'several-ha-networks': 'which of the networks is right is not known, and '
    'the cure is an outage',
    'ha-port-not-active': 'wiring ports is the L2 agent\'s',
    'several-ha-devices': 'which of them is old is for people to say',
    'duplicate-vrid': 'one of the two routers needs another id, which is an '
    'outage of that one',
    'node-unreachable': 'a node that cannot be looked at is not touched',
    'not-looked-at': 'what cannot be seen is not touched',
    'claim-unknown': 'without knowing where the router belongs nothing is '
    'touched',
    'service-unavailable': 'a repair needs to see the nodes itself',
}

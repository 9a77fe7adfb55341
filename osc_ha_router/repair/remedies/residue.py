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

"""What is there and should not be, or the other way round (RHA6xx)."""

from collections.abc import Iterator

from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation
from osc_ha_router.repair.remedies import claims


def absent(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent is made to build it.

    While another node is active, the router is taken off and given back.
    """
    host = finding.host or ''
    if this.can_reseat(host):
        yield this.reseat(finding, host)
    elif this.works(host) and not this.spent(action.Op.PROVOKE, None):
        yield this.provoke(
            finding, f'the L3 agent on {host} to build the router'
        )
    else:
        yield claims.no_reseat(this, finding)


def leftover(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """What runs of the router there is ended, and its namespace removed.

    Not if this may be all that serves the router.
    """
    host = finding.host or ''
    shown = this.shown(host)
    if this.case.router.admin_state_up is False:
        yield this.leave(
            finding,
            'the router is administratively down, and the L3 agents have to '
            'take it off their nodes',
        )
        return
    others = [
        replica
        for replica in this.case.seen(situation.ACTIVE, situation.STANDBY)
        if replica.agent is not None
    ]
    if this.replica(host).vip and not others:
        yield this.leave(
            finding,
            'this may be all that serves the router, and no node that hosts '
            'it could take over',
        )
        return
    yield this.act(
        action.Op.EVICT,
        finding,
        risk='a node that hosts the router takes over, within a second if '
        'keepalived lives here'
        if this.replica(host).observed == situation.ACTIVE
        else '',
        waits_for='Neutron\'s agent, where it believes to have the router',
        namespace=shown.namespace,
    )
    yield from this.announce(finding)


def left(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """A router that was taken off an L3 agent is given back to it.

    What else is left is left to you: the node could not undo it, and says why.
    """
    errand = this.shown(finding.host).errand
    if errand is None or not errand.owed:
        yield this.leave(finding, 'the node could not undo it, and says why')
        return
    yield this.act(
        action.Op.GIVE,
        finding,
        errand.owed,
        waits_for=f'the L3 agent on {errand.owed} to build the router anew',
        # the node that has the note
        noted=finding.host,
    )


def configuration(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agents are made to look at the router, and write it."""
    hosts = (
        [finding.host]
        if finding.host
        else [replica.host for replica in this.case.hosted]
    )
    deaf = [
        host for host in hosts if not (this.works(host) and this.wired(host))
    ]
    if deaf:
        yield this.leave(
            finding,
            'an L3 agent writes it only if it lives and the HA port is '
            f'ACTIVE, which is not so on {", ".join(deaf)}',
        )
    elif this.spent(action.Op.PROVOKE, None):
        yield this.leave(
            finding, 'the L3 agents have looked at the router again since'
        )
    else:
        yield this.provoke(finding, 'the L3 agents to write keepalived.conf')

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

"""Processes and what they keep up to date (RHA3xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation
from osc_ha_router.repair.remedies import claims

_FAILOVER = (
    'this node is active: another takes over, which is a gap of about a '
    'second, and open connections through SNAT are lost'
)
_MAY_BE_ACTIVE = (
    'should it be the active one, another node takes over within a second'
)


def dead(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent is made to look at the router, and starts it."""
    host = finding.host or ''
    if not this.works(host):
        yield this.start_agent(finding)
    elif not this.wired(host):
        yield this.leave(
            finding,
            'the L3 agent starts keepalived only when the HA port is ACTIVE',
        )
    else:
        yield _started(this, finding)


def childless(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The parent is ended, and the L3 agent made to start it anew."""
    shown = this.shown(finding.host)
    children = evidence.with_role(shown, 'keepalived-vrrp') or ()
    parents = {child.ppid for child in children}
    if not this.works(finding.host):
        yield this.start_agent(finding)
        return
    yield this.act(
        action.Op.END,
        finding,
        pids=[
            parent.pid
            for parent in evidence.with_role(shown, 'keepalived') or ()
            if parent.pid not in parents
        ],
    )
    yield _started(this, finding)


def orphan(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is ended, and the L3 agent made to start keepalived anew.

    On the active node only if a standby can take over.
    """
    host = finding.host or ''
    shown = this.shown(host)
    active = this.replica(host).observed == situation.ACTIVE
    if not this.works(host):
        yield this.start_agent(finding)
        return
    if active and not this.standby_beside(host):
        yield this.leave(
            finding,
            'this node is active, and no other one could take over from it',
        )
        return
    parents = {p.pid for p in evidence.with_role(shown, 'keepalived') or ()}
    yield this.act(
        action.Op.END,
        finding,
        risk=_FAILOVER if active else '',
        pids=[
            child.pid
            for child in evidence.with_role(shown, 'keepalived-vrrp') or ()
            if child.ppid not in parents
        ],
    )
    yield _started(this, finding)


def hung(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is ended where another node serves, and let go on where none does.

    Had it gone on beside another one, the role might come back to it.
    """
    host = finding.host or ''
    holder = bool(this.replica(host).vip)
    if this.served_beside(host) is None:
        yield action.Follows(finding.code, host)
        return
    if not holder and not this.works(host):
        yield this.start_agent(finding)
        return
    yield this.act(
        action.Op.END,
        finding,
        pids=[process.pid for process in evidence.hung(this.shown(host))],
    )
    if this.works(host):
        yield _started(this, finding)


def several(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """All but the one that the L3 agent started are ended."""
    host = finding.host or ''
    if this.replica(host).vip:
        yield this.leave(
            finding,
            'this node holds the VIP: the one that goes might take addresses '
            'along that the other one has set',
            'openstack router ha failover <router> to another node, with '
            f'--ignore {finding.code} if that is refused; then repair again.',
        )
        return
    parents = evidence.parents(this.shown(host))
    yield this.act(
        action.Op.END,
        finding,
        pids=[parent.pid for parent in parents],
        # all but the one that the agent's pid file names
        extra=True,
    )


def astray(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is ended, if another node is active or can take over."""
    host = finding.host or ''
    if this.served_beside(host) is None and not this.standby_beside(host):
        yield this.leave(
            finding,
            'it may be what serves the router, and no other node could take '
            'over',
        )
        return
    found = evidence.with_role(this.shown(host), 'keepalived-astray') or ()
    yield this.act(
        action.Op.END,
        finding,
        risk='' if this.served_beside(host) else _MAY_BE_ACTIVE,
        pids=[process.pid for process in found],
    )


def monitor(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is waited for: the L3 agent starts it, in its time."""
    if this.works(finding.host):
        yield this.wait(
            finding,
            f'the L3 agent on {finding.host} to start the monitor '
            '(check_child_processes_interval, 60 s; 0: never)',
        )
    else:
        yield this.start_agent(finding)


def radvd(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent is told what its node is, and ends it.

    Where no agent does, the node program ends it.
    """
    if this.works(finding.host):
        yield from claims.differs(this, finding)
        return
    found = evidence.with_role(this.shown(finding.host), 'radvd') or ()
    yield this.act(
        action.Op.END, finding, pids=[process.pid for process in found]
    )


def forwarding(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent is told what its node is, and sets it.

    Where no agent does, the node program sets it.
    """
    host = finding.host or ''
    report_ = action.Op.REPORT
    if this.works(host) and not this.spent(report_, host):
        yield from claims.differs(this, finding)
        yield action.Later(
            action.Op.FORWARD, host, 'if the L3 agent does not by itself'
        )
        return
    on = this.shown(host).ipv6_forwarding or ()
    gateways = [name for name in on if name.startswith('qg-')]
    off = finding.name == 'ipv6-forwarding-on'
    yield this.act(
        action.Op.FORWARD, finding, device=gateways[0] if off else 'all'
    )


def _started(
    this: situation.Situation, finding: report.Finding
) -> action.Action:
    return this.provoke(
        finding, f'the L3 agent on {finding.host} to start keepalived'
    )

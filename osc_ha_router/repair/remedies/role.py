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

"""Who is active: stale addresses, and what must not be decided (RHA1xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation

_GAP = (
    'nobody serves the router for some 7 s: keepalived removes what it finds '
    'when it starts, and becomes active only then'
)


def contested(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Left to you: whoever picked a winner would make it worse."""
    if not this.contested:
        # all but one are leftovers on nodes that do not host the router
        yield action.Follows(finding.code, finding.host)
        return
    reasons = {
        'ha-network-cut': 'the nodes do not hear each other: one that was '
        'stopped now would be active again in 7 s, and users may reach only '
        'that one. Mend the HA network first',
        'adverts-ignored': 'the nodes hear each other and do not agree: one '
        'that was stopped now would be active again. Make their settings '
        'alike first',
        'multiple-active': 'it is not known which of the nodes is right, and '
        'the wrong choice is an outage',
    }
    yield this.pass_over(finding, reasons[finding.name])


def stale(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Addresses and routes that its keepalived.conf names are removed.

    Only what that names, and only while another node is active. Where none
    is, `--keep` says which holder is right.
    """
    host = finding.host or ''
    if this.served_beside(host) is not None:
        yield from _clean(this, finding)
        return
    if this.keep is None:
        names = [replica.host for replica in this.case.holders]
        yield this.leave(
            finding,
            f'{", ".join(names)} hold the addresses, none of them has a live '
            'keepalived, and none is provably the right one',
            'Find out which of them the users reach.',
            'Say so: openstack router ha repair <router> --keep '
            + ' or --keep '.join(names),
            whole=False,
        )
    elif this.keep == host:
        yield from alone(this, finding)
    else:
        yield from _clean(this, finding)
        yield action.Later(action.Op.PROVOKE, None, 'when one holder is left')


def _clean(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    host = finding.host or ''
    shown = this.shown(host)
    if shown.keepalived_conf is None:
        yield this.leave(
            finding,
            'keepalived.conf cannot be read there, and only what it names may '
            'be removed',
        )
        return
    yield this.act(
        action.Op.CLEAN,
        finding,
        addresses=situation.held(shown),
        routes=situation.routed(shown),
    )
    yield from this.announce(finding)
    yield from this.perhaps_tell(host)
    if finding.name == 'stale-vip-beside-backup':
        return
    # keepalived is dead there
    if not this.works(host):
        yield from _instead_of_agent(this, finding)
    elif this.serving is not None:
        yield this.provoke(
            finding, f'the L3 agent on {host} to start keepalived'
        )


def _instead_of_agent(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """What else a node does that was active, and that nobody turns off."""
    shown = this.shown(finding.host)
    radvd = evidence.with_role(shown, 'radvd')
    if radvd:
        yield this.act(
            action.Op.END, finding, pids=[process.pid for process in radvd]
        )
    for device in shown.ipv6_forwarding or ():
        if device.startswith('qg-'):
            yield this.act(action.Op.FORWARD, finding, device=device)


def beside_backup(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Addresses and routes that its keepalived.conf names are removed.

    Its own keepalived goes on as a backup.
    """
    if this.served_beside(finding.host or '') is None:
        yield this.leave(finding, 'no other node is seen to be active')
    else:
        yield from _clean(this, finding)


def alone(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Its addresses stay until a keepalived is there to take over.

    One that is stopped goes on; else the L3 agents are made to start it.
    """
    host = finding.host or ''
    if this.case.seen(report.Observed.UNKNOWN):
        yield this.leave(
            finding,
            'a node cannot be looked at, which may be active',
        )
        return
    stopped = [
        process.pid
        for process in evidence.hung(this.shown(host))
        if process.state in 'Tt'
    ]
    if stopped:
        yield this.act(
            action.Op.WAKE,
            finding,
            pids=stopped,
            waits_for='keepalived to go on',
        )
        return
    able = [
        replica.host
        for replica in this.case.hosted
        if this.works(replica.host) and this.wired(replica.host)
    ]
    if not able:
        yield this.start_agent(finding)
        return
    risks = [_GAP]
    if this.keep is not None and set(able) != {this.keep}:
        risks.append(
            'which node is active then is for VRRP to choose: --keep only '
            'says who keeps the addresses until then'
        )
    yield this.provoke(
        finding,
        f'the L3 agents on {", ".join(able)} to start keepalived',
        *risks,
    )
    for other in able:
        yield from this.perhaps_tell(other)
    if host not in able:
        when = 'when another node is active'
        yield action.Later(action.Op.CLEAN, host, when)
        for other in able:
            yield action.Later(action.Op.ANNOUNCE, other, when)


def follows(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It goes when the other findings are cured."""
    yield action.Follows(finding.code, finding.host)
    if finding.name == 'no-active':
        for replica in this.case.hosted:
            yield from this.perhaps_tell(replica.host)

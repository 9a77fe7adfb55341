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

"""Addresses and routes: all on the active node, none elsewhere (RHA5xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis.rules import address
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation


def missing(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """What keepalived.conf names is set, as keepalived would set it.

    For the rest the L3 agent is made to write the file anew.
    """
    host = finding.host or ''
    serving = this.serving
    if serving is None or serving.host != host:
        yield action.Follows(finding.code, host)
        return
    shown = this.shown(host)
    conf = shown.keepalived_conf
    told = address.configured(conf)
    plain = {evidence.bare(a) for a in evidence.held(shown) or ()}
    lost = [
        {'device': entry.device, 'address': entry.address}
        for entry in (conf.excluded if conf else ())
        if evidence.bare(entry.address) not in plain
    ]
    unset = (
        address.claimed(this.case) - {evidence.bare(a) for a in told} - plain
    )
    if lost:
        yield this.act(action.Op.ADD, finding, addresses=lost)
        yield from this.announce(finding)
    if not unset:
        return
    if not this.works(host):
        yield this.start_agent(finding)
    elif not this.wired(host):
        yield this.leave(
            finding,
            'the L3 agent writes keepalived.conf only when the HA port is '
            'ACTIVE',
        )
    else:
        yield this.provoke(
            finding, f'the L3 agent on {host} to write keepalived.conf'
        )


def routes(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """keepalived is made to read its file again, and sets them."""
    host = finding.host or ''
    if this.spent(action.Op.RELOAD, host):
        yield this.leave(
            finding, 'keepalived did not set it again when it was told to'
        )
    elif this.fresh(action.Op.RELOAD, host):
        yield this.act(action.Op.RELOAD, finding)
    else:
        yield this.wait(finding, 'keepalived to set the route')


def leftovers(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """They are removed, while another node is active.

    That one announces itself then, so that switches learn.
    """
    host = finding.host or ''
    if this.served_beside(host) is None:
        yield this.leave(finding, 'no other node is seen to be active')
        return
    shown = this.shown(host)
    told = frozenset[str]().union(
        *(address.configured(conf) for _, conf in this.case.confs())
    )
    extra = (evidence.held(shown) or frozenset()) & (told - this.case.vips)
    local = finding.name == 'link-local-on-standby'
    chosen = {a for a in extra if a.startswith('fe80:') == local}
    found = situation.held(shown, chosen)
    if found:
        yield this.act(action.Op.CLEAN, finding, addresses=found)
        yield from this.announce(finding)
    if chosen - {evidence.normal(each['address']) for each in found}:
        yield this.leave(
            finding, 'keepalived.conf there does not name all of them'
        )


def duplicates(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """They are set anew on the active node, and removed elsewhere."""
    host = finding.host or ''
    shown = this.shown(host)
    failed = {
        evidence.normal(each.address)
        for each in shown.addresses or ()
        if 'dadfailed' in each.flags
    }
    found = situation.held(shown, failed)
    if len(found) < len(failed):
        yield this.leave(finding, 'keepalived.conf does not name all of them')
    if not found:
        return
    serving = this.serving
    if serving is None:
        yield action.Follows(finding.code, host)
    elif serving.host != host:
        yield this.act(action.Op.CLEAN, finding, addresses=found)
    elif this.fresh(action.Op.ADD, host):
        yield this.act(
            action.Op.ADD,
            finding,
            risk='should a host that is not of the router have the same '
            'address, both use it from now on',
            addresses=found,
        )
    else:
        yield this.leave(finding, 'somebody else has the address')


def tentative(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is waited for: the detection takes a second or two."""
    yield this.wait(finding, 'duplicate address detection')

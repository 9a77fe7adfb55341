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

"""Network devices in the namespaces (RHA4xx)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation
from osc_ha_router.repair.remedies import claims

_OURS = ('qg-', 'qr-', 'sg-')
_NO_CARRIER = ('DOWN', 'LOWERLAYERDOWN', 'NOTPRESENT')
_ON_PURPOSE = 'somebody may have set it down on purpose, for maintenance'


def ha_device(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is set up; one that is not there is plugged anew.

    For that the router is taken off the L3 agent and given back.
    """
    host = finding.host or ''
    found = evidence.ha_devices(this.shown(host))
    if not found:
        yield from _reseated(this, finding)
    elif found[0].up:
        yield _no_carrier(this, finding)
    else:
        yield this.act(
            action.Op.LINK_UP,
            finding,
            risk=_ON_PURPOSE,
            waits_for=f'keepalived on {host} to work again',
            devices=[found[0].name],
        )


def ha_address(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The router is taken off the L3 agent and given back.

    The agent then plugs the device anew, with its address.
    """
    yield from _reseated(this, finding)


def down(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """It is set up, and keepalived reads its file again for the routes.

    Addresses that this brings, or that it took, are put right afterwards.
    Where the router is not active, its gateway device is left alone, unless
    keepalived follows it.
    """
    host = finding.host or ''
    active = this.replica(host).observed == situation.ACTIVE
    ours = [
        link
        for name, link in this.links(host).items()
        if name.startswith(_OURS) and (active or _needed(this, host, name))
    ]
    down_ = [link.name for link in ours if not link.up]
    if down_:
        yield from _up(this, finding, down_)
    elif any(link.oper in _NO_CARRIER for link in ours):
        yield _no_carrier(this, finding)
    elif finding.name == 'gateway-device-down' and not active:
        yield this.leave(
            finding, 'whether this node is the active one is not known'
        )
    else:
        yield from missing(this, finding)


def _needed(this: situation.Situation, host: str, device: str) -> bool:
    """Whether a standby needs a device to be up.

    From Queens to Yoga the L3 agent keeps a gateway device down there: up,
    it sends from the router's own MAC (Launchpad bug 1859832).
    """
    conf = this.shown(host).keepalived_conf
    tracked = conf.tracked if conf is not None else ()
    return not device.startswith('qg-') or device in tracked


def _up(
    this: situation.Situation, finding: report.Finding, devices: list[str]
) -> Iterator[action.Remedy]:
    host = finding.host or ''
    yield this.act(
        action.Op.LINK_UP, finding, risk=_ON_PURPOSE, devices=devices
    )
    if this.replica(host).observed == situation.ACTIVE:
        yield this.act(action.Op.RELOAD, finding)
        yield action.Later(action.Op.ADD, host, 'when the device is up again')
        return
    # what the device sends by being up may mislead switches
    yield from this.announce(finding)
    yield action.Later(
        action.Op.CLEAN, host, 'if the device gets an address by being up'
    )


def missing(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """The L3 agent is made to plug it.

    Where the router is not active it is taken off the agent and given back.
    """
    host = finding.host or ''
    if this.replica(host).observed != situation.ACTIVE:
        yield from _reseated(this, finding)
    elif not this.works(host):
        yield this.start_agent(finding)
    elif this.spent(action.Op.PROVOKE, None):
        yield this.leave(
            finding,
            'the L3 agent believes that it has plugged the device',
            'openstack router ha failover <router> to a node that has all '
            'devices; then repair again.',
        )
    else:
        yield this.provoke(
            finding, f'the L3 agent on {host} to plug the device'
        )


def _reseated(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    host = finding.host or ''
    if this.can_reseat(host):
        yield this.reseat(finding, host)
    else:
        yield claims.no_reseat(this, finding)


def _no_carrier(
    this: situation.Situation, finding: report.Finding
) -> action.Refusal:
    return this.leave(
        finding,
        'the device is up; what it is plugged into is the L2 agent\'s',
    )

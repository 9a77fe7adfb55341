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

"""The one table: what is done about each finding of the catalogue.

A remedy is a pure function of the situation and the finding. It yields
actions, refusals with the steps by hand, or that the finding follows from
others. Its docstring tells users what is done. Findings of severity INFO need
none.
"""

from collections.abc import Callable
from collections.abc import Iterator
import inspect

from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import situation
from osc_ha_router.repair.remedies import address
from osc_ha_router.repair.remedies import claims
from osc_ha_router.repair.remedies import device
from osc_ha_router.repair.remedies import process
from osc_ha_router.repair.remedies import residue
from osc_ha_router.repair.remedies import role

Function = Callable[
    [situation.Situation, report.Finding], Iterator[action.Remedy]
]

REMEDIES: dict[str, Function] = {
    'stale-vip-dead-keepalived': role.stale,
    'stale-vip-alone': role.alone,
    'stale-vip-beside-backup': role.beside_backup,
    'ha-network-cut': role.contested,
    'adverts-ignored': role.contested,
    'multiple-active': role.contested,
    'no-active': role.follows,
    'hidden-active': claims.hidden,
    'claim-differs': claims.differs,
    'agent-dead': claims.agent,
    'agent-disabled': claims.agent,
    'no-agents': claims.people,
    'single-replica': claims.people,
    'no-standby': role.follows,
    'binding-differs': claims.bindings,
    'router-error': claims.people,
    'several-ha-networks': claims.people,
    'ha-port-missing': claims.ha_port,
    'keepalived-dead': process.dead,
    'vrrp-child-dead': process.childless,
    'keepalived-orphan': process.orphan,
    'keepalived-hung': process.hung,
    'monitor-dead': process.monitor,
    'state-file-differs': claims.differs,
    'radvd-on-standby': process.radvd,
    'radvd-missing': claims.differs,
    'metadata-proxy-missing': claims.differs,
    'ipv6-forwarding-off': process.forwarding,
    'ipv6-forwarding-on': process.forwarding,
    'several-keepalived': process.several,
    'keepalived-astray': process.astray,
    'ha-device-down': device.ha_device,
    'ha-port-not-active': claims.people,
    'gateway-device-down': device.down,
    'internal-device-down': device.down,
    'device-missing': device.missing,
    'device-not-ready': device.down,
    'several-ha-devices': claims.people,
    'ha-address-missing': device.ha_address,
    'tracked-device-down': device.down,
    'address-missing': address.missing,
    'floating-ip-missing': address.missing,
    'route-missing': address.routes,
    'address-on-standby': address.leftovers,
    'link-local-on-standby': address.leftovers,
    'dadfailed': address.duplicates,
    'address-tentative': address.tentative,
    'namespace-absent': residue.absent,
    'leftover-replica': residue.leftover,
    'leftover-active': residue.leftover,
    'duplicate-vrid': claims.people,
    'conf-missing': residue.configuration,
    'conf-differs': residue.configuration,
    'failover-left': residue.left,
    'node-unreachable': claims.people,
    'not-looked-at': claims.people,
    'claim-unknown': claims.people,
    'service-unavailable': claims.people,
}


def told(name: str) -> str:
    """Return in sentences what is done about a kind of finding.

    :param name: as in the catalogue; empty without a remedy
    """
    remedy = REMEDIES.get(name)
    if remedy is None:
        return ''
    if remedy is claims.people:
        return f'Left to you: {claims.REASONS[name]}.'
    return ' '.join((inspect.getdoc(remedy) or '').split())


def of(
    this: situation.Situation, finding: report.Finding
) -> Iterator[action.Remedy]:
    """Yield what is done about a finding."""
    remedy = REMEDIES[finding.name]
    if this.case.router.agents is None and remedy is not claims.people:
        yield this.leave(
            finding,
            'Neutron does not tell you which nodes host the router: a repair '
            'needs an administrator',
        )
    elif this.contested and remedy not in (role.contested, claims.people):
        # whatever was done now would be done on a guess who is right
        yield this.pass_over(
            finding, 'nothing is touched while several nodes are active'
        )
    else:
        found = tuple(remedy(this, finding))
        if any(_waits(this, each) for each in found):
            yield action.Follows(finding.code, finding.host)
        else:
            yield from found


def _waits(this: situation.Situation, remedy: action.Remedy) -> bool:
    """Whether an agent has to get the router back before.

    A router is off one agent at a time, and so is the note of it.
    """
    if not isinstance(remedy, action.Action):
        return False
    if remedy.op == action.Op.RESEAT:
        return bool(this.owed)
    return remedy.op == action.Op.EVICT and remedy.host in this.owed

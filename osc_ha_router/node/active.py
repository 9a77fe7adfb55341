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

"""Whether this node is the router's active one, at this very moment.

By its own evidence: the HA address, a keepalived VRRP process that lives, and
where both are there, what that process sends.
"""

from osc_ha_router.node import errand as errands
from osc_ha_router.node import errors
from osc_ha_router.node import listen
from osc_ha_router.node import muster
from osc_ha_router.node import protocol
from osc_ha_router.node import roles
from osc_ha_router.node import vip

ACTIVE = 'active'
PASSIVE = 'passive'
#: it has the address and lives, and neither it nor another one advertises
UNCLEAR = 'unclear'

#: process states in which nothing is done
_IDLE = 'TtXZ'
#: seconds beyond an advertisement's interval
_MARGIN = 0.5
_LONGEST = 60.0


def state(begun: errands.Errand) -> str:
    """What this node is; takes an advertisement's time if it must listen.

    :returns: one of the constants
    :raises ProgramError: ``absent``, ``unfit``, ``no-rights``
    :raises OSError: the host cannot be looked at
    """
    living = [
        member
        for member in muster.members_of(begun.traveller, begun.router_id)
        if member.role == roles.VRRP and member.found.state not in _IDLE
    ]
    with vip.Vip(begun) as address:
        if not living or not address.held():
            return PASSIVE
    conf = begun.conf()
    seconds = min(advert_int(conf) + _MARGIN, _LONGEST)
    heard = listen.listen(
        begun.traveller, {begun.router_id: [begun.namespace]}, seconds
    )[begun.router_id]
    if heard.listening is None:
        return UNCLEAR
    adverts = [
        advert
        for advert in heard.listening['adverts']
        if conf['vrid'] in (None, advert['vrid'])
    ]
    if any(advert['own'] for advert in adverts):
        return ACTIVE
    return PASSIVE if adverts else UNCLEAR


def must_be_passive(begun: errands.Errand) -> None:
    """Refuses what would take something from an active node.

    :raises ProgramError: ``unsafe``, and as ``state``
    """
    found = state(begun)
    if found == ACTIVE:
        raise errors.ProgramError(
            errors.UNSAFE,
            'this node holds the HA address and advertises it: it is active',
        )
    if found == UNCLEAR:
        raise errors.ProgramError(
            errors.UNSAFE,
            'this node holds the HA address, its keepalived lives, and nobody '
            'was heard to advertise: it may be the active one',
        )


def must_be_active(begun: errands.Errand) -> None:
    """Refuses what only the active node may have.

    :raises ProgramError: ``unsafe``, and as ``state``
    """
    if state(begun) != ACTIVE:
        raise errors.ProgramError(
            errors.UNSAFE,
            'this node does not hold the HA address with a keepalived that '
            'advertises it: it is not the active one',
        )


def advert_int(conf: protocol.Json) -> float:
    """Seconds between advertisements; keepalived's default is one."""
    return float(conf['advert_int'] or 1.0)

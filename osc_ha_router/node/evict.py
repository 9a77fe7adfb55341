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

"""The operation ``evict``: what is left of a router that is hosted elsewhere.

keepalived is ended in order, so that it gives the role away, and the
addresses go. Where the L3 agent does not know the router any more, or is
dead, all the rest goes as well: an agent that still believes in it would
stumble over what is missing, and must be told by Neutron.
"""

import os
import time
import typing

from osc_ha_router.node import arguments
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import errors
from osc_ha_router.node import look as looking
from osc_ha_router.node import muster
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import ports
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying
from osc_ha_router.node import roles
from osc_ha_router.node import routes
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import unplug
from osc_ha_router.node import wanted
from osc_ha_router.node import writes

_KEEPALIVED = (roles.PARENT, roles.VRRP, roles.ASTRAY)
_HELPERS = ('radvd', 'haproxy', 'conntrackd')
#: seconds in which a monitor that ends has ended what it had started
_AFTERMATH = 2.0
_PAUSE = 0.05


def run(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Ends the router's keepalived here, and removes what it had set.

    Fields: ``namespace``, that of the leftover, null for none; ``whole``:
    whether all else goes, too: the monitor, the helpers, the devices and the
    namespace itself.

    :returns: ``pids`` of those that were ended; ``addresses`` and
        ``devices`` that were removed; ``namespace``: whether it was
    :raises ProgramError: ``left``, something cannot be ended or removed
    """
    router_id = protocol.router(fields)
    errands.held(router_id)
    whole = protocol.flag(fields, 'whole')
    name = None
    if fields.get('namespace') is not None:
        name = wanted.namespace(fields, router_id)
    with namespaces.Traveller() as traveller:
        space = namespaces.listing().get(name) if name else None
        pids = muster.end(
            traveller, router_id, lambda m: m.role in _KEEPALIVED
        )
        if space is None or space.inode is None:
            return {
                'pids': pids,
                'addresses': [],
                'devices': [],
                'namespace': False,
            }
        gone = _strip(traveller, space)
        removed = []  # type: typing.List[str]
        if whole:
            pids += _empty(traveller, router_id, space)
            removed = unplug.devices(traveller, space, ports.folder(None))
            unplug.namespace(space)
    return {
        'pids': sorted(set(pids)),
        'addresses': gone,
        'devices': removed,
        'namespace': whole,
    }


def _strip(
    traveller: namespaces.Traveller, space: namespaces.Namespace
) -> typing.List[str]:
    """Removes all but what the kernel and the HA port have by themselves."""
    with traveller.inside(space):
        channel = netlink.Socket()
    with channel:
        names = {x['index']: x['name'] for x in rtnetlink.links(channel)}
        indices = writes.indices(names)
        places = [
            (each['device'], each['address'])
            for each in rtnetlink.addresses(channel, names)
            if wanted.DEVICE.fullmatch(each['device'])
            and not each['device'].startswith('ha-')
        ]
        writes.delete_routes(
            channel,
            indices,
            [
                (each['destination'], each['gateway'], each['device'])
                for each in routes.routes(channel, names)
                if each['protocol'] != 'kernel' and each['device'] in indices
            ],
        )
        places += _vips(channel, names)
        writes.delete_addresses(channel, indices, places)
    return ['%s on %s' % (address, device) for device, address in places]


def _vips(
    channel: netlink.Socket, names: typing.Dict[int, str]
) -> typing.List[wanted.Place]:
    """What an ha- device holds beside its first IPv4 address.

    The HA port's own is there before keepalived can do anything.
    """
    seen = set()  # type: typing.Set[str]
    found = []
    for each in rtnetlink.addresses(channel, names):
        device = each['device']
        if not device.startswith('ha-') or ':' in each['address']:
            continue
        if device in seen:
            found.append((device, each['address']))
        seen.add(device)
    return found


def _empty(
    traveller: namespaces.Traveller,
    router_id: str,
    space: namespaces.Namespace,
) -> typing.List[int]:
    """Ends what Neutron has started in a namespace.

    :raises ProgramError: ``left``, something else runs in it
    """
    inside = _inside(traveller, space)

    def helper(member: roles.Member) -> bool:
        return member.role == roles.MONITOR or (
            member.role in _HELPERS and member.found.pid in inside
        )

    def loop(member: roles.Member) -> bool:
        """What a shell monitor had started, and that outlived it."""
        argv = member.found.argv
        return (
            member.found.pid in inside
            and arguments.program(argv) == 'ip'
            and 'monitor' in argv
        )

    ended = muster.end(traveller, router_id, helper)
    until = time.monotonic() + _AFTERMATH
    while _inside(traveller, space) and time.monotonic() < until:
        time.sleep(_PAUSE)
    inside = _inside(traveller, space)
    ended += muster.end(traveller, router_id, loop)
    left = _inside(traveller, space)
    if left:
        raise errors.ProgramError(
            errors.LEFT,
            'something that is not Neutron\'s runs in %s (process %s): end it '
            'first' % (space.name, ', '.join(str(pid) for pid in left)),
        )
    return ended


def _inside(
    traveller: namespaces.Traveller, space: namespaces.Namespace
) -> typing.Set[int]:
    """The processes in a namespace."""
    look = looking.Look(
        traveller, {space.router_id: [space]}, [space.router_id]
    )
    return {
        found.pid
        for found in look.census.by_namespace.get(space.inode or 0, ())
        if found.state not in 'XZ' and found.pid != os.getpid()
    }

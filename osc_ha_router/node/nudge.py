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

"""Small operations: ``reload``, ``link-up`` and ``forward``.

None of them needs to be undone: each brings about what Neutron or keepalived
would have done.
"""

import os

from osc_ha_router.node import active
from osc_ha_router.node import daemon
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import wanted
from osc_ha_router.node import writes

_FORWARDING = '/proc/sys/net/ipv6/conf/%s/forwarding'
_ALL = 'all'


def reload(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Has keepalived read its file again, which sets its routes again.

    :returns: ``pids`` of those that were told
    :raises ProgramError: ``no-keepalived``
    """
    begun = errands.of(protocol.router(fields))
    told = daemon.reload(begun.traveller, begun.namespace.name, begun.folder)
    if not told:
        raise errors.ProgramError(
            errors.NO_KEEPALIVED,
            'no keepalived runs with %s in %s'
            % (begun.conf_path, begun.namespace.name),
        )
    return {'pids': told}


def link_up(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Sets a device up.

    Fields: ``device``.

    :returns: ``changed``
    :raises ProgramError: ``absent``, there is no such device
    """
    begun = errands.of(protocol.router(fields))
    device = wanted.device(fields)
    with begun.inside():
        channel = netlink.Socket()
    with channel:
        for link in rtnetlink.links(channel):
            if link['name'] == device:
                if not link['up']:
                    writes.set_up(channel, link['index'])
                return {'changed': not link['up']}
    raise errors.ProgramError(
        errors.ABSENT,
        'there is no device %s in %s' % (device, begun.namespace.name),
    )


def forward(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Sets IPv6 forwarding as the L3 agent would for this node.

    On for all devices where the router is active, off for the gateway device
    where it is not.

    Fields: ``device``: ``all``, or a gateway device.

    :returns: ``on``, ``changed``
    :raises ProgramError: ``unsafe``, the node is not in that state;
        ``absent``, there is no such device
    """
    begun = errands.of(protocol.router(fields))
    name = fields.get('device')
    on = name == _ALL
    device = _ALL if on else wanted.device(fields)
    if not on and not device.startswith('qg-'):
        raise errors.BadRequest('"device" must be all or a qg- device')
    if on:
        active.must_be_active(begun)
    else:
        active.must_be_passive(begun)
    path = _FORWARDING % device
    try:
        with begun.inside():
            changed = _write(path, b'1' if on else b'0')
    except FileNotFoundError:
        raise errors.ProgramError(
            errors.ABSENT, 'there is no %s in the namespace' % path
        ) from None
    return {'on': on, 'changed': changed}


def _write(path: str, value: bytes) -> bool:
    """Writes a setting unless it is so already; returns whether it did."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.read(descriptor, 16).strip() == value:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, value)
        return True
    finally:
        os.close(descriptor)

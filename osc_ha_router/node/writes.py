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

"""Changing links, addresses and routes (source: rtnetlink(7)).

Each function takes an open socket of the namespace, and raises NetlinkError
or OSError. What is there already, or gone already, is none.
"""

import errno
import os
import socket
import struct
import typing

from osc_ha_router.node import netlink
from osc_ha_router.node import values
from osc_ha_router.node import wanted

_RTM_NEWLINK, _RTM_DELLINK = 16, 17
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_RTM_DELROUTE = 25
_LINK = struct.Struct('=BxHiII')
_ADDRESS = struct.Struct('=BBBBI')
_ROUTE = struct.Struct('=BBBBBBBBI')
_UINT = struct.Struct('=I')

_IFF_UP = 0x1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
#: no duplicate address detection, as keepalived does it
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_RT_TABLE_MAIN = 254
_SCOPE_GLOBAL, _SCOPE_LINK, _SCOPE_NOWHERE = 0, 253, 255

_GONE = (errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENODEV, errno.ENOENT)

Indices = typing.Mapping[str, int]


def add_addresses(
    channel: netlink.Socket,
    indices: Indices,
    places: typing.Sequence[wanted.Place],
) -> None:
    """Sets addresses with the scope and the flags that keepalived uses.

    :param indices: of the devices by name
    """
    bodies = [_body(indices, place) for place in places]
    _change(channel, _RTM_NEWADDR, netlink.CREATE, bodies, (errno.EEXIST,))


def delete_addresses(
    channel: netlink.Socket,
    indices: Indices,
    places: typing.Sequence[wanted.Place],
) -> None:
    """Removes addresses."""
    bodies = [_body(indices, place) for place in places]
    _change(channel, _RTM_DELADDR, 0, bodies, _GONE)


def delete_routes(
    channel: netlink.Socket,
    indices: Indices,
    some: typing.Sequence[wanted.Route],
) -> None:
    """Removes routes of the main table."""
    bodies = []
    for destination, gateway, device in some:
        host, bits = destination.split('/')
        family = values.family(host)
        body = _ROUTE.pack(
            family, int(bits), 0, 0, _RT_TABLE_MAIN, 0, _SCOPE_NOWHERE, 0, 0
        )
        if int(bits):
            body += netlink.attribute(_RTA_DST, socket.inet_pton(family, host))
        if gateway is not None:
            body += netlink.attribute(
                _RTA_GATEWAY, socket.inet_pton(values.family(gateway), gateway)
            )
        if device is not None:
            body += netlink.attribute(_RTA_OIF, _UINT.pack(indices[device]))
        bodies.append(body)
    _change(channel, _RTM_DELROUTE, 0, bodies, _GONE)


def set_up(channel: netlink.Socket, index: int) -> None:
    """Sets a device up."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, _IFF_UP, _IFF_UP)
    _change(channel, _RTM_NEWLINK, 0, [body], ())


def delete_link(channel: netlink.Socket, index: int) -> None:
    """Removes a device; that of Open vSwitch's own refuse."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    _change(channel, _RTM_DELLINK, 0, [body], _GONE)


def _body(indices: Indices, place: wanted.Place) -> bytes:
    device, address = place
    host, bits = address.split('/')
    family = values.family(host)
    raw = socket.inet_pton(family, host)
    six = family == socket.AF_INET6
    scope = _SCOPE_GLOBAL
    if six and raw[0] == 0xFE and raw[1] & 0xC0 == 0x80:
        scope = _SCOPE_LINK
    head = _ADDRESS.pack(
        family, int(bits), _IFA_F_NODAD if six else 0, scope, indices[device]
    )
    return (
        head
        + netlink.attribute(_IFA_LOCAL, raw)
        + netlink.attribute(_IFA_ADDRESS, raw)
    )


def _change(
    channel: netlink.Socket,
    request: int,
    flags: int,
    bodies: typing.Sequence[bytes],
    fine: typing.Container[int],
) -> None:
    for number in channel.change(request, flags, bodies):
        if number and number not in fine:
            raise netlink.NetlinkError(
                'the kernel says: %s' % os.strerror(number), number
            )


def indices(names: values.Names) -> typing.Dict[str, int]:
    """Index by name, of names by index."""
    return {name: index for index, name in names.items()}

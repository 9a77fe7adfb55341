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

"""Routes (source: rtnetlink(7)); errors are those of ``rtnetlink``."""

import errno
import socket
import struct
import sys
import typing

from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import values
from osc_ha_router.node import words

_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_ROUTE = struct.Struct('=BBBBBBBBI')
_NEXTHOP = struct.Struct('=HBBi')
_INT = struct.Struct('=i')
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH = 1, 4, 5, 9
_RTA_TABLE, _RTA_VIA = 15, 18
_RT_TABLE_MAIN, _RTN_UNICAST, _RTM_F_CLONED = 254, 1, 0x200
_RTPROT_KERNEL = 2

#: the attributes that matter
_OF_ROUTE = (
    _RTA_DST,
    _RTA_OIF,
    _RTA_GATEWAY,
    _RTA_MULTIPATH,
    _RTA_TABLE,
    _RTA_VIA,
)

#: what a route without destination leads to, by family
_ANY = {2: socket.inet_ntop(2, bytes(4)), 10: '::'}


def routes(
    channel: netlink.Socket, names: values.Names
) -> typing.List[protocol.Json]:
    """The unicast routes of the main tables, as ``Route``.

    What the kernel itself keeps for IPv6 link-local addresses is left out.
    """
    found = []  # type: typing.List[protocol.Json]
    for family in (socket.AF_INET, socket.AF_INET6):
        body = _ROUTE.pack(
            family, 0, 0, 0, _RT_TABLE_MAIN, 0, 0, _RTN_UNICAST, 0
        )
        try:
            answers = channel.dump(_RTM_GETROUTE, body, _RTM_NEWROUTE)
        except netlink.NetlinkError as error:
            # the table comes into being with its first route
            if error.errno != errno.ENOENT:
                raise
            answers = []
        for answer in answers:
            # asked for the routes of a family that it was started without,
            # the kernel sends those of all others
            if answer[:1] == body[:1]:
                found.extend(route(answer, names))
    return found


def route(body: bytes, names: values.Names) -> typing.List[protocol.Json]:
    """Decodes an RTM_NEWROUTE message: an entry for each next hop."""
    unpacked = values.unpack(_ROUTE, body)
    family, bits, _, _, table, protocol_, _, kind, flags = unpacked
    # Kernels before 4.20 send all tables whatever they are asked for.
    if (
        kind != _RTN_UNICAST
        or family not in values.BYTES
        or flags & _RTM_F_CLONED
    ):
        return []
    found = netlink.attributes(body, _ROUTE.size, _OF_ROUTE)
    if _RTA_TABLE in found:
        table = values.uint(found[_RTA_TABLE])
    if table != _RT_TABLE_MAIN:
        return []
    if _RTA_DST in found:
        destination = values.ip(family, found[_RTA_DST])
    else:
        destination = _ANY[family]
    if protocol_ == _RTPROT_KERNEL and destination == 'fe80::':
        return []
    hops = [found]
    if _RTA_MULTIPATH in found:
        hops = _hops(found[_RTA_MULTIPATH])
    return [
        {
            'destination': '%s/%d' % (destination, bits),
            'gateway': _gateway(family, hop),
            'device': _device(hop, names),
            'protocol': words.protocol(protocol_),
        }
        for hop in hops
    ]


def _hops(data: bytes) -> typing.List[netlink.Attributes]:
    found = []
    offset = 0
    while len(data) - offset >= _NEXTHOP.size:
        length, _, _, index = _NEXTHOP.unpack_from(data, offset)
        if length < _NEXTHOP.size or length > len(data) - offset:
            raise netlink.NetlinkError('a next hop has a wrong length')
        hop = netlink.attributes(
            data[offset : offset + length], _NEXTHOP.size, _OF_ROUTE
        )
        hop[_RTA_OIF] = _INT.pack(index)
        found.append(hop)
        offset += (length + 3) & ~3
    return found


def _gateway(family: int, hop: netlink.Attributes) -> typing.Optional[str]:
    if _RTA_GATEWAY in hop:
        return values.ip(family, hop[_RTA_GATEWAY])
    if _RTA_VIA in hop:
        # an IPv4 route through an IPv6 gateway: family, then address
        raw = hop[_RTA_VIA]
        return values.ip(int.from_bytes(raw[:2], sys.byteorder), raw[2:])
    return None


def _device(
    hop: netlink.Attributes, names: values.Names
) -> typing.Optional[str]:
    if _RTA_OIF not in hop:
        return None
    index = values.uint(hop[_RTA_OIF])
    return values.device(names, index)

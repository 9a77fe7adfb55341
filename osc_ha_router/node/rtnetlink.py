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

"""Links, addresses, routes and neighbours (source: rtnetlink(7)).

Each function takes an open socket of the namespace to look at, returns JSON
objects with the field names of the project's view of a node, and raises
NetlinkError or OSError.
"""

import errno
import socket
import struct
import sys
import typing

from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import words

_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_RTM_NEWNETCONF, _RTM_GETNETCONF = 80, 82

_LINK = struct.Struct('=BxHiII')
_ADDRESS = struct.Struct('=BBBBI')
_ROUTE = struct.Struct('=BBBBBBBBI')
_NEIGHBOUR = struct.Struct('=BxxxiHBB')
_NEXTHOP = struct.Struct('=HBBi')
_UINT = struct.Struct('=I')
_INT = struct.Struct('=i')

_IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE = 1, 3, 4, 16
_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS = 29, 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH = 1, 4, 5, 9
_RTA_TABLE, _RTA_VIA = 15, 18
_RT_TABLE_MAIN, _RTN_UNICAST, _RTM_F_CLONED = 254, 1, 0x200
_RTPROT_KERNEL = 2
_NDA_DST, _NDA_LLADDR = 1, 2
_NETCONFA_IFINDEX, _NETCONFA_FORWARDING, _ALL = 1, 2, -1

#: the attributes that each kind of message is searched for
_OF_LINK = (_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE)
_OF_ADDRESS = (_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS)
_OF_ROUTE = (
    _RTA_DST,
    _RTA_OIF,
    _RTA_GATEWAY,
    _RTA_MULTIPATH,
    _RTA_TABLE,
    _RTA_VIA,
)
_OF_NEIGHBOUR = (_NDA_DST, _NDA_LLADDR)

#: by address family, AF_INET and AF_INET6
_BYTES = {2: 4, 10: 16}
_ANY = {2: socket.inet_ntop(2, bytes(4)), 10: '::'}
#: neighbours are reported of the devices that Neutron plugs
_PLUGGED = ('ha-', 'qg-', 'qr-', 'sg-')

#: names of devices by index
Names = typing.Dict[int, str]


def links(channel: netlink.Socket) -> typing.List[protocol.Json]:
    """The network devices of the namespace, as ``Link``."""
    # the counters would be nine tenths of the answer
    body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + struct.pack(
        '=HHI', 8, _IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS
    )
    return [
        link(body) for body in channel.dump(_RTM_GETLINK, body, _RTM_NEWLINK)
    ]


def link(body: bytes) -> protocol.Json:
    """Decodes an RTM_NEWLINK message."""
    _, _, index, flags, _ = _unpack(_LINK, body)
    found = netlink.attributes(body, _LINK.size, _OF_LINK)
    mac = found.get(_IFLA_ADDRESS)
    oper = found.get(_IFLA_OPERSTATE, b'\0')
    return {
        'name': _text(found.get(_IFLA_IFNAME, b'')),
        'index': index,
        'up': bool(flags & _IFF_UP),
        'oper': words.oper(oper[0] if oper else 0),
        'mac': _mac(mac) if mac else None,
        'mtu': _uint(found[_IFLA_MTU]) if _IFLA_MTU in found else None,
    }


def addresses(
    channel: netlink.Socket, names: Names
) -> typing.List[protocol.Json]:
    """The IPv4 and IPv6 addresses of the namespace, as ``Address``."""
    body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = []
    for answer in channel.dump(_RTM_GETADDR, body, _RTM_NEWADDR):
        decoded = address(answer, names)
        if decoded is not None:
            found.append(decoded)
    return found


def address(body: bytes, names: Names) -> typing.Optional[protocol.Json]:
    """Decodes an RTM_NEWADDR message; None for other families than IP."""
    family, prefix, flags, scope, index = _unpack(_ADDRESS, body)
    if family not in _BYTES:
        return None
    found = netlink.attributes(body, _ADDRESS.size, _OF_ADDRESS)
    if _IFA_FLAGS in found:
        # the field of the header holds only the lowest eight of them
        flags = _uint(found[_IFA_FLAGS])
    raw = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS, b''))
    return {
        'device': names.get(index, 'if%d' % index),
        'address': '%s/%d' % (_ip(family, raw), prefix),
        'scope': words.scope(scope),
        'flags': words.flags(flags, family == socket.AF_INET6),
    }


def routes(
    channel: netlink.Socket, names: Names
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


def route(body: bytes, names: Names) -> typing.List[protocol.Json]:
    """Decodes an RTM_NEWROUTE message: an entry for each next hop."""
    unpacked = _unpack(_ROUTE, body)
    family, bits, _, _, table, protocol_, _, kind, flags = unpacked
    # Kernels before 4.20 send all tables whatever they are asked for.
    if kind != _RTN_UNICAST or family not in _BYTES or flags & _RTM_F_CLONED:
        return []
    found = netlink.attributes(body, _ROUTE.size, _OF_ROUTE)
    if _RTA_TABLE in found:
        table = _uint(found[_RTA_TABLE])
    if table != _RT_TABLE_MAIN:
        return []
    if _RTA_DST in found:
        destination = _ip(family, found[_RTA_DST])
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


def neighbours(
    channel: netlink.Socket, names: Names
) -> typing.List[protocol.Json]:
    """The ARP and ND entries of Neutron's devices, as ``Neighbour``."""
    body = _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = []
    for answer in channel.dump(_RTM_GETNEIGH, body, _RTM_NEWNEIGH):
        decoded = neighbour(answer, names)
        if decoded is not None and decoded['device'].startswith(_PLUGGED):
            found.append(decoded)
    return found


def neighbour(body: bytes, names: Names) -> typing.Optional[protocol.Json]:
    """Decodes an RTM_NEWNEIGH message; None for what ``ip neigh`` hides."""
    family, index, state, _, _ = _unpack(_NEIGHBOUR, body)
    if family not in _BYTES or state in words.HIDDEN_STATES:
        return None
    found = netlink.attributes(body, _NEIGHBOUR.size, _OF_NEIGHBOUR)
    mac = found.get(_NDA_LLADDR)
    return {
        'device': names.get(index, 'if%d' % index),
        'address': _ip(family, found.get(_NDA_DST, b'')),
        'mac': _mac(mac) if mac else None,
        'state': words.state(state),
    }


def forwarding(channel: netlink.Socket, names: Names) -> typing.List[str]:
    """The devices with IPv6 forwarding on; ``all`` stands for the switch.

    Asked over the socket, because what /proc/sys/net shows depends on the
    thread that reads it.
    """
    body = struct.pack('=Bxxx', socket.AF_INET6)
    found = []
    try:
        answers = channel.dump(_RTM_GETNETCONF, body, _RTM_NEWNETCONF)
    except netlink.NetlinkError as error:
        # a kernel that was started without IPv6 forwards none of it
        if error.errno not in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
            raise
        answers = []
    for answer in answers:
        device = configuration(answer, names)
        if device is not None:
            found.append(device)
    return sorted(found)


def configuration(body: bytes, names: Names) -> typing.Optional[str]:
    """Decodes an RTM_NEWNETCONF message: the device, if it forwards."""
    found = netlink.attributes(
        body, 4, (_NETCONFA_IFINDEX, _NETCONFA_FORWARDING)
    )
    if not found.get(_NETCONFA_FORWARDING) or not _uint(
        found[_NETCONFA_FORWARDING]
    ):
        return None
    index = _INT.unpack(_exactly(found.get(_NETCONFA_IFINDEX, b''), 4))[0]
    if index == _ALL:
        return 'all'
    # what is neither "all" nor a device is the default for new devices
    return names.get(index)


def _exactly(raw: bytes, size: int) -> bytes:
    if len(raw) != size:
        raise netlink.NetlinkError('a number has a wrong length')
    return raw


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
        return _ip(family, hop[_RTA_GATEWAY])
    if _RTA_VIA in hop:
        # an IPv4 route through an IPv6 gateway: family, then address
        raw = hop[_RTA_VIA]
        return _ip(int.from_bytes(raw[:2], sys.byteorder), raw[2:])
    return None


def _device(hop: netlink.Attributes, names: Names) -> typing.Optional[str]:
    if _RTA_OIF not in hop:
        return None
    index = _uint(hop[_RTA_OIF])
    return names.get(index, 'if%d' % index)


def _unpack(shape: struct.Struct, body: bytes) -> typing.Tuple[int, ...]:
    if len(body) < shape.size:
        raise netlink.NetlinkError('a message is cut off')
    return shape.unpack_from(body)


def _uint(raw: bytes) -> int:
    if len(raw) < 4:
        raise netlink.NetlinkError('a number is cut off')
    value = _UINT.unpack_from(raw)[0]  # type: int
    return value


def _ip(family: int, raw: bytes) -> str:
    if family not in _BYTES or len(raw) != _BYTES[family]:
        raise netlink.NetlinkError('an address has a wrong length')
    return socket.inet_ntop(family, raw)


def _mac(raw: bytes) -> str:
    return ':'.join('%02x' % byte for byte in raw)


def _text(raw: bytes) -> str:
    return raw.rstrip(b'\0').decode('utf-8', 'replace')

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

"""Links, addresses, neighbours and forwarding (source: rtnetlink(7)).

Each function takes an open socket of the namespace to look at, returns JSON
objects with the field names of the project's view of a node, and raises
NetlinkError or OSError. Only ``set_neighbours`` changes anything.
"""

import errno
import socket
import struct
import typing

from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import values
from osc_ha_router.node import words

_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWNEIGH, _RTM_GETNEIGH = 28, 30
_RTM_NEWNETCONF, _RTM_GETNETCONF = 80, 82

_LINK = struct.Struct('=BxHiII')
_ADDRESS = struct.Struct('=BBBBI')
_NEIGHBOUR = struct.Struct('=BxxxiHBB')

_IFF_UP = 0x1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE = 1, 3, 4, 16
_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS = 29, 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_NDA_DST, _NDA_LLADDR = 1, 2
_NUD_STALE = 0x4
_NETCONFA_IFINDEX, _NETCONFA_FORWARDING, _ALL = 1, 2, -1

#: the attributes that each kind of message is searched for
_OF_LINK = (_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE)
_OF_ADDRESS = (_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS)
_OF_NEIGHBOUR = (_NDA_DST, _NDA_LLADDR)

#: neighbours are reported of the devices that Neutron plugs
_PLUGGED = ('ha-', 'qg-', 'qr-', 'sg-')


def links(channel: netlink.Socket) -> typing.List[protocol.Json]:
    """The network devices of the namespace, as ``Link``."""
    # the counters would be nine tenths of the answer
    body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + struct.pack(
        '=HHI', 8, _IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS
    )
    return [
        link(body) for body in channel.dump(_RTM_GETLINK, body, _RTM_NEWLINK)
    ]


def names(channel: netlink.Socket) -> values.Names:
    """The names of the namespace's devices by their index."""
    return {found['index']: found['name'] for found in links(channel)}


def link(body: bytes) -> protocol.Json:
    """Decodes an RTM_NEWLINK message."""
    _, _, index, flags, _ = values.unpack(_LINK, body)
    found = netlink.attributes(body, _LINK.size, _OF_LINK)
    mac = found.get(_IFLA_ADDRESS)
    oper = found.get(_IFLA_OPERSTATE, b'\0')
    return {
        'name': values.text(found.get(_IFLA_IFNAME, b'')),
        'index': index,
        'up': bool(flags & _IFF_UP),
        'oper': words.oper(oper[0] if oper else 0),
        'mac': values.mac(mac) if mac else None,
        'mtu': values.uint(found[_IFLA_MTU]) if _IFLA_MTU in found else None,
    }


def addresses(
    channel: netlink.Socket, names: values.Names
) -> typing.List[protocol.Json]:
    """The IPv4 and IPv6 addresses of the namespace, as ``Address``."""
    body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = []
    for answer in channel.dump(_RTM_GETADDR, body, _RTM_NEWADDR):
        decoded = address(answer, names)
        if decoded is not None:
            found.append(decoded)
    return found


def address(
    body: bytes, names: values.Names
) -> typing.Optional[protocol.Json]:
    """Decodes an RTM_NEWADDR message; None for other families than IP."""
    family, prefix, flags, scope, index = values.unpack(_ADDRESS, body)
    if family not in values.BYTES:
        return None
    found = netlink.attributes(body, _ADDRESS.size, _OF_ADDRESS)
    if _IFA_FLAGS in found:
        # the field of the header holds only the lowest eight of them
        flags = values.uint(found[_IFA_FLAGS])
    raw = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS, b''))
    return {
        'device': values.device(names, index),
        'address': '%s/%d' % (values.ip(family, raw), prefix),
        'scope': words.scope(scope),
        'flags': list(words.flags(flags, family == socket.AF_INET6)),
    }


def neighbours(
    channel: netlink.Socket, names: values.Names
) -> typing.List[protocol.Json]:
    """The ARP and ND entries of Neutron's devices, as ``Neighbour``."""
    body = _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = []
    for answer in channel.dump(_RTM_GETNEIGH, body, _RTM_NEWNEIGH):
        decoded = neighbour(answer, names)
        if decoded is not None and decoded['device'].startswith(_PLUGGED):
            found.append(decoded)
    return found


def neighbour(
    body: bytes, names: values.Names
) -> typing.Optional[protocol.Json]:
    """Decodes an RTM_NEWNEIGH message; None for what ``ip neigh`` hides."""
    family, index, state, _, _ = values.unpack(_NEIGHBOUR, body)
    if family not in values.BYTES or state in words.HIDDEN_STATES:
        return None
    found = netlink.attributes(body, _NEIGHBOUR.size, _OF_NEIGHBOUR)
    mac = found.get(_NDA_LLADDR)
    return {
        'device': values.device(names, index),
        'address': values.ip(family, found.get(_NDA_DST, b'')),
        'mac': values.mac(mac) if mac else None,
        'state': words.state(state),
    }


def set_neighbours(
    channel: netlink.Socket,
    entries: typing.Sequence[typing.Tuple[int, str, str]],
) -> typing.List[int]:
    """Sets ARP and ND entries, to be confirmed when they are first used.

    :param entries: a device's index, an address, a MAC
    :returns: for each 0 or the error's number
    """
    bodies = []
    for index, host, mac in entries:
        family = values.family(host)
        bodies.append(
            _NEIGHBOUR.pack(family, index, _NUD_STALE, 0, 0)
            + netlink.attribute(_NDA_DST, socket.inet_pton(family, host))
            + netlink.attribute(
                _NDA_LLADDR, bytes.fromhex(mac.replace(':', ''))
            )
        )
    return channel.change(_RTM_NEWNEIGH, netlink.REPLACE, bodies)


def forwarding(
    channel: netlink.Socket, names: values.Names
) -> typing.List[str]:
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


def configuration(body: bytes, names: values.Names) -> typing.Optional[str]:
    """Decodes an RTM_NEWNETCONF message: the device, if it forwards."""
    found = netlink.attributes(
        body, 4, (_NETCONFA_IFINDEX, _NETCONFA_FORWARDING)
    )
    if not found.get(_NETCONFA_FORWARDING) or not values.uint(
        found[_NETCONFA_FORWARDING]
    ):
        return None
    index = values.sint(found.get(_NETCONFA_IFINDEX, b''))
    if index == _ALL:
        return 'all'
    # what is neither "all" nor a device is the default for new devices
    return names.get(index)

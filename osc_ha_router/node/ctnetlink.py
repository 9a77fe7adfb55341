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


"""Connections as the kernel tells and takes them (source: the kernel's
nfnetlink_conntrack.h and nf_conntrack_netlink.c).

Of a connection's state the kernel shows more here than the ``conntrack``
tool prints in the form that it reads: marks, which Neutron's rules for
address scopes go by, and what of a TCP connection's windows was agreed.
"""

import socket
import struct
import typing

from osc_ha_router.node import netlink
from osc_ha_router.node import values

NETLINK_NETFILTER = 12

_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_FAMILY = struct.Struct('=BBH')

_ORIGINAL, _REPLY, _STATUS, _PROTOINFO, _NAT_SOURCE = 1, 2, 3, 4, 6
_TIMEOUT, _MARK, _NAT_DESTINATION, _MASTER, _ZONE = 7, 8, 13, 14, 18
_WANTED = (
    *(_ORIGINAL, _REPLY, _STATUS, _PROTOINFO),
    *(_TIMEOUT, _MARK, _MASTER, _ZONE),
)
_TUPLE_IP, _TUPLE_PROTO, _TUPLE_ZONE = 1, 2, 3
_NUMBER, _FROM_PORT, _TO_PORT = 1, 2, 3
#: id, type and code
_PING = {1: (4, 5, 6), 58: (7, 8, 9)}
_TCP, _SCTP = 1, 3
_TCP_STATE, _TCP_SCALES, _TCP_FLAGS = 1, (2, 3), (4, 5)
_SCTP_STATE, _SCTP_TAGS = 1, (2, 3)
_RANGE = {4: (1, 2), 6: (4, 5)}
_RANGE_PORTS, _PORT_LEAST, _PORT_MOST = 3, 1, 2

#: bits of the status
SEEN_REPLY, ASSURED = 0x2, 0x4
SOURCE_NAT, DESTINATION_NAT, ADJUSTED = 0x10, 0x20, 0x40
CONFIRMED = 0x8

#: a window scale that was agreed; the peer keeps to the standard even if its
#: numbers seem wrong: those of before are not known here
_SCALED, LIBERAL = 0x1, 0x8

TCP, SCTP, ICMP, ICMP6 = 6, 132, 1, 58

#: an echo's or another query's answer, and the other way round
_ANSWERS = {
    ICMP: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17},
    ICMP6: {128: 129, 129: 128, 139: 140, 140: 139},
}


class Way(typing.NamedTuple):
    """One direction of a connection.

    For ICMP the first port is the query's id, the second its type times 256
    and code.
    """

    source: str
    source_port: int
    destination: str
    destination_port: int


class Connection(typing.NamedTuple):
    """One entry of the table."""

    protocol: int
    original: Way
    reply: Way
    #: the bits above
    status: int
    #: seconds until it is forgotten
    timeout: int
    mark: int
    zone: int
    #: of TCP and SCTP, 0 for others
    state: int
    #: window scales of TCP, verification tags of SCTP: either side's
    pair: typing.Tuple[int, int]
    #: TCP's, either side's
    flags: typing.Tuple[int, int]


def read() -> typing.Iterator[Connection]:
    """The connections of this namespace that stand on their own.

    Left out are those that belong to another connection, that have zones of
    their own in each direction, or whose contents are changed on the way.

    :raises NetlinkError: the kernel refuses or answers nonsense
    :raises OSError: it does not know of connections
    """
    with netlink.Socket(NETLINK_NETFILTER) as channel:
        body = _FAMILY.pack(socket.AF_UNSPEC, 0, 0)
        for answer in channel.each(_GET, body, _NEW):
            found = decode(answer)
            if found is not None:
                yield found


def write(connections: typing.Sequence[Connection]) -> typing.List[int]:
    """Adds connections to this namespace.

    :returns: for each 0 or the error's number: EEXIST where there is one
    :raises NetlinkError: the kernel answers nonsense, or nothing
    :raises OSError: it does not know of connections
    """
    with netlink.Socket(NETLINK_NETFILTER) as channel:
        return channel.change(
            _NEW, netlink.CREATE, [encode(each) for each in connections]
        )


def forget(connections: typing.Sequence[Connection]) -> None:
    """Deletes whatever is in the way of connections that cannot be added.

    That has the addresses of one of their directions, and need not be the
    same connection. Where there is nothing, nothing happens.

    :raises NetlinkError: the kernel answers nonsense, or nothing
    :raises OSError: it does not know of connections
    """
    with netlink.Socket(NETLINK_NETFILTER) as channel:
        channel.change(
            _DELETE,
            0,
            [
                _subject(each, kind, way)
                for each in connections
                for kind, way in (
                    (_ORIGINAL, each.original),
                    (_REPLY, each.reply),
                )
            ],
        )


def _subject(connection: Connection, kind: int, way: Way) -> bytes:
    """What names one entry by one of its directions."""
    body = _header(way) + _told_way(kind, connection.protocol, way)
    return body + _told_zone(connection.zone)


def answered(protocol: int, way: Way) -> Way:
    """The direction of the answers, as it is without address translation."""
    back = way.destination_port
    if protocol not in _ANSWERS:
        return Way(way.destination, back, way.source, way.source_port)
    kind = _ANSWERS[protocol].get(back >> 8, back >> 8)
    return Way(
        way.destination,
        way.source_port,
        way.source,
        kind << 8 | back & 0xFF,
    )


def decode(body: bytes) -> typing.Optional[Connection]:
    """A connection from the kernel's message; None: of no use elsewhere.

    :raises NetlinkError: it is malformed
    """
    found = netlink.attributes(body, _FAMILY.size, _WANTED)
    if _ORIGINAL not in found or _REPLY not in found or _MASTER in found:
        return None
    original = _way(found[_ORIGINAL])
    reply = _way(found[_REPLY])
    if original is None or reply is None:
        return None
    status = _be32(found.get(_STATUS, b''))
    if status & ADJUSTED or not status & CONFIRMED:
        return None
    number = original[0]
    state, pair, flags = 0, (0, 0), (0, 0)
    if number in (TCP, SCTP):
        inner = netlink.attributes(
            found.get(_PROTOINFO, b''), 0, (_TCP, _SCTP)
        )
        if number == TCP:
            state, pair, flags = _tcp(inner.get(_TCP, b''))
        else:
            state, pair = _sctp(inner.get(_SCTP, b''))
    return Connection(
        number,
        original[1],
        reply[1],
        status & (SEEN_REPLY | ASSURED | SOURCE_NAT | DESTINATION_NAT),
        _be32(found.get(_TIMEOUT, b'')),
        _be32(found.get(_MARK, b'')),
        _be16(found.get(_ZONE, b'')),
        state,
        pair,
        flags,
    )


def encode(connection: Connection) -> bytes:
    """A request for a connection.

    The kernel takes the addresses before translation and what they are to
    be translated to, and works out the answers' direction itself.
    """
    number, original, reply = connection[:3]
    status = connection.status & (SEEN_REPLY | ASSURED)
    version = 6 if ':' in original.source else 4
    parts = [
        _header(original),
        _told_way(_ORIGINAL, number, original),
        _told_way(_REPLY, number, answered(number, original)),
        netlink.attribute(_STATUS, struct.pack('>I', status | CONFIRMED)),
        netlink.attribute(_TIMEOUT, struct.pack('>I', connection.timeout)),
    ]
    if connection.mark:
        parts.append(
            netlink.attribute(_MARK, struct.pack('>I', connection.mark))
        )
    parts.append(_told_zone(connection.zone))
    if connection.status & DESTINATION_NAT:
        port = None if number in _PING else reply.source_port
        parts.append(_nat(_NAT_DESTINATION, version, reply.source, port))
    if connection.status & SOURCE_NAT:
        port = reply.source_port if number in _PING else reply.destination_port
        parts.append(_nat(_NAT_SOURCE, version, reply.destination, port))
    if number == TCP:
        parts.append(_told_tcp(connection))
    elif number == SCTP:
        parts.append(_told_sctp(connection))
    return b''.join(parts)


def _header(way: Way) -> bytes:
    return _FAMILY.pack(values.family(way.source), 0, 0)


def _told_zone(zone: int) -> bytes:
    return netlink.attribute(_ZONE, struct.pack('>H', zone)) if zone else b''


def _way(raw: bytes) -> typing.Optional[typing.Tuple[int, Way]]:
    found = netlink.attributes(raw, 0, (_TUPLE_IP, _TUPLE_PROTO, _TUPLE_ZONE))
    if _TUPLE_ZONE in found:
        return None
    hosts = netlink.attributes(found.get(_TUPLE_IP, b''), 0, (1, 2, 3, 4))
    rest = netlink.attributes(found.get(_TUPLE_PROTO, b''), 0, range(1, 10))
    number = rest.get(_NUMBER, b'')
    if len(number) != 1:
        return None
    protocol = number[0]
    if 1 in hosts and 2 in hosts:
        source = values.ip(socket.AF_INET, hosts[1])
        destination = values.ip(socket.AF_INET, hosts[2])
    elif 3 in hosts and 4 in hosts:
        source = values.ip(socket.AF_INET6, hosts[3])
        destination = values.ip(socket.AF_INET6, hosts[4])
    else:
        return None
    if protocol in _PING:
        name, kind, code = (rest.get(each, b'') for each in _PING[protocol])
        ports = _be16(name), (kind or b'\0')[0] << 8 | (code or b'\0')[0]
    else:
        ports = (
            _be16(rest.get(_FROM_PORT, b'')),
            _be16(rest.get(_TO_PORT, b'')),
        )
    return protocol, Way(source, ports[0], destination, ports[1])


def _told_way(kind: int, protocol: int, way: Way) -> bytes:
    if ':' in way.source:
        family, first = socket.AF_INET6, 3
    else:
        family, first = socket.AF_INET, 1
    hosts = netlink.attribute(
        first, socket.inet_pton(family, way.source)
    ) + netlink.attribute(first + 1, socket.inet_pton(family, way.destination))
    rest = netlink.attribute(_NUMBER, bytes((protocol,)))
    if protocol in _PING:
        name, what, code = _PING[protocol]
        rest += (
            netlink.attribute(name, struct.pack('>H', way.source_port))
            + netlink.attribute(what, bytes((way.destination_port >> 8,)))
            + netlink.attribute(code, bytes((way.destination_port & 0xFF,)))
        )
    else:
        rest += netlink.attribute(
            _FROM_PORT, struct.pack('>H', way.source_port)
        ) + netlink.attribute(
            _TO_PORT, struct.pack('>H', way.destination_port)
        )
    return _nest(kind, _nest(_TUPLE_IP, hosts) + _nest(_TUPLE_PROTO, rest))


def _nat(
    kind: int, version: int, host: str, port: typing.Optional[int]
) -> bytes:
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    raw = socket.inet_pton(family, host)
    body = b''.join(netlink.attribute(each, raw) for each in _RANGE[version])
    if port is not None:
        told = struct.pack('>H', port)
        body += _nest(
            _RANGE_PORTS,
            netlink.attribute(_PORT_LEAST, told)
            + netlink.attribute(_PORT_MOST, told),
        )
    return _nest(kind, body)


_Pair = typing.Tuple[int, int]


def _tcp(raw: bytes) -> typing.Tuple[int, _Pair, _Pair]:
    found = netlink.attributes(raw, 0, range(1, 6))

    def byte(kind: int) -> int:
        return (found.get(kind) or b'\0')[0]

    return (
        byte(_TCP_STATE),
        (byte(_TCP_SCALES[0]), byte(_TCP_SCALES[1])),
        (byte(_TCP_FLAGS[0]), byte(_TCP_FLAGS[1])),
    )


def _told_tcp(connection: Connection) -> bytes:
    body = netlink.attribute(_TCP_STATE, bytes((connection.state,)))
    for index in (0, 1):
        flags = connection.flags[index] | LIBERAL
        if flags & _SCALED:
            scale = connection.pair[index]
            body += netlink.attribute(_TCP_SCALES[index], bytes((scale,)))
        # the flags, and which of them are meant
        body += netlink.attribute(_TCP_FLAGS[index], bytes((flags, flags)))
    return _nest(_PROTOINFO, _nest(_TCP, body))


def _sctp(raw: bytes) -> typing.Tuple[int, _Pair]:
    found = netlink.attributes(raw, 0, range(1, 4))
    return (found.get(_SCTP_STATE) or b'\0')[0], (
        _be32(found.get(_SCTP_TAGS[0], b'')),
        _be32(found.get(_SCTP_TAGS[1], b'')),
    )


def _told_sctp(connection: Connection) -> bytes:
    body = netlink.attribute(_SCTP_STATE, bytes((connection.state,)))
    for index in (0, 1):
        tag = struct.pack('>I', connection.pair[index])
        body += netlink.attribute(_SCTP_TAGS[index], tag)
    return _nest(_PROTOINFO, _nest(_SCTP, body))


def _nest(kind: int, body: bytes) -> bytes:
    return netlink.attribute(0x8000 | kind, body)


def _be16(raw: bytes) -> int:
    return int.from_bytes(raw[:2], 'big')


def _be32(raw: bytes) -> int:
    return int.from_bytes(raw[:4], 'big')

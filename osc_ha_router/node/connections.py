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


"""Tracked connections of a router, to take to another node.

Without them what goes out under a shared address comes back to nobody, and
what came in through a floating IP is taken for something new.
"""

import errno
import os
import socket
import typing

from osc_ha_router.node import ctnetlink
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import values

#: connections that are read, and those of one import
MOST = 100000
#: seconds by which an entry may expire earlier than the one that it stands
#: for: as long as lies between the transfers of one move
_OLDER = 30

_IGMP, _DCCP, _VRRP = 2, 33, 112
#: DCCP has more state than the kernel shows
_IGNORED = (_IGMP, _DCCP, _VRRP)
#: states of TCP in which something may still come, TIME_WAIT not among them
_TCP_ALIVE = (1, 2, 3, 4, 5, 6, 9)
_SCTP_STATES = 20
_STATUS = (
    ctnetlink.SEEN_REPLY
    | ctnetlink.ASSURED
    | ctnetlink.SOURCE_NAT
    | ctnetlink.DESTINATION_NAT
)
#: what comes over JSON as an integer is at most this
_BITS = {'mark': 32, 'timeout': 31, 'zone': 16, 'state': 8, 'status': 6}
_PAIRS = {'pair': 32, 'flags': 8}
_SCALES = 14


class Unable(Exception):
    """This node cannot show or take connections; a sentence says why."""


def read() -> typing.Tuple[
    typing.List[ctnetlink.Connection], typing.Optional[str]
]:
    """The connections of this namespace that are worth taking along.

    :returns: them, and why they are not all
    :raises Unable: they cannot be read
    """
    found = []  # type: typing.List[ctnetlink.Connection]
    try:
        for connection in ctnetlink.read():
            if len(found) == MOST:
                return found, 'there are more than %d connections' % MOST
            if worth(connection):
                found.append(connection)
    except (OSError, netlink.NetlinkError) as error:
        raise Unable('connections cannot be read: %s' % error) from None
    return found, None


def write(
    connections: typing.Sequence[ctnetlink.Connection],
) -> typing.Tuple[int, int, typing.Optional[str]]:
    """Adds connections to this namespace.

    A router that has been active here before still has those of that time,
    for up to five days. The kernel would go by their sequence numbers, and
    take what comes now for invalid. So what is in the way is replaced,
    unless it will do: what was added a moment ago is left as it is.

    :returns: how many are there now, how many are not, and why
    :raises Unable: the kernel takes none at all
    """
    if not connections:
        return 0, 0, None
    try:
        wanted = {_key(each): each for each in connections}
        for each in ctnetlink.read():
            if _will_do(each, wanted.get(_key(each))):
                del wanted[_key(each)]
        missing = list(wanted.values())
        answers = ctnetlink.write(missing)
        taken = [
            missing[number]
            for number, answer in enumerate(answers)
            if answer == errno.EEXIST
        ]
        if taken:
            ctnetlink.forget(taken)
            answers = [each for each in answers if each != errno.EEXIST]
            answers += ctnetlink.write(taken)
    except (OSError, netlink.NetlinkError) as error:
        raise Unable('connections cannot be written: %s' % error) from None
    bad = [each for each in answers if each]
    reason = None
    if bad:
        reason = 'the kernel refuses connections: %s' % os.strerror(bad[0])
    return len(connections) - len(bad), len(bad), reason


def _key(
    connection: ctnetlink.Connection,
) -> typing.Tuple[int, ctnetlink.Way, int]:
    """What the kernel finds a connection by."""
    return connection.protocol, connection.original, connection.zone


def _will_do(
    there: ctnetlink.Connection,
    wanted: typing.Optional[ctnetlink.Connection],
) -> bool:
    """Whether an entry of this node is as good as the one to be added."""
    if wanted is None or there.timeout < wanted.timeout - _OLDER:
        return False
    if wanted.protocol == ctnetlink.TCP and not all(
        flags & ctnetlink.LIBERAL for flags in there.flags
    ):
        return False
    return there == wanted._replace(timeout=there.timeout, flags=there.flags)


def worth(connection: ctnetlink.Connection) -> bool:
    """Whether a connection may go on somewhere else.

    What the node says to itself, and what keeps the router's replicas
    together, stays.
    """
    if connection.protocol in _IGNORED or connection.timeout == 0:
        return False
    if (
        connection.protocol == ctnetlink.TCP
        and connection.state not in _TCP_ALIVE
    ):
        return False
    return not any(_local(host) for host in _hosts(connection))


def entry(connection: ctnetlink.Connection) -> protocol.Json:
    """A connection as it travels: a field for each of its own.

    ``original`` and ``reply`` are lists of source, port, destination, port;
    for ICMP the first is the query's id, the second its type times 256 and
    code.
    """
    return dict(connection._asdict())


def check(value: object) -> typing.List[ctnetlink.Connection]:
    """Connections from a request.

    :raises BadRequest: they are anything else
    """
    if not isinstance(value, list) or len(value) > MOST:
        raise errors.BadRequest(
            '"connections" must be a list of at most %d' % MOST
        )
    found = []
    for item in value:
        try:
            found.append(_connection(item))
        except (KeyError, TypeError, ValueError):
            raise errors.BadRequest(
                '"connections" holds what is no connection: %.120r' % (item,)
            ) from None
    return found


def _connection(item: typing.Any) -> ctnetlink.Connection:
    """One entry; KeyError, TypeError or ValueError for anything else."""
    if not isinstance(item, dict):
        raise TypeError(item)
    values = {name: _number(item[name], bits) for name, bits in _BITS.items()}
    pairs = {}
    for name, bits in _PAIRS.items():
        one, other = _list(item[name], 2)
        pairs[name] = _number(one, bits), _number(other, bits)
    found = ctnetlink.Connection(
        protocol=_number(item['protocol'], 8),
        original=_way(item['original']),
        reply=_way(item['reply']),
        pair=pairs['pair'],
        flags=pairs['flags'],
        **values,
    )
    kind = found.protocol
    if (
        len({':' in host for host in _hosts(found)}) != 1
        or found.status & ~_STATUS
        or kind == ctnetlink.ICMP
        and ':' in found.original.source
        or kind == ctnetlink.ICMP6
        and ':' not in found.original.source
        or kind == ctnetlink.TCP
        and max(found.pair) > _SCALES
        or kind == ctnetlink.SCTP
        and found.state >= _SCTP_STATES
        or not worth(found)
    ):
        raise ValueError(item)
    return found


def _hosts(connection: ctnetlink.Connection) -> typing.List[str]:
    return [
        host
        for way in (connection.original, connection.reply)
        for host in (way.source, way.destination)
    ]


def _way(value: object) -> ctnetlink.Way:
    source, source_port, destination, destination_port = _list(value, 4)
    return ctnetlink.Way(
        _host(source),
        _number(source_port, 16),
        _host(destination),
        _number(destination_port, 16),
    )


def _list(value: object, length: int) -> typing.List[object]:
    if not isinstance(value, list) or len(value) != length:
        raise TypeError(value)
    return value


def _number(value: object, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    if not 0 <= value < 1 << bits:
        raise ValueError(value)
    return value


def _host(value: object) -> str:
    """An address in its usual spelling."""
    if not isinstance(value, str):
        raise TypeError(value)
    family = values.family(value)
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, value))
    except OSError:
        raise ValueError(value) from None


def _local(host: str) -> bool:
    """Whether an address means nothing on any other node."""
    if ':' in host:
        return host in ('::', '::1') or host.startswith('ff')
    return host.startswith(('127.', '0.')) or int(host.split('.', 1)[0]) >= 224

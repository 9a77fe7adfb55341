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


"""ARP and ND entries of a router's devices, to take to another node.

Without them the first packet to each neighbour waits for an answer to who
has that address, a second where it is lost.
"""

import re
import socket
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import values
from osc_ha_router.node import writes

#: of the devices that have the same name on every node of a router
DEVICE = re.compile('(qg|qr|sg)-[0-9a-f]{8}-[0-9a-f]{2}')
#: entries: they fit into one request; the kernel keeps 1024 of a family
#: unless it was told otherwise
MOST = 8000

_MAC = re.compile('[0-9a-f]{2}(:[0-9a-f]{2}){5}')
#: states in which an entry is worth something
_GOOD = ('REACHABLE', 'STALE', 'DELAY', 'PROBE')
#: somebody has set it, or it was confirmed here within the last seconds
_SURE = ('PERMANENT', 'REACHABLE')


def read() -> typing.List[protocol.Json]:
    """The entries of this namespace: device, address and mac of each.

    :raises NetlinkError: the kernel refuses
    :raises OSError: there is no socket to be had
    """
    with netlink.Socket() as channel:
        names = rtnetlink.names(channel)
        return [
            {key: entry[key] for key in ('device', 'address', 'mac')}
            for entry in rtnetlink.neighbours(channel, names)
            if entry['state'] in _GOOD
            and DEVICE.fullmatch(entry['device'])
            and entry['mac']
            and _MAC.fullmatch(entry['mac'])
        ][:MOST]


def write(
    entries: typing.Sequence[protocol.Json],
) -> typing.Tuple[int, int]:
    """Adds entries to this namespace.

    Those that it has already stay, if they are of use: one that nobody
    answered, or of a MAC that is another one by now, would cost seconds.

    :param entries: what ``check`` has let pass
    :returns: how many are there now, and how many are not
    :raises NetlinkError: the kernel refuses
    :raises OSError: there is no socket to be had
    """
    with netlink.Socket() as channel:
        names = rtnetlink.names(channel)
        indices = writes.indices(names)
        wanted = [
            (entry['device'], entry['address'], entry['mac'])
            for entry in entries
            if entry['device'] in indices
        ]
        there = {
            (entry['device'], entry['address']): entry
            for entry in rtnetlink.neighbours(channel, names)
        }
        answers = rtnetlink.set_neighbours(
            channel,
            [
                (indices[device], address, mac)
                for device, address, mac in wanted
                if not _will_do(there.get((device, address)), mac)
            ],
        )
    good = len(wanted) - sum(answer != 0 for answer in answers)
    return good, len(entries) - good


def _will_do(there: typing.Optional[protocol.Json], mac: str) -> bool:
    """Whether an entry of this node is as good as one with this MAC."""
    if there is None:
        return False
    return there['state'] in _SURE or (
        there['state'] in _GOOD and there['mac'] == mac
    )


def check(value: object) -> typing.List[protocol.Json]:
    """Entries from a request.

    :raises BadRequest: they are anything else
    """
    if not isinstance(value, list) or len(value) > MOST:
        raise errors.BadRequest(
            '"neighbours" must be a list of at most %d' % MOST
        )
    for entry in value:
        if not (
            isinstance(entry, dict)
            and _text(DEVICE, entry.get('device'))
            and _text(_MAC, entry.get('mac'))
            and _address(entry.get('address'))
        ):
            raise errors.BadRequest(
                '"neighbours" holds what is no neighbour: %.120r' % (entry,)
            )
    return value


def _text(pattern: typing.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _address(value: object) -> bool:
    """Whether this is an address that a single neighbour may have."""
    if not isinstance(value, str):
        return False
    family = values.family(value)
    try:
        raw = socket.inet_pton(family, value)
    except (OSError, ValueError):
        return False
    if family == socket.AF_INET6:
        return raw[0] != 0xFF and any(raw)
    return 0 < raw[0] < 224 and raw[0] != 127

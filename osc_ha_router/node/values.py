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

"""What attributes of netlink messages hold: numbers, names, addresses.

Each function raises NetlinkError for bytes that cannot be one.
"""

import socket
import struct
import typing

from osc_ha_router.node import netlink

_UINT = struct.Struct('=I')
_INT = struct.Struct('=i')

#: size of an address by its family, AF_INET and AF_INET6
BYTES = {2: 4, 10: 16}

#: names of devices by index
Names = typing.Dict[int, str]


def unpack(shape: struct.Struct, body: bytes) -> typing.Tuple[int, ...]:
    """The numbers at the beginning of a message."""
    if len(body) < shape.size:
        raise netlink.NetlinkError('a message is cut off')
    return shape.unpack_from(body)


def uint(raw: bytes) -> int:
    """An unsigned number of 32 bits."""
    if len(raw) < 4:
        raise netlink.NetlinkError('a number is cut off')
    value = _UINT.unpack_from(raw)[0]  # type: int
    return value


def sint(raw: bytes) -> int:
    """A signed number of 32 bits."""
    if len(raw) < 4:
        raise netlink.NetlinkError('a number is cut off')
    value = _INT.unpack_from(raw)[0]  # type: int
    return value


def family(host: str) -> int:
    """The family of an address as it is written."""
    return socket.AF_INET6 if ':' in host else socket.AF_INET


def ip(family: int, raw: bytes) -> str:
    """An address in its usual spelling."""
    if len(raw) != BYTES.get(family):
        raise netlink.NetlinkError('an address has a wrong length')
    return socket.inet_ntop(family, raw)


def mac(raw: bytes) -> str:
    """A link-layer address, whatever its length."""
    return ':'.join('%02x' % byte for byte in raw)


def text(raw: bytes) -> str:
    """A name; devices may be called anything but / and space."""
    return raw.rstrip(b'\0').decode('utf-8', 'replace')


def device(names: Names, index: int) -> str:
    """A device's name, as ``ip`` writes one that has just gone."""
    return names.get(index, 'if%d' % index)

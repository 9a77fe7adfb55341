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

"""VRRP advertisements as they are on the wire (RFC 3768, RFC 9568)."""

import socket
import struct
import typing

PROTOCOL = 112
#: the authentication header that ``auth_type AH`` puts before VRRP
_AH = 51
_IPV4 = 0x0800
_IPV6 = 0x86DD
_TAGS = (0x8100, 0x88A8)
_ETHERNET = 14
_TAG = 4
_ADVERTISEMENT = 1
_VERSIONS = (2, 3)
_SNAP = 2048

_LDH_ABS, _LDX, _LDH_IND, _LDB_IND = 0x28, 0x01, 0x48, 0x50
_JEQ, _JA, _RET = 0x15, 0x05, 0x06

#: For SO_ATTACH_FILTER: code, jump if true, jump if false, constant. It
#: accepts what may be VRRP in an Ethernet frame with or without a VLAN tag.
FILTER = (
    (_LDH_ABS, 0, 0, 12),
    (_JEQ, 1, 0, _TAGS[0]),
    (_JEQ, 0, 2, _TAGS[1]),
    (_LDX, 0, 0, _TAG),
    (_JA, 0, 0, 1),
    (_LDX, 0, 0, 0),
    (_LDH_IND, 0, 0, 12),
    (_JEQ, 0, 3, _IPV4),
    (_LDB_IND, 0, 0, 23),
    (_JEQ, 4, 0, PROTOCOL),
    (_JEQ, 3, 4, _AH),
    (_JEQ, 0, 3, _IPV6),
    (_LDB_IND, 0, 0, 20),
    (_JEQ, 0, 1, PROTOCOL),
    (_RET, 0, 0, _SNAP),
    (_RET, 0, 0, 0),
)


class Advertisement(typing.NamedTuple):
    """One advertisement."""

    source: str
    vrid: int
    priority: int


def decode(frame: bytes) -> typing.Optional[Advertisement]:
    """The advertisement in an Ethernet frame, None for anything else."""
    if len(frame) < _ETHERNET + _TAG:
        return None
    kind, offset = _ushort(frame, 12), _ETHERNET
    if kind in _TAGS:
        kind, offset = _ushort(frame, 16), _ETHERNET + _TAG
    packet = frame[offset:]
    if kind == _IPV4:
        return _ipv4(packet)
    if kind == _IPV6:
        return _ipv6(packet)
    return None


def _ipv4(packet: bytes) -> typing.Optional[Advertisement]:
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header, length = (packet[0] & 15) * 4, _ushort(packet, 2)
    # neither a fragment nor padding is an advertisement
    if header < 20 or _ushort(packet, 6) & 0x1FFF or length > len(packet):
        return None
    body, carried = packet[header:length], packet[9]
    if carried == _AH:
        if len(body) < 2:
            return None
        carried, body = body[0], body[(body[1] + 2) * 4 :]
    if carried != PROTOCOL:
        return None
    return _vrrp(socket.inet_ntop(socket.AF_INET, packet[12:16]), body)


def _ipv6(packet: bytes) -> typing.Optional[Advertisement]:
    if len(packet) < 40 or packet[0] >> 4 != 6 or packet[6] != PROTOCOL:
        return None
    body = packet[40 : 40 + _ushort(packet, 4)]
    return _vrrp(socket.inet_ntop(socket.AF_INET6, packet[8:24]), body)


def _vrrp(source: str, body: bytes) -> typing.Optional[Advertisement]:
    # version and type, vrid, priority, and five bytes that do not matter
    if len(body) < 8:
        return None
    if body[0] >> 4 not in _VERSIONS or body[0] & 15 != _ADVERTISEMENT:
        return None
    return Advertisement(source, body[1], body[2])


def _ushort(data: bytes, offset: int) -> int:
    value = struct.unpack_from('!H', data, offset)[0]  # type: int
    return value

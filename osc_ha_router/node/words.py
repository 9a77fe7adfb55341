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

"""What iproute2 calls the kernel's numbers."""

import functools
import typing

#: IF_OPER_... (linux/if.h)
_OPER = (
    'UNKNOWN',
    'NOTPRESENT',
    'DOWN',
    'LOWERLAYERDOWN',
    'TESTING',
    'DORMANT',
    'UP',
)

_SCOPES = {0: 'global', 200: 'site', 253: 'link', 254: 'host', 255: 'nowhere'}

#: IFA_F_... (linux/if_addr.h); 0x01 depends on the family
_FLAGS = (
    (0x02, 'nodad'),
    (0x04, 'optimistic'),
    (0x08, 'dadfailed'),
    (0x10, 'home'),
    (0x20, 'deprecated'),
    (0x40, 'tentative'),
    (0x80, 'permanent'),
    (0x100, 'mngtmpaddr'),
    (0x200, 'noprefixroute'),
    (0x400, 'autojoin'),
    (0x800, 'stable-privacy'),
)

#: RTPROT_... (linux/rtnetlink.h)
_PROTOCOLS = {
    0: 'unspec',
    1: 'redirect',
    2: 'kernel',
    3: 'boot',
    4: 'static',
    8: 'gated',
    9: 'ra',
    10: 'mrt',
    11: 'zebra',
    12: 'bird',
    13: 'dnrouted',
    14: 'xorp',
    15: 'ntk',
    16: 'dhcp',
    17: 'mrouted',
    18: 'keepalived',
    42: 'babel',
    84: 'ovn',
    99: 'openr',
    186: 'bgp',
    187: 'isis',
    188: 'ospf',
    189: 'rip',
    192: 'eigrp',
}

#: NUD_... (linux/neighbour.h)
_STATES = {
    0x01: 'INCOMPLETE',
    0x02: 'REACHABLE',
    0x04: 'STALE',
    0x08: 'DELAY',
    0x10: 'PROBE',
    0x20: 'FAILED',
    0x40: 'NOARP',
    0x80: 'PERMANENT',
}

#: NUD_NONE and NUD_NOARP: no neighbours, but notes of the kernel to itself
HIDDEN_STATES = (0x00, 0x40)


def oper(number: int) -> str:
    """Operational state of a link."""
    return _OPER[number] if number < len(_OPER) else str(number)


def scope(number: int) -> str:
    """Scope of an address."""
    return _SCOPES.get(number, str(number))


@functools.lru_cache(maxsize=256)
def flags(number: int, ipv6: bool) -> typing.Tuple[str, ...]:
    """Flags of an address; ``dynamic`` where ``permanent`` is missing."""
    found = [word for bit, word in _FLAGS if number & bit]
    if number & 0x01:
        found.insert(0, 'temporary' if ipv6 else 'secondary')
    if not number & 0x80:
        found.append('dynamic')
    return tuple(found)


def protocol(number: int) -> str:
    """What installed a route."""
    return _PROTOCOLS.get(number, str(number))


def state(number: int) -> str:
    """State of a neighbour."""
    return _STATES.get(number, '0x%x' % number)

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


"""Telling switches and neighbours where the router's addresses now are.

Each switch learns a MAC from any frame that comes from it, and the devices
of a router have the same MAC on every node: one frame from each device will
do, however many addresses it has (source: RFC 5227, RFC 4861).

It must not be the same frame again and again. Open vSwitch learns from what
its daemon sees, and after the first one of a kind its datapath forwards the
others by itself: a stray frame of the old node would then mislead it for half
a second. So each round also asks for another address, one that nobody has
(RFC 5737, RFC 3849), which is news to every switch.
"""

import ipaddress
import re
import socket
import struct
import typing

from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import rtnetlink

#: of the devices that carry the router's traffic
DEVICE = re.compile('(qg|qr|sg)-.+')

_ARP = struct.Struct('!HHBBH')
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
#: it is a router's, and what was known before is void
_ROUTER_OVERRIDE = 0xA0000000
_ALL_NODES = socket.inet_pton(socket.AF_INET6, 'ff02::1')
#: the beginning of the groups of RFC 4291, 2.7.1
_SOLICITED = socket.inet_pton(socket.AF_INET6, 'ff02::1:ff00:0')[:13]
#: addresses for documentation, of which nobody answers: 254 of each
_NOBODY = socket.inet_aton('192.0.2.0')
_NOBODY6 = socket.inet_pton(socket.AF_INET6, '2001:db8::')
_NUMBERS = 254
#: not to be used yet, or by somebody else
_UNFIT = ('tentative', 'dadfailed')

Place = typing.Tuple[str, str]


class Announcer:
    """Sends the frames from the namespace in which it is created.

    :param conf: of the router, as ``keepalived.parse`` has it
    :raises OSError: there are no such sockets to be had
    """

    def __init__(self, conf: protocol.Json) -> None:
        self._wanted = [
            (entry['device'], entry['address'])
            for entry in conf['vips'] + conf['excluded']
            if entry['device'] and DEVICE.fullmatch(entry['device'])
        ]
        #: MAC and address of each device
        self._subjects = {}  # type: typing.Dict[str, typing.Tuple[str, str]]
        self._round = 0
        self._channel = netlink.Socket()
        try:
            # protocol 0: nothing is to be received
            self._socket = socket.socket(
                socket.AF_PACKET,
                socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
                0,
            )
        except BaseException:
            self._channel.close()
            raise

    def __enter__(self) -> 'Announcer':
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._socket.close()

    def look(self) -> typing.Set[Place]:
        """Finds out what there is to announce.

        :returns: every device and address of the namespace
        :raises NetlinkError: the kernel refuses
        :raises OSError: the socket fails
        """
        links = rtnetlink.links(self._channel)
        names = {link['index']: link['name'] for link in links}
        found = rtnetlink.addresses(self._channel, names)
        usable = {
            (each['device'], each['address'])
            for each in found
            if not any(flag in _UNFIT for flag in each['flags'])
        }
        macs = {link['name']: link['mac'] for link in links if link['up']}
        self._subjects = {}
        # an IPv4 address of each device if it has any
        for device, address in sorted(
            self._wanted, key=lambda place: ':' in place[1]
        ):
            mac = macs.get(device)
            if (
                mac is None
                or len(mac) != 17
                or device in self._subjects
                or (device, address) not in usable
            ):
                continue
            self._subjects[device] = mac, address.split('/')[0]
        return {(each['device'], each['address']) for each in found}

    def devices(self) -> typing.Set[str]:
        """Those that have something to announce."""
        return set(self._subjects)

    def announce(self) -> int:
        """Sends two frames from each device; returns how many did."""
        self._round += 1
        return sum(self._send(device) for device in self._subjects)

    def _send(self, device: str) -> bool:
        mac, address = self._subjects[device]
        frames = claim(mac, address), question(mac, address, self._round)
        try:
            for content in frames:
                # by name, which the kernel looks up in the socket's namespace
                self._socket.sendto(content, (device, 0))
        except OSError:
            # gone, down or its queue is full: there is a next time
            return False
        return True


def claim(mac: str, address: str) -> bytes:
    """An Ethernet frame that says that an address is at a MAC."""
    raw = bytes.fromhex(mac.replace(':', ''))
    if ':' in address:
        return _advertisement(raw, ipaddress.IPv6Address(address).packed)
    own = ipaddress.IPv4Address(address).packed
    return _arp(raw, own, own)


def question(mac: str, address: str, number: int) -> bytes:
    """An Ethernet frame from an address that asks for one nobody has.

    :param number: which of them, so that it differs from the last one
    """
    raw = bytes.fromhex(mac.replace(':', ''))
    last = bytes([number % _NUMBERS + 1])
    if ':' in address:
        own = ipaddress.IPv6Address(address).packed
        return _solicitation(raw, own, _NOBODY6[:-1] + last)
    own = ipaddress.IPv4Address(address).packed
    return _arp(raw, own, _NOBODY[:-1] + last)


def _arp(mac: bytes, own: bytes, wanted: bytes) -> bytes:
    """An ARP request; a gratuitous one asks for the sender's address."""
    head = _ARP.pack(1, 0x0800, 6, 4, 1)
    body = head + mac + own + bytes(6) + wanted
    return b'\xff' * 6 + mac + b'\x08\x06' + body


def _advertisement(mac: bytes, own: bytes) -> bytes:
    """An unsolicited neighbour advertisement to all nodes."""
    # target link-layer address: option 2, one unit of eight bytes
    body = struct.pack('!I', _ROUTER_OVERRIDE) + own + b'\x02\x01' + mac
    return _neighbour(mac, own, _ALL_NODES, _ADVERTISEMENT, body)


def _solicitation(mac: bytes, own: bytes, wanted: bytes) -> bytes:
    """A neighbour solicitation to the group of the address wanted."""
    # source link-layer address: option 1
    body = bytes(4) + wanted + b'\x01\x01' + mac
    return _neighbour(mac, own, _SOLICITED + wanted[-3:], _SOLICITATION, body)


def _neighbour(
    mac: bytes, own: bytes, group: bytes, kind: int, body: bytes
) -> bytes:
    """A message of neighbour discovery to a multicast group."""
    pseudo = own + group + struct.pack('!II', len(body) + 4, _ICMPV6)
    total = _checksum(pseudo + struct.pack('!BBH', kind, 0, 0) + body)
    head = struct.pack('!IHBB', 6 << 28, len(body) + 4, _ICMPV6, 255)
    return (
        b'\x33\x33'
        + group[-4:]
        + mac
        + b'\x86\xdd'
        + head
        + own
        + group
        + struct.pack('!BBH', kind, 0, total)
        + body
    )


def _checksum(data: bytes) -> int:
    """The Internet checksum (source: RFC 1071)."""
    words = struct.unpack('!%dH' % (len(data) // 2), data)
    total = sum(words)  # type: int
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

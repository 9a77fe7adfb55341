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
_ICMPV6, _ADVERTISEMENT = 58, 136
#: it is a router's, and what was known before is void
_ROUTER_OVERRIDE = 0xA0000000
_ALL_NODES = socket.inet_pton(socket.AF_INET6, 'ff02::1')
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
        self._frames = {}  # type: typing.Dict[str, bytes]
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
        self._frames = {}
        # an IPv4 address of each device if it has any
        for device, address in sorted(
            self._wanted, key=lambda place: ':' in place[1]
        ):
            mac = macs.get(device)
            if (
                mac is None
                or len(mac) != 17
                or device in self._frames
                or (device, address) not in usable
            ):
                continue
            self._frames[device] = frame(mac, address.split('/')[0])
        return {(each['device'], each['address']) for each in found}

    def devices(self) -> typing.Set[str]:
        """Those that have something to announce."""
        return set(self._frames)

    def announce(self) -> int:
        """Sends a frame from each device; returns how many went out."""
        sent = 0
        for device, content in self._frames.items():
            try:
                # by name, which the kernel looks up in the socket's namespace
                self._socket.sendto(content, (device, 0))
            except OSError:
                # gone, down or its queue is full: there is a next time
                continue
            sent += 1
        return sent


def frame(mac: str, address: str) -> bytes:
    """An Ethernet frame that says that an address is at a MAC."""
    raw = bytes.fromhex(mac.replace(':', ''))
    if ':' in address:
        return _advertisement(raw, ipaddress.IPv6Address(address).packed)
    return _arp(raw, ipaddress.IPv4Address(address).packed)


def _arp(mac: bytes, address: bytes) -> bytes:
    """A gratuitous ARP request."""
    head = _ARP.pack(1, 0x0800, 6, 4, 1)
    body = head + mac + address + bytes(6) + address
    return b'\xff' * 6 + mac + b'\x08\x06' + body


def _advertisement(mac: bytes, address: bytes) -> bytes:
    """An unsolicited neighbour advertisement to all nodes."""
    # target link-layer address: option 2, one unit of eight bytes
    body = (
        struct.pack('!BBHI', _ADVERTISEMENT, 0, 0, _ROUTER_OVERRIDE)
        + address
        + b'\x02\x01'
        + mac
    )
    pseudo = address + _ALL_NODES + struct.pack('!II', len(body), _ICMPV6)
    body = body[:2] + struct.pack('!H', _checksum(pseudo + body)) + body[4:]
    head = struct.pack('!IHBB', 6 << 28, len(body), _ICMPV6, 255)
    return (
        b'\x33\x33\x00\x00\x00\x01'
        + mac
        + b'\x86\xdd'
        + head
        + address
        + _ALL_NODES
        + body
    )


def _checksum(data: bytes) -> int:
    """The Internet checksum (source: RFC 1071)."""
    words = struct.unpack('!%dH' % (len(data) // 2), data)
    total = sum(words)  # type: int
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

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

"""Listening for VRRP on the ha- devices of many routers at once."""

import ctypes
import selectors
import socket
import struct
import threading
import time
import typing

from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import vrrp

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER = 26
_FRAME = 2048
_CLOSERS = 32

#: (source, vrid, priority, own): how many
Counts = typing.Dict[typing.Tuple[str, int, int, bool], int]


class Ear(typing.NamedTuple):
    """An open socket on a router's ha- device."""

    router_id: str
    device: str
    socket: socket.socket
    counts: Counts


class Heard(typing.NamedTuple):
    """What came of listening for one router; one of the two is None."""

    #: as ``Listening``
    listening: typing.Optional[protocol.Json]
    problem: typing.Optional[str]


def listen(
    traveller: namespaces.Traveller,
    spaces: typing.Dict[str, typing.Sequence[namespaces.Namespace]],
    seconds: float,
) -> typing.Dict[str, Heard]:
    """Listens on all routers at the same time.

    :param spaces: each router's namespaces, the likeliest first
    :param seconds: how long
    :returns: what was heard, by router id
    """
    ears = []  # type: typing.List[Ear]
    heard = {}  # type: typing.Dict[str, Heard]
    try:
        for router_id, candidates in spaces.items():
            try:
                ear = _open(traveller, router_id, candidates)
            except (
                OSError,
                namespaces.Stale,
                netlink.NetlinkError,
            ) as error:
                heard[router_id] = Heard(None, str(error))
                continue
            if ear is None:
                heard[router_id] = Heard(None, 'there is no ha- device')
            else:
                ears.append(ear)
        started = time.monotonic()
        _collect(ears, started + seconds)
        elapsed = round(time.monotonic() - started, 3)
    finally:
        _close(ears)
    for ear in ears:
        heard[ear.router_id] = Heard(_report(ear, elapsed), None)
    return heard


def _open(
    traveller: namespaces.Traveller,
    router_id: str,
    candidates: typing.Sequence[namespaces.Namespace],
) -> typing.Optional[Ear]:
    stale = None  # type: typing.Optional[namespaces.Stale]
    for namespace in candidates:
        try:
            with traveller.inside(namespace):
                device = _device()
                if device is not None:
                    return Ear(router_id, device, _socket(device), {})
        except namespaces.Stale as error:
            # another one may hold the device
            stale = error
    if stale is not None:
        raise stale
    return None


def _device() -> typing.Optional[str]:
    """The ha- device of the namespace in which this is called."""
    with netlink.Socket() as channel:
        links = rtnetlink.links(channel)
    # A device that is up is the likelier one, should a leftover of an earlier
    # port be around.
    devices = sorted(
        (not link['up'], link['index'], link['name'])
        for link in links
        if link['name'].startswith('ha-')
    )
    return devices[0][2] if devices else None


def _socket(device: str) -> socket.socket:
    """A socket that sees incoming and outgoing VRRP on one device."""
    # Protocol 0 keeps it deaf until the filter and the device are set; only
    # ETH_P_ALL is shown what the host itself sends.
    opened = socket.socket(
        socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0
    )
    try:
        program = b''.join(struct.pack('=HBBI', *row) for row in vrrp.FILTER)
        kept = ctypes.create_string_buffer(program, len(program))
        opened.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack('@HP', len(vrrp.FILTER), ctypes.addressof(kept)),
        )
        opened.setblocking(False)
        opened.bind((device, _ETH_P_ALL))
    except BaseException:
        opened.close()
        raise
    return opened


def _collect(ears: typing.Sequence[Ear], deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            selector.register(ear.socket, selectors.EVENT_READ, ear)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            for key, _ in selector.select(left):
                _hear(key.data)


def _hear(ear: Ear) -> None:
    try:
        frame, sender = ear.socket.recvfrom(_FRAME)
    except OSError:
        # the device went down; reading the error clears it, and the kernel
        # carries on when the device comes back
        return
    own = sender[2] == socket.PACKET_OUTGOING
    if not own and sender[2] == socket.PACKET_LOOPBACK:
        return
    advert = vrrp.decode(frame)
    if advert is not None:
        key = advert.source, advert.vrid, advert.priority, own
        ear.counts[key] = ear.counts.get(key, 0) + 1


def _report(ear: Ear, elapsed: float) -> protocol.Json:
    return {
        'device': ear.device,
        'seconds': elapsed,
        'adverts': [
            {
                'source': source,
                'vrid': vrid,
                'priority': priority,
                'own': own,
                'count': count,
            }
            for (source, vrid, priority, own), count in sorted(
                ear.counts.items()
            )
        ],
    }


def _close(ears: typing.Sequence[Ear]) -> None:
    """Closes all sockets.

    Each close waits for the kernel to be sure that no processor still uses
    the socket; done side by side, they wait for the same moment.
    """

    def close(some: typing.Sequence[Ear]) -> None:
        for ear in some:
            ear.socket.close()

    threads = [
        threading.Thread(target=close, args=(ears[start::_CLOSERS],))
        for start in range(min(_CLOSERS, len(ears)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

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

"""Netlink messages and dumps over an rtnetlink socket (source: netlink(7))."""

import errno
import os
import socket
import struct
import typing

_HEADER = struct.Struct('=IHHII')
_ATTRIBUTE = struct.Struct('=HH')
_ERROR = struct.Struct('=i')
_TIMEOUT = struct.pack('@ll', 5, 0)

_SOL_NETLINK = 270
_NETLINK_GET_STRICT_CHK = 12
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_ACK = 0x4
_NLM_F_DUMP_INTR = 0x10
_NLM_F_DUMP = 0x300
#: without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_TYPE_MASK = 0x3FFF
#: the kernel fills at most 32 KiB at a time
_BUFFER = 1 << 16
_ATTEMPTS = 4
#: the largest number of an error (linux/err.h)
_MAX_ERRNO = 4095
#: changes sent at once: their answers fit into a socket's buffer
_AT_ONCE = 64

#: flags of a change: only if there is no such thing yet
CREATE = 0x400 | 0x200
#: whether there is one or not
REPLACE = 0x400 | 0x100

Attributes = typing.Dict[int, bytes]


class NetlinkError(Exception):
    """The kernel's answer cannot be read, or is an error.

    ``errno`` is that of the kernel, None for a malformed answer.
    """

    def __init__(
        self, message: str, number: typing.Optional[int] = None
    ) -> None:
        super().__init__(message)
        self.errno = number


#: type, flags, sequence number and what follows the header
Message = typing.Tuple[int, int, int, bytes]


def messages(data: bytes) -> typing.Iterator[Message]:
    """The messages of one datagram.

    :raises NetlinkError: a length does not fit
    """
    unpack, offset, end = _HEADER.unpack_from, 0, len(data)
    while offset < end:
        if end - offset < 16:
            raise NetlinkError('a message is cut off')
        length, kind, flags, sequence, _ = unpack(data, offset)
        if length < 16 or length > end - offset:
            raise NetlinkError('a message has a wrong length')
        yield kind, flags, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def attributes(
    data: bytes, offset: int, wanted: typing.Collection[int]
) -> Attributes:
    """The attributes from an offset on, by type.

    :param wanted: the types that matter; the search ends when it has all
    :raises NetlinkError: a length does not fit
    """
    # A good part of the time that a look at a host takes goes by in here.
    found = {}  # type: Attributes
    unpack, end, all_ = _ATTRIBUTE.unpack_from, len(data), len(wanted)
    while end - offset >= 4:
        length, kind = unpack(data, offset)
        if length < 4 or length > end - offset:
            raise NetlinkError('an attribute has a wrong length')
        kind &= _TYPE_MASK
        if kind in wanted:
            found[kind] = data[offset + 4 : offset + length]
            if len(found) == all_:
                break
        offset += (length + 3) & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute as it is sent, padded; one may hold others."""
    size = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + bytes(-size % 4)


class Socket:
    """A netlink socket of the namespace in which it is created.

    It stays with that namespace wherever its process goes afterwards.

    :param protocol: the part of the kernel to talk to, NETLINK_...
    :raises OSError: there is no such socket to be had
    """

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC,
            protocol,
        )
        try:
            # lets the kernel leave out what a request does not ask for
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            # kernels before 4.20 send everything
            pass
        # no answer is better told than waited for
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT
        )

    def __enter__(self) -> 'Socket':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, and whatever it was in the middle of."""
        self._socket.close()

    def dump(
        self, request: int, body: bytes, answer: int
    ) -> typing.List[bytes]:
        """The bodies of all messages that a dump brings.

        :param request: type of the request, RTM_GET...
        :param body: its family header
        :param answer: type of the messages wanted, RTM_NEW...
        :raises NetlinkError: the kernel refuses or answers nonsense
        :raises OSError: the socket fails
        """
        for _ in range(_ATTEMPTS):
            found = self._try(request, _NLM_F_DUMP, body, answer)
            if found is not None:
                return found
        raise NetlinkError('changing faster than it can be read')

    def get(self, request: int, body: bytes, answer: int) -> bytes:
        """The body of the one message that answers a request.

        :raises NetlinkError: the kernel refuses or answers nonsense
        :raises OSError: the socket fails
        """
        found = self._try(request, 0, body, answer)
        if not found:
            raise NetlinkError('no answer')
        return found[0]

    def each(
        self, request: int, body: bytes, answer: int
    ) -> typing.Iterator[bytes]:
        """The bodies of a dump as they come, for what may be very many.

        Whoever does not want them all closes the socket.

        :raises NetlinkError: the kernel refuses or answers nonsense
        :raises OSError: the socket fails
        """
        self._send([(request, _NLM_F_DUMP, body)])
        while True:
            for kind, _, sequence, content in messages(self._receive()):
                if sequence != self._sequence:
                    continue
                if kind == answer:
                    yield content
                elif kind == _NLMSG_ERROR:
                    raise _refusal(content)
                elif kind == _NLMSG_DONE:
                    _check_done(content)
                    return

    def change(
        self, request: int, flags: int, bodies: typing.Sequence[bytes]
    ) -> typing.List[int]:
        """Asks for changes, each answered by the kernel.

        :param request: type of the requests, RTM_NEW...
        :param flags: ``CREATE``, ``REPLACE`` or 0
        :param bodies: family header and attributes of each
        :returns: for each 0 or the error's number
        :raises NetlinkError: the kernel answers nonsense, or nothing
        :raises OSError: the socket fails
        """
        found = []  # type: typing.List[int]
        for start in range(0, len(bodies), _AT_ONCE):
            some = bodies[start : start + _AT_ONCE]
            first = self._send(
                [(request, _NLM_F_ACK | flags, body) for body in some]
            )
            answers = {}  # type: typing.Dict[int, int]
            while len(answers) < len(some):
                for kind, _, sequence, content in messages(self._receive()):
                    if kind == _NLMSG_ERROR and sequence >= first:
                        answers[sequence] = _number(content)
            found.extend(answers[number] for number in sorted(answers))
        return found

    def _send(
        self, requests: typing.Sequence[typing.Tuple[int, int, bytes]]
    ) -> int:
        """Sends all at once; returns the first one's sequence number."""
        first = self._sequence + 1
        parts = []
        for request, flags, body in requests:
            self._sequence += 1
            size = _HEADER.size + len(body)
            flags |= _NLM_F_REQUEST
            parts.append(_HEADER.pack(size, request, flags, self._sequence, 0))
            parts.append(body + bytes(-size % 4))
        self._socket.send(b''.join(parts))
        return first

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_BUFFER)
        except BlockingIOError:
            raise NetlinkError('no answer from the kernel') from None

    def _try(
        self, request: int, flags: int, body: bytes, answer: int
    ) -> typing.Optional[typing.List[bytes]]:
        """None: the table changed under the dump, or the buffer was full."""
        self._send([(request, flags, body)])
        found = []  # type: typing.List[bytes]
        whole = True
        while True:
            try:
                data = self._receive()
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    whole = False
                    continue
                raise
            for kind, marks, sequence, content in messages(data):
                if sequence != self._sequence:
                    # the rest of an attempt that was given up
                    continue
                if marks & _NLM_F_DUMP_INTR:
                    whole = False
                if kind == answer:
                    found.append(content)
                elif kind == _NLMSG_ERROR:
                    raise _refusal(content)
                elif kind == _NLMSG_DONE:
                    _check_done(content)
                    return found if whole else None
                if not flags:
                    return found


def _check_done(body: bytes) -> None:
    # a dump that failed half-way says so in its last message
    if len(body) >= _ERROR.size and _ERROR.unpack_from(body)[0] < 0:
        raise _refusal(body)


def _number(body: bytes) -> int:
    if len(body) < _ERROR.size:
        raise NetlinkError('an error message is cut off')
    number = _ERROR.unpack_from(body)[0]  # type: int
    if not -_MAX_ERRNO <= number <= 0:
        raise NetlinkError('an error message holds no error')
    return -number


def _refusal(body: bytes) -> NetlinkError:
    if len(body) < _ERROR.size:
        return NetlinkError('an error message is cut off')
    number = _number(body)
    return NetlinkError('the kernel says: %s' % os.strerror(number), number)


class News:
    """What changes in the namespace in which this is created.

    :param groups: a mask of RTMGRP_..., all that is told about
    :raises OSError: there is no such socket to be had
    """

    def __init__(self, groups: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            socket.NETLINK_ROUTE,
        )
        try:
            self._socket.bind((0, groups))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> 'News':
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """What to wait for."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Reads whatever there is; whether there was anything.

        What it was is better looked up: some of it may have been lost.
        """
        found = False
        while True:
            try:
                self._socket.recv(_BUFFER)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            found = True

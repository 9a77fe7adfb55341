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

_NLMSG_NOOP = 1
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_MULTI = 0x2
_NLM_F_DUMP_INTR = 0x10
_NLM_F_DUMP = 0x300
#: without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_TYPE_MASK = 0x3FFF
#: the kernel fills at most 32 KiB at a time
_BUFFER = 1 << 16
_ATTEMPTS = 4

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


class Message(typing.NamedTuple):
    """One message without its header."""

    type: int
    flags: int
    sequence: int
    body: bytes


def messages(data: bytes) -> typing.Iterator[Message]:
    """The messages of one datagram.

    :raises NetlinkError: a length does not fit
    """
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _HEADER.size:
            raise NetlinkError('a message is cut off')
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or length > end - offset:
            raise NetlinkError('a message has a wrong length')
        yield Message(
            kind, flags, sequence, data[offset + 16 : offset + length]
        )
        offset += (length + 3) & ~3


def attributes(data: bytes, offset: int) -> Attributes:
    """The attributes from an offset on, by type; the last of each counts.

    :raises NetlinkError: a length does not fit
    """
    found = {}  # type: Attributes
    end = len(data)
    while end - offset >= 4:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4 or length > end - offset:
            raise NetlinkError('an attribute has a wrong length')
        found[kind & _TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


class Socket:
    """An rtnetlink socket of the namespace in which it is created.

    It stays with that namespace wherever its process goes afterwards.

    :raises OSError: there is no such socket to be had
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC,
            socket.NETLINK_ROUTE,
        )
        # no answer is better told than waited for
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT
        )

    def __enter__(self) -> 'Socket':
        return self

    def __exit__(self, *_: object) -> None:
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

    def _try(
        self, request: int, flags: int, body: bytes, answer: int
    ) -> typing.Optional[typing.List[bytes]]:
        """None: the table changed under the dump, or the buffer was full."""
        self._sequence += 1
        self._socket.send(
            _HEADER.pack(
                _HEADER.size + len(body),
                request,
                _NLM_F_REQUEST | flags,
                self._sequence,
                0,
            )
            + body
        )
        found = []  # type: typing.List[bytes]
        whole = True
        while True:
            try:
                data = self._socket.recv(_BUFFER)
            except BlockingIOError:
                raise NetlinkError('no answer from the kernel') from None
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    whole = False
                    continue
                raise
            for message in messages(data):
                if message.sequence != self._sequence:
                    # the rest of an attempt that was given up
                    continue
                if message.flags & _NLM_F_DUMP_INTR:
                    whole = False
                if message.type == _NLMSG_ERROR:
                    raise _refusal(message.body)
                if message.type == _NLMSG_DONE:
                    _check_done(message.body)
                    return found if whole else None
                if message.type == answer:
                    found.append(message.body)
                if not message.flags & _NLM_F_MULTI and not flags:
                    return found


def _check_done(body: bytes) -> None:
    # a dump that failed half-way says so in its last message
    if len(body) >= _ERROR.size and _ERROR.unpack_from(body)[0] < 0:
        raise _refusal(body)


def _refusal(body: bytes) -> NetlinkError:
    if len(body) < _ERROR.size:
        return NetlinkError('an error message is cut off')
    number = -_ERROR.unpack_from(body)[0]
    return NetlinkError('the kernel says: %s' % os.strerror(number), number)

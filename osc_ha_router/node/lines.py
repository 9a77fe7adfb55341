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

"""The lines that come in, and whether more have come."""

import select
import typing

from osc_ha_router.node import protocol

#: bytes; at least the stream's own buffer, so that one read empties it
_CHUNK = 1 << 18


class Input:
    """A binary stream, read line by line.

    What was read is kept here and not in the stream's own buffer: only then
    does a look at the descriptor tell whether there is more to read.

    :param stream: with ``read1``, as every buffered one has it
    """

    def __init__(self, stream: typing.BinaryIO) -> None:
        self._stream = stream
        self._pending = bytearray()
        self._ended = False

    def __iter__(self) -> typing.Iterator[typing.Optional[bytes]]:
        """The lines, None for each that is too long."""
        while True:
            line = self._line()
            if not line:
                return
            if len(line) <= protocol.LINE_LIMIT:
                yield line
                continue
            while line and not line.endswith(b'\n'):
                line = self._line()
            yield None

    def descriptor(self) -> typing.Optional[int]:
        """What to wait on, None for a stream that never makes wait."""
        try:
            return self._stream.fileno()
        except (OSError, ValueError):
            return None

    def asked(self) -> bool:
        """Whether something has come that is not read yet.

        Not before the first line: what came with it may still be where no
        look at the descriptor finds it.

        :raises EOFError: nothing will come any more
        """
        if not self._pending and not self._ended and self._readable():
            self._read()
        if self._pending:
            return True
        if self._ended:
            raise EOFError
        return False

    def _readable(self) -> bool:
        descriptor = self.descriptor()
        if descriptor is None:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def _line(self) -> bytes:
        """The next line, or a part of one that is longer than any may be."""
        seen = 0
        while True:
            end = self._pending.find(b'\n', seen) + 1
            if not end and len(self._pending) > protocol.LINE_LIMIT:
                end = len(self._pending)
            if not end and self._ended:
                end = len(self._pending)
            if end or self._ended:
                line = bytes(self._pending[:end])
                del self._pending[:end]
                return line
            seen = len(self._pending)
            self._read()

    def _read(self) -> None:
        try:
            data = self._stream.read1(_CHUNK)  # type: ignore[attr-defined]
        except OSError:
            # a connection that was reset has ended, too
            data = b''
        self._pending += data
        self._ended = not data

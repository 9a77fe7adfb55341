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

"""One request on a connection, read strictly.

What cannot be read as one is answered as JSON, like everything else.
"""

import io
import re
from typing import Any

from cheroot import errors
from cheroot import server as cheroot_server
from oslo_context import context
from oslo_log import log as logging

from osc_ha_router import text
from osc_ha_router.agent import identity
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems

LOG = logging.getLogger(__name__)

#: bytes of request line and headers; tokens are in them
HEADERS = 64 * 1024
#: bytes of a request that are taken before there is a thread for it
AHEAD = HEADERS + operations.SMALL

_DIGITS = re.compile(rb'[0-9]{1,15}')
#: the end of the headers, as careless clients write it too
_END = re.compile(rb'\n\r?\n')
_LENGTH = re.compile(rb'(?im)^content-length:[ \t]*([0-9]{1,15})[ \t]*\r?$')
#: the client waits for a word before the body, or its length is not said
_LATER = re.compile(rb'(?im)^(?:expect|transfer-encoding):')


def needed(data: bytearray, start: int) -> int | None:
    """Return how many bytes are needed before a request is worth a thread.

    None: more than there are. What it says of a request that cannot be read
    does not matter, as long as it is no more than ``AHEAD``.

    :param data: what there is of it
    :param start: how many of them were looked at before
    """
    end = _END.search(data, max(0, start - 2))
    if end is None:
        return len(data) if len(data) > HEADERS else None
    head = bytes(data[: end.end()])
    length = None if _LATER.search(head) else _LENGTH.search(head)
    body = int(length[1]) if length else 0
    fits = len(head) <= HEADERS and body <= operations.SMALL
    return len(head) + (body if fits else 0)


class _Headers(dict[bytes, bytes]):
    """Headers of a request, of which none is there twice with two meanings.

    Two readings of where a body ends are how requests are smuggled.
    """

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name == b'Content-Length':
            if not _DIGITS.fullmatch(value) or self.get(name, value) != value:
                raise ValueError('Content-Length has to be one number')
            if b'Transfer-Encoding' in self:
                raise ValueError('there are two lengths')
        elif name == b'Transfer-Encoding' and b'Content-Length' in self:
            raise ValueError('there are two lengths')
        super().__setitem__(name, value)


class _Reader(cheroot_server.HeaderReader):
    """Reads headers, and leaves out those that could pass for another.

    In the environment of WSGI ``X_Roles`` and ``X-Roles`` are the same.
    """

    def _allow_header(self, name: bytes) -> bool:
        return b'_' not in name

    def _transform_key(self, name: bytes) -> bytes:
        if not name or name != name.strip():
            raise ValueError('a header has no proper name')
        return name.title()


class Request(cheroot_server.HTTPRequest):
    """One request on a connection."""

    header_reader = _Reader()

    def __init__(self, server: Any, conn: Any) -> None:
        super().__init__(server, conn)
        self.inheaders: dict[bytes, bytes] = _Headers()

    def read_request_line(self) -> bool:
        """Read the first line; false if it is refused."""
        try:
            return bool(
                super().read_request_line()  # type: ignore[no-untyped-call]
            )
        except ValueError:
            self.simple_response('400 Bad Request', 'Malformed Request-URI')
            return False

    def read_request_headers(self) -> bool:
        """Read the headers; false if they are refused."""
        try:
            return bool(
                super().read_request_headers()  # type: ignore[no-untyped-call]
            )
        except errors.MaxSizeExceeded:
            self.simple_response(
                '431 Request Header Fields Too Large',
                'The headers are longer than is taken',
            )
            return False

    def respond(self) -> None:
        """Read the body, then have the application answer.

        It is read here to the end, so that the application neither waits
        for a client nor finds out half-way that there is nothing more.
        """
        body = self._body()
        if body is None:
            return
        self.chunked_read = False
        self.rfile = io.BytesIO(body)
        self.inheaders.pop(b'Transfer-Encoding', None)
        dict.__setitem__(
            self.inheaders, b'Content-Length', str(len(body)).encode('ascii')
        )
        self.server.gateway(self).respond()
        self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b'0\r\n\r\n')

    def _body(self) -> bytes | None:
        limit = self.server.max_request_body_size
        length = int(self.inheaders.get(b'Content-Length', b'0'))
        if not self.chunked_read:
            data: bytes = self.conn.rfile.read(length) if length else b''
            if len(data) == length:
                return data
            self.simple_response(
                '400 Bad Request', 'The body ended before its length'
            )
            return None
        # the lengths of chunks are lines, whose length nobody else bounds
        lines = cheroot_server.SizeCheckWrapper(self.conn.rfile, limit + 1024)
        chunked: Any = cheroot_server.ChunkedRFile(lines, limit)
        try:
            found: bytes = chunked.read(limit + 1)
            for _ in chunked.read_trailer_lines():
                # without meaning here
                pass
            return found
        except ValueError as exc:
            self.simple_response('400 Bad Request', str(exc))
        except (errors.MaxSizeExceeded, OSError) as exc:
            if isinstance(exc, (TimeoutError, ConnectionError)):
                raise
            self.simple_response('413 Content Too Large', 'Too long a body')
        return None

    def simple_response(self, status: Any, msg: str = '') -> None:
        """Answer what never gets to the application, as it would."""
        code = int(str(status)[:3])
        message = text.one_line(msg) or problems.title(code)
        who = context.RequestContext()
        body = problems.body(code, message, str(who.request_id))
        head = (
            f'HTTP/1.1 {code} {problems.title(code)}\r\n'
            f'Content-Type: {problems.MEDIA_TYPE}\r\n'
            f'Content-Length: {len(body)}\r\n'
            f'{identity.HEADER}: {who.request_id}\r\n'
            'Connection: close\r\n\r\n'
        )
        self.close_connection = True
        self.sent_headers = True
        self.conn.refused = True
        LOG.info('%s was refused: %d %s', self.conn.remote_addr, code, message)
        try:
            self.conn.wfile.write(head.encode('ascii') + body)
        except OSError:
            LOG.debug('It did not wait for the answer')

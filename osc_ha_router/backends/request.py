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

"""What a request to the node agents' API is answered, or why it is not.

One ``Call`` is one request: sent with a token, sent again while the agent is
busy, its answer read within bounds of time and size, whatever the other side
does. What goes wrong is ``failures.Broken`` with a kind of ``faults``.
"""

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import json
import logging
import re
import threading
import time
from typing import Any

from keystoneauth1 import adapter as ksa_adapter
from keystoneauth1 import exceptions as ksa_exceptions
import requests
from urllib3 import exceptions as urllib3_exceptions

from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import reasons
from osc_ha_router.backends import web

LOG = logging.getLogger(__name__)

#: seconds for a connection, however much time there is
_CONNECT = 5.0
#: seconds without a byte after which the other side of a stream, which sends
#: an empty line each second, is taken for dead
SILENCE = 5.0
#: the same for its first byte: the agent asks Keystone about the token first
_FIRST = 10.0
#: an error's body, bytes
_ERROR_LIMIT = 64 << 10
#: of an answer that has nothing to say
_WORD = 1 << 10
_CHUNK = 64 << 10


@dataclasses.dataclass(frozen=True)
class Call:
    """One request.

    :param adapter: of ``web.bounded``
    :param path: below the endpoint, ``/v1/probe``
    :param until: bound for the whole answer
    :param stop: ends every wait when it is set
    :param query: what comes after the question mark
    :param body: JSON, or None
    :param also: asked several times a second while something is waited for
    :param patient: try again while the agent is busy
    """

    adapter: ksa_adapter.Adapter
    method: str
    path: str
    until: base.Deadline
    stop: threading.Event | None = None
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None
    also: Callable[[], None] = lambda: None
    patient: bool = True

    def send(self) -> None:
        """Send it, and leave the answer alone.

        :raises Broken: with the reason
        """
        self.read(_WORD)

    def read(self, limit: int) -> Any:
        """Send it and return the JSON of the answer, None if it is empty.

        :param limit: of the answer, bytes
        :raises Broken: with the reason
        """
        body = self.content(limit)
        return _decode(body) if body else None

    def content(self, limit: int) -> bytes:
        """Send it and return the answer as it is.

        :param limit: of the answer, bytes
        :raises Broken: with the reason
        """
        guard = self._guard(None)
        with self._answer(guard) as response:
            return _whole(response, guard, limit)

    def lines(
        self, line_limit: int, limit: int
    ) -> Generator[dict[str, Any] | None]:
        """Send it and yield the answer line by line, None for signs of life.

        :raises Broken: with the reason; see ``rows``
        """
        with contextlib.closing(self.rows(line_limit, limit)) as rows:
            for row in rows:
                yield _object(row) if row else None

    def rows(self, line_limit: int, limit: int) -> Generator[bytes]:
        """Send it and yield the lines of the answer, empty ones as well.

        Closing the iterator ends the connection. That the last line is the
        last is for the caller to see.

        :param line_limit: of one line, bytes
        :param limit: of the whole answer, bytes
        :raises Broken: with the reason
        """
        guard = self._guard(_FIRST)
        with self._answer(guard) as response:
            guard.silence = SILENCE
            for line in _lines(response, guard, line_limit, limit):
                yield line.strip()

    def _guard(self, silence: float | None) -> web.Guard:
        return web.Guard(self.until, self.stop, silence, self.also)

    @contextlib.contextmanager
    def _answer(self, guard: web.Guard) -> Iterator[requests.Response]:
        """Yield a response of success, with its body still to be read."""
        while True:
            response = self._attempt(guard)
            try:
                if response.status_code < 300:
                    yield response
                    return
                refused = _refused(response, guard)
                pause = refused.pause if self.patient else None
            finally:
                response.close()
            if pause is None or pause >= self.until.left():
                raise refused
            _rest(guard, pause)

    def _attempt(self, guard: web.Guard) -> requests.Response:
        # another guard for the token: no sign of life comes from Keystone
        patient = web.Guard(self.until, self.stop)
        patient()
        with patient.applied():
            self._sign_on()
            url = self._url()
        patient()
        guard.heard()
        left = self.until.left()
        try:
            with guard.applied():
                response: requests.Response = self.adapter.request(
                    url,
                    self.method,
                    params=dict(self.query),
                    json=self.body,
                    headers={'Accept-Encoding': 'identity'},
                    stream=True,
                    # a token is for nobody else
                    redirect=False,
                    raise_exc=False,
                    connect_retries=0,
                    status_code_retries=0,
                    timeout=(min(_CONNECT, left), left),
                    # which would read the answer, whatever its size
                    log=False,
                )
        except ksa_exceptions.ClientException as exc:
            raise reasons.unreached(exc) from None
        except (OSError, urllib3_exceptions.HTTPError) as exc:
            raise failures.Broken('agent-unreachable', str(exc)) from None
        LOG.debug(
            '%s %s: %s %s',
            self.method,
            url,
            response.status_code,
            response.headers.get('X-Openstack-Request-Id', ''),
        )
        return response

    def _sign_on(self) -> None:
        try:
            if self.adapter.get_token() is None:
                raise failures.Broken('agent-token', 'no credentials')
        except ksa_exceptions.ClientException as exc:
            raise failures.Broken('agent-token', str(exc)) from None

    def _url(self) -> str:
        return endpoint(self.adapter) + self.path


def endpoint(adapter: ksa_adapter.Adapter) -> str:
    """Return the URL of the agent that is asked, without slash at its end.

    :raises Broken: there is none in the catalogue
    """
    try:
        found = adapter.get_endpoint()
    except ksa_exceptions.CatalogException:
        found = None
    except ksa_exceptions.ClientException as exc:
        raise failures.Broken('agent-token', str(exc)) from None
    if not found:
        kind = adapter.interface or 'public'
        if not isinstance(kind, str):
            kind = ' or '.join(kind)
        region = adapter.region_name
        where = f' in region {region}' if region else ''
        raise failures.Broken('agent-missing', f'no {kind} endpoint{where}')
    # the version is ours to choose, even if the catalogue names one
    return re.sub('/v1/?$', '', found).rstrip('/')


def _lines(
    response: requests.Response,
    guard: web.Guard,
    line_limit: int,
    limit: int,
) -> Iterator[bytes]:
    """Yield the lines of a body; a last one without its end is no line."""
    partial = bytearray()
    for data in _pieces(response, guard):
        limit -= len(data)
        first, *others = data.split(b'\n')
        partial += first
        for other in others:
            yield bytes(partial)
            partial = bytearray(other)
        if limit < 0 or len(partial) > line_limit:
            raise failures.Broken('agent-oversized')
    if partial:
        raise failures.Broken('agent-truncated')


def _pieces(response: requests.Response, guard: web.Guard) -> Iterator[bytes]:
    """Yield a body as it comes; its end is noticed if it is cut off."""
    raw = response.raw
    if raw is None:
        return
    stream = raw.stream(_CHUNK, decode_content=False)
    while True:
        try:
            with guard.applied():
                data = next(stream, None)
        except urllib3_exceptions.ReadTimeoutError:
            raise failures.Broken('agent-timeout') from None
        except (urllib3_exceptions.HTTPError, OSError, ValueError) as exc:
            raise failures.Broken('agent-truncated', str(exc)) from None
        if data is None:
            return
        yield data


def _whole(response: requests.Response, guard: web.Guard, limit: int) -> bytes:
    body = bytearray()
    for data in _pieces(response, guard):
        body += data
        if len(body) > limit:
            raise failures.Broken('agent-oversized')
    return bytes(body)


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise failures.Broken(
            'agent-garbled', body[:1024].decode('utf-8', 'backslashreplace')
        ) from None


def _object(line: bytes) -> dict[str, Any]:
    found = _decode(line)
    if not isinstance(found, dict):
        raise failures.Broken('agent-garbled', str(found)[:1024])
    return found


def _refused(response: requests.Response, guard: web.Guard) -> reasons.Refused:
    body = b''
    with contextlib.suppress(failures.Broken):
        body = _whole(response, guard, _ERROR_LIMIT)
    return reasons.refused(
        response.status_code, response.reason or '', response.headers, body
    )


def _rest(guard: web.Guard, seconds: float) -> None:
    end = time.monotonic() + seconds
    guard.heard()
    while (left := end - time.monotonic()) > 0:
        guard.heard()
        guard()
        time.sleep(min(left, 0.1))

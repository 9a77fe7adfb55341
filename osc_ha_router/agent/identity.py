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

"""The outermost layer: a request id for each request, and a line in the log.

A client's own id is kept as the global one if it is well formed, and goes
on to the other agents; the local one is always made here. What no other
layer has caught ends here as 500, without a word of it for the client.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import re
import time
from typing import Any
from typing import TYPE_CHECKING

from oslo_context import context
from oslo_log import log as logging

from osc_ha_router import text
from osc_ha_router.agent.api import problems

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment

LOG = logging.getLogger(__name__)

HEADER = 'X-Openstack-Request-Id'
_POLLED = ('/healthcheck', '/metrics')
_GLOBAL = re.compile(
    'req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
)


class Identity:
    """WSGI middleware.

    :param app: what is inside
    """

    def __init__(self, app: 'WSGIApplication') -> None:
        self._app = app

    def __call__(
        self, environ: 'WSGIEnvironment', start_response: 'StartResponse'
    ) -> Iterable[bytes]:
        """Answer a request."""
        given = environ.get('HTTP_X_OPENSTACK_REQUEST_ID', '')
        known = given if _GLOBAL.fullmatch(given) else None
        # also where the thread finds it, for the lines of the log
        who = context.RequestContext(global_request_id=known)
        environ['openstack.request_id'] = who.request_id
        environ['openstack.global_request_id'] = known
        line = Line(environ)
        answered = False

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            nonlocal answered
            answered = True
            line.status = int(status[:3])
            named = [*headers, (HEADER, str(who.request_id))]
            return start_response(status, named, exc_info)

        try:
            return Watched(self._app(environ, start), line)
        except Exception:
            LOG.exception('What was asked could not be done')
            if answered:
                raise
        body = problems.body(
            500,
            'The agent failed; its log says why, under this request id.',
            str(who.request_id),
        )
        start(
            '500 Internal Server Error',
            [
                ('Content-Type', problems.MEDIA_TYPE),
                ('Content-Length', str(len(body))),
            ],
        )
        return Watched([body], line)


class Line:
    """The line in the log that a request leaves."""

    def __init__(self, environ: 'WSGIEnvironment') -> None:
        self._from = environ.get('REMOTE_ADDR', '')
        self._method = environ.get('REQUEST_METHOD', '')
        # neither query nor headers: what is secret has no place in a path
        self._path = environ.get('PATH_INFO', '')
        self._begun = time.monotonic()
        self.status = 0
        self.size = 0
        self.whole = False

    def write(self) -> None:
        """Write it."""
        # asked every few seconds for ever, and fine
        quiet = self._path in _POLLED and self.status < 400
        LOG.log(
            logging.DEBUG if quiet else logging.INFO,
            '%s "%s %s" status: %d size: %d time: %.3f%s',
            self._from,
            text.one_line(self._method),
            text.one_line(self._path),
            self.status,
            self.size,
            time.monotonic() - self._begun,
            '' if self.whole else ' (not read to its end)',
        )


class Watched:
    """An answer's body; its line is written when it is closed."""

    def __init__(self, body: Iterable[bytes], line: Line) -> None:
        self._body = body
        self._line = line

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._body:
            self._line.size += len(chunk)
            yield chunk
        self._line.whole = True

    def close(self) -> None:
        """End what makes the body, and write the line."""
        try:
            close = getattr(self._body, 'close', None)
            if close is not None:
                close()
        finally:
            self._line.write()

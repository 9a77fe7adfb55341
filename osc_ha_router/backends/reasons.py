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

"""Why a request to the node agents' API has not been answered as it should.

A status, an exception of a library: the kind of ``faults`` that it is, and
what was said.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import json
import re
import socket
import ssl

from keystoneauth1 import exceptions as ksa_exceptions
import requests

from osc_ha_router.backends import failures

#: seconds between two attempts, whatever Retry-After says
_LEAST_PAUSE, _MOST_PAUSE = 0.2, 5.0

#: status -> kind, for what has nothing to do with what was asked for
_STATUSES = {
    401: 'agent-unauthorized',
    403: 'agent-forbidden',
    404: 'agent-not-found',
    421: 'agent-wrong-host',
    503: 'agent-busy',
    504: 'agent-timeout',
}

_TLS = (ssl.SSLError, requests.exceptions.SSLError)
#: what Python puts around the words of OpenSSL
_OPENSSL = re.compile(r'^\[[^]]*\] | ?\(_ssl\.c:\d+\)$')
#: what OpenSSL says where the other side does not speak TLS
_NO_TLS = re.compile('WRONG_VERSION_NUMBER|RECORD_LAYER|UNKNOWN_PROTOCOL')


class Refused(failures.Broken):
    """An agent has answered with a status that is none of success.

    :param status: of HTTP
    :param said: what the agent says, empty if whoever answered is no agent
    :param again: its Retry-After
    """

    def __init__(
        self, kind: str, detail: str, status: int, said: str, again: str | None
    ) -> None:
        super().__init__(kind, detail)
        self.status = status
        self.said = said
        self.again = again

    @property
    def pause(self) -> float | None:
        """Return after which time to try again; None: not at all."""
        if self.status != 503:
            return None
        try:
            wanted = float(self.again or '')
        except ValueError:
            # a date, which nobody sends who only is busy
            return None
        # nobody is kept from trying once more by a number too large
        return min(max(wanted, _LEAST_PAUSE), _MOST_PAUSE)


def refused(
    status: int, reason: str, headers: Mapping[str, str], body: bytes
) -> Refused:
    """Return what a status other than success means.

    :param reason: the words behind it
    :param body: as much as was to be had
    """
    said = _message(body)
    detail = said or f'{status} {reason}'.strip()
    again = headers.get('Retry-After')
    kind = _STATUSES.get(status, 'agent-error')
    if 300 <= status < 400:
        kind = 'agent-garbled'
        detail = f'{status}, which leads somewhere else'
    elif status == 400 and 'HTTPS' in detail:
        # plain HTTP to a port that speaks TLS
        kind = 'agent-scheme'
    elif status in (502, 504) and not said:
        kind = 'agent-unreachable'
        detail = f'{detail} (of a proxy on the way)'
    elif status == 503 and again is None:
        kind = 'agent-error'
    return Refused(kind, detail, status, said, again)


def _message(body: bytes) -> str:
    """Return what the body of an error says, empty if it is of no agent."""
    try:
        error = json.loads(body)['error']
        message, request_id = error['message'], error.get('request_id')
    except (ValueError, RecursionError):
        return ''
    except (LookupError, TypeError, AttributeError):
        return ''
    if not isinstance(message, str):
        return ''
    message = message.rstrip('. ')
    return f'{message} ({request_id})' if request_id else message


def unreached(exc: Exception) -> failures.Broken:
    """Return why there is no response."""
    words = str(exc)
    kind = 'agent-unreachable'
    chain = list(_chain(exc))
    if any(isinstance(cause, _TLS) for cause in chain):
        # others, such as an end in the middle of it, are of the way
        if 'certificate' in words.lower():
            kind = 'agent-tls'
        elif _NO_TLS.search(words):
            kind = 'agent-scheme'
    elif any(isinstance(cause, socket.gaierror) for cause in chain):
        kind = 'agent-unresolved'
    elif isinstance(exc, ksa_exceptions.ConnectTimeout):
        return failures.Broken(kind, 'no connection in time')
    elif isinstance(exc, ksa_exceptions.Unauthorized):
        kind = 'agent-token'
    return failures.Broken(kind, _root(chain))


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what has caused it."""
    seen: BaseException | None = exc
    while seen is not None:
        yield seen
        inner = [a for a in seen.args if isinstance(a, BaseException)]
        reason = getattr(seen, 'reason', None)
        if isinstance(reason, BaseException):
            inner.append(reason)
        seen = seen.__cause__ or (inner[0] if inner else seen.__context__)


def _root(chain: list[BaseException]) -> str:
    """Return the words of the innermost one that has any."""
    for cause in reversed(chain):
        words = str(getattr(cause, 'strerror', None) or cause)
        if words:
            return _OPENSSL.sub('', words)
    return ''

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

"""The layer of Keystone's tokens, and what it answers by itself, as JSON.

Public paths go past it. Nothing inside believes a header that says who the
caller is unless this layer has let the request through.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from typing import Any
from typing import TYPE_CHECKING

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystonemiddleware import auth_token  # type: ignore[import-untyped]
from oslo_config import cfg
from oslo_log import log as logging

from osc_ha_router import errors
from osc_ha_router.agent import asking
from osc_ha_router.agent.api import problems

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse
    from _typeshed.wsgi import WSGIApplication
    from _typeshed.wsgi import WSGIEnvironment

LOG = logging.getLogger(__name__)

SECTION = 'keystone_authtoken'
SERVICE_TYPE = 'router-ha'

#: in the environment of a request that came through; no header makes it
PASSED = 'osc_ha_router.token'
#: what Keystone's middleware says of a token that is good
_STATUS, _GOOD = 'HTTP_X_IDENTITY_STATUS', 'Confirmed'

#: seconds for one answer of Keystone, and how often to ask once more
_TIMEOUT, _RETRIES = 5, 0
#: questions to Keystone at the same time
_AT_ONCE = 8

_MESSAGES = {
    401: 'A valid token of Keystone is needed in X-Auth-Token: get a new one '
    'and try again.',
    503: 'Keystone did not answer, so the token could not be checked: try '
    "again; if that does not help, look at the agent's log.",
}


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options of Keystone's middleware known, with our defaults."""
    for group, known in auth_token.list_opts():
        conf.register_opts(known, group)
    loading.register_auth_conf_options(conf, SECTION)
    # by which access rules of application credentials name this service
    conf.set_default('service_type', SERVICE_TYPE, SECTION)
    # otherwise any token lets an expired one pass; older releases' default
    conf.set_default('service_token_roles_required', True, SECTION)
    # otherwise a Keystone that says nothing holds a thread for ever
    conf.set_default('http_connect_timeout', _TIMEOUT, SECTION)
    conf.set_default('http_request_max_retries', _RETRIES, SECTION)


def guard(
    app: 'WSGIApplication', conf: cfg.ConfigOpts, public: Collection[str]
) -> 'WSGIApplication':
    """Return the application behind tokens.

    :param app: what is inside
    :param conf: with [keystone_authtoken] and [agent]
    :param public: paths for which no token is asked
    :raises ConfigError: the agent's own credentials cannot be used
    """
    section = conf[SECTION]
    bound = (section.http_connect_timeout or _TIMEOUT) * (
        1 + section.http_request_max_retries
    )
    keystone = asking.Asking(
        'Keystone',
        _AT_ONCE,
        # what is left answers those whose tokens are known, or who need none
        max(1, conf.agent.threads // 2),
        bound,
    )

    def wrap(inner: 'WSGIApplication') -> 'WSGIApplication':
        try:
            found: WSGIApplication = _Protocol(
                inner, {'oslo_config_config': conf}, keystone
            )
        except exceptions.ClientException as exc:
            raise errors.ConfigError(f'[{SECTION}]: {exc}') from None
        return found

    return Guard(app, public, wrap)


class _Protocol(auth_token.AuthProtocol):  # type: ignore[misc]
    """Keystone's middleware, with a bound on who waits for Keystone.

    :param app: what is inside
    :param conf: as of the middleware
    :param keystone: lets so many ask it
    """

    def __init__(
        self,
        app: 'WSGIApplication',
        conf: dict[str, Any],
        keystone: asking.Asking,
    ) -> None:
        super().__init__(app, conf)
        self._keystone = keystone

    def fetch_token(self, token: str, **kwargs: Any) -> Any:
        """Return what Keystone says of a token, from memory if it is there.

        :raises Silent: it has not been asked
        """
        if self._token_cache.get(token):
            return super().fetch_token(token, **kwargs)
        with self._keystone.turn(_silence):
            # who has the same token may have asked meanwhile
            return super().fetch_token(token, **kwargs)


def _silence(exc: Exception) -> bool:
    """Whether this says that Keystone gave no answer, rather than a bad one."""
    # the middleware says so with an answer of webob
    unavailable = getattr(exc, 'code', None) == 503
    return unavailable or isinstance(exc, exceptions.ClientException)


class Guard:
    """WSGI middleware.

    :param app: what is inside
    :param public: paths for which no token is asked
    :param wrap: puts the middleware of Keystone around an application
    """

    def __init__(
        self, app: 'WSGIApplication', public: Collection[str], wrap: Any
    ) -> None:
        self._app = app
        self._public = frozenset(public)
        self._checked = wrap(self._inside)

    def _inside(
        self, environ: 'WSGIEnvironment', start_response: 'StartResponse'
    ) -> Iterable[bytes]:
        if environ.get(_STATUS) != _GOOD:
            # let through all the same where delay_auth_decision is set
            start_response('401 Unauthorized', [])
            return ()
        environ[PASSED] = True
        return self._app(environ, start_response)

    def __call__(
        self, environ: 'WSGIEnvironment', start_response: 'StartResponse'
    ) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get('PATH_INFO') in self._public:
            return self._app(environ, start_response)
        kept: list[tuple[int, list[tuple[str, str]]]] = []

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            if PASSED in environ:
                return start_response(status, headers, exc_info)
            kept.append((int(status[:3]), headers))
            return lambda data: None

        try:
            body: Iterable[bytes] = self._checked(environ, start)
        except asking.Silent as exc:
            LOG.warning('A token could not be checked: %s', exc)
            kept.append((503, []))
            body = ()
        except exceptions.ClientException:
            if PASSED in environ:
                raise
            LOG.exception('The token could not be checked')
            kept.append((503, []))
            body = ()
        if PASSED in environ:
            return body
        close = getattr(body, 'close', None)
        if close is not None:
            close()
        return _refuse(environ, start_response, *kept[-1])


def _refuse(
    environ: 'WSGIEnvironment',
    start_response: 'StartResponse',
    code: int,
    headers: list[tuple[str, str]],
) -> Iterable[bytes]:
    message = _MESSAGES.get(
        code, "The token could not be checked; look at the agent's log."
    )
    body = problems.body(code, message, environ['openstack.request_id'])
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() == 'www-authenticate'
    ]
    if code == 503:
        kept.append(('Retry-After', '5'))
    start_response(
        f'{code} {problems.title(code)}',
        [
            ('Content-Type', problems.MEDIA_TYPE),
            ('Content-Length', str(len(body))),
            *kept,
        ],
    )
    return [] if environ['REQUEST_METHOD'] == 'HEAD' else [body]

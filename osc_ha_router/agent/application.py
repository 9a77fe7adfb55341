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

"""The WSGI application, layer by layer.

From the outside to the inside: a request id and the log (``identity``),
tokens (``tokens``), Flask with a route for each of ``api.operations``.
"""

from collections.abc import Callable
import contextlib
from typing import Any
from typing import TYPE_CHECKING

import flask
from oslo_config import cfg
from oslo_log import log as logging
from oslo_policy import policy
from werkzeug import exceptions

from osc_ha_router import errors
from osc_ha_router.agent import checking
from osc_ha_router.agent import conversations
from osc_ha_router.agent import identity
from osc_ha_router.agent import queue
from osc_ha_router.agent import services as parts
from osc_ha_router.agent import tokens
from osc_ha_router.agent.api import calls
from osc_ha_router.agent.api import checks
from osc_ha_router.agent.api import conversing
from osc_ha_router.agent.api import gates
from osc_ha_router.agent.api import looks
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems
from osc_ha_router.agent.api import public
from osc_ha_router.backends import base

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

_VIEWS: dict[str, Callable[[calls.Call], flask.Response]] = {
    **looks.VIEWS,
    **conversing.VIEWS,
    **checks.VIEWS,
}

#: paths for which no token is asked, as they may be written
_PUBLIC = {
    path
    for operation in operations.OPERATIONS
    if operation.rule is None
    for path in (operation.path, operation.path.rstrip('/') or '/')
}

#: what the parts raise, the status that says it, and what goes before
_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (checking.Forbidden, 403, ''),
    (checking.Unavailable, 503, ''),
    (queue.Busy, 503, ''),
    (conversations.Busy, 503, 'There is no room for it now: '),
    (conversations.Unknown, 404, ''),
    (errors.RouterNotFound, 404, ''),
    (errors.NotSupported, 409, ''),
)

#: the same by kinds of failure; others are a 502 of whoever was asked
_TROUBLE = {
    'agent-lost': 404,
    'agent-not-found': 404,
    'agent-stranger': 404,
    'agent-busy': 503,
    'agent-timeout': 504,
    'agent-deadline': 504,
}


def build(
    services: parts.Services,
    conf: cfg.ConfigOpts,
    enforcer: policy.Enforcer,
) -> 'WSGIApplication':
    """Return the application.

    :param services: what does the work
    :param conf: with [keystone_authtoken] and [agent]
    :param enforcer: of the policies
    """
    inner = tokens.guard(bare(services, conf, enforcer), conf, _PUBLIC)
    return identity.Identity(inner)


def bare(
    services: parts.Services,
    conf: cfg.ConfigOpts,
    enforcer: policy.Enforcer,
) -> flask.Flask:
    """Return the innermost layer, without ids and tokens."""
    app = flask.Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # otherwise two slashes are answered with where one leads, which is where
    # the client says that it has sent its request to
    app.url_map.merge_slashes = False
    app.config['MAX_CONTENT_LENGTH'] = operations.SMALL
    app.config['MAX_FORM_MEMORY_SIZE'] = operations.SMALL
    # tenants cannot take what operators need
    kept = max(1, conf.agent.front_threads // 4)
    many = 'This agent asks others for as many callers as it can'
    house = calls.House(
        services,
        enforcer,
        gates.Gate(max(1, conf.agent.front_threads - kept), many),
        gates.Gate(kept, many),
        gates.Gate(
            conf.agent.checks,
            'This agent looks at many nodes for as many callers as it can',
        ),
    )
    for operation in operations.OPERATIONS:
        if operation.rule is None:
            view = _open(public.VIEWS[operation.name], services)
        else:
            view = _closed(_VIEWS[operation.name], operation, house)
        app.add_url_rule(
            operation.path.replace('{', '<').replace('}', '>'),
            operation.name,
            view,
            methods=[operation.method],
            strict_slashes=False,
            provide_automatic_options=False,
        )
    app.register_error_handler(Exception, _problem)
    return app


def _open(
    view: Callable[[parts.Services], flask.Response], services: parts.Services
) -> Callable[..., flask.Response]:
    return lambda: view(services)


def _closed(
    view: Callable[[calls.Call], flask.Response],
    operation: operations.Operation,
    house: calls.House,
) -> Callable[..., flask.Response]:
    """Return what checks a request, and then lets the view answer it."""

    def answer(**given: str) -> flask.Response:
        who = calls.caller(flask.request.environ)
        calls.allow(house, str(operation.rule), who)
        with contextlib.ExitStack() as stack:
            call = calls.Call(
                house=house,
                who=who,
                path=calls.path(given),
                direct=calls.direct(operation, flask.request.args),
                body=calls.body(operation),
                held=stack,
            )
            response = view(call)
            # held until the last line is sent, or nobody reads any more
            response.call_on_close(stack.pop_all().close)
        return response

    return answer


def _problem(exc: Exception) -> flask.Response:
    """Return the answer for whatever was raised."""
    if isinstance(exc, problems.Problem):
        return _answer(exc.code, exc.message, exc.headers)
    if isinstance(exc, exceptions.HTTPException):
        return _http(exc)
    for kind, code, before in _STATUS:
        if isinstance(exc, kind):
            return _answer(code, f'{before}{exc}')
    if isinstance(exc, base.Trouble):
        failure = exc.failure
        return _answer(_TROUBLE.get(failure.kind, 502), failure.sentences)
    LOG.error('What was asked could not be done', exc_info=exc)
    return _answer(
        500, 'The agent failed; its log says why, under this request id.'
    )


def _http(exc: exceptions.HTTPException) -> flask.Response:
    """Return the answer for what Flask and Werkzeug refuse."""
    messages = {
        404: 'There is nothing at this address: see GET /v1/openapi.json.',
        405: 'This address does not take this method: see GET '
        '/v1/openapi.json.',
        413: 'The body is too long for this address.',
    }
    code = exc.code or 500
    headers: dict[str, Any] = {}
    if isinstance(exc, exceptions.MethodNotAllowed) and exc.valid_methods:
        headers['Allow'] = ', '.join(sorted(exc.valid_methods))
    return _answer(code, messages.get(code, str(exc.description)), headers)


def _answer(
    code: int, message: str, headers: dict[str, Any] | None = None
) -> flask.Response:
    headers = dict(headers or {})
    if code == 503:
        headers.setdefault('Retry-After', '1')
    request_id = flask.request.environ.get('openstack.request_id', '')
    return flask.Response(
        problems.body(code, message, request_id),
        status=code,
        headers=headers,
        content_type=problems.MEDIA_TYPE,
    )

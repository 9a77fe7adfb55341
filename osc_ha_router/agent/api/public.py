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

"""What needs no token: versions, description, health, metrics."""

import hmac

import flask

from osc_ha_router.agent import services as parts
from osc_ha_router.agent.api import openapi
from osc_ha_router.agent.api import problems

_PAGE = 'text/plain; version=0.0.4; charset=utf-8'


def _version(address: str) -> dict[str, object]:
    """Return the entry of the one version.

    Addresses are relative, so that they are right behind any proxy and no
    header of the request has a say in them; keystoneauth follows them.
    """
    return {
        'id': 'v1.0',
        'status': 'CURRENT',
        'links': [
            {'rel': 'self', 'href': address},
            {'rel': 'describedby', 'href': f'{address}openapi.json'},
        ],
    }


def discovery(services: parts.Services) -> flask.Response:
    """Say which versions there are."""
    response = flask.jsonify({'versions': [_version('v1/')]})
    response.status_code = 300
    return response


def version(services: parts.Services) -> flask.Response:
    """Say what this version is."""
    return flask.jsonify({'version': _version('./')})


def document(services: parts.Services) -> flask.Response:
    """Return the description."""
    return flask.jsonify(openapi.document())


def healthcheck(services: parts.Services) -> flask.Response:
    """Say whether the agent can do its work."""
    alive = services.alive()
    response = flask.jsonify(
        {'status': 'ok' if alive else 'failed', 'checks': {'keeper': alive}}
    )
    response.status_code = 200 if alive else 503
    return response


def metrics(services: parts.Services) -> flask.Response:
    """Return the page for Prometheus.

    :raises Problem: 404 where nobody may have it, 401 for the wrong
        credentials
    """
    if not services.credentials:
        raise problems.Problem(
            404,
            'This agent has no metrics: set credentials_file in [metrics] of '
            'its configuration.',
        )
    kind, _, given = flask.request.headers.get('Authorization', '').partition(
        ' '
    )
    # in constant time, so that answers do not tell how much of it is right
    right = hmac.compare_digest(
        given.strip().encode('utf-8', 'replace'), services.credentials
    )
    if kind.lower() != 'bearer' or not right:
        raise problems.Problem(
            401,
            'Send the content of credentials_file as bearer token.',
            {'WWW-Authenticate': 'Bearer'},
        )
    return flask.Response(services.metrics(), content_type=_PAGE)


VIEWS = {
    'discovery': discovery,
    'version': version,
    'openapi': document,
    'healthcheck': healthcheck,
    'metrics': metrics,
}

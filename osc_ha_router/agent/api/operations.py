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

"""Every method of every path: its request, and each answer it can give."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from osc_ha_router import schema
from osc_ha_router.agent import policies
from osc_ha_router.agent.api import bodies
from osc_ha_router.model import report
from osc_ha_router.model import view

JSON = 'application/json'
NDJSON = 'application/x-ndjson'
TEXT = 'text/plain'

#: bytes that the body of a request may have
SMALL = 64 * 1024
LARGE = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Answer:
    """What comes with a status below 400."""

    description: str
    media_type: str | None = None
    schema: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Operation:
    """One method of one path."""

    #: operationId, and the name of what carries it out
    name: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, Answer]
    #: statuses above 399 beside those that each operation has
    problems: tuple[int, ...] = ()
    #: of the request; None: it has none
    body: Mapping[str, Any] | None = None
    #: whether the body may be left out
    optional: bool = False
    limit: int = SMALL
    #: who may; None: whoever reaches the agent
    rule: str | None = None
    #: whether ``direct`` can be asked for
    hosts: bool = False


def _object(**properties: Any) -> dict[str, Any]:
    return {
        'type': 'object',
        'properties': properties,
        'required': list(properties),
    }


_LINKS = {
    'type': 'array',
    'items': _object(rel={'type': 'string'}, href={'type': 'string'}),
}
_VERSION = _object(
    id={'type': 'string'}, status={'type': 'string'}, links=_LINKS
)
_HEALTH = _object(
    status={'type': 'string', 'enum': ['ok', 'failed']},
    checks=_object(keeper={'type': 'boolean'}),
)
_OPENED = _object(
    id=bodies.UUID, hostname={'type': 'string'}, lease={'type': 'number'}
)
_LINES = {
    'type': 'string',
    'description': 'JSON objects, one on each line. Empty lines are signs of '
    'life, one each second.',
}
_DONE = {204: Answer('Done.')}

_ON_HOST = '/v1/hosts/{host}'
_CONVERSATION = f'{_ON_HOST}/conversations/{{id}}'

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        'discovery',
        'GET',
        '/',
        'The versions of the API',
        {
            300: Answer(
                'All versions there are.',
                JSON,
                _object(versions={'type': 'array', 'items': _VERSION}),
            )
        },
    ),
    Operation(
        'version',
        'GET',
        '/v1/',
        'This version of the API',
        {200: Answer('This version.', JSON, _object(version=_VERSION))},
    ),
    Operation(
        'openapi',
        'GET',
        '/v1/openapi.json',
        'This description',
        {200: Answer('OpenAPI 3.1.', JSON, {'type': 'object'})},
    ),
    Operation(
        'healthcheck',
        'GET',
        '/healthcheck',
        'Whether the agent can do its work',
        {
            200: Answer('It can.', JSON, _HEALTH),
            503: Answer(
                'Its privileged child does not answer.', JSON, _HEALTH
            ),
        },
    ),
    Operation(
        'metrics',
        'GET',
        '/metrics',
        'Metrics for Prometheus',
        {
            200: Answer(
                'The text format of Prometheus.', TEXT, {'type': 'string'}
            )
        },
        problems=(401, 404),
    ),
    Operation(
        'probes',
        'POST',
        '/v1/probe',
        'What several nodes show',
        {
            200: Answer(
                'A line {"view": HostView} for each request, as they are '
                'ready, and {"end": {}} as the last line. What goes wrong '
                'on a node is in its view.',
                NDJSON,
                _LINES,
            )
        },
        body=bodies.PROBES,
        rule=policies.PROBE,
    ),
    Operation(
        'probe',
        'POST',
        f'{_ON_HOST}/probe',
        'What one node shows',
        {
            200: Answer(
                'What it shows. What goes wrong on it is in its failure.',
                JSON,
                schema.reference(view.HostView),
            )
        },
        problems=(404, 421),
        body=bodies.PROBE,
        rule=policies.PROBE,
        hosts=True,
    ),
    Operation(
        'open',
        'POST',
        f'{_ON_HOST}/conversations',
        'Begin a conversation with the node program of a node',
        {201: Answer('It was begun.', JSON, _OPENED)},
        problems=(404, 421, 502, 504),
        body=bodies.CONVERSATION,
        optional=True,
        rule=policies.FAILOVER,
        hosts=True,
    ),
    Operation(
        'request',
        'POST',
        f'{_CONVERSATION}/requests',
        'Ask the node program for something',
        {
            200: Answer(
                'The replies of the node program, a line each; the last has '
                '"end" or "error". If the reader goes away before that, the '
                'conversation is ended and what it changed is undone.',
                NDJSON,
                _LINES,
            )
        },
        problems=(404, 421, 502, 504),
        body=bodies.REQUEST,
        limit=LARGE,
        rule=policies.FAILOVER,
        hosts=True,
    ),
    Operation(
        'stop',
        'POST',
        f'{_CONVERSATION}/stop',
        'End an operation that waits, with its end as reply',
        _DONE,
        problems=(404, 421, 502, 504),
        rule=policies.FAILOVER,
        hosts=True,
    ),
    Operation(
        'renew',
        'PUT',
        f'{_CONVERSATION}/lease',
        'Keep a conversation for another lease',
        _DONE,
        problems=(404, 421, 502, 504),
        rule=policies.FAILOVER,
        hosts=True,
    ),
    Operation(
        'close',
        'DELETE',
        _CONVERSATION,
        'End a conversation; what it changed is undone',
        _DONE,
        problems=(404, 421, 502, 504),
        rule=policies.FAILOVER,
        hosts=True,
    ),
    Operation(
        'check',
        'POST',
        '/v1/check',
        'Finished reports on routers',
        {
            200: Answer(
                'A report for each router.',
                JSON,
                _object(
                    reports={
                        'type': 'array',
                        'items': schema.reference(report.Report),
                    }
                ),
            )
        },
        problems=(404, 409),
        body=bodies.CHECK,
        rule=policies.CHECK,
    ),
)


def problems(operation: Operation) -> list[int]:
    """Return every status above 399 that an operation can give.

    What cheroot itself answers before there is an operation is among them:
    a request that cannot be read, that is too slow or too long.
    """
    found = {400, 405, 408, 413, 414, 431, 500, 505, *operation.problems}
    if operation.rule is not None:
        found |= {401, 403, 503}
    if operation.body is not None:
        found |= {415}
    return sorted(found - operation.answers.keys())

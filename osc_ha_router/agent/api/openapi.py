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

"""The OpenAPI 3.1 description, made of the list of operations."""

import functools
import re
from typing import Any

from osc_ha_router import schema
from osc_ha_router.agent.api import bodies
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems
from osc_ha_router.model import report
from osc_ha_router.model import view

_ERROR = {
    'type': 'object',
    'description': 'What went wrong.',
    'required': ['error'],
    'properties': {
        'error': {
            'type': 'object',
            'required': ['code', 'title', 'message', 'request_id'],
            'properties': {
                'code': {'type': 'integer'},
                'title': {'type': 'string'},
                'message': {
                    'type': 'string',
                    'description': 'A sentence that says what to do.',
                },
                'request_id': {
                    'type': 'string',
                    'description': 'By which the log of the agent has it.',
                },
            },
        }
    },
}

_IDS = {
    'X-Openstack-Request-Id': {
        'description': 'By which the log of the agent has the request.',
        'schema': {'type': 'string'},
        'required': True,
    }
}

_RETRY = {
    'Retry-After': {
        'description': 'Seconds after which to try again.',
        'schema': {'type': 'string'},
    }
}

_PARAMETERS = {
    'host': {
        'name': 'host',
        'in': 'path',
        'required': True,
        'schema': bodies.HOST,
    },
    'id': {
        'name': 'id',
        'in': 'path',
        'required': True,
        'schema': bodies.UUID,
    },
    'direct': {
        'name': 'direct',
        'in': 'query',
        'description': 'true: do not ask another agent; a host that is not '
        'the one of this agent is answered 421.',
        'schema': {'type': 'string', 'enum': ['true', 'false']},
    },
}


@functools.cache
def document() -> dict[str, Any]:
    """Return the description."""
    paths: dict[str, Any] = {}
    for operation in operations.OPERATIONS:
        entry = paths.setdefault(operation.path, {})
        entry[operation.method.lower()] = _operation(operation)
    return {
        'openapi': '3.1.0',
        'info': {
            'title': 'osc-ha-router node agent',
            'version': '1.0',
            'description': 'What HA routers really are, and conversations '
            'with the program that moves them.',
            'license': {'name': 'Apache-2.0', 'identifier': 'Apache-2.0'},
        },
        'paths': paths,
        'components': {
            'schemas': {
                **schema.schemas(view.HostView, report.Report),
                'Error': _ERROR,
            },
            'securitySchemes': {
                'token': {
                    'type': 'apiKey',
                    'in': 'header',
                    'name': 'X-Auth-Token',
                    'description': 'A token of Keystone.',
                },
                'credentials': {
                    'type': 'http',
                    'scheme': 'bearer',
                    'description': 'The content of credentials_file.',
                },
            },
        },
    }


def _operation(operation: operations.Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        'operationId': operation.name,
        'summary': operation.summary,
        'responses': {
            **{
                str(code): _answer(answer)
                for code, answer in operation.answers.items()
            },
            **{
                str(code): _problem(code)
                for code in operations.problems(operation)
            },
        },
    }
    names = re.findall(r'\{(\w+)\}', operation.path)
    if operation.hosts:
        names.append('direct')
    if names:
        found['parameters'] = [_PARAMETERS[name] for name in names]
    if operation.body is not None:
        found['requestBody'] = {
            'required': not operation.optional,
            'content': {operations.JSON: {'schema': operation.body}},
        }
    if operation.rule is not None:
        found['security'] = [{'token': []}]
        found['description'] = f'Policy: ``{operation.rule}``.'
    elif operation.name == 'metrics':
        found['security'] = [{'credentials': []}]
    return found


def _answer(answer: operations.Answer) -> dict[str, Any]:
    found: dict[str, Any] = {
        'description': answer.description,
        'headers': _IDS,
    }
    if answer.media_type is not None:
        found['content'] = {answer.media_type: {'schema': answer.schema}}
    return found


def _problem(code: int) -> dict[str, Any]:
    return {
        'description': problems.title(code),
        'headers': {**_IDS, **(_RETRY if code == 503 else {})},
        'content': {
            operations.JSON: {'schema': {'$ref': '#/components/schemas/Error'}}
        },
    }

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

"""What a node agent is asked: a body is as described, or refused.

The first byte chooses the operation. What is let through keeps to its
description as another validator reads it, and host names and ids are what
those that use them take.
"""

import functools
import json

import flask
import jsonschema

from osc_ha_router.agent.api import calls
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems
from osc_ha_router.backends import base
from osc_ha_router.backends import command
from osc_ha_router.backends import look
from osc_ha_router.node import protocol

_OPERATIONS = [o for o in operations.OPERATIONS if o.body is not None]


@functools.cache
def _application() -> flask.Flask:
    return flask.Flask(__name__)


def check(data: bytes) -> None:
    """Take it for a body, a path and a query."""
    operation = _OPERATIONS[(data[:1] or b'\0')[0] % len(_OPERATIONS)]
    data = data[1:]
    _body(operation, data)
    text = data.decode('utf-8', 'replace')
    _path(text)
    _query(operation, text)


def _body(operation: operations.Operation, data: bytes) -> None:
    with _application().test_request_context(
        method='POST', data=data, content_type='application/json'
    ):
        try:
            found = calls.body(operation)
        except problems.Problem as problem:
            _refused(problem)
            return
    jsonschema.validate(found, dict(operation.body or {}))
    for router in found.get('routers') or ():
        assert protocol.is_uuid(router)
    for request in found.get('requests') or ():
        command.destination('{host}', request['host'])
        look.check(
            base.Request(request['host'], tuple(request['routers'] or ()))
        )
    # on its way to the node program
    protocol.encode(found)


def _path(text: str) -> None:
    try:
        found = calls.path({'host': text})
    except problems.Problem as problem:
        _refused(problem)
    else:
        assert command.destination('{host}', found['host']) == text
    try:
        found = calls.path({'id': text})
    except problems.Problem as problem:
        _refused(problem)
    else:
        assert protocol.is_uuid(found['id'])


def _query(operation: operations.Operation, text: str) -> None:
    with _application().test_request_context(query_string=text):
        try:
            found = calls.direct(operation, flask.request.args)
        except problems.Problem as problem:
            _refused(problem)
        else:
            assert isinstance(found, bool)


def _refused(problem: problems.Problem) -> None:
    assert 400 <= problem.code < 500, problem
    assert problem.message.isprintable(), problem.message
    assert len(problem.message) < 1000
    json.loads(problems.body(problem.code, problem.message, 'req-x'))

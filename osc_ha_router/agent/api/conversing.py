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

"""Conversations with the node program, here or by way of another agent."""

import flask

from osc_ha_router.agent import services as parts
from osc_ha_router.agent.api import calls
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import streams


def _conversations(call: calls.Call) -> parts.Conversations:
    if call.here:
        return call.services.conversations
    return call.services.relay.conversations(call.path['host'], call.who)


def begin(call: calls.Call) -> flask.Response:
    """Begin a conversation."""
    if not call.here:
        call.held.enter_context(call.house.front.place())
    opened = _conversations(call).open(call.owner)
    response = flask.jsonify(
        {'id': opened.id, 'hostname': opened.hostname, 'lease': opened.lease}
    )
    response.status_code = 201
    return response


def request(call: calls.Call) -> flask.Response:
    """Ask the node program for something; its replies come line by line."""
    if not call.here:
        call.held.enter_context(call.house.front.place())
    replies = _conversations(call).request(
        call.path['id'],
        call.owner,
        call.body['op'],
        call.body['fields'],
        float(call.body['timeout']),
    )
    return flask.Response(
        streams.Lines(replies), content_type=operations.NDJSON
    )


# These three keep a conversation from going wrong, take little time and are
# few: the bound on what asks other agents is not for them.


def stop(call: calls.Call) -> flask.Response:
    """End an operation that waits."""
    _conversations(call).stop(call.path['id'], call.owner)
    return flask.Response(status=204)


def renew(call: calls.Call) -> flask.Response:
    """Keep a conversation for another lease."""
    _conversations(call).renew(call.path['id'], call.owner)
    return flask.Response(status=204)


def close(call: calls.Call) -> flask.Response:
    """End a conversation."""
    _conversations(call).close(call.path['id'], call.owner)
    return flask.Response(status=204)


VIEWS = {
    'open': begin,
    'request': request,
    'stop': stop,
    'renew': renew,
    'close': close,
}

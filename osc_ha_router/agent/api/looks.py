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

"""Looking at hosts: this one, another one, many."""

from collections.abc import Iterator
from typing import Any

import flask

from osc_ha_router import codec
from osc_ha_router.agent.api import calls
from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import streams
from osc_ha_router.backends import base

#: seconds that a look has beside listening
_LEAST = 0.05
_MORE = 1.0


def probe(call: calls.Call) -> flask.Response:
    """Return what one host shows."""
    request = _request(call.path['host'], call.body)
    seconds = float(call.body['timeout'])
    if not call.here:
        call.held.enter_context(call.house.front.place())
    nodes = call.services.nodes(max(seconds - request.listen, _LEAST))
    # a little more, so that it is the node that had too little time
    deadline = base.Deadline.after(seconds + _MORE)
    (shown,) = nodes.probe([request], deadline)
    return flask.Response(codec.dumps(shown), content_type=operations.JSON)


def probes(call: calls.Call) -> flask.Response:
    """Return what several hosts show, each as soon as it is there."""
    call.held.enter_context(call.house.front.place())
    call.held.enter_context(call.house.wide.place())
    requests = [_request(one['host'], one) for one in call.body['requests']]
    deadline = base.Deadline.after(call.body['timeout'])
    nodes = call.services.nodes(call.body['probe_timeout'])

    def lines() -> Iterator[bytes]:
        for shown in nodes.probe(requests, deadline):
            yield b'{"view":%b}' % codec.dumps(shown)
        yield b'{"end":{}}'

    return flask.Response(
        streams.Lines(streams.beating(lines())),
        content_type=operations.NDJSON,
    )


def _request(host: str, body: Any) -> base.Request:
    routers = body['routers']
    return base.Request(
        host,
        None if routers is None else tuple(routers),
        float(body.get('listen', 0.0)),
    )


VIEWS = {'probe': probe, 'probes': probes}

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

"""Finished reports, for those who may have them."""

import flask

from osc_ha_router import codec
from osc_ha_router.agent import checking
from osc_ha_router.agent.api import calls
from osc_ha_router.agent.api import operations


def check(call: calls.Call) -> flask.Response:
    """Return the reports on the routers that were named, or on all."""
    call.held.enter_context(call.house.checks.place())
    body = call.body
    routers = body['routers']
    asked = checking.Asked(
        routers=None if routers is None else tuple(routers),
        ignore=frozenset(body['ignore']),
        listen=float(body['listen']),
        recheck=float(body['recheck']),
        timeout=float(body['timeout']),
        probe_timeout=float(body['probe_timeout']),
    )
    reports = call.services.checker.check(call.who, asked)
    return flask.Response(
        codec.dumps({'reports': reports}), content_type=operations.JSON
    )


VIEWS = {'check': check}

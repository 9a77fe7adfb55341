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

"""What a node agent's API answers a client, as it comes off the socket.

The first byte chooses what was asked for. The answer ends in a result that
was asked for and is safe to print, or in trouble of a known kind.
"""

from collections.abc import Callable
import io
import json
import threading
from typing import Any
from unittest import mock

from keystoneauth1 import adapter
from keystoneauth1 import session
import requests
import urllib3

from osc_ha_router import codec
from osc_ha_router import engine
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import reasons
from osc_ha_router.backends import remote
from tests.fuzz import answers

URL = 'http://192.0.2.1:9955'
ID = '00000000-0000-0000-0000-000000000002'
_BOUND = 5.0
_REQUESTS = (
    base.Request('net1', (answers.ROUTER,)),
    base.Request('net2', None),
)


class Adapter(adapter.Adapter):
    """Leads to what is given as the answer."""

    def __init__(self) -> None:
        super().__init__(session.Session())
        self.status, self.answer = 200, b''

    def get_token(self, *args: Any) -> str:
        """Return one."""
        return 'token'

    def get_endpoint(self, *args: Any, **kwargs: Any) -> str:
        """Return where the agent is."""
        return URL

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Return the answer."""
        response = requests.Response()
        response.status_code = self.status
        response.reason = 'Said\x1b[2J'
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(self.answer), preload_content=False
        )
        return response


ADAPTER = Adapter()
with mock.patch('osc_ha_router.backends.web.bounded', lambda given: given):
    AGENT = remote.Remote(ADAPTER)


def check(data: bytes) -> None:
    """Ask one of the questions, and be answered so."""
    head, ADAPTER.answer = (data[:1] or b'\0')[0], data[1:]
    # refused, now and then; never 503, after which it is asked again
    ADAPTER.status = (200, 200, 200, 400, 404, 502, 302, 500)[head >> 5]
    try:
        found = QUESTIONS[head % len(QUESTIONS)](_until())
    except base.Trouble as trouble:
        found = trouble.failure
    answers.safe(codec.encode(found))
    refused = reasons.refused(503, '', {'Retry-After': '1'}, ADAPTER.answer)
    assert refused.pause is not None and 0 < refused.pause < 60
    pause = failures.Broken('agent-busy', refused.detail)
    answers.safe(codec.encode(AGENT.failure('net1', pause.kind, pause.detail)))


def _until() -> base.Deadline:
    return base.Deadline.after(_BOUND)


def _look(until: base.Deadline) -> Any:
    shown = AGENT.look(_REQUESTS[0], until, _BOUND)
    assert shown.host == 'net1'
    assert {v.router_id for v in shown.views} <= {answers.ROUTER}
    return shown


def _looks(until: base.Deadline) -> Any:
    shown = list(AGENT.looks(_REQUESTS, until, _BOUND))
    assert sorted(each.host for each in shown) == ['net1', 'net2'], shown
    return shown


def _check(until: base.Deadline) -> Any:
    question = engine.Question((answers.ROUTER,))
    found = AGENT.check(question, until, _BOUND)
    assert {report.router.id for report in found} <= {answers.ROUTER}
    return found


def _open(until: base.Deadline) -> Any:
    return AGENT.open('net1', until)


def _request(until: base.Deadline) -> Any:
    for reply in AGENT.request(
        'net1', ID, 'probe', {}, until, threading.Event()
    ):
        assert reply is None or 'error' not in reply
        # of the caller to check, and sent on as it is
        json.dumps(reply)


QUESTIONS: tuple[Callable[[base.Deadline], Any], ...] = (
    _look,
    _looks,
    _check,
    _open,
    _request,
)

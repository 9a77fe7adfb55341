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

"""Conversations with the node programs of other nodes, by their agents.

Nothing is kept here, so it does not matter which agent a client asks next.
Replies go on as they come, one at a time. What the other agent refuses is
refused with the same status and in the same words.
"""

from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
from typing import Any
from urllib import parse

from keystoneauth1 import adapter
from oslo_context import context

from osc_ha_router.agent import peers as others
from osc_ha_router.agent.api import problems
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import failures
from osc_ha_router.backends import faults
from osc_ha_router.backends import reasons
from osc_ha_router.backends import request as asking
from osc_ha_router.backends import steps

#: seconds for a conversation to begin: a process is started for it
_OPENING = 15.0
#: seconds for a word in between
_WORD = 5.0
#: seconds for the end, in which the node undoes what is still to be undone
_FAREWELL = 15.0
#: seconds by which the other agent may be late with the end of a reply
_MARGIN = 5.0
#: of an answer, bytes
_SMALL = 64 << 10

#: what another agent refuses for reasons that are the caller's business
_PASSED_ON = (400, 401, 403, 404, 409, 413, 421, 500, 503)


class Relay:
    """Leads to the conversations on other nodes.

    :param peers: leads to the agents
    """

    def __init__(self, peers: others.Peers) -> None:
        self._peers = peers

    def conversations(
        self, host: str, who: context.RequestContext
    ) -> 'Conversations':
        """Return those on a node.

        :param host: as Neutron knows it
        :param who: the caller, with whose token the other agent is asked
        :raises Trouble: it is no name of a node
        """
        try:
            return Conversations(host, self._peers.relay(host, who))
        except failures.Broken as broken:
            failure = faults.describe(broken.kind, host, '', broken.detail)
            raise base.Trouble(failure, None) from None


class Conversations:
    """Those on one other node.

    Whose a conversation is the other agent tells by the caller's token, so
    the owner that is given here does not matter. All raise Problem for what
    it refuses, and Trouble if it cannot be asked.

    :param host: as Neutron knows it
    :param to: leads to the agent
    """

    def __init__(self, host: str, to: adapter.Adapter) -> None:
        self._host = host
        self._to = to

    def open(self, owner: str) -> steps.Opened:
        """Begin one."""
        with self._told():
            call = self._call('POST', '', _OPENING)
            data = dataclasses.replace(call, body={}).read(_SMALL)
            return steps.opened(data)

    def request(
        self,
        id: str,
        owner: str,
        op: str,
        fields: Mapping[str, Any],
        timeout: float,
    ) -> Generator[dict[str, Any] | None]:
        """Yield the replies to a request, and None as sign of life.

        Closing the iterator closes the connection to the other agent, which
        ends the conversation.
        """
        body = {'op': op, 'fields': dict(fields), 'timeout': timeout}
        call = self._call('POST', f'/{id}/requests', timeout + _MARGIN)
        lines = dataclasses.replace(call, body=body).lines(
            channel.LINE_LIMIT, channel.ANSWER_LIMIT
        )
        with self._told(), contextlib.closing(lines):
            yield from lines

    def stop(self, id: str, owner: str) -> None:
        """End an operation that waits, with its end as reply."""
        self._send('POST', f'/{id}/stop', _WORD)

    def renew(self, id: str, owner: str) -> None:
        """Keep it for another lease."""
        self._send('PUT', f'/{id}/lease', _WORD)

    def close(self, id: str, owner: str) -> None:
        """End it; what it has begun is undone."""
        self._send('DELETE', f'/{id}', _FAREWELL)

    def _send(self, method: str, path: str, seconds: float) -> None:
        with self._told():
            self._call(method, path, seconds).send()

    def _call(self, method: str, path: str, seconds: float) -> asking.Call:
        host = parse.quote(self._host, safe='')
        return asking.Call(
            self._to,
            method,
            f'/v1/hosts/{host}/conversations{path}',
            base.Deadline.after(seconds),
            query={'direct': 'true'},
            # how long to try again is for the client to say
            patient=False,
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except reasons.Refused as refused:
            if not refused.said or refused.status not in _PASSED_ON:
                raise self._trouble(refused) from None
            headers = (
                {} if refused.again is None else {'Retry-After': refused.again}
            )
            raise problems.Problem(
                refused.status, refused.said, headers
            ) from None
        except failures.Broken as broken:
            raise self._trouble(broken) from None

    def _trouble(self, broken: failures.Broken) -> base.Trouble:
        url = self._to.endpoint_override or ''
        return base.Trouble(
            faults.describe(broken.kind, self._host, url, broken.detail), None
        )

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

"""Conversations by way of the node agents' API, step by step."""

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import re
import threading
from typing import Any
from urllib import parse

from keystoneauth1 import adapter as ksa_adapter

from osc_ha_router.backends import answers
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import failures
from osc_ha_router.backends import faults
from osc_ha_router.backends import request as asking
from osc_ha_router.backends import web
from osc_ha_router.model import view

#: a word or two, bytes
_SMALL = 64 << 10
_ID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
#: seconds; an agent is not asked without a rest, nor left alone for ever
_SHORTEST, _LONGEST = 0.1, 3600.0


@dataclasses.dataclass(frozen=True)
class Opened:
    """A conversation that was begun."""

    #: a UUID
    id: str
    #: the node's own idea of its name
    hostname: str
    #: seconds that it lives without being renewed
    lease: float


def opened(data: Any) -> Opened:
    """Return a conversation of which an agent says that it has begun.

    Its id becomes part of an address, and its lease a wait.

    :param data: JSON
    :raises Broken: garbled
    """
    found = answers.decoded(Opened, data)
    if not _ID.fullmatch(found.id):
        raise failures.Broken('agent-garbled', f'{found.id!r} is no id')
    if not _SHORTEST <= found.lease <= _LONGEST:
        raise failures.Broken('agent-garbled', f'a lease of {found.lease} s')
    return found


class Steps:
    """One agent that is asked, and what can be said to it.

    :param adapter: leads to the agent: an endpoint, and credentials
    :param direct: ask for its own node only, as agents do among themselves
    """

    def __init__(
        self, adapter: ksa_adapter.Adapter, *, direct: bool = False
    ) -> None:
        self.adapter = web.bounded(adapter)
        self._direct = direct

    # -- what they share ---------------------------------------------------

    def on(
        self,
        host: str,
        method: str,
        path: str,
        until: base.Deadline,
        stop: threading.Event | None,
    ) -> asking.Call:
        """Return a call for one host."""
        return asking.Call(
            self.adapter,
            method,
            f'/v1/hosts/{parse.quote(host, safe="")}{path}',
            until,
            stop,
            query={'direct': 'true'} if self._direct else {},
        )

    def _send(
        self,
        host: str,
        method: str,
        path: str,
        until: base.Deadline,
        stop: threading.Event | None = None,
    ) -> None:
        with self.told(host, lost=True):
            self.on(host, method, path, until, stop).send()

    @contextlib.contextmanager
    def told(self, host: str, lost: bool = False) -> Iterator[None]:
        """Turn what breaks into Trouble.

        :param lost: what is not found is the conversation
        """
        try:
            yield
        except failures.Broken as broken:
            kind = broken.kind
            if lost and kind == 'agent-not-found':
                kind = 'agent-lost'
            failure = self.failure(host, kind, broken.detail)
            raise base.Trouble(failure, broken.refusal) from None

    def failure(self, host: str, kind: str, detail: str) -> view.Failure:
        """Return what went wrong with a host, in sentences."""
        try:
            url = asking.endpoint(self.adapter)
        except failures.Broken:
            url = ''
        return faults.describe(kind, host, url, detail)

    # -- conversations, step by step ---------------------------------------
    # All raise Trouble; one that is not known, or over, is ``agent-lost``.

    def open(
        self,
        host: str,
        deadline: base.Deadline,
        stop: threading.Event | None = None,
    ) -> Opened:
        """Begin a conversation with the node program on a host."""
        with self.told(host):
            call = self.on(host, 'POST', '/conversations', deadline, stop)
            data = dataclasses.replace(call, body={}).read(_SMALL)
            return opened(data)

    def request(
        self,
        host: str,
        id: str,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        stop: threading.Event | None = None,
        also: Callable[[], None] = lambda: None,
    ) -> Generator[dict[str, Any] | None]:
        """Yield the replies to a request, and None as sign of life.

        The last reply has ``end``. Closing the iterator early ends the
        conversation.

        :param until: bound for the whole answer
        :param also: asked several times a second while it waits; may raise
        :raises Trouble: with the node program's own refusals as ``refusal``
        """
        with self.told(host, lost=True):
            call = self.on(
                host, 'POST', f'/conversations/{id}/requests', until, stop
            )
            body = {
                'op': op,
                'fields': dict(fields),
                'timeout': max(until.left(), 0.1),
            }
            lines = dataclasses.replace(call, body=body, also=also).lines(
                channel.LINE_LIMIT, channel.ANSWER_LIMIT
            )
            for line in answers.up_to(lines, answers.last, lines):
                if line is not None and 'error' in line:
                    raise answers.node_error(line['error'])
                yield line

    def stop(self, host: str, id: str, deadline: base.Deadline) -> None:
        """End an operation that waits, with its end as reply."""
        self._send(host, 'POST', f'/conversations/{id}/stop', deadline)

    def renew(
        self,
        host: str,
        id: str,
        deadline: base.Deadline,
        stop: threading.Event | None = None,
    ) -> None:
        """Keep a conversation for another lease."""
        self._send(host, 'PUT', f'/conversations/{id}/lease', deadline, stop)

    def close(self, host: str, id: str, deadline: base.Deadline) -> None:
        """End a conversation; what it has begun is undone."""
        self._send(host, 'DELETE', f'/conversations/{id}', deadline)

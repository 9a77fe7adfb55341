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

"""All nodes as one backend: this one itself, others by their agents."""

import collections
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import threading
from typing import Protocol

from oslo_context import context

from osc_ha_router import config
from osc_ha_router.agent import peers as others
from osc_ha_router.agent import trouble
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import fanout
from osc_ha_router.backends import faults
from osc_ha_router.model import view

#: what is said by whoever was given no more time than a node may take
_NO_TIME = ('deadline', 'agent-deadline')


class Here(Protocol):
    """This node: ``local.Local``."""

    #: as Neutron knows it
    host: str

    def look(
        self,
        request: base.Request,
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> view.HostView:
        """Return what it shows; what goes wrong is in its ``failure``."""


class Nodes(base.Backend):
    """Looks at nodes on behalf of the caller whose thread makes it.

    :param here: this node
    :param peers: leads to the others
    :param probe_timeout: bound for one node, without listening, in seconds
    :param concurrency: how many are asked at the same time
    """

    def __init__(
        self,
        here: Here,
        peers: others.Peers,
        concurrency: int,
        probe_timeout: float,
    ) -> None:
        super().__init__(
            config.Settings(
                probe_timeout=probe_timeout, concurrency=concurrency
            )
        )
        self._here = here
        self._peers = peers
        self._who = context.get_current()

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        """Look at several nodes at once, as ``base.Backend`` describes."""
        # who asks for the same twice gets it twice from one look
        wanted = collections.Counter(requests)

        def look(
            request: base.Request, stop: threading.Event
        ) -> tuple[base.Request, view.HostView]:
            if self._who is not None:
                # for the lines of the log, in this thread as well
                self._who.update_store()
            return request, self._look(request, deadline, stop)

        looks = fanout.run(look, wanted, self.settings.concurrency)
        with contextlib.closing(looks):
            for request, shown in looks:
                for _ in range(wanted[request]):
                    yield shown

    def _look(
        self,
        request: base.Request,
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> view.HostView:
        bound = self.settings.probe_timeout + request.listen
        left = deadline.left()
        if request.host == self._here.host:
            until = base.Deadline.after(min(bound, left))
            shown = self._here.look(request, until, stop)
        else:
            shown = self._ask(request, deadline, stop)
        if (
            shown.failure is not None
            and shown.failure.kind in _NO_TIME
            and bound < left
        ):
            # it was the time of this node that was up, not that of all
            return dataclasses.replace(shown, failure=self._slow(request.host))
        return shown

    def _ask(
        self,
        request: base.Request,
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> view.HostView:
        try:
            agent = self._peers.remote(request.host, self._who)
        except failures.Broken as broken:
            failure = faults.describe(
                broken.kind, request.host, '', broken.detail
            )
            return view.HostView(request.host, failure)
        return agent.look(request, deadline, self.settings.probe_timeout, stop)

    def _slow(self, host: str) -> view.Failure:
        if host == self._here.host:
            return trouble.describe('timeout', host)
        return faults.describe('agent-timeout', host, self._peers.url(host))

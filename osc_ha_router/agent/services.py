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

"""What the API is made of: the parts that do the work, behind interfaces.

The application knows no more of them than this, so that tests can put
others in their place.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from typing import Any
from typing import Protocol

from oslo_context import context

from osc_ha_router.agent import checking
from osc_ha_router.backends import base
from osc_ha_router.model import report


class Opened(Protocol):
    """A conversation that was begun."""

    @property
    def id(self) -> str:
        """Return its id, a UUID."""

    @property
    def hostname(self) -> str:
        """Return the node's own idea of its name."""

    @property
    def lease(self) -> float:
        """Return how many seconds it lives without being renewed."""


class Conversations(Protocol):
    """Conversations with the node program of this host.

    An id of another owner is as unknown as one that never was.
    """

    def open(self, owner: str) -> Opened:
        """Begin one."""

    def request(
        self,
        id: str,
        owner: str,
        op: str,
        fields: Mapping[str, Any],
        timeout: float,
    ) -> Iterator[dict[str, Any] | None]:
        """Yield the replies to a request, and None as sign of life.

        Closing the iterator early ends the conversation.
        """

    def stop(self, id: str, owner: str) -> None:
        """End an operation that waits, with its end as reply."""

    def renew(self, id: str, owner: str) -> None:
        """Keep it for another lease."""

    def close(self, id: str, owner: str) -> None:
        """End it; what it has begun is undone."""


class Relay(Protocol):
    """The same on other hosts, by way of their agents."""

    def conversations(
        self, host: str, who: context.RequestContext
    ) -> Conversations:
        """Return those of a host.

        :param who: the caller, whose request id is sent along
        """


class Checker(Protocol):
    """Makes reports for callers who may have them."""

    def check(
        self, who: context.RequestContext, asked: checking.Asked
    ) -> tuple[report.Report, ...]:
        """Return finished reports.

        :param who: the caller, who gets what the policy allows
        :raises Forbidden, RouterNotFound, NotSupported, Unavailable, Busy:
            see ``checking``
        """


@dataclasses.dataclass(frozen=True)
class Services:
    """All that the API needs."""

    #: this host, as Neutron knows it
    host: str
    #: whether a host is one of the nodes; of others nothing is asked
    knows: Callable[[str], bool]
    conversations: Conversations
    #: this host and all others, each within the given seconds
    nodes: Callable[[float], base.Backend]
    relay: Relay
    checker: Checker
    #: whether the privileged child answers
    alive: Callable[[], bool]
    #: the page for Prometheus
    metrics: Callable[[], bytes]
    #: what a client of it has to present; empty: there is no page
    credentials: bytes = b''

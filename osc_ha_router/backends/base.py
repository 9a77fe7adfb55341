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

"""The interface of a backend: look at hosts, say what each one shows."""

import abc
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import threading
import time
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router import config
from osc_ha_router.model import view

if TYPE_CHECKING:
    # costs time, and only some backends need it
    from openstack import connection


@dataclasses.dataclass(frozen=True)
class Request:
    """What to look at on one host."""

    #: as Neutron knows it
    host: str
    #: router ids; None: every router of which the host has a namespace
    routers: tuple[str, ...] | None
    #: listen for VRRP advertisements this many seconds first; 0: do not
    listen: float = 0.0


@dataclasses.dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock by which everything must be done."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> 'Deadline':
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Return how many seconds are left, never below zero."""
        return max(0.0, self.at - time.monotonic())


class Trouble(Exception):
    """A conversation that cannot be begun, or cannot go on.

    After one of the node program's own refusals it can go on.
    """

    def __init__(self, failure: view.Failure, refusal: str | None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        #: what the node program refused, by the kinds of its errors:
        #: ``locked``, ``changed``, ...; None: the conversation is broken
        self.refusal = refusal


class Conversation(abc.ABC):
    """An open line to the node program on one host.

    What it has begun to change there is undone when the line ends, however
    it ends. Not for use by several threads at the same time.
    """

    #: as Neutron knows it
    host: str

    @abc.abstractmethod
    def call(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Send a request and yield its replies; the last one has ``end``.

        :param op: the operation
        :param fields: what else is in the request
        :param until: bound for the whole answer
        :param enough: asked again and again; true ends an operation that
            waits for something, with its end as reply
        :raises Trouble: with the reason
        """


def no_cloud() -> 'connection.Connection':
    """Stand for a connection where there is none."""
    raise RuntimeError('there is no connection to a cloud')


class Backend(abc.ABC):
    """A way to look at the nodes, and to talk to them.

    :param settings: how to reach them
    :param connect: returns the SDK's connection to the cloud, signed on; a
        backend calls it only when it needs one
    """

    def __init__(
        self,
        settings: config.Settings,
        connect: Callable[[], 'connection.Connection'] = no_cloud,
    ) -> None:
        self.settings = settings
        self.connect = connect

    @abc.abstractmethod
    def probe(
        self, requests: Sequence[Request], deadline: Deadline
    ) -> Iterator[view.HostView]:
        """Look at several hosts at once.

        Yields exactly one view for each request, in the order in which they
        are ready. What goes wrong on a host is in its view's ``failure``;
        what was seen before it went wrong stays in the view. A host that
        has not answered at its time bound or at the deadline yields a
        failure. Closing the iterator early ends what is still under way.
        """

    def converse(
        self, host: str, deadline: Deadline, stop: threading.Event
    ) -> contextlib.AbstractContextManager[Conversation]:
        """Open a line to the node program on a host; it ends with the block.

        A backend that can only look does without it.

        :param host: as Neutron knows it
        :param deadline: bound for opening it
        :param stop: ends every wait with Trouble when it is set
        :raises Trouble: it cannot be opened, with the reason
        """
        raise Trouble(
            view.Failure(
                'read-only',
                f'{host} can be looked at, but nothing can be done there',
                'Choose another backend with --backend.',
            ),
            None,
        )

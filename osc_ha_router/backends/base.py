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
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import time

from osc_ha_router import config
from osc_ha_router.model import view


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


class Backend(abc.ABC):
    """A way to look at the nodes."""

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings

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

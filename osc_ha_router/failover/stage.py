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


"""The stage on which a method acts: the nodes, the clock, what happened."""

from collections.abc import Callable
import dataclasses
import threading
import time

from osc_ha_router.backends import base
from osc_ha_router.failover import nodes
from osc_ha_router.failover import plan as planning
from osc_ha_router.model import report


@dataclasses.dataclass
class Moments:
    """When what was seen, on the monotonic clock of this side.

    The clocks of the nodes are not compared: what counts is when their
    messages arrive, a few milliseconds later.
    """

    #: the first step that can move the role
    started: float | None = None
    #: the HA address had left the old node
    gone: float | None = None
    #: the HA address was on the new node
    active: float | None = None

    @property
    def takeover(self) -> float | None:
        """Return how long the move took, in seconds."""
        if self.started is None or self.active is None:
            return None
        return max(0.0, self.active - self.started)

    @property
    def gap(self) -> float | None:
        """Return for how long nobody had the address, in seconds."""
        if self.gone is None or self.active is None:
            return None
        return max(0.0, self.active - self.gone)


@dataclasses.dataclass
class Stage:
    """What a method works with, and what it leaves for the result."""

    plan: planning.Plan
    #: every node that hosts a replica, by host
    hosts: dict[str, nodes.Node]
    until: base.Deadline
    #: told the phase, and in a sentence what happens
    tell: Callable[[str, str], None]
    #: set when nobody needs to look after the new node any more
    settled: threading.Event
    #: set when all must end at once
    stop: threading.Event
    moments: Moments = dataclasses.field(default_factory=Moments)
    #: where the role has come to, the latest last: of two equals both may
    #: take it, and one gives it back at once
    arrivals: list[str] = dataclasses.field(default_factory=list)
    took: nodes.Takeover | None = None
    #: what became of the tracked connections on each node, in words
    carried: dict[str, str] = dataclasses.field(default_factory=dict)
    #: what a reader of the result should know
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def winner(self) -> str | None:
        """Return where the role has come to last, None for nowhere."""
        return self.arrivals[-1] if self.arrivals else None

    @property
    def source(self) -> nodes.Node:
        """Return the node that is active at the beginning."""
        return self.hosts[self.plan.source]

    def connections(self, host: str | None, after: report.Report) -> str:
        """Return what became of the connections where the role went.

        What was copied to a node that did not take over is of no use to it.

        :param host: where the role went, None if that is not known
        :param after: the look after the move
        """
        if host is not None and host in (self.winner, *after.active_hosts):
            return self.carried.get(host, '')
        return ''

    def note(self, sentence: str) -> None:
        """Keep a sentence for whoever reads the result, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def over(self) -> bool:
        """Whether nobody needs to look after the new node any more."""
        return self.settled.is_set() or self.stop.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, unless all must end."""
        self.stop.wait(max(0.0, min(seconds, self.until.left())))

    def start(self) -> None:
        """Note that from now on the role can move."""
        self.moments.started = time.monotonic()

    def has_gone(self) -> None:
        """Note that the old node has lost the HA address."""
        if self.moments.gone is None:
            self.moments.gone = time.monotonic()

    def is_active(self, host: str) -> None:
        """Note that a node has got the HA address."""
        if not self.arrivals:
            self.moments.active = time.monotonic()
        self.arrivals.append(host)
        self.tell('act', f'{host} is active')

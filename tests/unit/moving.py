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

"""Nodes that a router can be moved between, and what Neutron learns of it."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import threading
from typing import Any

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.failover import verify
from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit import fakes
from tests.unit import lines
from tests.unit.scene import Scene


class Nodes(fakes.Backend):
    """Nodes that a router can be moved between.

    What they show follows from what they are told, and Neutron's claims
    follow that. A fault of (host, operation) can be switched on.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__([scene])
        self.scene = scene
        self.before = scene
        self.faults: dict[tuple[str, str], lines.Fault] = {}
        #: who has a lock, by host
        self.locks: dict[str, tuple[str, str]] = {}
        #: what is noted on a host: to whose agent the router is to be given
        self.owed: dict[str, str] = {}
        #: every request: host, operation, fields
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        #: who wins if nobody has a higher priority
        self.heir = scene.standbys[0]
        #: whether whoever is to take over does so
        self.willing = True
        #: hosts that cannot be looked at
        self.dark: set[str] = set()
        #: hosts whose keepalived.conf stays as it was made
        self.stuck: set[str] = set()
        #: whether Neutron learns of the move
        self.learns = True
        #: whether it learns when an agent is told by somebody else
        self.heeds = False
        #: whether the L3 agent starts keepalived again
        self.respawns = True
        self.ports: list[dict[str, Any]] = []
        #: whether there is an Open vSwitch to be watched
        self.guarded = True
        self.neighbours: list[dict[str, Any]] = []
        self.connections: list[dict[str, Any]] | None = []
        #: told who is active now
        self.moved: Callable[[str], object] = lambda host: None
        self.mutex = threading.RLock()

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        with self.mutex:
            scene = self.scene
            for host, agent in self.owed.items():
                errand = view.Errand('me', 'now', 'left', 'cut off', agent)
                scene = scene.with_view(host, errand=errand)
            for host in self.dark:
                scene = scene.with_unreachable(host)
            self._looks = [[scene]]
            yield from super().probe(requests, deadline)

    @contextlib.contextmanager
    def converse(
        self, host: str, deadline: base.Deadline, stop: threading.Event
    ) -> Iterator[base.Conversation]:
        line = lines.Line(self, host, stop)
        line.meet(self.faults.get((host, 'open'), lines.Fault()), deadline)
        self.opened.append(host)
        try:
            yield line
        finally:
            line.undo()
            self.closed.append(host)

    # -- for tests ---------------------------------------------------------

    def fault(self, host: str, op: str, **how: Any) -> None:
        self.faults[host, op] = lines.Fault(**how)

    def ops(self, host: str | None = None) -> list[str]:
        """Return what was asked, on a host or everywhere."""
        return [op for at, op, _ in self.asked if host in (None, at)]

    def fields(self, host: str, op: str) -> list[dict[str, Any]]:
        return [f for at, what, f in self.asked if (at, what) == (host, op)]

    # -- what happens ------------------------------------------------------

    @property
    def active(self) -> str:
        """Who holds the HA address, empty for nobody."""
        held = [
            name
            for name in self.scene.names
            if self.holds(name, self.before.vip)
        ]
        return held[0] if held else ''

    def holds(self, host: str, address: str) -> bool:
        shown = self.scene.shown(host)
        return address in [a.address for a in shown.addresses or ()]

    def edit(self, change: Callable[[Scene], Scene]) -> None:
        with self.mutex:
            self.scene = change(self.scene)

    def resign(self, host: str) -> None:
        """keepalived ends."""
        self.edit(
            lambda s: (
                s.without_role(host)
                if self.respawns
                else s.without_role(host).without_keepalived(host)
            )
        )

    def tell(self, host: str) -> None:
        """The agent there is told what its node is."""
        if self.heeds:
            self.edit(lambda s: claimed(s, self.active))

    def move(self, host: str) -> None:
        """The role goes there."""
        with self.mutex:
            if self.active == host:
                return
            if self.active:
                self.edit(lambda s: s.without_role(self.active))
            scene = self.before.without_role(self.before.reported)
            role = scene.with_role(host).shown(host)
            self.edit(
                lambda s: s.with_view(
                    host,
                    addresses=role.addresses,
                    processes=role.processes,
                    routes=self.before.shown(self.before.reported).routes,
                    ipv6_forwarding=role.ipv6_forwarding,
                    state_file=role.state_file,
                )
            )
            for name in self.before.names:
                # what was heard before tells nothing any more
                self.edit(lambda s, at=name: s.with_view(at, listening=None))
            if self.learns:
                self.edit(lambda s: claimed(s, host))
            self.moved(host)


def claimed(scene: Scene, active: str) -> Scene:
    """Let Neutron say that the router is active there."""
    for host in scene.names:
        state = 'active' if host == active else 'standby'
        scene = scene.with_agent(host, ha_state=state)
    for port in scene.router.ports or ():
        if port.owner in verify.FOLLOWING:
            scene = scene.with_port(port.id, host=active)
    return scene


class Living(fakes.Source):
    """Neutron, which says what the nodes have let it know."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__([nodes.scene])
        self.nodes = nodes
        #: raised instead of an answer
        self.trouble: errors.Error | None = None

    def _next(self) -> list[claim.Router]:
        if self.trouble:
            raise self.trouble
        return [self.nodes.scene.router]

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

"""Nodes and a Neutron that can be mended, and a repair that is quick."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import dataclasses
import threading
from typing import Any

import fixtures
import testtools

from osc_ha_router import errors
from osc_ha_router.backends import base as backends
from osc_ha_router.model import claim
from osc_ha_router.model import view
from osc_ha_router.repair import course
from osc_ha_router.repair import deeds
from osc_ha_router.repair import ground
from osc_ha_router.repair import plan
from osc_ha_router.repair import result
from osc_ha_router.repair import run
from osc_ha_router.repair import stage
from tests.unit import lines
from tests.unit import moving
from tests.unit.repair import mender
from tests.unit.scene import Scene

_TIMES: dict[Any, dict[str, float]] = {
    course: {'_SETTLE': 0.3, '_PATIENCE': 0.1, '_CALM': 0.02},
    run: {'_LOOK': 0.02, '_NEEDED': 0.5},
    deeds: {'ANNOUNCE': 0.02, 'GUARD': 0.05},
    ground: {'GLANCE': 0.05},
    stage: {'SPARE': 0.5},
}


def quick(case: testtools.TestCase) -> None:
    """Let the client wait for shorter times."""
    for module, times in _TIMES.items():
        for name, seconds in times.items():
            case.useFixture(fixtures.MockPatchObject(module, name, seconds))


class Nodes(moving.Nodes):
    """Nodes of a router that is broken.

    :param well: how it was before
    """

    def __init__(self, scene: Scene, well: Scene) -> None:
        super().__init__(well)
        self.well = well
        self.scene = scene
        #: what an agent answers instead of doing what it is told
        self.told: dict[str, dict[str, Any]] = {}
        #: where the namespace has gone
        self.gone: set[str] = set()

    @contextlib.contextmanager
    def converse(
        self, host: str, deadline: backends.Deadline, stop: threading.Event
    ) -> Iterator[backends.Conversation]:
        line = mender.Line(self, host, stop)
        line.meet(self.faults.get((host, 'open'), lines.Fault()), deadline)
        self.opened.append(host)
        try:
            yield line
        finally:
            line.undo()
            self.closed.append(host)

    def view(self, host: str) -> view.NodeView | None:
        """Return what a host has of the router."""
        (shown,) = (h for h in self.scene.hosts if h.host == host)
        return shown.views[0] if shown.views else None

    def remove(self, host: str) -> None:
        """The host has nothing of the router any more."""
        self.gone.add(host)
        self.edit(lambda s: s.without_namespace(host))


class Neutron(moving.Living):
    """Neutron, and what its agents do when it tells them something.

    :param alive: hosts whose agent sends heartbeats, None: all
    """

    def __init__(self, nodes: Nodes) -> None:
        super().__init__(nodes)
        self.alive: tuple[str, ...] | None = None
        #: what was asked for
        self.done: list[tuple[str, ...]] = []
        #: raised when it is asked for anything
        self.refuses: errors.CloudError | None = None
        #: whether its agents do anything
        self.deaf = False
        #: done when it has been asked to take a router off an agent
        self.taken: Callable[[], object] = lambda: None

    def claims(self, names, *, project=None, host=None) -> claim.Claims:
        found = super().claims(names, project=project, host=host)
        return dataclasses.replace(
            found, alive=found.hosts if self.alive is None else self.alive
        )

    def _note(self, *words: str) -> None:
        self.done.append(words)
        if self.refuses:
            raise self.refuses

    def provoke(self, router_id: str) -> None:
        self._note('provoke', router_id)
        if self.deaf:
            return
        well = self.nodes.well
        for agent in self.nodes.scene.router.agents or ():
            if not agent.alive or agent.host in self.nodes.gone:
                continue
            shown = well.shown(agent.host)
            there = self.nodes.view(agent.host)
            if there is None:
                continue
            if there.keepalived_conf is None:
                self.nodes.edit(
                    lambda s, a=agent, c=shown.keepalived_conf: s.with_view(
                        a.host, keepalived_conf=c, problems=()
                    )
                )
                continue
            if any(p.role == 'keepalived' for p in there.processes or ()):
                continue
            started = tuple(
                p
                for p in shown.processes or ()
                if p.role.startswith('keepalived')
            )
            self.nodes.edit(
                lambda s, a=agent, t=there, x=started: s.with_view(
                    a.host, processes=(*(t.processes or ()), *x)
                )
            )

    def rebind(self, port_ids: Iterable[str], host: str) -> None:
        self._note('rebind', host, *port_ids)
        for port_id in port_ids:
            self.nodes.edit(lambda s, p=port_id: s.with_port(p, host=host))

    def hosts(self, router_id: str, host: str) -> bool:
        if self.trouble:
            raise self.trouble
        agents = self.nodes.scene.router.agents or ()
        return host in [agent.host for agent in agents]

    def reseat(self, router_id: str, host: str) -> None:
        self._note('reseat', router_id, host)
        self.taken()
        self._build(host)

    def give(self, router_id: str, host: str) -> None:
        self._note('give', router_id, host)
        well = self.nodes.well.router
        self.nodes.edit(
            lambda s: s.with_router(agents=well.agents, ports=well.ports)
        )
        self._build(host)

    def _build(self, host: str) -> None:
        """Its agent builds the router anew."""
        fresh = self.nodes.well.shown(host)
        self.nodes.edit(
            lambda s: s.with_host(host, views=(fresh,), residents=())
        )

    def expel(self, router_id: str, host: str) -> None:
        self._note('expel', router_id, host)
        self.nodes.remove(host)


class MendTest(testtools.TestCase):
    """A healthy router on three nodes, to be broken and mended."""

    def setUp(self):
        super().setUp()
        self.well = Scene.of('healthy')
        self.active = self.well.reported
        self.standby, self.other = self.well.standbys
        self.told: list[tuple[str, str]] = []
        quick(self)

    def broken(self, scene: Scene) -> None:
        """Have the router broken like this."""
        self.nodes = Nodes(scene, self.well)
        self.neutron = Neutron(self.nodes)

    def repair(self) -> run.Repair:
        return run.Repair(
            self.neutron,
            self.nodes,
            lambda: self.neutron,
            tell=lambda phase, words: self.told.append((phase, words)),
        )

    def look(self, **wish: Any) -> plan.Plan:
        return self.repair().plan(
            self.well.router.name,
            plan.Wish(**wish),
            backends.Deadline.after(30),
            0.0,
        )

    def mend(
        self,
        scene: Scene | None = None,
        seconds: float = 5,
        planned: plan.Plan | None = None,
        **wish: Any,
    ) -> result.Result:
        """Mend it, and see that nobody holds a lock afterwards."""
        if scene is not None:
            self.broken(scene)
        repair = self.repair()
        made = planned or repair.plan(
            self.well.router.name,
            plan.Wish(**wish),
            backends.Deadline.after(30),
            0.0,
        )
        before = dict(self.nodes.locks)
        try:
            return repair.carry_out(
                made, backends.Deadline.after(seconds), by='somebody'
            )
        finally:
            self.assertEqual(before, self.nodes.locks)
            self.assertEqual(
                sorted(self.nodes.opened), sorted(self.nodes.closed)
            )

    def assert_outcome(
        self, name: str, code: int, mended: result.Result, *words: str
    ) -> None:
        self.assertEqual(
            (name, code),
            (mended.outcome.name, mended.outcome.exit_code),
            (mended.notes, mended.report.findings, mended.steps),
        )
        notes = '\n'.join(mended.notes)
        for word in words:
            self.assertIn(word, notes)

    def steps(self, mended: result.Result) -> list[tuple[str, str | None]]:
        return [(s.action.op.value, s.action.host) for s in mended.steps]


class FailTest(MendTest):
    """Nothing is said to be unchanged of which that is not known."""

    def failed(self, mended: result.Result, *words: str) -> result.Step:
        """Return the one step that failed, after which others are well."""
        (step,) = [step for step in mended.steps if step.failed]
        for word in words:
            self.assertIn(word, step.words)
        return step

    def assert_incomplete(self, mended: result.Result, *words: str) -> None:
        self.assert_outcome('INCOMPLETE', 4, mended)
        self.assertTrue(self.failed(mended, *words).changed)

    def assert_unchanged(self, mended: result.Result, *words: str) -> None:
        self.assert_outcome('FAILED', 1, mended)
        self.assertFalse(self.failed(mended, *words).changed)

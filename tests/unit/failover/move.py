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

"""What the tests of a move share: nodes that can be moved between."""

from typing import Any
from unittest import mock

import fixtures
import testtools

from osc_ha_router.backends import base as backends
from osc_ha_router.failover import lookout
from osc_ha_router.failover import plan as planning
from osc_ha_router.failover import prepare
from osc_ha_router.failover import promote
from osc_ha_router.failover import result
from osc_ha_router.failover import run
from osc_ha_router.failover import stage
from tests.unit import moving
from tests.unit.failover import base
from tests.unit.scene import Scene

#: seconds, so that a move is over soon
ADVERT = 0.05
METHODS = ('promote', 'handover', 'release')


_TIMES: dict[Any, dict[str, float]] = {
    run: {'_POLL': 0.02, '_WIRED': 0.02, '_LOOK': 0.05, '_SPARE': 0.5},
    lookout: {'_BEFORE': 0.02, '_LAST': 0.2},
    prepare: {'RELOAD': 0.02, 'SETTLE': 0.05},
    promote: {'_PATIENCE': 0.5},
}


def quick(case: testtools.TestCase) -> None:
    """Let the client wait for shorter times."""
    for module, times in _TIMES.items():
        for name, seconds in times.items():
            case.useFixture(fixtures.MockPatchObject(module, name, seconds))


class MoveTest(testtools.TestCase):
    """A healthy router on three nodes, to be moved."""

    def setUp(self):
        super().setUp()
        scene = Scene.of('healthy')
        for host in scene.names:
            scene = scene.with_conf(host, advert_int=ADVERT)
        self.active = scene.reported
        self.target, self.other = scene.standbys
        self.well = base.listened(scene, self.active)
        self.renew()
        #: locks that somebody else has
        self.foreign: dict[str, tuple[str, str]] = {}
        quick(self)

    def renew(self) -> None:
        """Have everything as it was at first."""
        self.nodes = moving.Nodes(self.well)
        self.neutron = moving.Living(self.nodes)
        self.told: list[tuple[str, str]] = []

    def failover(self) -> run.Failover:
        return run.Failover(
            self.neutron,
            self.nodes,
            tell=lambda phase, words: self.told.append((phase, words)),
        )

    def plan(self, method: str = 'promote', **wish: Any) -> planning.Plan:
        if method != 'release':
            wish.setdefault('to', self.target)
        return self.failover().plan(
            self.well.router.name,
            planning.Wish(method=method, **wish),
            backends.Deadline.after(30),
        )

    def move(
        self, method: str = 'promote', seconds: float = 30, wait: bool = True
    ) -> result.Result:
        """Move it, and see that nothing stays behind."""
        return self.carry_out(self.plan(method), seconds, wait)

    def carry_out(
        self, plan: planning.Plan, seconds: float = 30, wait: bool = True
    ) -> result.Result:
        try:
            return self.failover().carry_out(
                plan,
                backends.Deadline.after(seconds),
                by='somebody',
                wait=wait,
            )
        finally:
            self.assertEqual(self.foreign, self.nodes.locks)
            self.assertEqual(
                sorted(self.nodes.opened), sorted(self.nodes.closed)
            )

    def begun(self, method: str = 'promote', seconds: float = 30) -> Any:
        """Return a stage with everybody's lock taken."""
        plan = self.plan(method)
        made = stage.Stage(
            plan=plan,
            hosts={},
            until=backends.Deadline.after(seconds),
            tell=lambda phase, words: self.told.append((phase, words)),
            settled=mock.Mock(is_set=lambda: True),
            stop=run.threading.Event(),
        )
        for host in plan.hosts:
            node = self.enter(made, host)
            made.hosts[host] = node
            node.begin('somebody', made.until)
        return made

    def enter(self, made: stage.Stage, host: str) -> Any:
        """Open a line, which is closed after the test."""
        manager = self.nodes.converse(host, made.until, made.stop)
        line = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return run.nodes.Node(line, made.plan.router.id)

    def notes(self, moved: result.Result) -> str:
        return '\n'.join(moved.notes)

    def assert_outcome(
        self, name: str, code: int, moved: result.Result, *words: str
    ) -> None:
        self.assertEqual(
            (name, code),
            (moved.outcome.name, moved.outcome.exit_code),
            moved.notes,
        )
        for word in words:
            self.assertIn(word, self.notes(moved))

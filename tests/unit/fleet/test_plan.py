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

"""Which routers move off a node or between nodes, and which cannot."""

import dataclasses
import uuid

import testtools

from osc_ha_router.diagnosis import verdict
from osc_ha_router.fleet import plan
from osc_ha_router.model import report
from tests.unit.failover import base
from tests.unit.scene import Scene


def numbered(found: report.Report, number: int) -> report.Report:
    """Return the same verdict of another router."""
    router = dataclasses.replace(
        found.router, id=str(uuid.UUID(int=number)), name=f'router{number}'
    )
    return dataclasses.replace(found, router=router)


class PlanTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        healthy = Scene.of('healthy')
        self.active = healthy.reported
        self.standbys = healthy.standbys
        self.scene = base.listened(healthy, self.active)
        self.well = self.scene.judge()
        self.assertEqual('OK', self.well.health)

    def many(self, number: int) -> list[report.Report]:
        return [numbered(self.well, index) for index in range(number)]

    def test_evacuate(self):
        made = plan.evacuate(self.many(6), self.active, frozenset())
        self.assertEqual((), made.stuck)
        self.assertEqual(6, len(made.moves))
        self.assertEqual({self.active}, {m.source for m in made.moves})
        self.assertEqual(6, made.before[self.active])
        self.assertEqual(0, made.after[self.active])
        for host in self.standbys:
            self.assertEqual(3, made.after[host])

    def test_evacuate_counts_what_others_have(self):
        """A standby that has many already is spared."""
        there, other = self.standbys
        moved = base.listened(Scene.of('healthy'), self.active)
        busy = [
            dataclasses.replace(
                numbered(moved.judge(), 50 + index),
                replicas=tuple(
                    dataclasses.replace(
                        replica,
                        observed=report.Observed.ACTIVE
                        if replica.host == there
                        else report.Observed.STANDBY,
                    )
                    for replica in moved.judge().replicas
                ),
            )
            for index in range(4)
        ]
        made = plan.evacuate([*self.many(4), *busy], self.active, frozenset())
        self.assertEqual({other}, {m.target for m in made.moves})

    def test_evacuate_a_standby(self):
        made = plan.evacuate(self.many(3), self.standbys[0], frozenset())
        self.assertEqual(((), ()), (made.moves, made.stuck))

    def test_evacuate_nowhere_to_go(self):
        scene = self.scene
        for host in self.standbys:
            scene = scene.with_unreachable(host)
        found = scene.judge()
        made = plan.evacuate([found], self.active, frozenset())
        self.assertEqual((), made.moves)
        (stuck,) = made.stuck
        self.assertFalse(stuck.unknown)
        self.assertEqual(self.active, stuck.source)
        self.assertIn(self.standbys[0], stuck.reason)
        self.assertEqual(1, made.after[self.active])

    def test_evacuate_what_nobody_can_see(self):
        """A node that cannot be looked at is not empty, it is unknown."""
        found = self.scene.with_unreachable(self.active).judge()
        made = plan.evacuate([found], self.active, frozenset())
        self.assertEqual((), made.moves)
        (stuck,) = made.stuck
        self.assertTrue(stuck.unknown)

    def test_evacuate_a_stale_address(self):
        captured = Scene.of('incident')
        found = captured.judge()
        (stale,) = (
            r.host
            for r in found.replicas
            if r.observed == report.Observed.STALE
        )
        made = plan.evacuate([found], stale, frozenset())
        self.assertEqual((), made.moves)
        (stuck,) = made.stuck
        self.assertIn('stale', stuck.reason)
        self.assertFalse(stuck.unknown)

    def test_evacuate_one_standby_is_unfit(self):
        unfit, fit = self.standbys
        found = self.scene.with_agent(unfit, alive=False).judge('RHA203')
        made = plan.evacuate([found], self.active, frozenset(('RHA203',)))
        self.assertEqual([fit], [m.target for m in made.moves])

    def test_rebalance(self):
        made = plan.rebalance(self.many(12), frozenset())
        self.assertEqual({4}, set(made.after.values()))
        self.assertEqual(8, len(made.moves))
        self.assertEqual(12, made.before[self.active])

    def test_rebalance_even(self):
        made = plan.rebalance(self.many(1), frozenset())
        self.assertEqual(((), ()), (made.moves, made.stuck))

    def unseen(self, *ignore: str) -> report.Report:
        return self.scene.with_unreachable(self.standbys[0]).judge(*ignore)

    def test_what_nobody_can_see_is_not_zero(self):
        made = plan.rebalance([self.unseen()], frozenset())
        self.assertEqual(frozenset(self.standbys[:1]), made.unseen)
        self.assertTrue(made.blind)
        # unless somebody has said that it does not count
        made = plan.rebalance([self.unseen('RHA901')], frozenset())
        self.assertEqual(frozenset(self.standbys[:1]), made.unseen)
        self.assertFalse(made.blind)

    def test_evacuate_is_about_one_host(self):
        made = plan.evacuate([self.unseen()], self.active, frozenset())
        self.assertEqual(frozenset(self.standbys[:1]), made.unseen)
        self.assertFalse(made.blind)

    def test_rebalance_leaves_the_ill(self):
        """A router that cannot be moved counts where it is, and is no fault."""
        ill = verdict.judge(
            Scene.of('internal-device-down').router,
            Scene.of('internal-device-down').hosts,
            frozenset(),
        )
        made = plan.rebalance(
            [numbered(ill, 90 + index) for index in range(2)], frozenset()
        )
        self.assertEqual(((), ()), (made.moves, made.stuck))
        self.assertEqual(made.before, made.after)

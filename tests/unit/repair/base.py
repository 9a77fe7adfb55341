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

"""What the tests of remedies and plans share."""

from typing import Any

from osc_ha_router.diagnosis import verdict
from osc_ha_router.repair import action
from osc_ha_router.repair import plan
from tests.unit.diagnosis import base
from tests.unit.scene import Scene

Op = action.Op


def make(
    scene: Scene, tried: dict[action.Key, bool] | None = None, **wish: Any
) -> plan.Plan:
    """Plan as the command does, with the same codes ignored twice."""
    asked = plan.Wish(**wish)
    found = verdict.judge(scene.router, scene.hosts, asked.ignore)
    return plan.make(found, asked, tried)


class PlanTest(base.RuleTest):
    """A healthy router, to be broken."""

    def planned(self, scene: Scene, **more: Any) -> dict[action.Key, Any]:
        """Return the actions by their keys, each fit to be read."""
        made = make(scene, **more)
        found = {each.key: each for each in made.actions}
        self.assertEqual(len(found), len(made.actions))
        for each in made.actions:
            sentences = (each.what, each.waits_for, *each.risks)
            for sentence in sentences:
                self.assertNotIn('None', sentence)
                self.assertFalse(sentence.endswith('.'), sentence)
                self.assertEqual(' '.join(sentence.split()), sentence)
            self.assertTrue(each.codes)
        self._fit(made)
        return found

    def _fit(self, made: plan.Plan) -> None:
        for refusal in made.refusals:
            self.assertFalse(refusal.reason.endswith('.'), refusal.reason)
            self.assertTrue(refusal.steps)
            for sentence in (refusal.reason, *refusal.steps):
                self.assertNotIn('None', sentence)
                self.assertNotIn('<router>', sentence)

    def assert_planned(
        self, scene: Scene, *expected: tuple[Op, str | None], **more: Any
    ) -> dict[action.Key, Any]:
        """These actions in this order, and nothing is left to people."""
        made = make(scene, **more)
        self.assertEqual(list(expected), [each.key for each in made.actions])
        self.assertEqual((), made.refusals)
        return self.planned(scene, **more)

    def assert_left(
        self, scene: Scene, *codes: str, words: str = '', **more: Any
    ) -> plan.Plan:
        """Nothing is done, and for these codes it is said why."""
        made = make(scene, **more)
        self.assertEqual((), made.actions)
        self._fit(made)
        self.assertEqual(set(codes), {each.code for each in made.refusals})
        self.assertIn(words, ' '.join(each.reason for each in made.refusals))
        return made

    def later(self, scene: Scene, **more: Any) -> set[action.Key]:
        return {each.key for each in make(scene, **more).later}

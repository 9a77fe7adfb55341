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

"""What the tests of the plan share."""

from osc_ha_router import errors
from osc_ha_router.diagnosis import verdict
from osc_ha_router.failover import plan
from tests.unit.diagnosis import base
from tests.unit.scene import Scene


def make(scene: Scene, **wish) -> plan.Plan:
    """Plan as the command does, with the same codes ignored twice."""
    asked = plan.Wish(**wish)
    found = verdict.judge(scene.router, scene.hosts, asked.ignore)
    return plan.make(found, asked)


def listened(scene: Scene, active: str) -> Scene:
    """Every node has listened, and heard the active one."""
    for host in scene.names:
        if scene.shown(host).namespace is not None:
            scene = scene.hearing(host, active)
    return scene


class PlanTest(base.RuleTest):
    """A healthy router that was listened to, to be broken."""

    def setUp(self):
        super().setUp()
        self.well = listened(self.healthy, self.active)

    def refused(self, scene: Scene, **wish) -> str:
        """Return the words of a refusal, which must be fit to be read."""
        try:
            planned = make(scene, **wish)
        except errors.Refused as refusal:
            lines = str(refusal).split('\n')
            self.assertGreaterEqual(len(lines), 3)
            for line in lines:
                self.assertEqual(line.strip(), line)
                self.assertNotIn('None', line)
                self.assertNotEqual('', line)
            self.assertIn(scene.router.name, lines[0])
            self.assertTrue(lines[0].endswith('.'), lines[0])
            return str(refusal)
        self.fail(f'not refused: {planned}')

    def obstacles(self, scene: Scene, host: str | None = None) -> list[str]:
        """Return what is in the way of a standby, the other one being ready.

        It must also keep the plan from choosing it.
        """
        host = host or self.standby
        planned = make(
            scene, ignore=frozenset(f.code for f in scene.judge().findings)
        )
        met = {c.host: list(c.obstacles) for c in planned.candidates}
        self.assertEqual([], met[self.other])
        self.assertEqual(self.other, planned.target)
        self.assertIn(met[host][0], self.refused(scene, to=host))
        for sentence in met[host]:
            self.assertNotIn('None', sentence)
            self.assertFalse(sentence.endswith('.'), sentence)
        return met[host]

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

"""Plans for what really happened on the lab."""

import testtools

from osc_ha_router import capture
from osc_ha_router import errors
from osc_ha_router.failover import plan
from tests.unit import captures
from tests.unit.failover import base
from tests.unit.scene import Scene

NAMES = sorted(path.stem for path in captures.FOLDER.glob('*.json'))
#: scenario -> what its refusal says, once everybody has listened
HEALTHY = ('debian', 'dvr-compute', 'healthy')
REFUSED = {
    'agent-disabled': '--ignore RHA204',
    'debian-incident': 'RHA101',
    'dvr': '--ignore RHA311',
    'floating-ip-missing': '--ignore RHA502',
    'ha-network-cut': 'RHA104',
    'hidden-active': '--ignore RHA201',
    'incident': 'RHA101',
    'internal-device-down': '--ignore RHA404',
    'keepalived-dead-on-standby': '--ignore RHA301',
    'keepalived-hung': 'RHA101',
    'leftover-replica': '--ignore RHA602',
    'monitor-dead': '--ignore RHA305',
    'namespace-absent': 'RHA601',
    'no-active': 'RHA107',
    'sshd-stopped': '--ignore RHA901',
    'stale-vip-beside-backup': 'RHA103',
}


def heard(name: str) -> Scene:
    """Return a scenario in which everybody has heard the active node."""
    scene = Scene.of(name)
    active = scene.judge().active_hosts
    for host in scene.names if len(active) == 1 else ():
        (looked,) = (h for h in scene.hosts if h.host == host)
        if any(view.links for view in looked.views):
            scene = scene.hearing(host, active[0])
    return scene


class CapturesTest(testtools.TestCase):
    def test_all_are_here(self):
        self.assertEqual(set(NAMES), {*HEALTHY, *REFUSED})

    def test_healthy(self):
        for scene in map(heard, HEALTHY):
            for target in scene.standbys:
                planned = base.make(scene, to=target)
                self.assertEqual(
                    (scene.reported, target, 'promote', ()),
                    (
                        planned.source,
                        planned.target,
                        planned.method,
                        planned.warnings,
                    ),
                )

    def test_refused_as_they_are(self):
        """Nobody listened, or worse."""
        for name in NAMES:
            self.assertRaises(errors.Refused, base.make, Scene.of(name))

    def test_refused(self):
        for name, words in REFUSED.items():
            refusal = self.assertRaises(errors.Refused, base.make, heard(name))
            self.assertIn(words, str(refusal), name)

    def test_moved_all_the_same(self):
        """What is offered is enough, and nothing else is."""
        for name in REFUSED:
            scene = heard(name)
            codes = frozenset(f.code for f in scene.judge().findings)
            message = str(self.assertRaises(errors.Refused, base.make, scene))
            if '--ignore' not in message or 'cannot be ignored' in message:
                self.assertRaises(
                    errors.Refused, base.make, scene, ignore=codes
                )
                continue
            offered = frozenset(c for c in codes if f'--ignore {c}' in message)
            planned = base.make(scene, ignore=offered)
            self.assertEqual('promote', planned.method)
            met = {c.host: c.obstacles for c in planned.candidates}
            self.assertEqual((), met[planned.target])

    def test_done(self):
        """A single active node is all that it takes."""
        for name in NAMES:
            found = Scene.of(name).judge()
            holders = [r.host for r in found.replicas if r.vip]
            if len(holders) == 1 and found.active_hosts == holders:
                done = plan.make(found, plan.Wish(to=holders[0])).done
                self.assertIs(True, done, name)

    def test_examples(self):
        """Both are shipped because they are not well."""
        for name in capture.examples():
            captured = capture.load(f'example:{name}')
            for router in captured.claims.routers:
                self.assertRaises(
                    errors.Refused,
                    base.make,
                    Scene(router, captured.hosts),
                )

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

"""The look at all routers that a plan is made from."""

import testtools

from osc_ha_router.fleet import run
from tests.unit import fakes
from tests.unit.scene import Scene


class LookTest(testtools.TestCase):
    def listened(self, advert_int: float, timeout: float = 60.0):
        scene = Scene.of('healthy')
        for host in scene.names:
            scene = scene.with_conf(host, advert_int=advert_int)
        nodes = fakes.Backend([scene])
        fleet = run.Fleet(fakes.Source([scene]), nodes)
        (found,) = fleet.look(frozenset(), timeout)
        self.assertEqual(scene.router.id, found.router.id)
        return [requests[0].listen for requests in nodes.requests]

    def test_usual_interval(self):
        self.assertEqual([2.5], self.listened(2.0))

    def test_longer_interval(self):
        """Who has not been heard in less is not silent."""
        self.assertEqual([2.5, 5.5], self.listened(5.0))

    def test_no_longer_than_a_node_listens(self):
        self.assertEqual([2.5, 60.0], self.listened(100.0, 120.0))

    def test_no_time_for_it(self):
        self.assertEqual([2.5], self.listened(5.0, 4.0))

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


"""The old node resigns, and the new one has the highest priority.

An advertisement with priority 0 is keepalived's last word; whoever has the
highest priority then waits shortest. The old node's keepalived is gone until
Neutron's agent there starts it again.
"""

from osc_ha_router.failover import carry
from osc_ha_router.failover import lookout
from osc_ha_router.failover import prepare
from osc_ha_router.failover import promote
from osc_ha_router.failover import stage


def act(scene: stage.Stage) -> None:
    """Move the role to the target of the plan.

    :raises Trouble: a node cannot be reached any more, or refuses
    """
    target = prepare.target(scene)
    advert = scene.plan.advert_int
    prepare.source(scene)
    carry.transfer(scene, [target])
    target.promote(promote.PRIORITY, False, scene.until)
    # keepalived needs a moment to read its file
    scene.wait(prepare.RELOAD)
    with lookout.Lookout(
        scene,
        [target],
        timeout=4 * advert + 1,
        hold=advert + prepare.SETTLE,
        stay=prepare.STAY,
        resign=True,
    ) as watching:
        scene.took = watching.result()

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


"""The old node resigns; who takes over is left to VRRP.

Nothing is changed on any other node.
"""

from osc_ha_router.failover import carry
from osc_ha_router.failover import lookout
from osc_ha_router.failover import prepare
from osc_ha_router.failover import stage


def act(scene: stage.Stage) -> None:
    """Make the active node of the plan resign.

    :raises Trouble: a node cannot be reached any more, or refuses
    """
    ready = {c.host for c in scene.plan.candidates if not c.obstacles}
    others = [
        node for host, node in sorted(scene.hosts.items()) if host in ready
    ]
    advert = scene.plan.advert_int
    prepare.source(scene)
    carry.transfer(scene, others)
    with lookout.Lookout(
        scene,
        others,
        timeout=4 * advert + 1,
        hold=advert,
        stay=prepare.STAY,
        resign=True,
    ) as watching:
        scene.took = watching.result()

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


"""Make before break: the new node takes over while the old one still works.

The old node hears an advertisement with a higher priority than its own and
steps down at once; until then it has forwarded. Nobody's keepalived is
restarted.
"""

import time

from osc_ha_router.failover import carry
from osc_ha_router.failover import lookout
from osc_ha_router.failover import prepare
from osc_ha_router.failover import stage

#: the highest that VRRP leaves to other than the owner of the address
PRIORITY = 254
_PATIENCE = 4.0


def act(scene: stage.Stage) -> None:
    """Move the role to the target of the plan.

    :raises Trouble: a node cannot be reached any more, or refuses
    """
    target = prepare.target(scene)
    advert = scene.plan.advert_int
    # three missed advertisements and the skew time (RFC 5798, 6.1)
    delay = 3 * advert + (256 - PRIORITY) / 256
    prepare.source(scene)
    takes = carry.transfer(scene, [target])
    scene.start()
    target.promote(PRIORITY, True, scene.until)
    due = time.monotonic() + delay
    scene.tell('act', f'{target.host} takes over in {delay:.0f} s')
    carry.again(scene, [target], due - takes)
    with lookout.Lookout(
        scene,
        [target],
        timeout=delay + _PATIENCE,
        hold=advert + prepare.SETTLE,
        stay=prepare.STAY,
    ) as watching:
        scene.took = watching.result()

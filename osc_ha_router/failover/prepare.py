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


"""What all methods do before the role moves."""

from osc_ha_router.failover import nodes
from osc_ha_router.failover import stage

#: seconds that the new node is looked after at most: Neutron's agents wire
#: the ports anew when they have learned of the move
STAY = 20.0
#: seconds beyond an advertisement interval until keepalived.conf is put
#: back: the others must have heard the high priority once
SETTLE = 0.5
#: seconds that keepalived gets to read its file again
RELOAD = 0.3


def target(scene: stage.Stage) -> nodes.Node:
    """Return the node that is to take over."""
    assert scene.plan.target is not None  # noqa: S101
    return scene.hosts[scene.plan.target]


def source(scene: stage.Stage) -> None:
    """Keep the old node from claiming the addresses when it loses them.

    On losing an IPv6 address a node sends a multicast report from the
    router's own MAC, and switches believe it (Launchpad bug 1859832).
    """
    quiet = scene.source.quiet(scene.until)
    if not quiet.quiet:
        scene.note(
            f'{scene.source.host}: multicast reports could not be held off '
            f'({quiet.reason or "no reason given"}): switches may send to '
            'the old node for a moment'
        )

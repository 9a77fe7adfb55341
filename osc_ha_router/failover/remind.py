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

"""Telling L3 agents of a move what their own monitors have not told them.

The monitor of Neutron 29 tells its agent two things at the first change
after its own start, what it found then and what is now; the agent holds back
news of an active node, takes the two for a change and its revocation, and
acts on neither. Without this Neutron would never learn of such a move: IPv6
forwarding, radvd, the metadata proxy and the ports' bindings would all stay
where they were.
"""

from osc_ha_router.backends import base
from osc_ha_router.failover import stage
from osc_ha_router.failover import verify
from osc_ha_router.model import claim

#: seconds in which the node watches its switch afterwards: until Neutron's
#: agents, which look every two seconds, have wired the ports
_GUARD = 10.0
#: seconds without which it is not begun: what was begun is to end well
_NEEDED = 2.0


def remind(scene: stage.Stage, router: claim.Router) -> None:
    """Tell the agents that Neutron has not heard of it from.

    :param scene: with the role at its new node, and its lines still open
    :param router: as Neutron has it now
    """
    if scene.winner is None:
        return
    for host in verify.unheard(router, scene.winner):
        node = scene.hosts.get(host)
        if node is None or scene.until.left() < _NEEDED:
            continue
        scene.tell('wait', f'telling the L3 agent on {host}: Neutron is late')
        guard = min(_GUARD, scene.until.left() / 2)
        try:
            told = node.report(
                guard if host == scene.winner else 0.0,
                scene.until,
                scene.over,
            )
        except base.Trouble as trouble:
            scene.note(trouble.failure.sentences)
            continue
        if not told.answered:
            scene.note(f'the L3 agent on {host} does not answer')

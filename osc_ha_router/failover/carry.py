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


"""Taking a router's memory along: its neighbours and its connections.

The new node would otherwise lose its first packet to everybody, asking for
the address behind it, and would not know which connection was translated to
what: each would hang until it times out.
"""

import time

from osc_ha_router.backends import base
from osc_ha_router.failover import nodes
from osc_ha_router.failover import stage

#: seconds to spare between the last transfer and the takeover
_MARGIN = 1.0


def transfer(scene: stage.Stage, targets: list[nodes.Node]) -> float:
    """Copy neighbours and connections; say how long that took.

    What cannot be copied is noted and does not stop the move: the data
    plane works without, if worse.

    :raises Trouble: a node cannot be reached any more
    """
    began = time.monotonic()
    try:
        count, neighbours, connections = scene.source.export(scene.until)
        for target in targets:
            carried = target.absorb(neighbours, connections, scene.until)
            scene.connections = _words(count, carried)
    except base.Trouble as trouble:
        if trouble.refusal is None and trouble.failure.kind != 'node-error':
            raise
        scene.connections = f'not carried over: {trouble.failure.message}'
    return time.monotonic() - began


def again(scene: stage.Stage, targets: list[nodes.Node], due: float) -> None:
    """Copy once more shortly before the takeover, if there is time.

    :param due: when the takeover is expected, on the monotonic clock
    """
    left = due - time.monotonic() - _MARGIN
    if left > 0:
        scene.wait(left)
        transfer(scene, targets)


def _words(out: nodes.Carried, into: nodes.Carried) -> str:
    if out.connections is None:
        return f'not carried over: {out.reason or "they cannot be read"}'
    reason = into.reason or out.reason
    if not into.connections and out.connections:
        return f'not carried over: {reason or "the new node refuses them"}'
    words = f'{into.connections or 0} carried over'
    if into.refused:
        words += f', {into.refused} refused'
    return f'{words} ({reason})' if reason else words

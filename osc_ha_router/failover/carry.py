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
    except base.Trouble as trouble:
        for target in targets:
            _give_up(scene, target, trouble)
        return time.monotonic() - began
    for target in targets:
        try:
            into = target.absorb(neighbours, connections, scene.until)
        except base.Trouble as trouble:
            _give_up(scene, target, trouble)
        else:
            scene.carried[target.host] = _words(count, into)
    return time.monotonic() - began


def again(scene: stage.Stage, targets: list[nodes.Node], due: float) -> None:
    """Copy once more shortly before the takeover, if there is time.

    :param due: when to begin at the latest, on the monotonic clock
    """
    left = due - time.monotonic() - _MARGIN
    if left > 0:
        scene.wait(left)
        transfer(scene, targets)


def _give_up(
    scene: stage.Stage, target: nodes.Node, trouble: base.Trouble
) -> None:
    """Go on without, if it was the node program that could not do it.

    :raises Trouble: the node cannot be reached any more
    """
    if trouble.refusal is None and trouble.failure.kind != 'node-error':
        raise trouble
    reason = trouble.failure.message
    before = scene.carried.get(target.host)
    scene.carried[target.host] = (
        # what was copied the first time is there
        f'{before}; not brought up to date: {reason}'
        if before
        else f'not carried over: {reason}'
    )


def _words(out: nodes.Carried, into: nodes.Carried) -> str:
    if out.connections is None:
        return f'not carried over: {out.reason or "they cannot be read"}'
    reason = into.reason or out.reason
    if not into.connections and out.connections:
        return f'not carried over: {reason or "the new node refuses them"}'
    words = f'{into.connections or 0} carried over'
    # neighbours are counted among those refused as well
    missing = max(0, out.connections - (into.connections or 0))
    refused = min(into.refused, missing)
    if refused:
        words += f', {refused} refused'
    return f'{words} ({reason})' if reason else words

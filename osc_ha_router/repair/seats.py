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

"""Taking a router off an L3 agent for a moment, or giving it to one.

Each is one piece for all signals but SIGKILL. Whoever comes after that finds
a note on another node, and gives the router back.
"""

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.repair import ground
from osc_ha_router.repair import nodes
from osc_ha_router.repair import whole


def reseat(on: ground.Ground, host: str) -> nodes.Done:
    """Have a router taken off an L3 agent and given back.

    :raises Halfway: it may be off
    :raises CloudError: it was not taken off
    """
    with whole.whole(lambda: _heard(on)):
        witness = _note(on, host)
        settled = False
        try:
            on.changes().reseat(on.plan.router.id, host)
            settled = True
        except errors.Halfway:
            raise
        except errors.CloudError:
            # it was not taken off
            settled = True
            raise
        finally:
            if settled and witness is not None:
                _forget(on, witness)
    return nodes.Done(True, 'taken off and given back')


def give(on: ground.Ground, host: str, noted: str) -> nodes.Done:
    """Give a router back, and have a node forget that it is owed.

    :param noted: the host with the note
    :raises CloudError: it was not given
    """
    witness = on.node(noted)
    on.changes().give(on.plan.router.id, host)
    _forget(on, witness)
    return nodes.Done(True, 'the L3 agent has the router')


def expel(on: ground.Ground, host: str) -> None:
    """Have an L3 agent remove what is not its own any more.

    A router that stays with it for good does no harm: there is no note.

    :raises Halfway: the agent may have it yet
    :raises CloudError: it was not told
    """
    with whole.whole(lambda: _heard(on)):
        on.changes().expel(on.plan.router.id, host)


def _note(on: ground.Ground, host: str) -> nodes.Node | None:
    """Have a node note to whose agent a router is to be given back.

    :return: None: there is none that can
    :raises CloudError: it cannot be noted
    """
    serving = on.plan.serving
    others = [
        node
        for name, node in on.hosts.items()
        if name not in (host, *on.broken)
        and node.found is not None
        and node.found.namespace is not None
    ]
    for node in sorted(others, key=lambda n: (n.host != serving, n.host)):
        try:
            node.owe(host, on.until)
        except base.Trouble as trouble:
            on.heed(node.host, trouble)
            if ground.of_old(trouble):
                # a program that is older than such notes
                continue
            raise ground.not_begun(trouble) from None
        return node
    return None


def _forget(on: ground.Ground, witness: nodes.Node) -> None:
    """Have a node forget such a note; it does no harm if it stays."""
    try:
        witness.owe(None, base.Deadline.after(ground.GLANCE))
    except base.Trouble as trouble:
        on.heed(witness.host, trouble)
        on.notes.append(trouble.failure.sentences)


def _heard(on: ground.Ground) -> None:
    on.tell(
        'interrupt',
        'heard; what was begun in Neutron is brought to its end first',
    )

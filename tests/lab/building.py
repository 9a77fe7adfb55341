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

"""Building the lab from nothing, and leaving nothing of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import json
import shutil
from typing import TYPE_CHECKING

from tests.lab import cloud
from tests.lab import mending
from tests.lab import processes
from tests.lab import server
from tests.lab import serving
from tests.lab import spaces
from tests.lab import ssh
from tests.lab.daemons import end
from tests.lab.errors import LabError
from tests.lab.layout import EDITION
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.nodes import Node
from tests.lab.progress import say
from tests.lab.progress import until

if TYPE_CHECKING:
    from tests.lab.lab import Lab


def check_folder(layout: Layout) -> None:
    """LabError unless everybody can enter the state folder."""
    # The broker and the database run as users of their own.
    for folder in (layout.state, *layout.state.parents):
        if not folder.stat().st_mode & 0o001:
            raise LabError(
                f"{folder} is closed to other users; the lab's database and "
                "broker have to get to the state folder"
            )


def clear(lab: Lab) -> None:
    """Leave nothing of an earlier life, whatever state it is in."""
    layout = lab.layout
    # First this, so that nobody takes for up what is being taken down.
    layout.facts.unlink(missing_ok=True)
    recorded = [record.pid for record in lab.daemons.all() if record.alive]
    # SIGKILL at once: nothing of it is kept, and agents take time to end.
    end({*recorded, *processes.inhabitants(layout.state)}, 0)
    # What was being started just then.
    end(processes.inhabitants(layout.state), 0)
    spaces.remove(layout)

    def removed() -> bool:
        shutil.rmtree(layout.run, ignore_errors=True)
        return not layout.run.exists()

    until(f"{layout.run} to be removed", removed, 10)


def build(lab: Lab) -> None:
    """Build the lab on a clean ground; returns when it is usable."""
    layout, nodes = lab.layout, list(lab.nodes.values())
    shutil.rmtree(layout.old_logs, ignore_errors=True)
    if layout.logs.exists():
        layout.logs.rename(layout.old_logs)
    layout.run.mkdir()
    ssh.client(layout)
    layout.clouds.write_text(cloud.clouds(layout))
    ca = serving.authority(layout)
    lab.control.build()
    with ThreadPoolExecutor() as pool:
        control = pool.submit(lab.control.serve)
        list(pool.map(Node.build, nodes))
        ssh.known_hosts(layout, list(nodes))
        for node in nodes:
            serving.furnish(node, ca)
        say("nodes are up, with SSH")
        control.result()
    say("Neutron answers")
    facts = cloud.identity(lab.admin)
    for node in nodes:
        node.start_agents()
    facts |= cloud.networks(lab.admin, lab.demo)
    say("networks are made; waiting for the agents")
    until("all agents", lambda: _agents_alive(lab), 120)
    facts["router"] = cloud.router(lab.demo, facts)
    facts |= cloud.server(lab.admin, lab.demo, facts)
    say("router r1 is made; waiting for it to settle")
    host = lab.nodes[cloud.SERVER_NODE]
    server.plug(host, facts)
    until("the server's port", lambda: server.tagged(host, facts), 60)
    try:
        active = lab.wait_settled(facts["router"], 90)
    except LabError as error:
        # Seen once in twenty: an agent that never starts keepalived, although
        # all is well with its port. Restarting it is what an operator does.
        say(f"helping router r1 along: {error}")
        active = mending.mend(lab, facts["router"], 180)
    say(f"router r1 is active on {active}")
    lab.wait_reachable(facts, 90)
    facts["edition"] = str(EDITION)
    # Written last, and whole: this file says that the lab is up.
    part = layout.facts.with_suffix(".part")
    part.write_text(json.dumps(facts, indent=2))
    part.replace(layout.facts)


def _agents_alive(lab: Lab) -> bool:
    for node in lab.nodes.values():
        node.check()
    alive = [agent for agent in lab.admin.agents() if agent["alive"]]
    return len(alive) == 2 * len(NODES)

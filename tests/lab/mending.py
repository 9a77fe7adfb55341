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

"""When a router is settled, and how to get there from any mess."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import time
from typing import TYPE_CHECKING

from tests.lab import repairs
from tests.lab.api import ApiError
from tests.lab.errors import LabError
from tests.lab.layout import CHECK_CHILDREN_INTERVAL
from tests.lab.layout import NODES
from tests.lab.progress import until

if TYPE_CHECKING:
    from tests.lab.lab import Lab

#: The owners of a router's ports that do not follow the active role: one on
#: each node, or on all nodes at once.
STAYING = (
    "network:router_ha_interface",
    "network:router_interface_distributed",
)


def unsettled(lab: Lab, router_id: str) -> str | None:
    """What is not well with a router, in one line, or None.

    Well is: all agents alive; keepalived and the state-change monitor alive
    on all three nodes; one node holds the VRRP address, with every address
    that it should have, the others hold none; the API says the same.
    """
    replicas = {
        name: node.router(router_id) for name, node in lab.nodes.items()
    }
    for name, replica in replicas.items():
        if len(replica.keepalived_pids()) < 2:
            return f"no keepalived on {name}"
        if replica.monitor_pid() is None:
            return f"no state-change monitor on {name}"
        if replica.is_cut():
            return f"the HA network of {name} is cut"
    holders = [name for name, replica in replicas.items() if replica.active()]
    if len(holders) != 1:
        return f"active on {' and '.join(holders) or 'no node'}"
    for name, replica in replicas.items():
        expected, held = replica.expected(), replica.addresses()
        if name in holders:
            if lacking := expected - held:
                return f"{name} is active without {_listed(lacking)}"
        elif extra := expected & held:
            return f"{name} is not active but holds {_listed(extra)}"
    agents = lab.admin.agents()
    if dead := [
        f"{a['binary']} on {a['host']}" for a in agents if not a["alive"]
    ]:
        return f"dead agents: {', '.join(dead)}"
    claims = lab.claims(router_id)
    wanted = {
        name: "active" if name in holders else "standby" for name in NODES
    }
    if claims != wanted:
        return f"active on {holders[0]}, but the API says {claims}"
    return None


def bound(lab: Lab, router_id: str) -> dict[str, str]:
    """To which node each port is bound that follows the active role."""
    ports = lab.admin.neutron("GET", f"/ports?device_id={router_id}")["ports"]
    return {
        port["id"]: port["binding:host_id"]
        for port in ports
        if port["device_owner"] not in STAYING
    }


def wait_settled(lab: Lab, router_id: str, timeout: float) -> str:
    """Wait until a router is well, and return the name of its active node."""

    def look() -> str | None:
        if trouble := unsettled(lab, router_id):
            raise LabError(trouble)
        return next(iter(lab.active_nodes(router_id)), None)

    return str(until(f"router {router_id} to settle", look, timeout, 0.5))


def mend(lab: Lab, router_id: str, timeout: float) -> str:
    """Bring everything back; returns the name of the active node."""
    end = time.monotonic() + timeout
    _revive(lab, router_id)
    began = time.monotonic()
    # Whatever Neutron does not mend by itself within two looks at its children
    # is begun anew, once.
    patience = 2.5 * CHECK_CHILDREN_INTERVAL
    while trouble := unsettled(lab, router_id) or _unfinished(lab, router_id):
        if time.monotonic() > end:
            raise LabError(f"not mended after {timeout:g} s: {trouble}")
        if time.monotonic() > began + patience:
            _restart(lab, router_id)
            began, patience = time.monotonic(), 60.0
        _help(lab, router_id)
        time.sleep(1)
    active = lab.active_nodes(router_id)[0]
    for name, node in lab.nodes.items():
        if name != active:
            repairs.forget(node.router(router_id))
    return active


def _unfinished(lab: Lab, router_id: str) -> str | None:
    """What else an L3 agent does on the active node, and has not done yet."""
    for name, node in lab.nodes.items():
        if lacking := repairs.lacking(node.router(router_id)):
            return f"{name}: {lacking}"
    # Neutron binds the router's ports to the node that reported active last,
    # which need not be the one that is.
    active = lab.active_nodes(router_id)
    for port, host in bound(lab, router_id).items():
        if [host] != active:
            return f"port {port} is bound to {host}"
    return None


def _revive(lab: Lab, router_id: str) -> None:
    """Start, heal, enable and bind what is not."""
    before = {agent["id"]: agent for agent in lab.admin.agents()}
    started = {name: node.mend() for name, node in lab.nodes.items()}
    for node in lab.nodes.values():
        replica = node.router(router_id)
        replica.heal()
        # Neutron itself may have started a second monitor beside one that was
        # slow to write its pid file. It never ends the one it forgot.
        repairs.sweep(replica)
    for agent in before.values():
        if not agent["admin_state_up"]:
            body = {"agent": {"admin_state_up": True}}
            lab.admin.neutron("PUT", f"/agents/{agent['id']}", body)

    def reported() -> bool:
        # One that was killed just now still counts as alive: what was started
        # again has to have said so.
        return all(
            agent["alive"]
            and (
                agent["binary"] not in started[agent["host"]]
                or agent["started_at"] != before[agent["id"]]["started_at"]
            )
            for agent in lab.admin.agents()
        )

    until("all agents to report", reported, 90, 0.5)
    hosting = lab.claims(router_id)
    for agent in before.values():
        if agent["binary"] != "neutron-l3-agent" or agent["host"] in hosting:
            continue
        path = f"/agents/{agent['id']}/l3-routers"
        try:
            lab.admin.neutron("POST", path, {"router_id": router_id})
        except ApiError as error:
            # Neutron may have bound it again by itself meanwhile.
            if error.status != 409:
                raise


def _help(lab: Lab, router_id: str) -> None:
    """Put right what neither keepalived nor Neutron would."""
    replicas = [node.router(router_id) for node in lab.nodes.values()]
    for replica in replicas:
        repairs.sweep(replica)
        repairs.links_up(replica)
    with ThreadPoolExecutor() as pool:
        heard = set[str]().union(*pool.map(repairs.listen, replicas))
    masters = [
        replica for replica in replicas if replica.ha_address() in heard
    ]
    # With none or two of them keepalived is still about to find one.
    if len(masters) == 1:
        for replica in replicas:
            if replica is masters[0]:
                repairs.restore(replica)
            else:
                repairs.strip(replica)
            repairs.report(replica)


def _restart(lab: Lab, router_id: str) -> None:
    """Restart all L3 agents, with keepalived and the monitors."""
    for node in lab.nodes.values():
        node.kill_l3_agent()
        repairs.clean(node.router(router_id))
    for node in lab.nodes.values():
        node.start_l3_agent()


def _listed(addresses: set[tuple[str, str]]) -> str:
    found = sorted(addresses)
    return ", ".join(f"{address} on {device}" for device, address in found)

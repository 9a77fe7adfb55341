"""When a router is settled, and how to get there from any mess that a test left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.lab.api import ApiError
from tests.lab.errors import LabError
from tests.lab.layout import NODES
from tests.lab.progress import until

if TYPE_CHECKING:
    from tests.lab.lab import Lab


def unsettled(lab: Lab, router_id: str) -> str | None:
    """What is not well with a router, in one line, or None.

    Well is: all agents alive; keepalived and the state-change monitor alive on all three nodes; one node holds the
    VRRP address, with every address that it should have, the others hold none; the API says the same.
    """
    for node in lab.nodes.values():
        replica = node.router(router_id)
        if len(replica.keepalived_pids()) < 2:
            return f"no keepalived on {node.name}"
        if replica.monitor_pid() is None:
            return f"no state-change monitor on {node.name}"
        if replica.is_cut():
            return f"the HA network of {node.name} is cut"
    holders = lab.active_nodes(router_id)
    if len(holders) != 1:
        return f"active on {' and '.join(holders) or 'no node'}"
    for node in lab.nodes.values():
        replica = node.router(router_id)
        expected, held = replica.expected(), replica.addresses()
        if node.name in holders:
            if lacking := expected - held:
                return f"{node.name} is active without {_listed(lacking)}"
        elif extra := expected & held:
            return f"{node.name} is not active but holds {_listed(extra)}"
    agents = lab.admin.agents()
    if dead := [f"{agent['binary']} on {agent['host']}" for agent in agents if not agent["alive"]]:
        return f"dead agents: {', '.join(dead)}"
    claims = lab.claims(router_id)
    if claims != {name: "active" if name in holders else "standby" for name in NODES}:
        return f"active on {holders[0]}, but the API says {claims}"
    return None


def wait_settled(lab: Lab, router_id: str, timeout: float) -> str:
    """Wait until a router is well, and return the name of its active node."""

    def look() -> str | None:
        if trouble := unsettled(lab, router_id):
            raise LabError(trouble)
        return next(iter(lab.active_nodes(router_id)), None)

    found = until(f"router {router_id} to settle", look, timeout, 0.5)
    return str(found)


def mend(lab: Lab, router_id: str, timeout: float) -> str:
    """Bring daemons, agents, network and addresses back; returns the active node.

    Gently first: what Neutron mends by itself is left to it. Whatever is still wrong after that is begun anew.
    """
    end = time.monotonic() + timeout
    _revive(lab, router_id)
    for step in (None, _restart_keepalived, _restart_agents):
        if step:
            step(lab, router_id)
        # Dead agents need a report (5 s) and their children one look (10 s); then VRRP and the API follow.
        patience = min(45.0, end - time.monotonic())
        try:
            return _wait(lab, router_id, patience)
        except LabError:
            if time.monotonic() >= end:
                raise
    return wait_settled(lab, router_id, max(end - time.monotonic(), 1))


def _wait(lab: Lab, router_id: str, patience: float) -> str:
    """Wait until settled, and help along what does not come by itself."""
    try:
        return wait_settled(lab, router_id, patience / 2)
    except LabError:
        holders = lab.active_nodes(router_id)
        for node in lab.nodes.values():
            replica = node.router(router_id)
            replica.nudge()
            if len(holders) == 1 and node.name not in holders and replica.expected() & replica.addresses():
                replica.clean()
    return wait_settled(lab, router_id, patience / 2)


def _revive(lab: Lab, router_id: str) -> None:
    """Start what does not run, heal what is cut, enable what is disabled, bind what is unbound."""
    for node in lab.nodes.values():
        node.mend()
    for node in lab.nodes.values():
        replica = node.router(router_id)
        replica.heal()
        replica.links_up()
    agents = lab.admin.agents()
    for agent in agents:
        if not agent["admin_state_up"]:
            lab.admin.neutron("PUT", f"/agents/{agent['id']}", {"agent": {"admin_state_up": True}})
    until("all agents to report", lambda: all(agent["alive"] for agent in lab.admin.agents()), 60, 0.5)
    hosting = lab.claims(router_id)
    for agent in agents:
        if agent["binary"] == "neutron-l3-agent" and agent["host"] not in hosting:
            try:
                lab.admin.neutron("POST", f"/agents/{agent['id']}/l3-routers", {"router_id": router_id})
            except ApiError as error:
                # Neutron may have bound it again by itself meanwhile.
                if error.status != 409:
                    raise


def _restart_keepalived(lab: Lab, router_id: str) -> None:
    """Begin anew on every node but one: a standby that is begun anew disturbs nobody."""
    holders = lab.active_nodes(router_id)
    for node in lab.nodes.values():
        if holders[:1] != [node.name] or len(holders) > 1:
            node.router(router_id).clean()


def _restart_agents(lab: Lab, router_id: str) -> None:
    """Restart all L3 agents and keepalived with them: the state is what they read at their start."""
    for node in lab.nodes.values():
        node.kill_l3_agent()
        node.router(router_id).clean()
        node.start_l3_agent()


def _listed(addresses: set[tuple[str, str]]) -> str:
    return ", ".join(f"{address} on {device}" for device, address in sorted(addresses))

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

"""Putting one replica right: what `mend` does on each node."""

from __future__ import annotations

import json
import re

from tests.lab import processes
from tests.lab.daemons import end
from tests.lab.layout import VRRP_ADVERT_INTERVAL
from tests.lab.replicas import Replica

_FORWARDING = "net.ipv6.conf.all.forwarding"


def clean(replica: Replica) -> None:
    """End keepalived and the monitor, and remove the active one's addresses.

    The agent starts both again at its next look.
    """
    end([*replica.keepalived_pids(), *replica.monitors()], 3)
    sweep(replica)
    strip(replica)


def strip(replica: Replica) -> None:
    """Remove every address and route that only the active one may have."""
    for device, address in sorted(replica.expected() & replica.addresses()):
        argv = ["ip", "address", "del", address, "dev", device]
        replica.run(argv, check=False)
    for route in _routes(replica):
        replica.run(["ip", "route", "del", *route], check=False)


def restore(replica: Replica) -> None:
    """Add the addresses and routes that the active one lacks."""
    for device, address in sorted(replica.expected() - replica.addresses()):
        argv = ["ip", "address", "replace", address, "dev", device]
        replica.run(argv, check=False)
    for route in _routes(replica):
        argv = ["ip", "route", "replace", *route, "protocol", "static"]
        replica.run(argv, check=False)


def _routes(replica: Replica) -> list[list[str]]:
    """The virtual routes of keepalived.conf as arguments of `ip route`."""
    found = re.search(r"virtual_routes \{([^}]*)\}", replica.configuration())
    lines = found[1].splitlines() if found else []
    pattern = r"^\s*(\S+ (?:via \S+ )?dev \S+)"
    return [
        match[1].split()
        for line in lines
        if (match := re.match(pattern, line))
    ]


def forget(replica: Replica) -> None:
    """Turn off the IPv6 forwarding of a standby that was active once.

    Neutron turns it on for the active one and leaves it on afterwards. Without
    it the kernel heeds advertisements wherever Neutron lets it: those of the
    active node. The standby would make itself an address, ask whether somebody
    has it, and so move the MAC of the router to its own ports on the switches:
    whoever sends to the router would not be heard for seconds, which would be
    blamed on whatever is tested.
    """
    devices = {device for device, _address in replica.expected()}
    inside = [name for name in devices if name.startswith(("qr-", "sg-"))]
    settings = [f"net.ipv6.conf.{name}.accept_ra=0" for name in sorted(inside)]
    change = ["sysctl", "-q", "-w", *settings, f"{_FORWARDING}=0"]
    replica.run(change, check=False)


def links_up(replica: Replica) -> None:
    """Set every device of the router up."""
    listing = replica.run(["ip", "-json", "link", "show"], check=False).stdout
    for item in json.loads(listing or "[]"):
        name = item.get("ifname", "")
        ours = name.startswith(("ha-", "qr-", "qg-", "sg-"))
        if ours and "UP" not in item["flags"]:
            replica.run(["ip", "link", "set", name, "up"], check=False)


def sweep(replica: Replica) -> None:
    """End what outlived a killed monitor or a deleted namespace.

    A monitor's loop would go on telling the agent what it sees, beside the
    new one, and keepalived in a namespace without a name would stay active.
    """
    end(replica.strays(), 3)
    monitor = replica.monitor_pid()
    stray = {
        pid
        for pid in replica.monitors()
        if pid != monitor and processes.parent(pid) != monitor
    }
    for pid in replica.program_pids("ip"):
        # sudo or the script itself; a process of nobody has pid 1 for parent.
        if processes.parent(pid) == 1 and "monitor" in processes.command(pid):
            stray.add(pid)
    end(stray, 0)


def listen(replica: Replica) -> set[str]:
    """Who advertises the router over VRRP, as heard on this node."""
    device = replica.ha_device()
    if device is None or not replica.exists():
        return set()
    heard = replica.run(
        [
            "timeout", f"{VRRP_ADVERT_INTERVAL + 0.7:g}",
            "tcpdump", "-l", "-nn", "-i", device, "ip proto 112",
        ],
        check=False,
    )  # fmt: skip
    return set(re.findall(r"IP (\S+) > 224\.0\.0\.18", heard.stdout))


def report(replica: Replica) -> None:
    """Tell the L3 agent the replica's true state, as the monitor would.

    The agent then sets IPv6 forwarding, radvd and haproxy to match, and tells
    Neutron. Otherwise a monitor that was started anew keeps silent until it
    has seen one change of an address.
    """
    state = "primary" if replica.active() else "backup"
    replica.node.run(
        [
            "curl", "-s", "--max-time", "5", "-X", "POST",
            "-H", f"X-Neutron-Router-Id: {replica.router_id}",
            "-H", f"X-Neutron-State: {state}", "-H", "Connection: close",
            "--unix-socket", "/var/lib/neutron/keepalived-state-change",
            "http://127.0.0.1/",
        ],
        check=False,
    )  # fmt: skip


def announce(replica: Replica, *addresses: str) -> None:
    """Send something from the router, so that switches learn where it is.

    On losing its addresses a node sends a last multicast report from the
    router's own MAC, and switches believe it (LP 1859832) until the active
    node sends something itself, which may take a minute.
    """
    ping = ["ping", "-c", "2", "-i", "0.2", "-W", "1", "-q"]
    for address in addresses:
        replica.run([*ping, address], check=False)


def lacking(replica: Replica) -> str | None:
    """What the L3 agent has not done yet for the replica's true state."""
    active = replica.active()
    if replica.state() != ("primary" if active else "backup"):
        return f"the state file says {replica.state() or 'nothing'}"
    sysctl = ["sysctl", "-n", _FORWARDING]
    if active and replica.run(sysctl, check=False).stdout.strip() != "1":
        return "IPv6 forwarding is off"
    # With DVR these are in the qrouter- namespaces, and haproxy on each node.
    helpers = not replica.node.layout.distributed
    if helpers and bool(replica.program_pids("haproxy")) != active:
        return f"haproxy {'does not run' if active else 'runs'}"
    radvd = f"/var/lib/neutron/ra/{replica.router_id}.radvd.conf"
    wanted = (
        active
        and not replica.node.run(["test", "-s", radvd], check=False).returncode
    )
    if helpers and bool(replica.program_pids("radvd")) != wanted:
        return f"radvd {'does not run' if wanted else 'runs'}"
    if active:
        have = replica.run(["ip", "route"], check=False).stdout
        for route in _routes(replica):
            words = ["default" if w == "0.0.0.0/0" else w for w in route]
            if ":" not in words[0] and " ".join(words) not in have:
                return f"no route {' '.join(words)}"
    return None

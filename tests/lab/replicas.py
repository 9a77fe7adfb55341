"""One router on one node: what is really there, and how to break and mend it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.lab import processes
from tests.lab.daemons import end
from tests.lab.errors import LabError
from tests.lab.layout import UNUSED_VLAN

if TYPE_CHECKING:
    from tests.lab.spaces import Space


class Replica:
    """A router's namespace on a node."""

    def __init__(self, node: Space, router_id: str) -> None:
        self.node = node
        self.router_id = router_id
        self.namespace = f"qrouter-{router_id}"
        self.folder = f"/var/lib/neutron/ha_confs/{router_id}"

    def run(
        self, argv: Sequence[str], input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the router's namespace, with the node's files."""
        return self.node.run(["nsenter", f"--net=/run/netns/{self.namespace}", "--", *argv], input, check)

    def exists(self) -> bool:
        """Whether the node has the router's namespace."""
        return self.node.run(["test", "-e", f"/run/netns/{self.namespace}"], check=False).returncode == 0

    # -- what is there -----------------------------------------------------------------------------------------

    def configuration(self) -> str:
        """keepalived.conf as Neutron wrote it; empty when there is none."""
        return self.node.run(["cat", f"{self.folder}/keepalived.conf"], check=False).stdout

    def vip(self) -> str | None:
        """The VRRP address with its prefix length, such as 169.254.0.17/24."""
        found = re.search(r"virtual_ipaddress \{\s+(\S+)", self.configuration())
        return found[1] if found else None

    def expected(self) -> set[tuple[str, str]]:
        """(device, address/length) of everything that the active replica has to hold, the VRRP address included."""
        text = self.configuration()
        return {
            (device, address)
            for block in re.findall(r"virtual_ipaddress(?:_excluded)? \{([^}]*)\}", text)
            for address, device in re.findall(r"^\s*(\S+) dev (\S+)", block, re.MULTILINE)
        }

    def addresses(self) -> set[tuple[str, str]]:
        """(device, address/length) of every address in the namespace; empty when there is no namespace."""
        done = self.run(["ip", "-json", "address", "show"], check=False)
        if done.returncode:
            return set()
        links: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return {
            (str(link["ifname"]), f"{item['local']}/{item['prefixlen']}")
            for link in links
            if link
            for item in link["addr_info"]
        }

    def holds_vip(self) -> bool:
        """Whether the namespace holds the VRRP address, whoever left it there."""
        vip = self.vip()
        return vip is not None and any(address == vip for _device, address in self.addresses())

    def keepalived_pids(self) -> list[int]:
        """Host pids of the keepalived processes in the namespace: the parent first, then its child."""
        # Found by the network namespace that they are in, not by pid files: those may lie.
        found = self.node.run(["ip", "netns", "pids", self.namespace], check=False).stdout.split()
        pids = [int(pid) for pid in found if _is(int(pid), "keepalived") and processes.started(int(pid)) is not None]
        return sorted(pids, key=lambda pid: (processes.parent(pid) in pids, pid))

    def active(self) -> bool:
        """Whether this replica really is active: the VRRP address is there and a keepalived with its child lives."""
        return len(self.keepalived_pids()) >= 2 and self.holds_vip()

    def monitor_pid(self) -> int | None:
        """Host pid of neutron-keepalived-state-change for this router, or None."""
        for pid in processes.inhabitants(self.node.layout.state, self.node.name):
            argv = processes.command(pid)
            if (
                self.router_id in argv
                and any(part.endswith("neutron-keepalived-state-change") for part in argv[:3])
                and "sudo" not in argv[0]
                # The script forks a loop that has the same arguments; the parent is the one in the pid file.
                and processes.command(processes.parent(pid) or 0) != argv
            ):
                return pid
        return None

    def ha_device(self) -> str | None:
        """The name of the router's HA device here."""
        found = re.search(r"interface (ha-\S+)", self.configuration())
        return found[1] if found else None

    # -- the HA network ----------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Cut the HA port off from the HA network, both ways; it stays so until `heal`.

        As a trunk of a VLAN that nobody uses the port neither sends nor gets untagged frames. Changing its tag would
        do too, but only for seconds: the Open vSwitch agent notices a wrong tag and puts it right.
        """
        device = self.ha_device()
        if device is None:
            raise LabError(f"{self.node.name} has no HA port of router {self.router_id}")
        self.node.run(["ovs-vsctl", "set", "Port", device, "vlan_mode=trunk", f"trunks={UNUSED_VLAN}"])

    def heal(self) -> None:
        """Undo `cut`; nothing happens when the port is not cut."""
        if self.is_cut():
            self.node.run(
                ["ovs-vsctl", "clear", "Port", str(self.ha_device()), "vlan_mode", "--", "clear", "Port",
                 str(self.ha_device()), "trunks"]
            )  # fmt: skip

    def is_cut(self) -> bool:
        """Whether `cut` was done to the HA port."""
        device = self.ha_device()
        if device is None:
            return False
        done = self.node.run(["ovs-vsctl", "get", "Port", device, "trunks"], check=False)
        return done.stdout.strip() == f"[{UNUSED_VLAN}]"

    # -- mending -----------------------------------------------------------------------------------------------

    def clean(self) -> None:
        """End keepalived here and remove every address that only the active replica may hold.

        The agent starts keepalived again at its next look.
        """
        end(self.keepalived_pids(), 3)
        held = self.addresses()
        for device, address in sorted(self.expected() & held):
            self.run(["ip", "address", "del", address, "dev", device], check=False)

    def links_up(self) -> None:
        """Set every device of the router up."""
        listing = self.run(["ip", "-json", "link", "show"], check=False).stdout
        for item in json.loads(listing or "[]"):
            if item and item["ifname"][:3] in ("ha-", "qr-", "qg-") and "UP" not in item["flags"]:
                self.run(["ip", "link", "set", item["ifname"], "up"], check=False)

    def announce(self, *addresses: str) -> None:
        """Send something from the router to each address, so that every switch learns where the router is now.

        On losing its addresses a node sends a last multicast report from the router's own MAC, and switches believe
        it (LP 1859832) until the active node sends something itself, which may take a minute.
        """
        for address in addresses:
            self.run(["ping", "-c", "2", "-i", "0.2", "-W", "1", "-q", address], check=False)

    def nudge(self) -> None:
        """Make the state-change monitor tell the agent its first state.

        A monitor that was started again keeps silent until it has read one address event, whatever it is about.
        """
        for verb in ("add", "del"):
            self.run(["ip", "address", verb, "127.86.0.1/32", "dev", "lo"], check=False)


def _is(pid: int, name: str) -> bool:
    return (processes.command(pid) or [""])[0].rpartition("/")[2] == name

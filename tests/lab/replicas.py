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

"""One router on one node: what is really there, and cutting it off."""

from __future__ import annotations

from collections.abc import Sequence
import json
import re
import subprocess
from typing import Any
from typing import TYPE_CHECKING

from tests.lab import processes
from tests.lab.errors import LabError
from tests.lab.layout import UNUSED_VLAN

if TYPE_CHECKING:
    from tests.lab.spaces import Space

_MONITOR = "neutron-keepalived-state-change"


class Replica:
    """A router's namespace on a node: the one with the HA device."""

    def __init__(self, node: Space, router_id: str) -> None:
        self.node = node
        self.router_id = router_id
        kind = "snat" if node.layout.distributed else "qrouter"
        self.namespace = f"{kind}-{router_id}"
        self.folder = f"/var/lib/neutron/ha_confs/{router_id}"

    def run(
        self,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the router's namespace, with the node's files."""
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}", "--"]
        return self.node.run([*enter, *argv], input, check)

    def exists(self) -> bool:
        """Whether the node has the router's namespace."""
        path = f"/run/netns/{self.namespace}"
        return self.node.run(["test", "-e", path], check=False).returncode == 0

    def configuration(self) -> str:
        """keepalived.conf as Neutron wrote it; empty when there is none."""
        return self._read(f"{self.folder}/keepalived.conf")

    def vip(self) -> str | None:
        """The VRRP address with its prefix length: 169.254.0.17/24."""
        text = self.configuration()
        found = re.search(r"virtual_ipaddress \{\s+(\S+)", text)
        return found[1] if found else None

    def ha_device(self) -> str | None:
        """The name of the router's HA device here."""
        found = re.search(r"interface (ha-\S+)", self.configuration())
        return found[1] if found else None

    def ha_address(self) -> str | None:
        """The address that the router's VRRP advertisements come from."""
        device = self.ha_device()
        for name, address in self.addresses():
            if name == device and address.endswith("/18"):
                return address.partition("/")[0]
        return None

    def expected(self) -> set[tuple[str, str]]:
        """What the active replica has to hold: (device, address/length).

        The VRRP address is among them.
        """
        blocks = re.findall(
            r"virtual_ipaddress(?:_excluded)? \{([^}]*)\}",
            self.configuration(),
        )
        return {
            (device, address)
            for block in blocks
            for address, device in re.findall(
                r"^\s*(\S+) dev (\S+)", block, re.MULTILINE
            )
        }

    def addresses(self, learned: bool = True) -> set[tuple[str, str]]:
        """What the namespace holds: (device, address/length).

        Empty when there is no namespace.

        :param learned: also what the kernel took from an advertisement of
            the active node, which comes and goes by itself
        """
        done = self.run(["ip", "-json", "address", "show"], check=False)
        if done.returncode:
            return set()
        links: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return {
            (str(link["ifname"]), f"{item['local']}/{item['prefixlen']}")
            for link in links
            if link
            for item in link["addr_info"]
            if learned or not item.get("dynamic")
        }

    def holds_vip(self) -> bool:
        """Whether the VRRP address is here, whoever left it."""
        vip = self.vip()
        return vip is not None and any(
            address == vip for _device, address in self.addresses()
        )

    def pids(self) -> list[int]:
        """Host pids of all processes in the namespace."""
        argv = ["ip", "netns", "pids", self.namespace]
        found = self.node.run(argv, check=False).stdout.split()
        return [
            int(pid)
            for pid in found
            if processes.started(int(pid)) is not None
        ]

    def program_pids(self, program: str) -> list[int]:
        """Host pids of one program in the namespace, parents first.

        Found by the network namespace that they are in, not by pid files:
        those may lie.
        """
        pids = [
            pid
            for pid in self.pids()
            if (processes.command(pid) or [""])[0].rpartition("/")[2]
            == program
        ]
        return sorted(
            pids, key=lambda pid: (processes.parent(pid) in pids, pid)
        )

    def keepalived_pids(self) -> list[int]:
        """Host pids of keepalived: the parent first, then its child."""
        return self.program_pids("keepalived")

    def strays(self) -> list[int]:
        """Host pids of keepalived that outlived the router's namespace.

        Whoever deletes a namespace deletes its name; what runs in it runs on.
        """
        node = self.node
        here = self.keepalived_pids()
        return [
            pid
            for pid in processes.inhabitants(node.layout.state, node.name)
            if pid not in here
            and f"{self.folder}/keepalived.conf" in processes.command(pid)
            and processes.command(pid)[0].endswith("keepalived")
        ]

    def active(self) -> bool:
        """Whether this replica really is the active one.

        That is: it holds the VRRP address, and keepalived and its child live.
        """
        return len(self.keepalived_pids()) >= 2 and self.holds_vip()

    def state(self) -> str:
        """The word in the state file: primary, backup or nothing."""
        return self._read(f"{self.folder}/state").strip()

    def monitor_pid(self) -> int | None:
        """Host pid of the state-change monitor, or None.

        The one that Neutron knows; see `monitors` for what else there may be.
        """
        path = (
            f"/var/lib/neutron/external/pids/{self.router_id}"
            f".monitor.pid.{_MONITOR}-monitor"
        )
        text = self._read(path).strip()
        return int(text) if text and int(text) in self.monitors() else None

    def monitors(self) -> list[int]:
        """Host pids of every process of a state-change monitor.

        The script forks a loop with the same arguments, and the loop outlives
        it when it is killed.
        """
        node = self.node
        found = processes.inhabitants(node.layout.state, node.name)
        return [pid for pid in found if self._is_monitor(pid)]

    def _is_monitor(self, pid: int) -> bool:
        # An older Neutron has its own as the title of the process, which is
        # one string, and option and value together.
        argv = " ".join(processes.command(pid)).replace("=", " ").split()
        return (
            self.router_id in argv
            and argv[0] != "sudo"
            and any(part.endswith(_MONITOR) for part in argv[:3])
        )

    def _read(self, path: str) -> str:
        return self.node.run(["cat", path], check=False).stdout

    def cut(self) -> None:
        """Cut the HA port off from the HA network, both ways.

        It stays so until `heal`. As a trunk of a VLAN that nobody uses the
        port neither sends nor gets untagged frames. Changing its tag would do
        too, but only for seconds: the Open vSwitch agent notices a wrong tag
        and puts it right.
        """
        device = self.ha_device()
        if device is None:
            raise LabError(
                f"{self.node.name} has no HA port of router {self.router_id}"
            )
        trunk = ["vlan_mode=trunk", f"trunks={UNUSED_VLAN}"]
        self.node.run(["ovs-vsctl", "set", "Port", device, *trunk])

    def heal(self) -> None:
        """Undo `cut`; nothing happens when the port is not cut."""
        device = self.ha_device()
        if device is not None and self.is_cut():
            columns = ["vlan_mode", "trunks"]
            self.node.run(["ovs-vsctl", "clear", "Port", device, *columns])

    def is_cut(self) -> bool:
        """Whether `cut` was done to the HA port."""
        device = self.ha_device()
        if device is None:
            return False
        argv = ["ovs-vsctl", "get", "Port", device, "trunks"]
        found = self.node.run(argv, check=False).stdout.strip()
        return found == f"[{UNUSED_VLAN}]"

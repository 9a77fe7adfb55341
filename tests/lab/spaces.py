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

"""The machines of the lab: network, mount and UTS namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
import subprocess

from tests.lab import processes
from tests.lab import unpacking
from tests.lab.commands import run
from tests.lab.daemons import Daemons
from tests.lab.daemons import Record
from tests.lab.errors import LabDown
from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.progress import until


class Space:
    """`ctl` or a node, seen from outside."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.layout = layout
        self.name = name
        self.daemons = Daemons(layout)

    @property
    def anchor(self) -> int:
        """The pid of the process that keeps the namespaces, or LabDown."""
        record = self.daemons.find(f"{self.name}.anchor")
        if record is None or not record.alive:
            raise LabDown(f"{self.name} is not up; {self.layout.hint}")
        return record.pid

    def path(self, name: str) -> Path:
        """Where a file of the machine, such as /run/lab, is seen outside."""
        return Path(f"/proc/{self.anchor}/root{name}")

    def enter(self, argv: Sequence[str]) -> list[str]:
        """The argument list that runs `argv` inside."""
        return [
            "nsenter",
            "-t",
            str(self.anchor),
            "-n",
            "-m",
            "-u",
            "--",
            *argv,
        ]

    def run(
        self,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root; returns it with its output."""
        return run(
            self.enter(argv),
            input=input,
            check=check,
            env=env,
            timeout=timeout,
        )

    def start(
        self,
        daemon: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> Record:
        """Start a daemon inside; it is recorded as `<name>.<daemon>`."""
        return self.daemons.start(
            f"{self.name}.{daemon}", self.enter(argv), env
        )

    def create(self) -> None:
        """Make the namespaces, with a /run of their own.

        A node has an /etc and a /var/lib/neutron of its own too.
        """
        namespace = self.layout.namespace(self.name)
        run(["ip", "netns", "add", namespace])
        self.daemons.start(
            f"{self.name}.anchor",
            [
                "nsenter", f"--net=/run/netns/{namespace}", "--",
                "unshare", "--mount", "--uts", "--propagation", "private",
                "--", "sleep", "infinity",
            ],
        )  # fmt: skip
        until(
            f"the namespaces of {self.name}",
            lambda: (
                processes.command(self.anchor)[:1] == ["sleep"]
                and processes.identity(f"/proc/{self.anchor}/ns/mnt")
                != processes.identity("/proc/self/ns/mnt")
            ),
            10,
            0.01,
        )
        self.run(["hostname", self.name])
        if self.layout.packaged:
            self.run(unpacking.cover(self.layout))
        # Without this the private mount namespace would keep every network
        # namespace of the host alive.
        self.run(
            ["umount", "--recursive", "--lazy", "/run/netns"], check=False
        )
        self.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
        self.run(
            ["tee", f"/run/{processes.MARK}"],
            input=f"{self.layout.state}\n{self.name}\n",
        )
        self.run(
            [
                "mkdir",
                "-p",
                "/run/netns",
                "/run/lock",
                "/run/openvswitch",
                "/run/sshd",
                "/run/lab",
            ]
        )
        # /sys shows the devices of the network namespace that mounted it.
        self.run(["mount", "-t", "sysfs", "sysfs", "/sys"])
        self.run(["ip", "link", "set", "lo", "up"])
        if self.name in NODES:
            self._furnish()

    def _furnish(self) -> None:
        folder = self.layout.node(self.name)
        # A copy of /etc, so that users, sudo rules and the name of the host
        # are the node's own and the machine keeps its files as they are.
        folder.mkdir(parents=True)
        run(["cp", "-a", "/etc", str(folder / "etc")])
        (folder / "neutron").mkdir()
        (folder / "home").mkdir()
        neutron = Path("/var/lib/neutron")
        neutron.mkdir(exist_ok=True)
        self.run(["mount", "--bind", str(folder / "neutron"), str(neutron)])
        self.run(["mount", "--bind", str(folder / "etc"), "/etc"])
        self.run(["tee", "/etc/hostname"], input=f"{self.name}\n")
        hosts = [
            "127.0.0.1 localhost",
            *(f"{address} {name}" for name, address in NODES.items()),
        ]
        self.run(
            ["tee", "/etc/hosts"], input="".join(f"{line}\n" for line in hosts)
        )


def link(layout: Layout, here: str, name: str, there: str, peer: str) -> None:
    """Join two machines by a veth pair, which the host never sees."""
    run(
        [
            "ip", "link", "add", name, "netns", layout.namespace(here),
            "type", "veth", "peer", "name", peer,
            "netns", layout.namespace(there),
        ]
    )  # fmt: skip


def remove(layout: Layout) -> None:
    """Remove the lab's network namespaces; their links go with them."""
    for name in (CONTROL, *NODES):
        path = layout.namespace_path(name)
        if path.exists():
            run(["umount", "--lazy", str(path)], check=False)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise LabError(f"cannot remove {path}: {error}") from error
    others = [path for path in Path("/run/netns").glob("orhlab-*")]
    if not others:
        # Ours to remove only when empty, and only when no other lab has it as
        # a mount point.
        try:
            Path("/var/lib/neutron").rmdir()
        except OSError:
            pass

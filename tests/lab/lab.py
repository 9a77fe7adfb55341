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

"""The lab as tests and the command line use it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
import fcntl
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from tests.lab import building
from tests.lab import control
from tests.lab import forking
from tests.lab import mending
from tests.lab import packages
from tests.lab import processes
from tests.lab import repairs
from tests.lab import serving
from tests.lab.api import Api
from tests.lab.commands import CLEAN
from tests.lab.commands import run
from tests.lab.daemons import Daemons
from tests.lab.errors import LabDown
from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import EDITION
from tests.lab.layout import EXTERNAL_GATEWAY
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.nodes import DAEMONS
from tests.lab.nodes import Node
from tests.lab.progress import say
from tests.lab.progress import until


class Lab:
    """A cloud of three network nodes on this machine."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout.default()
        self.control = control.Control(self.layout)
        self.nodes = {name: Node(self.layout, name) for name in NODES}
        self.daemons = Daemons(self.layout)
        self.admin = Api(self.layout)
        self.demo = Api(self.layout, "demo", "demo")
        self.reader = Api(self.layout, "demo-reader", "demo")
        #: of another project
        self.other = Api(self.layout, "other", "other")
        #: for commands that are run, before those of clouds.yaml: backend
        #: and the like
        self.settings: dict[str, str] = {}

    @classmethod
    def attach(cls, layout: Layout | None = None) -> Lab:
        """The lab that is up; LabDown when it is not.

        Agents and SSH servers may be down, as tests leave them; `mend` is for
        these.
        """
        lab = cls(layout)
        if not lab.layout.facts.exists():
            raise LabDown(f"the lab is not up; {lab.layout.hint}")
        vital = [f"{CONTROL}.{name}" for name in control.DAEMONS]
        vital += [f"{name}.anchor" for name in NODES]
        if dead := [name for name in vital if not lab.daemons.alive(name)]:
            names = " ".join(dead)
            raise LabDown(
                f"the lab is broken, not alive: {names}; {lab.layout.hint}"
            )
        return lab

    @property
    def facts(self) -> dict[str, str]:
        """Ids and addresses of what the cloud holds.

        router, public, private, subnet, subnet6, server_port, server_mac,
        server_ip, floating_ip, `project NAME` and `user NAME`, and edition.
        """
        try:
            text = self.layout.facts.read_text()
        except FileNotFoundError as error:
            hint = self.layout.hint
            raise LabDown(f"the lab is not up; {hint}") from error
        found: dict[str, str] = json.loads(text)
        return found

    def up(self) -> None:
        """Bring the lab up: at once when it is, from nothing when not well."""
        if os.geteuid() != 0:
            raise LabError("the lab makes namespaces and needs root")
        with self._locked():
            building.check_folder(self.layout)
            packages.install(self.layout)
            if self.layout.facts.exists():
                if (ill := self.ailment()) is None:
                    say("the lab is up and healthy")
                    self.serve()
                    return
                say(f"not healthy, building it again: {ill}")
            building.clear(self)
            try:
                building.build(self)
            except LabError as error:
                # The logs of this attempt are kept as the old ones.
                say(f"failed, trying once more: {error}")
                building.clear(self)
                building.build(self)
            say("the lab is up")
            self.serve()

    def serve(self) -> None:
        """Have node agents that run the code as it is now, if this Python can.

        At once when they do so already.
        """
        nodes = list(self.nodes.values())
        if not serving.possible():
            say(f"no node agents: {sys.executable} has not the extra agent")
        elif not serving.current(self.layout, nodes):
            serving.restart(self.layout, nodes)
            say("node agents are up")

    def down(self) -> None:
        """End what the lab started and remove what it made.

        The packages, the venv and the logs stay.
        """
        with self._locked():
            building.clear(self)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.layout.state.mkdir(parents=True, exist_ok=True, mode=0o755)
        with open(self.layout.lock, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another up or down is at work; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ailment(self) -> str | None:
        """What is wrong with the lab, in one line, or None."""
        try:
            Lab.attach(self.layout)
            if self.facts.get("edition") != str(EDITION):
                return "another version of the lab built it"
            for node in self.nodes.values():
                node.check()
            self.wait_settled(self.facts["router"], 30)
            self.wait_reachable()
        except LabError as error:
            return str(error)
        return None

    def parts(self) -> list[tuple[str, bool, int | None]]:
        """(name, alive, pid) of every process of a lab that is up.

        Node agents are among them if they were started.
        """
        names = [f"{CONTROL}.{name}" for name in control.DAEMONS]
        for node in NODES:
            names += [f"{node}.{name}" for name in DAEMONS]
            if self.daemons.find(f"{node}.{serving.DAEMON}"):
                names.append(f"{node}.{serving.DAEMON}")
        found: list[tuple[str, bool, int | None]] = []
        for name in names:
            record = self.daemons.find(name)
            if record is None:
                found.append((name, False, None))
            else:
                found.append((name, record.alive, record.pid))
        return found

    def environment(self, cloud: str = "lab") -> dict[str, str]:
        """The environment for clients of the lab's cloud.

        This process's own, with clouds.yaml, `settings`, and no other OS_
        variable.
        """
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("OS_")
        }
        environment["OS_CLIENT_CONFIG_FILE"] = str(self.layout.clouds)
        environment["OS_CLOUD"] = cloud
        for name, value in self.settings.items():
            environment[f"OS_ROUTER_HA_{name.upper()}"] = value
        return environment

    def enter(self, argv: Sequence[str]) -> list[str]:
        """The argument list that runs `argv` on the network of `ctl`.

        With this machine's own files, unlike `self.control.run`.
        """
        namespace = self.layout.namespace_path(CONTROL)
        return ["nsenter", f"--net={namespace}", "--", *argv]

    def ctl(
        self,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the network of `ctl`.

        With `environment()`, and `env` on top of it.
        """
        return run(
            self.enter(argv),
            input=input,
            check=check,
            env={**self.environment(), **(env or {})},
            timeout=timeout,
        )

    def openstack(
        self,
        *arguments: str,
        cloud: str = "lab",
        input: str | None = None,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 180,
    ) -> subprocess.CompletedProcess[str]:
        """Run `openstack` against the lab, and return it with its output.

        The one that is installed for the interpreter that runs now, so that
        it has the plugin under test. Forked off a process that has loaded it.
        """
        program = Path(sys.prefix, "bin", "openstack")
        if not program.exists():
            raise LabError(f"{program} is missing: install openstackclient")
        namespace = self.layout.namespace_path(CONTROL)
        identity = processes.identity(str(namespace))
        server = forking.forkserver(self.enter([]), identity, program)
        environment = {**CLEAN, **self.environment(cloud), **(env or {})}
        return server.run(arguments, environment, input, check, timeout)

    def openstack_json(self, *arguments: str, cloud: str = "lab") -> Any:
        """What an `openstack` command says with `-f json`, parsed.

        Whatever its exit code; LabError when what it printed is not JSON.
        """
        done = self.openstack(*arguments, "-f", "json", cloud=cloud)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            said = done.stderr or done.stdout
            raise LabError(
                f"no JSON, exit {done.returncode}: {said}"
            ) from error

    def ping(self, address: str, count: int = 1) -> bool:
        """Whether one of `count` pings from `ctl` is answered within 1 s."""
        argv = ["ping", "-c", str(count), "-W", "1", "-q", address]
        return self.ctl(argv, check=False).returncode == 0

    def wait_reachable(
        self, facts: dict[str, str] | None = None, timeout: float = 30
    ) -> None:
        """Wait until the floating IP answers a ping.

        Switches that look for r1 on the wrong node are told.
        """
        found = facts or self.facts
        if self.layout.distributed:
            # The floating IP does not lead through the active node.
            self.announce(found)

        def look() -> bool:
            if self.ping(found["floating_ip"]):
                return True
            self.announce(found)
            return False

        until("the floating IP to answer", look, timeout, 0.1)

    def announce(self, facts: dict[str, str]) -> None:
        """Tell switches that look for the router on the wrong node."""
        for name in self.active_nodes(facts["router"]):
            replica = self.nodes[name].router(facts["router"])
            near = (EXTERNAL_GATEWAY, facts["server_ip"])
            repairs.announce(replica, *near)

    def gateway(self, router_id: str) -> str:
        """A router's own IPv4 address on the external network."""
        path = f"/routers/{router_id}"
        router = self.admin.neutron("GET", path)["router"]
        outside = router["external_gateway_info"] or {}
        for fixed in outside.get("external_fixed_ips", ()):
            if ":" not in fixed["ip_address"]:
                return str(fixed["ip_address"])
        raise LabError(f"router {router_id} has no IPv4 gateway address")

    def active_nodes(self, router_id: str) -> list[str]:
        """The nodes that hold the VRRP address with a living keepalived."""
        return [
            name
            for name, node in self.nodes.items()
            if node.router(router_id).active()
        ]

    def vip_nodes(self, router_id: str) -> list[str]:
        """The nodes that hold the VRRP address, keepalived or not."""
        return [
            name
            for name, node in self.nodes.items()
            if node.holds_vip(router_id)
        ]

    def claims(self, router_id: str) -> dict[str, str]:
        """What Neutron says: node name -> ha_state."""
        hosting = self.admin.hosting(router_id)
        return {agent["host"]: agent["ha_state"] for agent in hosting}

    def wait_settled(self, router_id: str, timeout: float = 90) -> str:
        """Wait until a router is well; returns its active node.

        What well is, says `mending.unsettled`.
        """
        return mending.wait_settled(self, router_id, timeout)

    def mend(self, router_id: str | None = None, timeout: float = 180) -> str:
        """Bring everything back and wait until a router is settled.

        r1 unless another is named; returns its active node.
        """
        first = self.facts["router"]
        active = mending.mend(self, router_id or first, timeout)
        if router_id in (None, first):
            self.wait_reachable()
        return active

    def create_router(
        self,
        name: str,
        gateway: bool = True,
        wait: bool = True,
        owner: Api | None = None,
    ) -> str:
        """Make an HA router, in project demo or its owner's; returns its id.

        With an external gateway, and settled, unless told otherwise.
        """
        attributes: dict[str, object] = {"name": name}
        if gateway:
            outside = {"network_id": self.facts["public"]}
            attributes["external_gateway_info"] = outside
        made = (owner or self.demo).create("router", **attributes)
        router_id = str(made["id"])
        if wait:
            self.wait_settled(router_id)
        return router_id

    def delete_router(self, name: str, wait: bool = True) -> None:
        """Delete routers of any project, by name or id, with interfaces.

        Nothing happens when there is none.
        """
        routers = self.admin.neutron("GET", "/routers")["routers"]
        for router in routers:
            if name not in (router["id"], router["name"]):
                continue
            path = f"/routers/{router['id']}"
            query = f"/ports?device_id={router['id']}"
            for port in self.admin.neutron("GET", query)["ports"]:
                owner = port["device_owner"]
                if owner.endswith(("replicated_interface", "_distributed")):
                    body = {"port_id": port["id"]}
                    verb = f"{path}/remove_router_interface"
                    self.admin.neutron("PUT", verb, body)
            self.admin.neutron("DELETE", path)
            if wait:
                self._wait_gone(router["id"])

    def _wait_gone(self, router_id: str) -> None:
        replicas = [node.router(router_id) for node in self.nodes.values()]
        until(
            f"the end of router {router_id} on the nodes",
            lambda: not any(replica.exists() for replica in replicas),
            60,
        )

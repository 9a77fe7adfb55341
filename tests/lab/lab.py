"""The lab as tests and the command line use it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab import cloud
from tests.lab import control
from tests.lab import mending
from tests.lab import nodes
from tests.lab import packages
from tests.lab import processes
from tests.lab import repairs
from tests.lab import server
from tests.lab import spaces
from tests.lab import ssh
from tests.lab.api import Api
from tests.lab.commands import run
from tests.lab.daemons import Daemons
from tests.lab.daemons import end
from tests.lab.errors import LabDown
from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import EXTERNAL_GATEWAY
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.nodes import Node
from tests.lab.progress import say
from tests.lab.progress import until

HINT = "try: python -m tests.lab up"


class Lab:
    """A cloud of three network nodes on this machine."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or Layout.default()
        self.control = control.Control(self.layout)
        self.nodes = {name: Node(self.layout, name) for name in NODES}
        self.daemons = Daemons(self.layout)
        self.admin = Api(self.layout)
        self.demo = Api(self.layout, "demo", "demo")

    @classmethod
    def attach(cls, layout: Layout | None = None) -> Lab:
        """The lab that is up; LabDown when it is not.

        Agents and SSH servers may be down, as tests leave them; `mend` is for these.
        """
        lab = cls(layout)
        if not lab.layout.facts.exists():
            raise LabDown(f"the lab is not up; {HINT}")
        vital = [f"{CONTROL}.{name}" for name in control.DAEMONS] + [
            f"{name}.anchor" for name in NODES
        ]
        if dead := [name for name in vital if not lab.daemons.alive(name)]:
            raise LabDown(
                f"the lab is broken, no longer alive: {' '.join(dead)}; {HINT}"
            )
        return lab

    @property
    def facts(self) -> dict[str, str]:
        """Ids and addresses of what the cloud holds: router, public, private, subnet, subnet6, floating_ip, ..."""
        try:
            found: dict[str, str] = json.loads(self.layout.facts.read_text())
        except FileNotFoundError as error:
            raise LabDown(f"the lab is not up; {HINT}") from error
        return found

    # -- up and down -------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Bring the lab up; quick when it is up and healthy, from scratch when it is not."""
        if os.geteuid() != 0:
            raise LabError(
                "the lab makes network namespaces and has to be run by root"
            )
        with self._locked():
            packages.install(self.layout)
            if self.layout.facts.exists():
                if (ill := self.ailment()) is None:
                    say("the lab is up and healthy")
                    return
                say(f"not healthy, building it again: {ill}")
            self._clear()
            self._build()
            say("the lab is up")

    def down(self) -> None:
        """End everything that the lab started and remove what it made; the venv and the logs stay."""
        with self._locked():
            self._clear()

    def ailment(self) -> str | None:
        """What is wrong with the lab, in one line, or None when all of it is well."""
        try:
            Lab.attach(self.layout)
            for node in self.nodes.values():
                node.check()
            if asleep := [
                f"{a['binary']} on {a['host']}"
                for a in self.admin.agents()
                if not a["alive"]
            ]:
                return f"dead agents: {', '.join(asleep)}"
            self.wait_settled(self.facts["router"], 30)
            self.wait_reachable()
        except LabError as error:
            return str(error)
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The broker and the database run as users of their own and have to get through.
        self.layout.state.mkdir(parents=True, exist_ok=True, mode=0o755)
        with open(self.layout.lock, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another up or down is at work; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _clear(self) -> None:
        """Leave nothing of an earlier life, whatever state it is in."""
        # First this, so that nobody takes for up what is being taken down.
        self.layout.facts.unlink(missing_ok=True)
        recorded = [
            record.pid for record in self.daemons.all() if record.alive
        ]
        # SIGKILL at once: nothing of it is kept, and an agent that ends in peace takes its time.
        end({*recorded, *processes.inhabitants(self.layout.state)}, 0)
        # What was being started just then.
        end(processes.inhabitants(self.layout.state), 0)
        spaces.remove(self.layout)
        until("the run folder to go", self._remove_run, 10)

    def _remove_run(self) -> bool:
        shutil.rmtree(self.layout.run, ignore_errors=True)
        return not self.layout.run.exists()

    def _build(self) -> None:
        shutil.rmtree(self.layout.logs, ignore_errors=True)
        self.layout.run.mkdir()
        ssh.client(self.layout)
        self.layout.clouds.write_text(cloud.clouds(self.layout))
        self.control.build()
        with ThreadPoolExecutor() as pool:
            serving = pool.submit(self.control.serve)
            list(pool.map(Node.build, self.nodes.values()))
            ssh.known_hosts(self.layout, list(self.nodes.values()))
            say("nodes are up, with SSH")
            serving.result()
        say("Neutron answers")
        facts = cloud.identity(self.admin)
        list(map(Node.start_agents, self.nodes.values()))
        facts |= cloud.networks(self.admin, self.demo)
        say("networks are made; waiting for the agents")
        until("all agents", self._agents_alive, 120)
        router = cloud.router(self.demo, facts)
        facts |= {
            "router": router["id"],
            **cloud.server(self.admin, self.demo, facts),
        }
        say("router r1 is made; waiting for it to settle")
        host = self.nodes[cloud.SERVER_NODE]
        server.plug(host, facts)
        until("the server's port", lambda: server.tagged(host, facts), 60)
        active = self.wait_settled(router["id"], 180)
        say(f"router r1 is active on {active}")
        until(
            "an answer from the floating IP",
            lambda: self.ping(facts["floating_ip"]),
            90,
        )
        part = self.layout.facts.with_suffix(".part")
        part.write_text(json.dumps(facts, indent=2))
        part.replace(self.layout.facts)

    def _agents_alive(self) -> bool:
        for node in self.nodes.values():
            node.check()
        agents = self.admin.agents()
        return len(agents) == 2 * len(NODES) and all(
            agent["alive"] for agent in agents
        )

    # -- running things ----------------------------------------------------------------------------------------

    def environment(self, cloud: str = "lab") -> dict[str, str]:
        """The environment for clients: this process's own, with the lab's clouds.yaml and no other OS_ variable."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("OS_")
        }
        return {
            **kept,
            "OS_CLIENT_CONFIG_FILE": str(self.layout.clouds),
            "OS_CLOUD": cloud,
        }

    def enter(self, argv: Sequence[str]) -> list[str]:
        """The argument list that runs `argv` on the network of `ctl`, with this machine's own files."""
        return [
            "nsenter",
            f"--net={self.layout.namespace_path(CONTROL)}",
            "--",
            *argv,
        ]

    def ctl(
        self,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the network of `ctl`, with `environment()` plus `env`."""
        environment = {**self.environment(), **(env or {})}
        return run(
            self.enter(argv),
            input=input,
            check=check,
            env=environment,
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
        """Run the `openstack` of the interpreter that runs now, so that the plugin under test is in it."""
        program = Path(sys.prefix, "bin", "openstack")
        if not program.exists():
            raise LabError(
                f"no {program}: install python-openstackclient for this interpreter"
            )
        return self.ctl(
            [str(program), *arguments],
            input,
            check,
            {"OS_CLOUD": cloud, **(env or {})},
            timeout,
        )

    def openstack_json(self, *arguments: str, cloud: str = "lab") -> Any:
        """The parsed output of an `openstack` command with `-f json`, whatever its exit code.

        LabError when what it printed is not JSON.
        """
        done = self.openstack(*arguments, "-f", "json", cloud=cloud)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise LabError(
                f"exit {done.returncode} and no JSON: {done.stderr or done.stdout}"
            ) from error

    def ping(self, address: str, count: int = 1) -> bool:
        """Whether an address answers at least one of `count` pings from `ctl`, one second each."""
        return (
            self.ctl(
                ["ping", "-c", str(count), "-W", "1", "-q", address],
                check=False,
            ).returncode
            == 0
        )

    def wait_reachable(self, timeout: float = 30) -> None:
        """Wait until the floating IP answers a ping, after making the active node of r1 known to every switch."""
        facts = self.facts

        def look() -> bool:
            if self.ping(facts["floating_ip"]):
                return True
            for name in self.active_nodes(facts["router"]):
                repairs.announce(
                    self.nodes[name].router(facts["router"]),
                    EXTERNAL_GATEWAY,
                    facts["server_ip"],
                )
            return False

        until("an answer from the floating IP", look, timeout, 0.1)

    # -- routers -----------------------------------------------------------------------------------------------

    def active_nodes(self, router_id: str) -> list[str]:
        """The nodes that hold a router's VRRP address with a living keepalived."""
        return [
            name
            for name, node in self.nodes.items()
            if node.router(router_id).active()
        ]

    def vip_nodes(self, router_id: str) -> list[str]:
        """The nodes that hold a router's VRRP address, whether keepalived lives or not."""
        return [
            name
            for name, node in self.nodes.items()
            if node.holds_vip(router_id)
        ]

    def claims(self, router_id: str) -> dict[str, str]:
        """What Neutron says: node name -> ha_state."""
        return {
            agent["host"]: agent["ha_state"]
            for agent in self.admin.hosting(router_id)
        }

    def wait_settled(self, router_id: str, timeout: float = 90) -> str:
        """Wait until all is well with a router, and return the name of its active node. See `mending.settled`."""
        return mending.wait_settled(self, router_id, timeout)

    def mend(self, router_id: str | None = None, timeout: float = 180) -> str:
        """Bring everything back and wait until the router (r1 by default) is settled; returns its active node."""
        active = mending.mend(self, router_id or self.facts["router"], timeout)
        if router_id in (None, self.facts["router"]):
            self.wait_reachable()
        return active

    def create_router(
        self, name: str, gateway: bool = True, wait: bool = True
    ) -> str:
        """Make an HA router in project demo, with an external gateway unless told otherwise; returns its id."""
        outside = (
            {"external_gateway_info": {"network_id": self.facts["public"]}}
            if gateway
            else {}
        )
        router_id = str(self.demo.create("router", name=name, **outside)["id"])
        if wait:
            self.wait_settled(router_id)
        return router_id

    def delete_router(self, name: str) -> None:
        """Delete a router, given by name or id, with its interfaces; nothing happens when there is none."""
        for router in self.demo.neutron("GET", "/routers")["routers"]:
            if name not in (router["id"], router["name"]):
                continue
            ports = self.admin.neutron(
                "GET", f"/ports?device_id={router['id']}"
            )["ports"]
            for port in ports:
                if (
                    port["device_owner"]
                    == "network:ha_router_replicated_interface"
                ):
                    body = {"port_id": port["id"]}
                    self.demo.neutron(
                        "PUT",
                        f"/routers/{router['id']}/remove_router_interface",
                        body,
                    )
            self.demo.neutron("DELETE", f"/routers/{router['id']}")
            self._wait_gone(str(router["id"]))

    def _wait_gone(self, router_id: str) -> None:
        def look() -> bool:
            return not any(
                node.router(router_id).exists() for node in self.nodes.values()
            )

        until(f"the end of router {router_id} on the nodes", look, 60)

    def parts(self) -> list[tuple[str, bool, int | None]]:
        """(name, alive, pid) of every process that belongs to a lab that is up."""
        names = [f"{CONTROL}.{name}" for name in control.DAEMONS]
        names += [f"{node}.{name}" for node in NODES for name in nodes.DAEMONS]
        found = []
        for name in names:
            record = self.daemons.find(name)
            found.append(
                (
                    name,
                    record is not None and record.alive,
                    record.pid if record else None,
                )
            )
        return found

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

"""A network node: its daemons, its SSH server and its routers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import signal
import subprocess

from tests.lab import processes
from tests.lab import serving
from tests.lab import settings
from tests.lab import ssh
from tests.lab.commands import CLEAN
from tests.lab.daemons import end
from tests.lab.daemons import send
from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.layout import Layout
from tests.lab.layout import MANAGEMENT_PREFIX
from tests.lab.layout import NODES
from tests.lab.progress import until
from tests.lab.replicas import Replica
from tests.lab.sockets import connect
from tests.lab.spaces import link
from tests.lab.spaces import Space

#: What runs on a node all the time, in the order of starting. A node agent
#: (`serving`) runs there too, if the lab is brought up by a Python that can.
DAEMONS = ("anchor", "ovsdb", "vswitchd", "sshd", "ovs-agent", "l3-agent")


class Node(Space):
    """One of net1, net2 and net3."""

    def __init__(self, layout: Layout, name: str) -> None:
        super().__init__(layout, name)
        self.address = NODES[name]

    def build(self) -> None:
        """Make the machine with its links, its switch and its SSH server."""
        self.create()
        for device, bridge in (("eth0", "br-mgmt"), ("eth1", "br-data")):
            port = f"{self.name}-{device}"
            link(self.layout, self.name, device, CONTROL, port)
            control = Space(self.layout, CONTROL)
            control.run(["ip", "link", "set", port, "master", bridge, "up"])
            self.run(["ip", "link", "set", device, "up"])
        self.run(
            [
                "ip",
                "address",
                "add",
                f"{self.address}/{MANAGEMENT_PREFIX}",
                "dev",
                "eth0",
            ]
        )
        ssh.furnish(self)
        self.start_sshd()
        self._switch()

    def _switch(self) -> None:
        database = "/run/openvswitch/conf.db"
        self.run(
            [
                "ovsdb-tool",
                "create",
                database,
                "/usr/share/openvswitch/vswitch.ovsschema",
            ]
        )
        self._start_ovsdb()
        until(
            f"the switch's database on {self.name}",
            lambda: (
                self.daemons.must_live(f"{self.name}.ovsdb")
                and self.run(
                    ["ovs-vsctl", "--no-wait", "init"], check=False
                ).returncode
                == 0
            ),
        )
        self._start_vswitchd()
        bridge = settings.PHYSICAL_BRIDGE
        self.run(
            [
                "ovs-vsctl", "--may-exist", "add-br", bridge,
                "--", "set", "Bridge", bridge, "datapath_type=netdev",
                "--", "--may-exist", "add-port", bridge, "eth1",
            ]
        )  # fmt: skip

    def _start_ovsdb(self) -> None:
        self.start(
            "ovsdb",
            [
                "ovsdb-server", "/run/openvswitch/conf.db",
                "--remote=punix:/run/openvswitch/db.sock",
                "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                "--remote=ptcp:6640:127.0.0.1",
                "--unixctl=/run/openvswitch/ovsdb-server.ctl",
            ],
            {"OVS_RUNDIR": "/run/openvswitch"},
        )  # fmt: skip

    def _start_vswitchd(self) -> None:
        self.start(
            "vswitchd",
            [
                "ovs-vswitchd", "unix:/run/openvswitch/db.sock",
                "--unixctl=/run/openvswitch/ovs-vswitchd.ctl",
                "--pidfile=/run/openvswitch/ovs-vswitchd.pid",
                "--overwrite-pidfile",
            ],
            {"OVS_RUNDIR": "/run/openvswitch"},
        )  # fmt: skip

    def start_agents(self) -> None:
        """Write Neutron's configuration and start the node's two agents."""
        self.run(["mkdir", "-p", "/etc/neutron", "/run/lock/neutron"])
        for name, text in {
            "neutron.conf": settings.node(self.name),
            "openvswitch_agent.ini": settings.openvswitch_agent(self.layout),
            "l3_agent.ini": settings.l3_agent(self.layout),
        }.items():
            self.run(["tee", f"/etc/neutron/{name}"], input=text)
        self.start_ovs_agent()
        self.start_l3_agent()

    def _agent(self, daemon: str, program: str, file: str) -> None:
        if self.daemons.alive(f"{self.name}.{daemon}"):
            return
        programs = self.layout.programs
        self.start(
            daemon,
            [
                str(programs / program),
                "--config-file=/etc/neutron/neutron.conf",
                f"--config-file=/etc/neutron/{file}",
            ],
            {"PATH": f"{programs}:{CLEAN['PATH']}"},
        )

    def start_l3_agent(self) -> None:
        """Start the L3 agent unless it runs; it reports a little later."""
        self._agent("l3-agent", "neutron-l3-agent", "l3_agent.ini")

    def kill_l3_agent(self, number: int = signal.SIGKILL) -> None:
        """End the L3 agent by a signal, and wait until it is gone.

        Only the agent's own processes: keepalived, the monitors and the others
        stay, as on a real node. For SIGSTOP and the like see
        `signal_l3_agent`.
        """
        self.signal_l3_agent(number)
        until(
            f"the end of the L3 agent on {self.name}",
            lambda: not self.l3_agent_running(),
            30,
            0.05,
        )

    def signal_l3_agent(self, number: int) -> None:
        """Send a signal to the L3 agent's own processes."""
        send(self._l3_agent(), number)

    def l3_agent_running(self) -> bool:
        """Whether any process of the L3 agent is alive (a stopped one is)."""
        return bool(self._l3_agent())

    def _l3_agent(self) -> list[int]:
        record = self.daemons.find(f"{self.name}.l3-agent")
        if record is None:
            return []
        # The agent is a parent and a worker in the session that was made for
        # it; whatever it starts through sudo may be in that session too, but
        # does not carry its name.
        return [
            pid
            for pid in processes.inhabitants(self.layout.state, self.name)
            if processes.session(pid) == record.pid
            and _is_l3_agent(processes.command(pid))
        ]

    def start_ovs_agent(self) -> None:
        """Start the Open vSwitch agent unless it runs."""
        self._agent(
            "ovs-agent", "neutron-openvswitch-agent", "openvswitch_agent.ini"
        )

    def start_sshd(self) -> None:
        """Start sshd unless it runs, and wait until it answers."""
        if not self.daemons.alive(f"{self.name}.{ssh.DAEMON}"):
            ssh.start(self)
        until(f"sshd on {self.name}", self._sshd_answers, 20, 0.05)

    def _sshd_answers(self) -> bool:
        self.daemons.must_live(f"{self.name}.{ssh.DAEMON}")
        with connect(
            self.layout.namespace_path(CONTROL), self.address, 22, 5
        ) as socket:
            return socket.recv(4) == b"SSH-"

    def stop_sshd(self) -> None:
        """End sshd and every connection to it."""
        end(self._sshd(), 0)

    def _sshd(self) -> list[int]:
        return [
            pid
            for pid in processes.inhabitants(self.layout.state, self.name)
            if (processes.command(pid) or [""])[0]
            .split(":")[0]
            .rpartition("/")[2]
            == "sshd"
        ]

    def change_host_key(self) -> None:
        """Give the node another host key than known_hosts has."""
        ssh.keep_host_key(self)
        ssh.make_host_key(self)
        self.stop_sshd()
        self.start_sshd()

    def restore_host_key(self) -> None:
        """Take `change_host_key` back; nothing happens when there was none."""
        if ssh.restore_host_key(self):
            self.stop_sshd()
            self.start_sshd()

    @property
    def ha_agent_url(self) -> str:
        """Where this node's agent of ours answers."""
        return f"https://{self.address}:{HA_AGENT_PORT}"

    def start_ha_agent(self, ca: Path | None = None) -> None:
        """Start the node agent unless it runs, and wait until it answers.

        `ca` if it has been given a certificate that is not of the lab's CA.
        """
        if not self.daemons.alive(f"{self.name}.{serving.DAEMON}"):
            serving.start(self)
        serving.wait(self, ca)

    def stop_ha_agent(self) -> None:
        """End the node agent with SIGTERM, and wait until it is gone."""
        serving.stop(self)

    def signal_ha_agent(self, number: int) -> None:
        """Send a signal to the node agent's server, not to its child."""
        send(serving.pids(self)[:1], number)

    def ha_agent_pids(self) -> list[int]:
        """Host pids of the node agent's processes, the server first."""
        return serving.pids(self)

    def router(self, router_id: str) -> Replica:
        """The replica of a router on this node."""
        return Replica(self, router_id)

    def namespace_run(
        self,
        router_id: str,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a router's namespace on this node."""
        return self.router(router_id).run(argv, input=input, check=check)

    def holds_vip(self, router_id: str) -> bool:
        """Whether a router's namespace here holds its VRRP address."""
        return self.router(router_id).holds_vip()

    def keepalived_pids(self, router_id: str) -> list[int]:
        """Host pids of a router's keepalived here: parent, then child."""
        return self.router(router_id).keepalived_pids()

    def monitor_pid(self, router_id: str) -> int | None:
        """Host pid of a router's neutron-keepalived-state-change here."""
        return self.router(router_id).monitor_pid()

    def cut_ha_network(self, router_id: str) -> None:
        """Cut a router's HA port here off from the HA network, both ways."""
        self.router(router_id).cut()

    def heal_ha_network(self, router_id: str) -> None:
        """Undo `cut_ha_network`; nothing happens when the port is not cut."""
        self.router(router_id).heal()

    def mend(self) -> set[str]:
        """Start what does not run, and continue what was stopped.

        Returns the names of the agents that had to be started.
        """
        inhabitants = processes.inhabitants(self.layout.state, self.name)
        send(inhabitants, signal.SIGCONT)
        for name, start in (
            ("ovsdb", self._start_ovsdb),
            ("vswitchd", self._start_vswitchd),
        ):
            if not self.daemons.alive(f"{self.name}.{name}"):
                start()
        self.restore_host_key()
        self.start_sshd()
        if self.daemons.find(f"{self.name}.{serving.DAEMON}"):
            self.start_ha_agent()
        started = set()
        if not self.daemons.alive(f"{self.name}.ovs-agent"):
            self.start_ovs_agent()
            started.add("neutron-openvswitch-agent")
        if not self.daemons.alive(f"{self.name}.l3-agent"):
            # A worker may have outlived its parent.
            end(self._l3_agent(), 0)
            self.start_l3_agent()
            started.add("neutron-l3-agent")
        return started

    def check(self) -> None:
        """LabError that names the first daemon that does not live."""
        for name in DAEMONS:
            if not self.daemons.alive(f"{self.name}.{name}"):
                raise LabError(f"{self.name}.{name} does not run")


def _is_l3_agent(argv: list[str]) -> bool:
    """Whether an argument list, or a title set by itself, is the agent's."""
    text = " ".join(argv[:3])
    return (
        "neutron-l3-agent" in text
        and "privsep" not in text
        and "sudo" not in argv[:1]
    )

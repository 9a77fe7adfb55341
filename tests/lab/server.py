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

"""The server behind the floating IP: a namespace without any process."""

from __future__ import annotations

from tests.lab.progress import until
from tests.lab.spaces import Space

NAMESPACE = "server"


def plug(node: Space, facts: dict[str, str]) -> None:
    """Plug the server's port into the node's switch, as a hypervisor would.

    `facts` has server_port, server_mac and server_ip; the gateway is the first
    address of the subnet.
    """
    device = f"tap{facts['server_port'][:11]}"
    node.run(["ip", "netns", "add", NAMESPACE])
    node.run(
        [
            "ovs-vsctl", "--may-exist", "add-port", "br-int", device,
            "--", "set", "Interface", device, "type=internal",
            f"external_ids:iface-id={facts['server_port']}",
            f'external_ids:attached-mac="{facts["server_mac"]}"',
            "external_ids:iface-status=active",
        ]
    )  # fmt: skip
    until(
        f"the device {device}",
        lambda: (
            node.run(["ip", "link", "show", device], check=False).returncode
            == 0
        ),
        20,
    )
    node.run(["ip", "link", "set", device, "netns", NAMESPACE])
    inside = ["ip", "-n", NAMESPACE]
    gateway = facts["server_ip"].rpartition(".")[0] + ".1"
    for arguments in (
        ["link", "set", "lo", "up"],
        ["link", "set", device, "address", facts["server_mac"], "up"],
        ["address", "add", f"{facts['server_ip']}/24", "dev", device],
        ["route", "add", "default", "via", gateway],
    ):
        node.run([*inside, *arguments])


def tagged(node: Space, facts: dict[str, str]) -> bool:
    """Whether the port has been put on its network by the agent."""
    done = node.run(
        ["ovs-vsctl", "get", "Port", f"tap{facts['server_port'][:11]}", "tag"],
        check=False,
    )
    text = done.stdout.strip()
    return text.isdigit() and int(text) < 4094

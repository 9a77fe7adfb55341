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

"""Where everything is: folders, addresses, names, and some numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

#: What `up` builds. A lab with another number was built by another version of
#: this package, and is built again: raise it when what is built changes.
EDITION = 3

DEFAULT_STATE = Path("/var/lib/osc-ha-router-lab")
STATE_VARIABLE = "OSC_HA_ROUTER_LAB"

#: The three network nodes and their addresses on the management network.
NODES = {"net1": "198.18.0.11", "net2": "198.18.0.12", "net3": "198.18.0.13"}
CONTROL = "ctl"
CONTROL_ADDRESS = "198.18.0.1"
MANAGEMENT_PREFIX = 24

#: The outside world: `ctl` is the external network's own router.
EXTERNAL_GATEWAY = "203.0.113.1"
EXTERNAL_SUBNET = "203.0.113.0/24"
EXTERNAL_POOL = ("203.0.113.50", "203.0.113.250")
PRIVATE_SUBNET = "10.1.1.0/24"
PRIVATE_GATEWAY6 = "fd00:1:1::1"
PRIVATE_SUBNET6 = "fd00:1:1::/64"
PHYSNET = "physnet1"

KEYSTONE_PORT = 5000
NEUTRON_PORT = 9696
#: The node agents, one on each node.
HA_AGENT_PORT = 6689
KEYSTONE_URL = f"http://{CONTROL_ADDRESS}:{KEYSTONE_PORT}/v3"
NEUTRON_URL = f"http://{CONTROL_ADDRESS}:{NEUTRON_PORT}"
REGION = "RegionOne"
#: One password for everything: nothing outside `ctl` can reach it.
PASSWORD = "lab-secret"  # noqa: S105

#: An agent that has not reported for this long is dead. Neutron's default of
#: 75 s would make every test that needs a dead agent wait as long; three
#: reports fit in it.
AGENT_DOWN_TIME = 15
REPORT_INTERVAL = 5
#: How often the L3 agent looks for dead keepalived and state-change monitors
#: and starts them again. Neutron's default is 60 s: too long for a bench,
#: where every test waits for its mess to be mended.
CHECK_CHILDREN_INTERVAL = 10
VRRP_ADVERT_INTERVAL = 2

OPERATOR = "lab-operator"
NOSUDO = "lab-nosudo"
#: The user of Keystone that the node agents are, and the one on the nodes
#: that they run as.
HA_SERVICE = "router-ha"
HA_USER = "osc-ha-router"

#: A VLAN that no port of the lab uses; an HA port that is cut off is put into
#: it.
UNUSED_VLAN = 4094


@dataclasses.dataclass(frozen=True)
class Layout:
    """The paths of one lab, all under its state folder.

    Two labs with different state folders can be up at the same time: nothing
    of a lab is visible outside its namespaces but their names, and these carry
    a mark of the folder.
    """

    state: Path
    #: whether its routers are distributed (DVR), with the active role in the
    #: snat- namespaces
    distributed: bool = False
    #: whether its Neutron is the one that Debian packages, and not the newest
    packaged: bool = False

    @classmethod
    def default(cls) -> Layout:
        """The lab of $OSC_HA_ROUTER_LAB, or of the default folder."""
        return cls(
            Path(os.environ.get(STATE_VARIABLE) or DEFAULT_STATE).absolute()
        )

    def with_dvr(self) -> Layout:
        """The lab with DVR that can be up beside this one."""
        return Layout(self.state / "dvr", distributed=True)

    def with_debian(self) -> Layout:
        """The lab with Debian's own Neutron that can be up beside this one."""
        return Layout(self.state / "debian", packaged=True)

    @property
    def hint(self) -> str:
        """What to do when the lab is not up."""
        option = " --dvr" if self.distributed else ""
        option += " --neutron debian" if self.packaged else ""
        return f"try: python -m tests.lab{option} up"

    @property
    def prefix(self) -> str:
        """What the names of its network namespaces begin with outside."""
        if self.state == DEFAULT_STATE:
            return "orhlab-"
        mark = hashlib.sha256(str(self.state).encode()).hexdigest()[:6]
        return f"orhlab-{mark}-"

    def namespace(self, name: str) -> str:
        """The name that `ip netns` shows for `ctl` or for a node."""
        return self.prefix + name

    def namespace_path(self, name: str) -> Path:
        """The file that holds the network namespace of `ctl` or of a node."""
        return Path("/run/netns") / self.namespace(name)

    @property
    def venv(self) -> Path:
        """Keystone, Neutron and an `openstack` command; kept by `down`.

        A lab with DVR or with Debian's Neutron has that of the one beside it.
        """
        beside = self.distributed or self.packaged
        return (self.state.parent if beside else self.state) / "venv"

    @property
    def unpacked(self) -> Path:
        """Debian's packages with Neutron, if the lab has it from there."""
        return self.state / "packages"

    @property
    def programs(self) -> Path:
        """Where Neutron's programs are on `ctl` and on the nodes."""
        return Path("/usr/bin") if self.packaged else self.venv / "bin"

    @property
    def run(self) -> Path:
        """What one life of the lab writes; gone before the next one."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """One file for each daemon, from the last life of the lab."""
        return self.state / "logs"

    @property
    def old_logs(self) -> Path:
        """The logs of the life before that."""
        return self.state / "logs.old"

    @property
    def records(self) -> Path:
        """One file for each daemon: its pid and start time."""
        return self.run / "daemons"

    @property
    def config(self) -> Path:
        """Configuration of the control plane."""
        return self.run / "config"

    @property
    def clouds(self) -> Path:
        """clouds.yaml with the cloud lab, and one for each user of a tenant."""
        return self.state / "clouds.yaml"

    @property
    def ca(self) -> Path:
        """The certificate that the node agents' own are checked with."""
        return self.state / "ca.pem"

    @property
    def ssh_config(self) -> Path:
        """The SSH client's configuration for the hosts net1, net2 and net3."""
        return self.state / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        """The nodes' host keys."""
        return self.state / "known_hosts"

    @property
    def client_key(self) -> Path:
        """The key that both users of the nodes accept."""
        return self.state / "id_ed25519"

    @property
    def facts(self) -> Path:
        """Ids of what the cloud holds; written last: without it, not up."""
        return self.run / "facts.json"

    @property
    def lock(self) -> Path:
        """Held by `up` and `down`."""
        return self.state / "lock"

    def node(self, name: str) -> Path:
        """A node's own /etc, /var/lib/neutron (neutron/) and home/."""
        return self.run / name

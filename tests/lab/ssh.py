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

"""SSH to the nodes: keys, the client's files and a daemon for each node."""

from __future__ import annotations

from pathlib import Path
import shutil

from tests.lab.commands import CLEAN
from tests.lab.commands import run
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.layout import NOSUDO
from tests.lab.layout import OPERATOR
from tests.lab.spaces import Space

DAEMON = "sshd"
_KEY = "/etc/ssh/ssh_host_ed25519_key"


def client(layout: Layout) -> None:
    """Make the client's key and ssh_config; known_hosts comes later."""
    layout.client_key.unlink(missing_ok=True)
    layout.client_key.with_suffix(".pub").unlink(missing_ok=True)
    run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "osc-ha-router lab",
            "-f",
            str(layout.client_key),
        ]
    )
    common = [
        f"    IdentityFile {layout.client_key}",
        "    IdentitiesOnly yes",
        f"    UserKnownHostsFile {layout.known_hosts}",
        "    GlobalKnownHostsFile /dev/null",
        "    StrictHostKeyChecking yes",
        "    BatchMode yes",
        "    ConnectTimeout 10",
    ]
    lines = []
    for name, address in NODES.items():
        lines += [
            f"Host {name}",
            f"    HostName {address}",
            f"    User {OPERATOR}",
            *common,
            "",
        ]
    layout.ssh_config.write_text("\n".join(lines))


def known_hosts(layout: Layout, nodes: list[Space]) -> None:
    """Write known_hosts, with the keys that the nodes have now."""
    lines = []
    for node in nodes:
        kind, key = node.run(["cat", f"{_KEY}.pub"]).stdout.split()[:2]
        lines.append(f"{node.name},{NODES[node.name]} {kind} {key}\n")
    layout.known_hosts.write_text("".join(lines))


def furnish(node: Space) -> None:
    """Make a node's users, their rights, its host key and its sshd_config."""
    home = node.layout.node(node.name) / "home"
    keys = home / "authorized_keys"
    shutil.copyfile(node.layout.client_key.with_suffix(".pub"), keys)
    for user in (OPERATOR, NOSUDO):
        folder = home / user
        node.run(
            [
                "useradd",
                "--create-home",
                "--home-dir",
                str(folder),
                "--shell",
                "/bin/bash",
                user,
            ]
        )
        # Without PAM sshd takes the "!" of a new account for locked; "*" only
        # means that no password fits.
        node.run(["usermod", "--password", "*", user])
    node.run(
        [
            "rm",
            "-f",
            *(str(path) for path in Path("/etc/ssh").glob("ssh_host_*")),
        ]
    )
    path = f"{node.layout.programs}:{CLEAN['PATH']}"
    rules = (
        # Neutron runs privsep-helper and neutron-keepalived-state-change
        # through sudo, which resets PATH.
        f'Defaults secure_path="{path}"\n'
        "Defaults !fqdn\n"
        f"{OPERATOR} ALL=(ALL:ALL) NOPASSWD: ALL\n"
    )
    node.run(["tee", "/etc/sudoers.d/lab"], input=rules)
    node.run(["chmod", "440", "/etc/sudoers.d/lab"])
    node.run(["visudo", "-c", "-q"])
    # Whatever configuration and drop-ins the machine itself has are not the
    # node's.
    settings = [
        f"ListenAddress {NODES[node.name]}",
        f"HostKey {_KEY}",
        f"AuthorizedKeysFile {keys}",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin prohibit-password",
        "MaxStartups 100",
        "PidFile /run/sshd.pid",
        "LogLevel VERBOSE",
        "Subsystem sftp internal-sftp",
    ]
    node.run(
        ["tee", "/etc/ssh/sshd_config"],
        input="".join(f"{line}\n" for line in settings),
    )
    make_host_key(node)


def make_host_key(node: Space) -> None:
    """Give a node a new host key."""
    node.run(["rm", "-f", _KEY, f"{_KEY}.pub"])
    node.run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            node.name,
            "-f",
            _KEY,
        ]
    )


def keep_host_key(node: Space) -> None:
    """Put the present host key aside, unless one is put aside already."""
    if node.run(["test", "-e", f"{_KEY}.real"], check=False).returncode:
        node.run(["cp", "-a", _KEY, f"{_KEY}.real"])
        node.run(["cp", "-a", f"{_KEY}.pub", f"{_KEY}.pub.real"])


def restore_host_key(node: Space) -> bool:
    """Take the key back that was put aside; False when there was none."""
    if node.run(["test", "-e", f"{_KEY}.real"], check=False).returncode:
        return False
    node.run(["mv", "-f", f"{_KEY}.real", _KEY])
    node.run(["mv", "-f", f"{_KEY}.pub.real", f"{_KEY}.pub"])
    return True


def start(node: Space) -> None:
    """Start the node's sshd in the foreground of its own session."""
    node.start(DAEMON, ["/usr/sbin/sshd", "-D", "-e"])

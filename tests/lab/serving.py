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

"""The node agent of each node: its user, its files and its processes.

What it is installed from is the code under test: it runs with the Python
that runs the lab, in which this project is installed with its extra `agent`.
A Python without that brings the lab up without node agents.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
import hashlib
import http.client
import importlib.util
import json
from pathlib import Path
import ssl
import sys
import time

from tests.lab import opening
from tests.lab import processes
from tests.lab import settings
from tests.lab.daemons import end
from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.layout import HA_USER
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.progress import until
from tests.lab.sockets import connect
from tests.lab.spaces import Space
from tests.lab.tls import Authority

DAEMON = "ha-agent"
FOLDER = "/etc/osc-ha-router"
_PROGRAM = Path(sys.prefix, "bin", "osc-ha-router-agent")
#: What tells that the extra is installed.
_EXTRA = ("cheroot", "flask", "keystonemiddleware", "oslo_policy")
_MODULE = "osc_ha_router.agent.main"
#: What the command lines of its child and of node programs have.
_CHILD = "osc_ha_router.agent.privileged"


def authority(layout: Layout) -> Authority:
    """Make the CA of the nodes' certificates."""
    return Authority.make(layout.ca, layout.run / "ca.key", "lab CA")


def furnish(node: Space, ca: Authority) -> None:
    """Make what a package and an operator would have put on a node."""
    # The machine may have one, of which the node has a copy.
    if node.run(["getent", "passwd", HA_USER], check=False).returncode:
        node.run(
            [
                "useradd", "--system", "--user-group", "--no-create-home",
                "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
                HA_USER,
            ]
        )  # fmt: skip
    folder = node.layout.node(node.name) / FOLDER.lstrip("/")
    folder.mkdir(mode=0o755, exist_ok=True)
    names = (f"DNS:{node.name}", f"IP:{NODES[node.name]}", "DNS:localhost")
    ca.certify(folder / "cert.pem", folder / "key.pem", *names)
    (folder / "ca.pem").write_bytes(ca.certificate.read_bytes())
    for name, text in {
        "agent.conf": settings.ha_agent(node.name, FOLDER),
        "metrics-token": settings.METRICS_TOKEN,
    }.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(text)


def possible() -> bool:
    """Whether this Python has what a node agent takes."""
    return _PROGRAM.exists() and all(
        map(importlib.util.find_spec, (*_EXTRA, _MODULE))
    )


def current(layout: Layout, nodes: Iterable[Space]) -> bool:
    """Whether all run, with this Python and the code as it is now."""
    stamp = _stamp(layout)
    return (
        stamp.exists()
        and stamp.read_text() == _fingerprint()
        and all(map(answers, nodes))
    )


def restart(layout: Layout, nodes: Iterable[Space]) -> None:
    """Start all anew with this Python, and wait until they answer."""
    stamp = _stamp(layout)
    stamp.unlink(missing_ok=True)
    found = _fingerprint()
    with ThreadPoolExecutor() as pool:
        list(pool.map(stop, nodes))
        list(pool.map(start, nodes))
        list(pool.map(wait, nodes))
    stamp.write_text(found)


def start(node: Space) -> None:
    """Start the node agent with this Python; it answers a little later."""
    if not possible():
        raise LabError(
            f"{sys.executable} has not this project with its extra agent, so "
            "it cannot run node agents"
        )
    opening.reveal(node, [Path(sys.prefix), Path(sys.base_prefix), _package()])
    node.start(
        DAEMON,
        [
            sys.executable,
            str(_PROGRAM),
            f"--config-file={FOLDER}/agent.conf",
        ],
        {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def wait(node: Space, ca: Path | None = None, timeout: float = 60) -> None:
    """Wait until the node agent answers, and says that it is well.

    `ca` if its certificate is not of the lab's CA.
    """
    limit = time.monotonic() + timeout
    while not answers(node, ca):
        node.daemons.must_live(f"{node.name}.{DAEMON}")
        if time.monotonic() > limit:
            raise LabError(f"the node agent on {node.name} is not well")
        time.sleep(0.1)


def stop(node: Space, patience: float = 30) -> None:
    """End the node agent as systemd would, and wait until it is gone."""
    record = node.daemons.find(f"{node.name}.{DAEMON}")
    if record is not None and record.alive:
        end([record.pid], patience)
    # Its child ends by itself, having undone what it was about to do.
    until(
        f"the end of the node agent on {node.name}",
        lambda: not pids(node),
        patience,
        0.05,
    )


def pids(node: Space) -> list[int]:
    """Host pids of the node agent and all that it started there.

    The server comes first, if it lives; then its privileged child and the
    node programs that this one forked.
    """
    record = node.daemons.find(f"{node.name}.{DAEMON}")
    first = [record.pid] if record is not None and record.alive else []
    return first + sorted(
        pid
        for pid in processes.inhabitants(node.layout.state, node.name)
        if _CHILD in processes.command(pid)
    )


def answers(node: Space, ca: Path | None = None) -> bool:
    """Whether the node agent says that it is well."""
    context = ssl.create_default_context(cafile=ca or node.layout.ca)
    address = NODES[node.name]
    link = http.client.HTTPConnection(address, HA_AGENT_PORT, timeout=10)
    try:
        plain = connect(
            node.layout.namespace_path(CONTROL), address, HA_AGENT_PORT, 10
        )
        link.sock = context.wrap_socket(plain, server_hostname=address)
        link.request("GET", "/healthcheck")
        answer = link.getresponse()
        return answer.status == 200 and bool(json.load(answer))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        link.close()


def _package() -> Path:
    spec = importlib.util.find_spec("osc_ha_router")
    if spec is None or spec.origin is None:
        raise LabError(f"{sys.executable} has not this project")
    return Path(spec.origin).parent


def _stamp(layout: Layout) -> Path:
    return layout.run / "ha-agent.stamp"


def _fingerprint() -> str:
    """What tells one version of the code from another, and its Python."""
    digest = hashlib.sha256(sys.executable.encode())
    for path in sorted(_package().rglob("*")):
        if path.is_file() and path.parent.name != "__pycache__":
            stat = path.stat()
            line = f"\n{path} {stat.st_mtime_ns} {stat.st_size}"
            digest.update(line.encode())
    return digest.hexdigest()

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

"""What has to be installed: Debian packages and a venv with Neutron."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import hashlib
import os
from pathlib import Path
import re
import shutil
import time

from tests.lab import unpacking
from tests.lab.commands import run
from tests.lab.errors import LabError
from tests.lab.layout import Layout
from tests.lab.progress import say

DEBIAN = (
    "conntrack curl haproxy ipset iproute2 iptables iputils-ping keepalived "
    "mariadb-client mariadb-server nftables openssh-client openssh-server "
    "openssl openvswitch-switch procps python3-venv rabbitmq-server radvd sudo "
    "tcpdump util-linux "
    # login shells and doas, for the tests of the SSH backend
    "fish ksh mksh opendoas tcsh zsh "
    # promtool, for the tests of the alert rules
    "prometheus"
).split()
#: Services that Debian would start at the next boot when their package comes
#: in. The lab does not want them, so those that it brings are disabled; those
#: that were there before are left as they were.
SERVICES = {
    "haproxy": "haproxy",
    "keepalived": "keepalived",
    "mariadb-server": "mariadb",
    "openssh-server": "ssh",
    "openvswitch-switch": "openvswitch-switch",
    "prometheus": "prometheus",
    "rabbitmq-server": "rabbitmq-server epmd",
    "radvd": "radvd",
}
#: The interpreter of Debian 12: the constraints were frozen with it.
PYTHON = "/usr/bin/python3"
HERE = Path(__file__).parent
_POLICY = Path("/usr/sbin/policy-rc.d")
_ASIDE = Path("/usr/sbin/policy-rc.d.before-osc-ha-router-lab")
_OURS = """\
#!/bin/sh
# Of the osc-ha-router lab: start no service while packages are installed.
exit 101
"""


_PASSED_ON = re.compile(
    r"PIP_|(?:https?|ftp|no|all)_proxy$|(?:SSL_CERT|REQUESTS_CA|CURL_CA)_",
    re.I,
)


def _environment() -> dict[str, str]:
    """How to reach the package servers, if the machine needs to be told."""
    return {k: v for k, v in os.environ.items() if _PASSED_ON.match(k)}


def install(layout: Layout) -> None:
    """Install what is missing; quick when nothing is."""
    # Two labs can have one venv, see `Layout.venv`.
    with open(layout.venv.parent / "packages.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _debian()
        _venv(layout)
    if layout.packaged:
        unpacking.install(layout, _environment())


def missing() -> list[str]:
    """The Debian packages that are not installed."""
    done = run(
        [
            "dpkg-query",
            "--show",
            "--showformat=${Package} ${db:Status-Status}\n",
            *DEBIAN,
        ],
        check=False,
    )
    present = {
        line.split()[0]
        for line in done.stdout.splitlines()
        if line.endswith(" installed")
    }
    return [name for name in DEBIAN if name not in present]


def _debian() -> None:
    wanted = missing()
    if not wanted:
        # A run that was killed may have left its policy behind while apt-get
        # went on to the end.
        _restore_policy()
        return
    say(f"installing Debian packages: {' '.join(wanted)}")
    apt = ["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=600"]
    quiet = {
        **_environment(),
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
    }
    with _nothing_starts():
        # A run that was killed in the middle of an installation leaves
        # packages unpacked only.
        run(["dpkg", "--configure", "-a"], env=quiet, check=False, timeout=600)
        run([*apt, "update"], env=quiet, timeout=600)
        run(
            [
                *apt,
                "-o",
                "Dpkg::Options::=--force-confold",
                "install",
                "--no-install-recommends",
                *wanted,
            ],
            env=quiet,
            timeout=1800,
        )
    if left := missing():
        raise LabError(f"apt-get did not install: {' '.join(left)}")
    services = " ".join(SERVICES[name] for name in wanted if name in SERVICES)
    for service in services.split():
        # Both only change links under /etc, and need no running systemd.
        run(["update-rc.d", service, "disable"], check=False)
        if shutil.which("systemctl"):
            run(["systemctl", "disable", service], check=False)


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Keep packages from starting their services for a while."""
    if _POLICY.exists() and _POLICY.read_text(errors="replace") != _OURS:
        _POLICY.replace(_ASIDE)
    _POLICY.write_text(_OURS)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _restore_policy()


def _restore_policy() -> None:
    if _ASIDE.exists():
        _ASIDE.replace(_POLICY)
    elif _POLICY.exists() and _POLICY.read_text(errors="replace") == _OURS:
        _POLICY.unlink()


def _venv(layout: Layout) -> None:
    requirements, constraints = (
        HERE / "requirements.txt",
        HERE / "constraints.txt",
    )
    stamp = layout.venv / "lab-stamp"
    wanted = hashlib.sha256(
        requirements.read_bytes() + constraints.read_bytes()
    ).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing Keystone and Neutron into a virtual environment")
    began = time.monotonic()
    shutil.rmtree(layout.venv, ignore_errors=True)
    # When this program is killed, an installation that goes on would get in
    # the way of the next one.
    tied = ["setpriv", "--pdeathsig=KILL", "--"]
    run([*tied, PYTHON, "-m", "venv", str(layout.venv)])
    run(
        [
            *tied, str(layout.venv / "bin/pip"), "install", "--quiet",
            "--disable-pip-version-check",
            "--requirement", str(requirements),
            "--constraint", str(constraints),
        ],
        env=_environment(),
        timeout=1800,
    )  # fmt: skip
    # Written last: a half-made environment has no stamp and is made again.
    stamp.write_text(wanted)
    say(f"installed in {time.monotonic() - began:.0f} s")

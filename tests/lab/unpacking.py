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

"""Neutron as Debian 12 packages it, beside the system and not in it.

Its packages are fetched and unpacked into a folder of the lab. `ctl` and the
nodes see that folder laid over their /usr, so that everything is where Debian
has it and runs with Debian's own Python; the machine has nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import shutil
import time

from tests.lab.commands import run
from tests.lab.errors import LabError
from tests.lab.layout import Layout
from tests.lab.progress import say

#: With what they depend on, as far as the machine has it not.
NAMES = (
    "neutron-api neutron-l3-agent neutron-openvswitch-agent neutron-rpc-server"
).split()
_PYTHON = "/usr/bin/python3"


def install(layout: Layout, environment: Mapping[str, str]) -> None:
    """Fetch and unpack what is missing; quick when nothing is.

    `environment` says how to reach the package servers.
    """
    stamp = layout.unpacked / "lab-stamp"
    wanted = hashlib.sha256(" ".join(NAMES).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"fetching Debian's own Neutron: {' '.join(NAMES)}")
    began = time.monotonic()
    folder = layout.unpacked
    shutil.rmtree(folder, ignore_errors=True)
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    fetch = [
        "apt-get", "-y", "-q",
        "-o", "DPkg::Lock::Timeout=600",
        "-o", f"Dir::Cache::archives={archives}",
        # apt's own user need not get to the folder
        "-o", "APT::Sandbox::User=root",
        "--download-only", "--no-install-recommends", "install", *NAMES,
    ]  # fmt: skip
    quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    if run(fetch, env=quiet, check=False, timeout=1800).returncode:
        # Nobody may have asked for the lists of packages yet, or long ago.
        run(["apt-get", "-q", "update"], env=quiet, timeout=600)
        run(fetch, env=quiet, timeout=1800)
    for package in sorted(archives.glob("*.deb")):
        run(["dpkg-deb", "--extract", str(package), str(folder)])
    shutil.rmtree(archives)
    if not (folder / "usr").is_dir():
        raise LabError("Debian's Neutron is installed here: apt fetched none")
    # As their installation would have done it. What cannot be compiled is
    # there for other versions of Python.
    run(
        [
            _PYTHON, "-m", "compileall", "-q",
            "-s", str(folder), "-p", "/", str(folder / "usr/lib/python3"),
        ],
        check=False,
        timeout=600,
    )  # fmt: skip
    # Written last: half of it has no stamp and is fetched again.
    stamp.write_text(wanted)
    say(f"fetched and unpacked in {time.monotonic() - began:.0f} s")


def cover(layout: Layout) -> list[str]:
    """The argument list that lays it over the /usr of a machine."""
    lower = f"lowerdir={layout.unpacked / 'usr'}:/usr"
    return ["mount", "-t", "overlay", "overlay", "-o", lower, "/usr"]

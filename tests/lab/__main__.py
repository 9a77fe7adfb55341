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

"""The command line: up, down, status, mend, shell and exec."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.layout import Layout
from tests.lab.progress import say


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description=__doc__
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--dvr",
        action="store_true",
        help="the lab with distributed routers, beside the other one",
    )
    kind.add_argument(
        "--neutron",
        choices=("newest", "debian"),
        default="newest",
        help="with debian, the lab with Debian's own Neutron, beside the "
        "other one",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "up", help="bring the lab up; quick when it is up and healthy"
    )
    commands.add_parser(
        "down",
        help="end it and remove what it made, except packages, venv and logs",
    )
    commands.add_parser(
        "status", help="what runs, and the agents as Neutron sees them"
    )
    commands.add_parser(
        "mend",
        help="bring back what was broken, and wait until r1 is settled",
    )
    commands.add_parser(
        "shell", help="a shell on the network of ctl, with credentials"
    )
    execute = commands.add_parser("exec", help="run one command that way")
    execute.add_argument(
        "argv", nargs=argparse.REMAINDER, metavar="-- COMMAND"
    )
    options = parser.parse_args()
    try:
        return _do(options)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _do(options: argparse.Namespace) -> int:
    layout = Layout.default()
    if options.dvr:
        layout = layout.with_dvr()
    elif options.neutron == "debian":
        layout = layout.with_debian()
    lab = Lab(layout)
    if options.command == "up":
        lab.up()
    elif options.command == "down":
        lab.down()
        say("the lab is down")
    elif options.command == "status":
        return _status(lab)
    elif options.command == "mend":
        active = Lab.attach(layout).mend()
        say(f"router r1 is settled, active on {active}")
    elif options.command == "shell":
        return _inside(lab, [os.environ.get("SHELL") or "/bin/bash"])
    else:
        argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
        if not argv:
            raise LabError(
                "exec needs a command, such as: exec -- openstack router list"
            )
        return _inside(lab, argv)
    return 0


def _inside(lab: Lab, argv: list[str]) -> int:
    lab = Lab.attach(lab.layout)
    environment = lab.environment(os.environ.get("OS_CLOUD") or "lab")
    environment["PATH"] = (
        f"{lab.layout.venv / 'bin'}:{environment.get('PATH', os.defpath)}"
    )
    return subprocess.run(
        lab.enter(argv), env=environment, check=False
    ).returncode


def _status(lab: Lab) -> int:
    parts = lab.parts()
    for name, alive, pid in parts:
        word = "alive" if alive else "dead" if pid else "absent"
        print(f"{name:18} {word:7} {pid or ''}".rstrip())
    lab = Lab.attach(lab.layout)
    print()
    agents = [(a["host"], a["binary"], a["alive"]) for a in lab.admin.agents()]
    for host, binary, alive in sorted(agents):
        print(f"{host:6} {binary:28} {'alive' if alive else 'dead'}")
    router, floating = lab.facts["router"], lab.facts["floating_ip"]
    print(f"\nrouter r1 {router}, floating IP {floating}")
    claims, active = lab.claims(router), lab.active_nodes(router)
    for name in lab.nodes:
        claim = claims.get(name, "not bound")
        truth = "active" if name in active else "-"
        print(f"{name:6} API: {claim:10} really: {truth}")
    return 0 if all(alive for _name, alive, _pid in parts) else 1


if __name__ == "__main__":
    sys.exit(main())

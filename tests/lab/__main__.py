"""The command line: python -m tests.lab up | down | status | mend | shell | exec -- COMMAND..."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.progress import say


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description=__doc__
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
        help="bring back what was broken on purpose, and wait until router r1 is settled",
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
    lab = Lab()
    if options.command == "up":
        lab.up()
    elif options.command == "down":
        lab.down()
        say("the lab is down")
    elif options.command == "status":
        return _status(lab)
    elif options.command == "mend":
        say(f"router r1 is settled, active on {Lab.attach().mend()}")
    elif options.command == "shell":
        return _inside([os.environ.get("SHELL") or "/bin/bash"])
    else:
        argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
        if not argv:
            raise LabError(
                "exec needs a command: python -m tests.lab exec -- openstack router list"
            )
        return _inside(argv)
    return 0


def _inside(argv: list[str]) -> int:
    lab = Lab.attach()
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
        print(
            f"{name:18} {'alive' if alive else 'dead' if pid else 'absent':7} {pid or ''}".rstrip()
        )
    lab = Lab.attach()
    print()
    for agent in sorted(
        lab.admin.agents(), key=lambda agent: (agent["host"], agent["binary"])
    ):
        print(
            f"{agent['host']:6} {agent['binary']:28} {'alive' if agent['alive'] else 'dead'}"
        )
    router = lab.facts["router"]
    claims = lab.claims(router)
    print(f"\nrouter r1 {router}, floating IP {lab.facts['floating_ip']}")
    active = lab.active_nodes(router)
    for name in lab.nodes:
        print(
            f"{name:6} API: {claims.get(name, 'not bound'):10} really: {'active' if name in active else '-'}"
        )
    return 0 if all(alive for _name, alive, _pid in parts) else 1


if __name__ == "__main__":
    sys.exit(main())

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

"""Which process does what for a router.

keepalived forks its VRRP process without a new command line, so the two can
be told apart only by their descent and by what they hold open.
"""

import typing

from osc_ha_router.node import arguments
from osc_ha_router.node import files
from osc_ha_router.node import processes
from osc_ha_router.node import protocol
from osc_ha_router.node import sockets

PARENT = 'keepalived'
VRRP = 'keepalived-vrrp'
ASTRAY = 'keepalived-astray'
MONITOR = 'monitor'
OTHER = 'other'

_WORDS = 64
_WORD = 1024


class Member(typing.NamedTuple):
    """A process and what it does for the router."""

    found: processes.Found
    role: str
    config: typing.Optional[str]


def assign(
    inside: typing.Sequence[processes.Found],
    outside: typing.Sequence[processes.Found],
    zombies: typing.Dict[int, typing.List[processes.Found]],
    router_id: str,
) -> typing.List[Member]:
    """Gives each process of a router its role.

    :param inside: the processes in the namespace with the ha- device
    :param outside: monitors of this router in the node's own namespace
    :param zombies: by the pid of their parent
    """
    members = []
    keepalived = {}  # type: typing.Dict[int, processes.Found]
    for found in inside:
        program = arguments.program(found.argv)
        if program == 'keepalived':
            keepalived[found.pid] = found
        elif program in arguments.CONFIG:
            members.append(_member(found, program))
        elif arguments.monitored(found.argv) == router_id:
            members.append(_member(found, MONITOR))
        else:
            members.append(_member(found, OTHER))
    members.extend(_keepalived(keepalived, zombies))
    pids = {found.pid for found in outside}
    members.extend(
        # The script forks itself for its loop: only the first is counted.
        _member(found, MONITOR)
        for found in outside
        if found.ppid not in pids
    )
    return sorted(members, key=lambda member: member.found.pid)


def strangers(
    inside: typing.Sequence[processes.Found],
) -> typing.List[Member]:
    """The processes of a router's other namespace (DVR).

    A keepalived there has nothing to do with the addresses of the first one
    and must not be taken for their owner.
    """
    members = []
    for found in inside:
        program = arguments.program(found.argv)
        known = program in arguments.CONFIG and program != 'keepalived'
        members.append(_member(found, program if known else OTHER))
    return members


def astray(outside: typing.Sequence[processes.Found]) -> typing.List[Member]:
    """A router's keepalived in a namespace that has no name: the parents."""
    pids = {found.pid for found in outside}
    return [
        _member(found, ASTRAY) for found in outside if found.ppid not in pids
    ]


def report(member: Member) -> protocol.Json:
    """A process as ``Process``: no unknown command line leaves the node."""
    found = member.found
    argv = found.argv or (found.name,)
    if member.role == OTHER:
        command = (argv[0].split() or [found.name])[:1]
    else:
        command = [word[:_WORD] for word in argv[:_WORDS]]
    return {
        'pid': found.pid,
        'ppid': found.ppid,
        'role': member.role,
        'state': found.state,
        'command': command,
        'config': member.config,
        'age': found.age,
    }


def running(
    members: typing.Sequence[Member],
) -> typing.List[typing.Tuple[int, str]]:
    """Pid and configuration of what runs, the likeliest owner first."""
    found = []
    for role in (VRRP, PARENT, MONITOR):
        for member in members:
            path = _conf(member) if member.role == role else None
            if path is not None and path.startswith('/'):
                found.append((member.found.pid, path))
    return found


def homes(members: typing.Sequence[Member]) -> typing.List[str]:
    """The agent's state_path, as far as a monitor was told it."""
    found = []
    for member in members:
        if member.role == MONITOR:
            words = ' '.join(member.found.argv).split()
            path = arguments.option(words, '--state_path', '--state_path')
            if path is not None and path.startswith('/'):
                path = path.rstrip(')')
                found.append('/proc/%d/root%s' % (member.found.pid, path))
    return found


def _conf(member: Member) -> typing.Optional[str]:
    if member.role != MONITOR:
        return member.config
    # the monitor is told the folder
    words = ' '.join(member.found.argv).split()
    folder = arguments.option(words, '--conf_dir', '--conf_dir')
    return folder.rstrip(')') + '/keepalived.conf' if folder else None


def _keepalived(
    family: typing.Dict[int, processes.Found],
    zombies: typing.Dict[int, typing.List[processes.Found]],
) -> typing.List[Member]:
    children = {}  # type: typing.Dict[int, typing.List[processes.Found]]
    heads = []
    for found in family.values():
        if found.ppid in family:
            children.setdefault(found.ppid, []).append(found)
        else:
            heads.append(found)
    members = []
    for head in heads:
        below = children.get(head.pid, [])
        dead = [
            zombie
            for zombie in zombies.get(head.pid, ())
            if zombie.name.startswith('keepalived')
        ]
        if not below and not dead and _is_vrrp(head):
            # its parent was killed, and it went on alone
            members.append(_member(head, VRRP))
            continue
        members.append(_member(head, PARENT))
        members.extend(_member(zombie, VRRP) for zombie in dead)
        vrrp = below
        if len(below) > 1:
            # others check servers or speak BFD
            vrrp = [found for found in below if _is_vrrp(found)] or below
        for found in below:
            members.append(_member(found, VRRP if found in vrrp else OTHER))
            # a child that is about to become a check script
            members.extend(
                _member(forked, OTHER)
                for forked in children.get(found.pid, ())
            )
    return members


def _is_vrrp(found: processes.Found) -> bool:
    """Whether a keepalived without relatives is a VRRP process.

    It is if it holds one of the sockets that its parent never has, or if the
    pid file for VRRP processes names it.
    """
    if sockets.held(found.pid):
        return True
    path = arguments.option(found.argv, '-r', '--vrrp_pid')
    if path is None or not path.startswith('/'):
        return False
    try:
        text = files.read('/proc/%d/root%s' % (found.pid, path), 64)
    except (OSError, files.Unfit):
        return False
    return text.strip() in processes.numbers(found.pid)


def _member(found: processes.Found, role: str) -> Member:
    config = None
    names = arguments.CONFIG.get(PARENT if role in (VRRP, ASTRAY) else role)
    if names is not None:
        config = arguments.option(found.argv, *names)
    return Member(found, role, config)

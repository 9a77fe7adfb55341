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

"""The keepalived of a router: found by its namespace, told to read its file.

A signal goes only to what at that moment is seen to be the keepalived parent
in the router's namespace with the configuration in the router's folder.
"""

import os
import signal
import time
import typing

from osc_ha_router.node import files
from osc_ha_router.node import folder as folders
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import roles

#: seconds in which a keepalived that starts has prepared for signals
_START = 1.0
_PAUSE = 0.02
_MASKS = (b'SigBlk:', b'SigIgn:', b'SigCgt:')


class Family(typing.NamedTuple):
    """A keepalived parent and its VRRP process."""

    parent: int
    #: None: it has none that lives
    child: typing.Optional[int]


def find(
    traveller: namespaces.Traveller,
    name: str,
    folder: folders.Folder,
) -> typing.List[Family]:
    """The live keepalived processes of a router.

    :param name: of the namespace where they are
    :param folder: where their configuration is
    :raises OSError: /proc cannot be listed
    """
    space = namespaces.listing().get(name)
    if space is None or space.inode is None:
        return []
    census = processes.take({space.inode}, traveller.home)
    inside = census.by_namespace.get(space.inode, [])
    members = roles.assign(inside, [], census.zombies, space.router_id)
    children = {
        member.found.ppid: member.found.pid
        for member in members
        if member.role == roles.VRRP and member.found.state not in 'ZX'
    }
    return [
        Family(member.found.pid, children.get(member.found.pid))
        for member in members
        if member.role == roles.PARENT
        and member.found.state not in 'ZX'
        and _reads(member, folder)
    ]


def reload(
    traveller: namespaces.Traveller,
    name: str,
    folder: folders.Folder,
) -> typing.List[int]:
    """Has a router's keepalived read its configuration again.

    :returns: the pids of those that were told
    :raises OSError: /proc cannot be listed
    """
    told = []  # type: typing.List[int]
    until = time.monotonic() + _START
    while True:
        starting = False
        for family in find(traveller, name, folder):
            if family.parent in told:
                continue
            if _prepared(family.parent):
                send(family.parent, signal.SIGHUP)
                told.append(family.parent)
            else:
                # The signal would end it. It may have read the file already.
                starting = True
        if not starting or time.monotonic() > until:
            return told
        time.sleep(_PAUSE)


def send(pid: int, number: int) -> bool:
    """Signals a process that was found just now; false: it has gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _reads(member: roles.Member, folder: folders.Folder) -> bool:
    """Whether a keepalived's configuration is the one in this folder.

    Its path is that of the process, which may live in a container.
    """
    path = member.config
    if path is None or not path.startswith('/'):
        return False
    parent, name = os.path.split(path)
    seen = '/proc/%d/root%s' % (member.found.pid, parent)
    return name == folders.CONF and folder.is_at(seen)


def _prepared(pid: int) -> bool:
    """Whether SIGHUP does not simply end a process (source: proc(5)).

    keepalived blocks the signal and reads it from a descriptor.
    """
    try:
        status = files.read_proc('/proc/%d/status' % pid)
    except OSError:
        return False
    for line in status.splitlines():
        if line.startswith(_MASKS):
            mask = int(line.split()[1], 16)
            if mask & 1 << (signal.SIGHUP - 1):
                return True
    return False

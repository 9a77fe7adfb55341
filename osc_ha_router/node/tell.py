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

"""The operation ``report``: telling the L3 agent what this node really is.

As Neutron's state-change monitor does it, over the agent's own socket
(source: neutron/agent/l3/ha.py). The agent then sets IPv6 forwarding, starts
or stops radvd and the metadata proxy, writes the state file and tells the
Neutron server, which binds the router's ports.
"""

import os
import socket
import stat
import time
import typing

from osc_ha_router.node import active
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import folder as folders
from osc_ha_router.node import muster
from osc_ha_router.node import ports
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying
from osc_ha_router.node import roles
from osc_ha_router.node import vip

SOCKET = 'keepalived-state-change'
STATE = 'state'
_BACKUP = 'backup'
#: up to Ussuri, and since Victoria
_OLD, _NEW = 'master', 'primary'
#: seconds for the agent to take it
_TIMEOUT = 3.0
#: seconds for it to act on it, beyond the interval that it holds back the
#: news of an active node
_MARGIN = 2.0
_PAUSE = 0.05
_LIMIT = 256
#: seconds to guard
_LONGEST = 60
#: state files of other routers that are read at most
_OTHERS = 200
_REQUEST = (
    'POST / HTTP/1.1\r\n'
    'Host: 127.0.0.1\r\n'
    'X-Neutron-Router-Id: %s\r\n'
    'X-Neutron-State: %s\r\n'
    'Content-Length: 0\r\n'
    'Connection: close\r\n\r\n'
)


def run(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Tells the agent, and sees whether it knows the router.

    Fields: ``guard``: seconds to watch over the router's ports afterwards.
    Neutron binds them anew, and an Open vSwitch agent that looks in the
    middle of that cuts one off.

    :returns: ``state``, the word that it was told; ``answered``; ``known``:
        whether it wrote the state file thereupon, null where it is silent
    :raises ProgramError: ``unsafe``, what this node is cannot be told;
        ``absent``, there is no socket of an agent
    """
    begun = errands.of(protocol.router(fields))
    seconds = protocol.seconds(fields, 'guard', _LONGEST)
    found = active.state(begun)
    if found == active.UNCLEAR:
        raise errors.ProgramError(
            errors.UNSAFE,
            'this node holds the HA address, its keepalived lives, and nobody '
            'was heard to advertise: what it is cannot be told',
        )
    if found == active.PASSIVE and _holds(begun):
        # its own monitor would say that it is active
        raise errors.ProgramError(
            errors.UNSAFE,
            'this node still holds the HA address, and is not active',
        )
    path = _socket(begun)
    if path is None:
        raise errors.ProgramError(
            errors.ABSENT, 'there is no socket of an L3 agent here'
        )
    wait = _MARGIN
    word = _BACKUP
    if found == active.ACTIVE:
        word = _word(begun.folder)
        wait += active.advert_int(begun.conf())
    before = _mark(begun.folder)
    with ports.Guard(_devices(begun) if seconds else ()) as guard:
        answered = _post(path, begun.router_id, word)
        known = _written(begun.folder, before, wait) if answered else None
        if answered:
            _watch(replies, guard, seconds)
    return {'state': word, 'answered': answered, 'known': known}


def _devices(begun: errands_.Errand) -> typing.Set[str]:
    conf = begun.conf()
    return {each['device'] for each in conf['excluded'] if each['device']}


def _watch(
    replies: replying.Replies, guard: ports.Guard, seconds: float
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not replies.asked():
        due = guard.due()
        left = min(until, due or until) - time.monotonic()
        replies.wait(max(left, 0.0), guard.descriptors())
        for port in guard.look():
            replies(dict(port, event='revived'))


def _holds(begun: errands_.Errand) -> bool:
    with vip.Vip(begun) as address:
        return address.held()


def _socket(begun: errands_.Errand) -> typing.Optional[str]:
    """The agent's socket: where a monitor was told it is, or as usual."""
    found = muster.members_of(begun.traveller, begun.router_id)
    homes = roles.homes(found)
    # $state_path/ha_confs/UUID/keepalived.conf
    homes.append(begun.conf_path.rsplit('/', 3)[0])
    for home in homes:
        path = '%s/%s' % (home, SOCKET)
        try:
            if stat.S_ISSOCK(os.stat(path).st_mode):
                return path
        except OSError:
            continue
    return None


def _post(path: str, router_id: str, word: str) -> bool:
    """Whether the agent took it."""
    request = (_REQUEST % (router_id, word)).encode('ascii')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(_TIMEOUT)
        try:
            channel.connect(path)
            # at once: the agent reads no more than once
            channel.sendall(request)
            answer = channel.recv(_LIMIT)
        except OSError:
            return False
    return answer.startswith(b'HTTP/1.') and b' 200' in answer[:16]


def _word(folder: folders.Folder) -> str:
    """What an agent of this age calls an active node.

    This router's state file tells, or those of others beside it.
    """
    above = os.path.dirname(folder.path)
    try:
        names = os.listdir(above)[:_OTHERS]
    except OSError:
        names = []
    marks = []
    for name in [os.path.basename(folder.path), *names]:
        path = '%s/%s/%s' % (above, name, STATE)
        try:
            text = files.read(path, _LIMIT).decode('ascii', 'replace').strip()
            if text in (_OLD, _NEW):
                marks.append((os.stat(path).st_mtime, text))
        except (OSError, files.Unfit):
            continue
    return max(marks)[1] if marks else _NEW


def _mark(folder: folders.Folder) -> typing.Optional[typing.Tuple[int, int]]:
    """Changes whenever the state file is written; None: there is none."""
    try:
        status = os.stat(STATE, dir_fd=folder.descriptor)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _written(
    folder: folders.Folder,
    before: typing.Optional[typing.Tuple[int, int]],
    seconds: float,
) -> bool:
    until = time.monotonic() + seconds
    while _mark(folder) == before:
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True

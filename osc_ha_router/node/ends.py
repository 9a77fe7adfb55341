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

"""The operations ``end`` and ``wake``: processes that do no good.

Which they are is seen anew on the node. The healthy keepalived of a router
is never ended, whoever asks.
"""

import os
import signal
import typing

from osc_ha_router.node import active
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import hold
from osc_ha_router.node import muster
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying
from osc_ha_router.node import roles
from osc_ha_router.node import wanted

RADVD = 'radvd'
_KEEPALIVED = (roles.PARENT, roles.VRRP, roles.ASTRAY)
_PID_LIMIT = 64

Members = typing.Sequence[roles.Member]


def end(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Ends processes of the router that hang, or have lost their place.

    Fields: ``pids``. Each must be a keepalived that is stopped or stuck,
    that has lost its parent, its child or its namespace, or that is one too
    many; or radvd where the router is not active. ``extra``: pass over the
    one that the L3 agent knows, instead of refusing.

    :returns: ``pids`` of those that were there
    :raises ProgramError: ``unsafe``, one of them does what it should;
        ``left``, one cannot be ended
    """
    router_id = protocol.router(fields)
    begun = errands.held(router_id)
    pids = wanted.pids(fields)
    extra = protocol.flag(fields, 'extra')
    with namespaces.Traveller() as traveller:
        found = muster.members_of(traveller, router_id)
        here = {
            member.found.pid: member
            for member in found
            if member.found.pid in pids
            and not (extra and _known(member) == member.found.pid)
        }
        for member in here.values():
            _must_be_useless(member, found, begun)
        started = {pid: _began(member) for pid, member in here.items()}

        def chosen(member: roles.Member) -> bool:
            # a number may come to another process meanwhile
            before = started.get(member.found.pid)
            return before is not None and abs(before - _began(member)) < _SAME

        ended = muster.end(traveller, router_id, chosen) if here else []
    return {'pids': ended}


def wake(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Lets a keepalived that is stopped go on.

    Fields: ``pids``.

    :returns: ``pids`` of those that were stopped
    :raises ProgramError: ``unsafe``, one of them is no keepalived
    """
    router_id = protocol.router(fields)
    errands.held(router_id)
    pids = wanted.pids(fields)
    woken = []
    with namespaces.Traveller() as traveller:
        here = [
            member
            for member in muster.members_of(traveller, router_id)
            if member.found.pid in pids
        ]
        # all before the first one goes on
        for member in here:
            if member.role not in _KEEPALIVED:
                raise _unsafe(member, 'is no keepalived')
        for member in here:
            if member.found.state in muster.STOPPED:
                os.kill(member.found.pid, signal.SIGCONT)
                woken.append(member.found.pid)
    return {'pids': woken}


#: seconds by which two looks at a process's start may differ
_SAME = 1.0


def _began(member: roles.Member) -> float:
    """When a process was started, by a clock that never goes back."""
    return processes.now() - member.found.age


def _must_be_useless(
    member: roles.Member, found: Members, begun: errands_.Held
) -> None:
    if member.role == RADVD:
        if isinstance(begun, hold.Hold):
            return
        active.must_be_passive(begun)
        return
    if member.role not in _KEEPALIVED:
        raise _unsafe(member, 'is no keepalived')
    idle = muster.STOPPED + muster.STUCK
    if member.role == roles.ASTRAY or member.found.state in idle:
        return
    parents = {m.found.pid for m in found if m.role == roles.PARENT}
    families = {m.found.ppid for m in found if m.role == roles.VRRP} & parents
    if member.role == roles.VRRP:
        if member.found.ppid in parents:
            raise _unsafe(member, 'is a VRRP process that lives')
        return
    if member.found.pid not in families:
        return
    known = _known(member)
    others = families - {member.found.pid}
    if not others:
        raise _unsafe(member, 'is the keepalived of the router')
    # of a file that is out of date nobody can say which one is too many
    if known == member.found.pid or known not in _sound(found, families):
        raise _unsafe(
            member,
            'is the one that its pid file names, or that names none that '
            'lives',
        )
    if not isinstance(begun, hold.Hold):
        # it might take addresses along that another one has set as well
        active.must_be_passive(begun)


def _sound(
    found: Members, families: typing.AbstractSet[int]
) -> typing.Set[int]:
    """Those parents that do their work, as do their children."""
    stopped = {
        pid
        for m in found
        if m.found.state in muster.STOPPED
        for pid in (m.found.pid, m.found.ppid)
    }
    return set(families) - stopped


def _known(member: roles.Member) -> typing.Optional[int]:
    """The pid of the keepalived that the L3 agent knows, by its pid file."""
    if member.config is None:
        return None
    folder = os.path.dirname(member.config)
    for name in ('%s.pid.keepalived', '%s.pid'):
        path = '/proc/%d/root%s' % (member.found.pid, name % folder)
        try:
            text = files.read(path, _PID_LIMIT)
        except (OSError, files.Unfit):
            continue
        if text.strip().isdigit():
            return _here(int(text), member)
    return None


def _here(number: int, member: roles.Member) -> typing.Optional[int]:
    """The pid here of what is that in the process's pid namespace."""
    own = processes.numbers(member.found.pid)
    if len(own) < 2 or own[0] == own[-1]:
        return number
    # in a container of its own: only the process itself is known there
    return member.found.pid if own[-1] == b'%d' % number else None


def _unsafe(member: roles.Member, why: str) -> errors.ProgramError:
    return errors.ProgramError(
        errors.UNSAFE, 'process %d %s' % (member.found.pid, why)
    )

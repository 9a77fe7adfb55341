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

"""All processes of one router, seen anew at the moment they matter."""

import os
import signal
import time
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import look as looking
from osc_ha_router.node import members
from osc_ha_router.node import namespaces
from osc_ha_router.node import place
from osc_ha_router.node import roles

#: seconds for a process to end in order, and to vanish once it is killed
POLITE, KILLED = 5.0, 2.0
_PAUSE = 0.05

#: states of a process that cannot act on a signal but SIGKILL
STOPPED = 'Tt'
STUCK = 'D'


def members_of(
    traveller: namespaces.Traveller, router_id: str
) -> typing.List[roles.Member]:
    """The router's processes with their roles, without those that ended.

    :raises NoRights: some of them are hidden
    :raises OSError: the host cannot be looked at
    """
    spaces = looking.spaces()
    look = looking.Look(traveller, spaces, [router_id])
    inside = main_space(traveller, spaces.get(router_id, []))
    try:
        found = members.find(look, router_id, inside)
    except members.Hidden as error:
        raise errors.NoRights(str(error)) from None
    return [member for member in found if member.found.state not in 'XZ']


def main_space(
    traveller: namespaces.Traveller,
    spaces: typing.Sequence[namespaces.Namespace],
) -> typing.Optional[namespaces.Namespace]:
    """The namespace where the router's keepalived belongs."""
    found = place.with_ha(traveller, spaces)
    if found is not None:
        return found
    real = [space for space in spaces if space.inode is not None]
    # snat- goes before qrouter-; without an ha- device the latter is likelier
    return real[-1] if real else None


def end(
    traveller: namespaces.Traveller,
    router_id: str,
    chosen: typing.Callable[[roles.Member], bool],
) -> typing.List[int]:
    """Ends processes of a router: politely, then for good.

    One that is stopped would first go on where it was if it were asked
    politely; it is killed at once.

    :param chosen: which; asked again before each signal
    :returns: the pids of those that were there
    :raises ProgramError: ``left``, some are still there
    """
    found = set()  # type: typing.Set[int]
    for number, patience in (
        (signal.SIGTERM, POLITE),
        (signal.SIGKILL, KILLED),
    ):
        members_ = [m for m in members_of(traveller, router_id) if chosen(m)]
        found.update(member.found.pid for member in members_)
        for member in members_:
            stopped = member.found.state in STOPPED + STUCK
            _send(member.found.pid, signal.SIGKILL if stopped else number)
        if _gone(traveller, router_id, chosen, patience):
            return sorted(found)
    left = [m.found.pid for m in members_of(traveller, router_id) if chosen(m)]
    raise errors.ProgramError(
        errors.LEFT,
        'SIGKILL does not end process %s: the kernel call in which it is does '
        'not return' % ', '.join(str(pid) for pid in left),
    )


def _gone(
    traveller: namespaces.Traveller,
    router_id: str,
    chosen: typing.Callable[[roles.Member], bool],
    patience: float,
) -> bool:
    until = time.monotonic() + patience
    while any(chosen(m) for m in members_of(traveller, router_id)):
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        # it has just ended
        pass

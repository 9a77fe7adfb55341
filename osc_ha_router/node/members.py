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

"""The processes of one router, or that they are not all to be seen."""

import typing

from osc_ha_router.node import look as looking
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import roles
from osc_ha_router.node import sockets


class Hidden(Exception):
    """Some of the router's processes cannot be seen."""


def find(
    look: looking.Look,
    router_id: str,
    inside: typing.Optional[namespaces.Namespace],
) -> typing.List[roles.Member]:
    """The processes of a router with their roles.

    :param inside: the namespace that holds its ha- device
    :raises Hidden: some cannot be seen; half of the processes would look
        like the others had died
    """
    if any(router_id in command for command in look.census.hidden):
        raise Hidden('processes of the router may not be looked at')
    found = _among(look.census, look, router_id, inside)
    if inside is None or _has_vrrp(found) or not _has_socket(look, inside):
        return found
    # In a container without the host's processes every keepalived would
    # seem dead. Its socket shows all the same. For a moment it also does
    # while keepalived starts, and while it ends: a process loses its
    # namespaces before its sockets.
    found = _among(look.recount(), look, router_id, inside)
    if not _has_vrrp(found) and _has_socket(look, inside):
        raise Hidden(
            'a process that /proc does not show here holds a VRRP socket in '
            'the namespace'
        )
    return found


def _among(
    census: processes.Census,
    look: looking.Look,
    router_id: str,
    inside: typing.Optional[namespaces.Namespace],
) -> typing.List[roles.Member]:
    here = []  # type: typing.List[processes.Found]
    elsewhere = []  # type: typing.List[processes.Found]
    for space in look.spaces.get(router_id, ()):
        found = census.by_namespace.get(space.inode or 0, [])
        if inside is not None and space.inode == inside.inode:
            here = found
        else:
            elsewhere.extend(found)
    members = roles.assign(
        here, census.monitors.get(router_id, []), census.zombies, router_id
    )
    members.extend(roles.strangers(elsewhere))
    members.extend(roles.astray(census.astray.get(router_id, [])))
    return members


def _has_vrrp(members: typing.Iterable[roles.Member]) -> bool:
    return any(member.role == roles.VRRP for member in members)


def _has_socket(look: looking.Look, inside: namespaces.Namespace) -> bool:
    """Whether any process holds a VRRP socket in the namespace."""
    try:
        with look.traveller.inside(inside):
            return sockets.around()
    except (OSError, namespaces.Stale):
        return False

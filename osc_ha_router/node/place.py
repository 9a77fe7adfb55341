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

"""Where on this host a router is: its namespace, its folder."""

import os
import typing

from osc_ha_router.node import arguments
from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import look as looking
from osc_ha_router.node import members
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import roles
from osc_ha_router.node import rtnetlink


class Place(typing.NamedTuple):
    """Where a router is."""

    #: the one that holds the ha- device
    namespace: namespaces.Namespace
    #: of keepalived.conf
    conf_path: str
    #: where a journal of the router may be
    folders: typing.List[str]


def find(traveller: namespaces.Traveller, router_id: str) -> Place:
    """Looks for a router.

    :raises ProgramError: ``absent``, ``no-rights``
    :raises OSError: the host cannot be looked at
    """
    spaces = looking.spaces()
    namespace = with_ha(traveller, spaces.get(router_id, []))
    if namespace is None:
        raise _absent('no namespace with an ha- device', router_id)
    look = looking.Look(traveller, spaces, [router_id])
    try:
        found = members.find(look, router_id, namespace)
    except members.Hidden as error:
        raise errors.NoRights(str(error)) from None
    path = files.locate(router_id, roles.running(found), look.places)
    if path is None:
        raise _absent('no keepalived.conf', router_id)
    folders = [os.path.dirname(path)] + candidates(look, router_id)
    return Place(namespace, path, list(dict.fromkeys(folders)))


def with_ha(
    traveller: namespaces.Traveller,
    spaces: typing.Sequence[namespaces.Namespace],
) -> typing.Optional[namespaces.Namespace]:
    """The one among a router's namespaces that holds an ha- device."""
    for space in spaces:
        try:
            with traveller.inside(space):
                channel = netlink.Socket()
        except namespaces.Stale:
            continue
        with channel:
            links = rtnetlink.links(channel)
        if any(link['name'].startswith('ha-') for link in links):
            return space
    return None


def candidates(look: looking.Look, router_id: str) -> typing.List[str]:
    """The folders in which a router's journal may be, each once."""
    found = ['%s/%s' % (place, router_id) for place in look.places]
    for space in look.spaces.get(router_id, ()):
        for process in look.census.by_namespace.get(space.inode or 0, ()):
            path = arguments.configuration(process.argv)
            if path is not None:
                seen = '/proc/%d/root%s' % (process.pid, path)
                found.append(os.path.dirname(seen))
    return list(dict.fromkeys(found))


def _absent(what: str, router_id: str) -> errors.ProgramError:
    return errors.ProgramError(
        errors.ABSENT, 'there is %s of router %s here' % (what, router_id)
    )

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

"""Putting together what one host shows of one router."""

import functools
import os
import typing

from osc_ha_router.node import arguments
from osc_ha_router.node import blocks
from osc_ha_router.node import files
from osc_ha_router.node import look as looking
from osc_ha_router.node import members
from osc_ha_router.node import namespaces
from osc_ha_router.node import netlink
from osc_ha_router.node import place
from osc_ha_router.node import protocol
from osc_ha_router.node import recovery
from osc_ha_router.node import roles
from osc_ha_router.node import routes
from osc_ha_router.node import rtnetlink

_T = typing.TypeVar('_T')
Problems = typing.List[protocol.Json]


def build(look: looking.Look, router_id: str) -> protocol.Json:
    """What the host shows of a router, as ``NodeView``.

    What cannot be read becomes null and an entry in ``problems``.
    """
    try:
        return _build(look, router_id)
    except Exception as error:
        # A mistake that one odd router brings to light must not hide the
        # others. It has a namespace, and nothing of it is known.
        view = _blank(router_id)
        for space in look.spaces.get(router_id, ()):
            view['namespace'] = space.name
        message = '%s: %s' % (type(error).__name__, error)
        _note(view['problems'], 'view', message)
        return view


def _blank(router_id: str) -> protocol.Json:
    return {
        'router_id': router_id,
        'namespace': None,
        'links': None,
        'addresses': None,
        'routes': None,
        'neighbours': None,
        'processes': None,
        'files': False,
        'keepalived_conf': None,
        'state_file': None,
        'radvd_conf': None,
        'metadata_conf': None,
        'ipv6_forwarding': None,
        'listening': None,
        'errand': None,
        'problems': [],
    }


def _build(look: looking.Look, router_id: str) -> protocol.Json:
    view = _blank(router_id)
    problems = view['problems']  # type: Problems
    inside = _network(look, router_id, view)
    found = []  # type: typing.List[roles.Member]
    try:
        found = members.find(look, router_id, inside)
        view['processes'] = [roles.report(member) for member in found]
    except members.Hidden as error:
        _note(problems, 'processes', str(error))
    _files(look, router_id, found, view)
    view['errand'] = look.recovered.get(router_id)
    if view['errand'] is None:
        paths = place.candidates(look, router_id)
        view['errand'] = recovery.state(router_id, paths)
    if look.heard is not None:
        heard = look.heard.get(router_id)
        if heard is not None:
            view['listening'] = heard.listening
            if heard.problem is not None:
                _note(problems, 'listening', heard.problem)
    return view


def vrid(view: protocol.Json) -> typing.Optional[int]:
    """The virtual_router_id in a view."""
    conf = view['keepalived_conf']
    found = conf['vrid'] if conf else None  # type: typing.Optional[int]
    return found


def residents(
    look: looking.Look,
    known: typing.Dict[str, typing.Optional[int]],
) -> typing.List[protocol.Json]:
    """Every router that the host has something of, as ``Resident``.

    :param known: the vrids that views were built with, by router id
    """
    folders = files.folders(look.places)
    found = []
    for router_id in sorted(set(look.spaces) | set(folders)):
        spaces = look.spaces.get(router_id, [])
        if router_id in known:
            number = known[router_id]
        else:
            number = _vrid(look, router_id)
        found.append(
            {
                'router_id': router_id,
                'namespaces': sorted(space.name for space in spaces),
                'vrid': number,
            }
        )
    return found


def _vrid(look: looking.Look, router_id: str) -> typing.Optional[int]:
    running = []
    for space in look.spaces.get(router_id, ()):
        for process in look.census.by_namespace.get(space.inode or 0, ()):
            config = arguments.configuration(process.argv)
            if config is not None:
                running.append((process.pid, config))
    path = files.locate(router_id, running, look.places)
    return files.vrid(path) if path else None


def _network(
    look: looking.Look, router_id: str, view: protocol.Json
) -> typing.Optional[namespaces.Namespace]:
    """Reads the namespace that holds the ha- device, and returns it.

    A router has a second namespace only with DVR; the one with the ha-
    device is the one where keepalived and its addresses belong.
    """
    problems = view['problems']  # type: Problems
    candidates = look.spaces.get(router_id, [])
    for position, space in enumerate(candidates):
        last = position == len(candidates) - 1
        try:
            with look.traveller.inside(space):
                channel = netlink.Socket()
        except namespaces.Stale as error:
            _note(problems, 'namespace', str(error))
            continue
        except OSError as error:
            # it is there, and nothing of it is known
            _note(problems, 'namespace', str(error))
            view['namespace'] = space.name
            return space
        with channel:
            links = _try(
                problems, 'links', functools.partial(rtnetlink.links, channel)
            )
            # what could not be read may have one
            has_ha = links is None or any(
                link['name'].startswith('ha-') for link in links
            )
            if not has_ha and not last:
                continue
            view['namespace'] = space.name
            view['links'] = links
            _facts(channel, view)
            return space
    return None


def _facts(channel: netlink.Socket, view: protocol.Json) -> None:
    problems = view['problems']  # type: Problems
    names = {link['index']: link['name'] for link in view['links'] or ()}
    view['addresses'] = _try(
        problems, 'addresses', lambda: rtnetlink.addresses(channel, names)
    )
    view['routes'] = _try(
        problems, 'routes', lambda: routes.routes(channel, names)
    )
    view['neighbours'] = _try(
        problems, 'neighbours', lambda: rtnetlink.neighbours(channel, names)
    )
    view['ipv6_forwarding'] = _try(
        problems,
        'ipv6_forwarding',
        lambda: rtnetlink.forwarding(channel, names),
    )


def _files(
    look: looking.Look,
    router_id: str,
    found: typing.Sequence[roles.Member],
    view: protocol.Json,
) -> None:
    problems = view['problems']  # type: Problems
    view['files'] = True
    conf = files.locate(router_id, roles.running(found), look.places)
    homes = roles.homes(found)
    if conf is not None:
        view['keepalived_conf'] = _try(
            problems,
            'keepalived_conf',
            functools.partial(files.configuration, conf),
        )
        # $state_path/ha_confs/UUID/keepalived.conf
        homes.append(conf.rsplit('/', 3)[0])
    homes.extend(os.path.dirname(place) for place in look.places)
    view['state_file'] = _try(
        problems,
        'state_file',
        lambda: files.beside(conf, router_id, look.places),
    )
    radvd, proxy = look.home.helpers(router_id, homes)
    view['radvd_conf'], view['metadata_conf'] = radvd, proxy


def _try(
    problems: Problems, what: str, read: typing.Callable[[], _T]
) -> typing.Optional[_T]:
    """One fact that fails leaves the others standing."""
    try:
        return read()
    except FileNotFoundError:
        return None
    except (
        OSError,
        netlink.NetlinkError,
        files.Unfit,
        blocks.ConfError,
    ) as error:
        _note(problems, what, str(error))
        return None


def _note(problems: Problems, what: str, message: str) -> None:
    problems.append({'what': what, 'message': message})

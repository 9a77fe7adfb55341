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

"""The operation ``probe``: what this host shows of its routers."""

import resource
import time
import typing

from osc_ha_router.node import crew
from osc_ha_router.node import errand
from osc_ha_router.node import listen
from osc_ha_router.node import look as looking
from osc_ha_router.node import namespaces
from osc_ha_router.node import place
from osc_ha_router.node import protocol
from osc_ha_router.node import recovery
from osc_ha_router.node import replies as replying
from osc_ha_router.node import view

#: seconds
LONGEST_LISTEN = 60


def run(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Sends a view for each router asked about.

    Fields of the request: ``routers`` (UUIDs, or null for every router of
    which the host has a namespace), ``listen`` (seconds), ``residents``,
    ``recover`` (undo first what was left of these routers).

    :returns: ``residents`` (or null) and ``seconds``
    :raises BadRequest: a field is not what it must be
    :raises NoRights: this process may not look
    :raises Gone: nobody reads the replies
    """
    asked = protocol.routers(fields, 'routers')
    seconds = protocol.seconds(fields, 'listen', LONGEST_LISTEN)
    wants_residents = protocol.flag(fields, 'residents')
    recover = protocol.flag(fields, 'recover')
    started = time.monotonic()
    with namespaces.Traveller() as traveller:
        heard = {}  # type: typing.Dict[str, listen.Heard]
        if seconds > 0:
            # first the listening, so that all else is as fresh as can be
            _allow_many_files()
            spaces = looking.spaces()
            routers = _chosen(asked, spaces)
            heard = listen.listen(
                traveller,
                {
                    router_id: spaces[router_id]
                    for router_id in routers
                    if router_id in spaces
                },
                seconds,
            )
        spaces = looking.spaces()
        routers = _chosen(asked, spaces)
        matter = spaces if wants_residents else routers
        look = looking.Look(
            traveller, spaces, matter, heard if seconds > 0 else None
        )
        if recover:
            recovered = _recover(look, routers)
            if recovered:
                look = looking.Look(
                    traveller,
                    spaces,
                    matter,
                    heard if seconds > 0 else None,
                    recovered,
                )
        vrids = crew.send_views(look, routers, replies)
        residents = view.residents(look, vrids) if wants_residents else None
    return {
        'residents': residents,
        'seconds': round(time.monotonic() - started, 4),
    }


def _chosen(
    asked: typing.Optional[typing.List[str]],
    spaces: looking.Spaces,
) -> typing.List[str]:
    return sorted(spaces) if asked is None else asked


def _recover(
    look: looking.Look, routers: typing.Iterable[str]
) -> typing.Dict[str, protocol.Json]:
    """Undoes what was left of routers: what was found, by router id."""
    found = {}
    for router_id in routers:
        paths = place.candidates(look, router_id)
        told = recovery.recover(look.traveller, router_id, paths)
        if told is not None:
            found[router_id] = told
    return found


def _allow_many_files() -> None:
    """Raises the limit of open files: listening takes one per router."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        # then some routers get a problem instead of adverts
        pass

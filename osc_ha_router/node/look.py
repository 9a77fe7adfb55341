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

"""What is read once for all routers that a request asks about."""

import time
import typing

from osc_ha_router.node import files
from osc_ha_router.node import listen
from osc_ha_router.node import namespaces
from osc_ha_router.node import processes
from osc_ha_router.node import protocol

#: seconds in which a process that starts or ends has done so
_MOMENT = 0.1

#: each router's namespaces by its id, ``snat-`` before ``qrouter-``
Spaces = typing.Dict[str, typing.List[namespaces.Namespace]]


class Look:
    """One look at the host.

    :param traveller: enters namespaces
    :param spaces: the namespaces of all routers
    :param routers: those whose processes matter
    :param heard: what listening brought, None if there was none
    :param recovered: what was undone just before, as ``Errand``
    :raises OSError: /proc cannot be listed
    """

    def __init__(
        self,
        traveller: namespaces.Traveller,
        spaces: Spaces,
        routers: typing.Iterable[str],
        heard: typing.Optional[typing.Dict[str, listen.Heard]] = None,
        recovered: typing.Optional[typing.Dict[str, protocol.Json]] = None,
    ) -> None:
        self.traveller = traveller
        self.spaces = spaces
        self.heard = heard
        self.recovered = recovered or {}
        #: the usual places of ha_confs that exist here
        self.places = files.places()
        self.home = files.Home()
        self._wanted = {
            space.inode
            for router_id in routers
            for space in spaces.get(router_id, ())
            if space.inode is not None
        }
        #: the processes as they were at the beginning
        self.census = self._count()
        self._recount = None  # type: typing.Optional[processes.Census]

    def recount(self) -> processes.Census:
        """The processes as they were at some later moment.

        Once for all: a host that hides its processes hides them from each
        further look.
        """
        if self._recount is None:
            time.sleep(_MOMENT)
            self._recount = self._count()
        return self._recount

    def _count(self) -> processes.Census:
        return processes.take(self._wanted, self.traveller.home)


def spaces() -> Spaces:
    """The namespaces of all routers of the host, by router id.

    :raises OSError: they cannot be listed
    """
    listed = namespaces.listing()
    found = {}  # type: Spaces
    for name in sorted(listed, reverse=True):
        space = listed[name]
        found.setdefault(space.router_id, []).append(space)
    return found

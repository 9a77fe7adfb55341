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

"""All hosts that were looked at, to be asked for one router at a time.

A sweep judges thousands of routers over the same hosts, so the hosts are gone
through once and not once for each router.
"""

import collections
from collections.abc import Collection
from collections.abc import Iterable
import functools

from osc_ha_router import packing
from osc_ha_router.model import view


class Looked(tuple[view.HostView, ...]):
    """The hosts in the order given; found by name and by router."""

    @classmethod
    def of(cls, hosts: Iterable[view.HostView]) -> 'Looked':
        """Return the hosts as this, which costs nothing if they are."""
        return hosts if isinstance(hosts, cls) else cls(hosts)

    @functools.cached_property
    def by_name(self) -> dict[str, view.HostView]:
        """Host -> what it shows."""
        return {shown.host: shown for shown in self}

    def places(self, router_id: str) -> Collection[str]:
        """Return the hosts that have a view of a router."""
        return self._places.get(router_id, {}).keys()

    def views(self, router_id: str) -> dict[str, view.NodeView]:
        """Return host -> its view of a router, of those that have one."""
        return {
            host: self.by_name[host].views[index]
            for host, index in self._places.get(router_id, {}).items()
        }

    def residents(self, router_id: str) -> list[view.Resident]:
        """Return what hosts said in a few words that they have of it."""
        return self._residents.get(router_id, [])

    def knows(self, host: str, router_id: str) -> bool:
        """Whether it is known what a host has of a router.

        Of one that has nothing of it there is no view; but what a host says
        that it has, and what nobody has asked it to show, is not known.
        """
        if host in self.places(router_id):
            return True
        shown = self.by_name.get(host)
        return (
            shown is not None
            and shown.failure is None
            and shown.residents is not None
            and router_id not in self._housed[host]
        )

    @functools.cached_property
    def _housed(self) -> dict[str, frozenset[str]]:
        """Host -> routers of which it says that it has a namespace."""
        return {
            shown.host: frozenset(
                resident.router_id
                for resident in shown.residents or ()
                if resident.namespaces
            )
            for shown in self
        }

    @functools.cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        """Router -> host -> place of its first view among the host's."""
        places: dict[str, dict[str, int]] = collections.defaultdict(dict)
        for host, shown in self.by_name.items():
            for index, router_id in enumerate(packing.ids(shown.views)):
                places[router_id].setdefault(host, index)
        return dict(places)

    @functools.cached_property
    def _residents(self) -> dict[str, list[view.Resident]]:
        residents: dict[str, list[view.Resident]] = collections.defaultdict(
            list
        )
        for shown in self.by_name.values():
            for resident in shown.residents or ():
                residents[resident.router_id].append(resident)
        return dict(residents)

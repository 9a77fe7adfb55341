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

"""A network namespace that stands for the kernel's."""

import contextlib
import ipaddress

import fixtures

from osc_ha_router.node import netlink
from osc_ha_router.node import routes
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import writes


class Channel(contextlib.ExitStack):
    """Nothing goes through it."""


class Kernel(fixtures.Fixture):
    """Devices, addresses and routes of one namespace.

    With the first address of a subnet the others of the same one go, as
    they do where promote_secondaries is not set.
    """

    def __init__(self, *devices: str) -> None:
        super().__init__()
        self.devices = list(devices)
        #: flags by device and address, the oldest first
        self.held: dict[tuple[str, str], list[str]] = {}
        #: destination, gateway, device, protocol
        self.routes: list[tuple[str, str | None, str, str]] = []
        #: addresses that are not removed
        self.kept: set[tuple[str, str]] = set()

    def _setUp(self) -> None:
        for owner, name, stand_in in (
            (netlink, 'Socket', Channel),
            (rtnetlink, 'links', self._links),
            (rtnetlink, 'addresses', self._addresses),
            (routes, 'routes', self._routes),
            (writes, 'delete_addresses', self._delete_addresses),
            (writes, 'add_addresses', self._add_addresses),
            (writes, 'delete_routes', self._delete_routes),
        ):
            self.useFixture(fixtures.MockPatchObject(owner, name, stand_in))

    def _links(self, channel):
        return [
            {
                'index': index,
                'name': name,
                'mac': f'fa:16:3e:00:00:{index:02x}',
                'up': True,
            }
            for index, name in enumerate(self.devices, 2)
        ]

    def _addresses(self, channel, names):
        return [
            {'device': device, 'address': address, 'flags': flags}
            for (device, address), flags in self.held.items()
        ]

    def _routes(self, channel, names):
        return [
            {
                'destination': destination,
                'gateway': gateway,
                'device': device,
                'protocol': protocol,
            }
            for destination, gateway, device, protocol in self.routes
        ]

    def _add_addresses(self, channel, indices, places):
        for place in places:
            self.held[place] = []

    def _delete_addresses(self, channel, indices, places):
        for place in set(places) - self.kept:
            if self.held.pop(place, None) is None:
                continue
            for other in list(self.held):
                if _subnet(other) == _subnet(place):
                    del self.held[other]

    def _delete_routes(self, channel, indices, some):
        self.routes = [
            each for each in self.routes if each[:3] not in list(some)
        ]


def _subnet(place):
    return place[0], ipaddress.ip_interface(place[1]).network

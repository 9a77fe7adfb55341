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

"""A healthy cloud of any size, as Neutron and its nodes describe it.

Every router is a copy of the one in a capture that was taken on the lab, with
ids, device names and virtual router id of its own. All in JSON texts, so that
tens of thousands of views cost next to nothing to make.
"""

from collections.abc import Iterator
import functools
import ipaddress
import json
import pathlib
import typing
from typing import Any
import uuid

CAPTURE = pathlib.Path(__file__).parents[1] / 'tests/captures/healthy.json'

#: HA routers of one project, which share an HA network
PER_PROJECT = 8
#: characters of a port's id in the name of its device
SHORT = 11


class Fleet:
    """So many routers on so many hosts.

    :param routers: how many
    :param hosts: how many network nodes
    :param replicas: on how many of these each router is
    """

    def __init__(self, routers: int, hosts: int, replicas: int = 3) -> None:
        self.hosts = [f'net{number:04}' for number in range(1, hosts + 1)]
        self.routers = [_id('router', number) for number in range(routers)]
        self._replicas = min(replicas, hosts)
        data = json.loads(CAPTURE.read_text())
        (self._router,) = data['claims']['routers']
        active = next(
            agent['host']
            for agent in self._router['agents']
            if agent['ha_state'] == 'active'
        )
        self._places = sorted(
            (agent['host'] for agent in self._router['agents']),
            key=lambda host: host != active,
        )
        self._views = {
            shown['host']: shown['views'][0] for shown in data['hosts']
        }
        conf = self._views[active]['keepalived_conf']
        self._vrid = conf['vrid']
        self._vip = conf['vips'][0]['address'].rpartition('.')[0]

    def places(self, number: int) -> list[str]:
        """Return the hosts of a router, the active one first."""
        return [
            self.hosts[(number + step) % len(self.hosts)]
            for step in range(self._replicas)
        ]

    def agent(self, host: str) -> str:
        """Return the id of a host's L3 agent."""
        return _id('agent', self.hosts.index(host))

    def on(self, host: str) -> list[int]:
        """Return the numbers of the routers that are on a host."""
        total, position = len(self.hosts), self.hosts.index(host)
        return [
            number
            for number in range(len(self.routers))
            if (position - number) % total < self._replicas
        ]

    def claim(self, number: int) -> dict[str, Any]:
        """Return what Neutron says of a router, as a capture has it."""
        places = dict(zip(self._places, self.places(number), strict=False))
        text = self._claim
        for old, new in places.items():
            text = text.replace(f'"host": "{old}"', f'"host": "{new}"')
        router: dict[str, Any] = json.loads(self._own(text, number))
        for kind in ('agents', 'ports'):
            # where there are fewer hosts than on the lab
            router[kind] = [
                item
                for item in router[kind]
                if item['host'] in places.values()
            ]
        for agent in router['agents']:
            agent['id'] = self.agent(agent['host'])
        project = number // PER_PROJECT
        router['project_id'] = uuid.UUID(_id('project', project)).hex
        router['name'] = f'router{number:05}'
        for port in router['ports']:
            if port['owner'] == 'network:router_ha_interface':
                port['network_id'] = _id('network', project)
        first = project * PER_PROJECT
        router['peers'] = [
            {'router_id': other, 'replicas': self._replicas}
            for other in self.routers[first : first + PER_PROJECT]
            if other != router['id']
        ]
        return router

    def view(self, number: int, host: str) -> str:
        """Return what a host shows of a router, as JSON."""
        template = self._places[self.places(number).index(host)]
        return self._own(self._view_texts[template], number)

    def residents(self, host: str) -> list[dict[str, Any]]:
        """Return what a host has, in a few words."""
        return [
            {
                'router_id': self.routers[number],
                'namespaces': [f'qrouter-{self.routers[number]}'],
                'vrid': _vrid(number),
            }
            for number in self.on(host)
        ]

    def write(self, file: typing.TextIO) -> None:
        """Write a capture of all."""
        file.write(
            '{"format": "osc-ha-router capture", "version": 1, '
            '"taken_at": "2026-01-01T00:00:00+00:00", "claims": {"hosts": '
            f'{json.dumps(self.hosts)}, "routers": [\n'
        )
        file.writelines(
            _separated(
                json.dumps(self.claim(number))
                for number in range(len(self.routers))
            )
        )
        file.write(']}, "hosts": [\n')
        file.writelines(_separated(map(self._host, self.hosts)))
        file.write(']}\n')

    def _host(self, host: str) -> str:
        views = ',\n'.join(self.view(number, host) for number in self.on(host))
        residents = json.dumps(self.residents(host))
        return (
            f'{{"host": "{host}", "hostname": "{host}", "seconds": 0.5, '
            f'"residents": {residents}, "views": [{views}]}}'
        )

    def _own(self, text: str, number: int) -> str:
        """Give a text this router's ids, in the place of the capture's."""
        vrid = _vrid(number)
        text = (
            text.replace(self._router['id'], self.routers[number])
            .replace(f'"vrid": {self._vrid},', f'"vrid": {vrid},')
            .replace(f'{self._vip}.{self._vrid}/', f'{self._vip}.{vrid}/')
        )
        for old, new in self._names(number):
            text = text.replace(old, new)
        return text

    def _names(self, number: int) -> Iterator[tuple[str, str]]:
        """Yield what is the capture's own, and what is this router's."""
        for index, port in enumerate(self._router['ports']):
            which = number * 16 + index
            yield port['id'][:SHORT], _id('port', which)[:SHORT]
            # the end of the MAC, and of the link-local address made of it
            old = port['mac'].split(':')[3:]
            new = [f'{16 + (which >> shift) % 128:02x}' for shift in (14, 7)]
            new.append(f'{which % 128:02x}')
            for form in ('{}:{}:{}', 'fe{}:{}{}'):
                yield form.format(*old), form.format(*new)
            if port['owner'] == 'network:router_gateway':
                yield port['addresses'][0] + '"', _external(which) + '"'
                yield port['addresses'][0] + '/', _external(which) + '/'
        for index, address in enumerate(self._router['floating_ips']):
            which = number * 16 + 8 + index
            yield address['id'], _id('address', which)
            yield address['address'] + '"', _external(which) + '"'
            yield address['address'] + '/', _external(which) + '/'

    @functools.cached_property
    def _claim(self) -> str:
        return json.dumps(self._router)

    @functools.cached_property
    def _view_texts(self) -> dict[str, str]:
        return {host: json.dumps(shown) for host, shown in self._views.items()}


def _id(kind: str, number: int) -> str:
    """Return an id that is the same each time.

    Those of ports differ in the part that names a device.
    """
    if kind == 'port':
        start = f'{number:010x}'
        return str(uuid.UUID(start + '4000' + '8' + '0' * 17))
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f'{kind} {number}'))


def _external(number: int) -> str:
    """Return an address that no other router has."""
    return str(ipaddress.IPv4Address('100.64.0.0') + number)


def _vrid(number: int) -> int:
    return number % PER_PROJECT + 1


def _separated(items: Iterator[str]) -> Iterator[str]:
    for index, item in enumerate(items):
        yield (',\n' if index else '') + item

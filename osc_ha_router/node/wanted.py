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

"""What a request for a repair names: addresses, routes, devices, pids.

Everything is checked, and brought into the spelling in which this program
reports the same; BadRequest where it is not what it must be.
"""

import ipaddress
import re
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import protocol

#: what Neutron plugs into a router's namespace
DEVICE = re.compile('(ha|qg|qr|sg)-[0-9a-zA-Z_.-]{1,12}')
_NAMESPACE = '(qrouter|snat)-%s'
_MOST = 10000
_LENGTH = 64
_PIDS = 32
_HIGHEST_PID = 1 << 22

#: device and address with its prefix length
Place = typing.Tuple[str, str]
#: destination, gateway, device
Route = typing.Tuple[str, typing.Optional[str], typing.Optional[str]]


def device(fields: protocol.Json) -> str:
    """The device that a request is about, one that Neutron plugs."""
    return _device(fields.get('device'))


def addresses(fields: protocol.Json) -> typing.List[Place]:
    """Addresses and where they are, each once; none where it is missing."""
    return list(
        dict.fromkeys(
            (_device(each.get('device')), _address(each.get('address')))
            for each in _objects(fields, 'addresses')
        )
    )


def routes(fields: protocol.Json) -> typing.List[Route]:
    """Routes, each once; none where it is missing."""
    found = []
    for each in _objects(fields, 'routes'):
        gateway, name = each.get('gateway'), each.get('device')
        found.append(
            (
                _network(each.get('destination')),
                None if gateway is None else _host(gateway),
                None if name is None else _device(name),
            )
        )
    return list(dict.fromkeys(found))


def pids(fields: protocol.Json) -> typing.List[int]:
    """Numbers of processes, each once, at least one."""
    found = fields.get('pids')
    if not isinstance(found, list) or not 0 < len(found) <= _PIDS:
        raise errors.BadRequest(
            '"pids" must be a list of 1 to %d numbers' % _PIDS
        )
    return [
        protocol.number({'pids': pid}, 'pids', 2, _HIGHEST_PID)
        for pid in dict.fromkeys(found)
    ]


def namespace(fields: protocol.Json, router_id: str) -> str:
    """The name of one of the router's namespaces."""
    name = fields.get('namespace')
    if not isinstance(name, str) or not re.fullmatch(
        _NAMESPACE % re.escape(router_id), name
    ):
        raise errors.BadRequest(
            '"namespace" must be qrouter-<router> or snat-<router>'
        )
    return name


def _objects(
    fields: protocol.Json, name: str
) -> typing.Iterator[protocol.Json]:
    found = fields.get(name, [])
    if not isinstance(found, list) or len(found) > _MOST:
        raise errors.BadRequest(
            '"%s" must be a list of at most %d' % (name, _MOST)
        )
    for each in found:
        if not isinstance(each, dict):
            raise errors.BadRequest('"%s" must hold objects' % name)
        yield each


def _device(value: object) -> str:
    if not isinstance(value, str) or DEVICE.fullmatch(value) is None:
        raise errors.BadRequest(
            'a device must be one that Neutron plugs (ha-, qg-, qr-, sg-)'
        )
    return value


def _address(value: object) -> str:
    return str(_read(ipaddress.ip_interface, value, 'an address'))


def _network(value: object) -> str:
    return str(_read(ipaddress.ip_network, value, 'a destination'))


def _host(value: object) -> str:
    return str(_read(ipaddress.ip_address, value, 'a gateway'))


def _read(
    kind: typing.Callable[[str], object], value: object, what: str
) -> object:
    try:
        if not isinstance(value, str) or len(value) > _LENGTH:
            raise ValueError
        return kind(value)
    except ValueError:
        raise errors.BadRequest('%s is not one' % what) from None

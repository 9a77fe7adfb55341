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

"""Reading keepalived.conf (source: keepalived.conf(5) and Neutron).

Only what Neutron writes is understood; the rest is skipped. The secret of
the ``authentication`` block is skipped as well, and no message quotes the
file, so that it cannot leave the node.
"""

import functools
import ipaddress
import re
import socket
import typing

from osc_ha_router.node import blocks
from osc_ha_router.node import protocol

_DIGITS = re.compile('[0-9]{1,3}')
_MAIN_TABLES = ('main', '254')
#: words of a route that stand alone; each other takes the next as its value
_BARE = ('no_track', 'onlink', 'pervasive', 'nexthop')
#: routes that lead nowhere
_DEAD = ('blackhole', 'unreachable', 'prohibit', 'throw')

#: the statements of a vrrp_instance by their first word
Instance = typing.Dict[str, typing.List[blocks.Statement]]


def parse(text: str) -> protocol.Json:
    """What a keepalived.conf says, as ``KeepalivedConf``.

    ``path`` and ``sha256`` are left to whoever read the file.

    :raises blocks.ConfError: it is garbled; the message quotes nothing of it
    """
    instance = _instance(blocks.parse(text))
    interface = _single(instance, 'interface')
    advert = _single(instance, 'advert_int')
    return {
        'interface': interface,
        'vrid': _number(instance, 'virtual_router_id'),
        'priority': _number(instance, 'priority'),
        'advert_int': None if advert is None else _seconds(advert),
        'nopreempt': 'nopreempt' in instance,
        'vips': _addresses(instance, 'virtual_ipaddress', interface),
        'excluded': _addresses(
            instance, 'virtual_ipaddress_excluded', interface
        ),
        'routes': _routes(instance),
        'tracked': _tracked(instance, interface),
    }


def _instance(top: typing.List[blocks.Statement]) -> Instance:
    """The body of the vrrp_instance that is Neutron's."""
    bodies = []  # type: typing.List[Instance]
    for words, body in top:
        if words[0] == 'vrrp_instance' and body is not None:
            bodies.append({})
            for statement in body:
                name = statement[0][0]
                bodies[-1].setdefault(name, []).append(statement)
    if not bodies:
        raise blocks.ConfError('there is no vrrp_instance in it')
    for instance in bodies:
        if (_single(instance, 'interface') or '').startswith('ha-'):
            return instance
    return bodies[0]


def _single(instance: Instance, name: str) -> typing.Optional[str]:
    """The value of a statement; keepalived, too, goes by the last one."""
    value = None
    for words, _ in instance.get(name, ()):
        if len(words) > 1:
            value = words[1]
    return value


def _number(instance: Instance, name: str) -> typing.Optional[int]:
    text = _single(instance, name)
    if text is None:
        return None
    if _DIGITS.fullmatch(text) is None or int(text) > 255:
        raise blocks.ConfError('%s is not a number from 0 to 255' % name)
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 4096:
        raise blocks.ConfError('advert_int is not a number of seconds')
    return value


def _lines(instance: Instance, name: str) -> typing.Iterator[typing.List[str]]:
    for _, body in instance.get(name, ()):
        for entry, _ in body or ():
            yield entry


def _addresses(
    instance: Instance, name: str, interface: typing.Optional[str]
) -> typing.List[protocol.Json]:
    found = []
    for entry in _lines(instance, name):
        try:
            address = _address(entry[0])
        except ValueError:
            raise blocks.ConfError(
                '%s holds what is no address' % name
            ) from None
        # without a device keepalived takes that of the instance
        device = _options(entry[1:]).get('dev', interface)
        found.append({'address': address, 'device': device})
    return found


def _tracked(
    instance: Instance, interface: typing.Optional[str]
) -> typing.List[str]:
    """The devices that keepalived 2 follows: a fault of one is its own."""
    found = set()  # type: typing.Set[typing.Optional[str]]
    for name in (
        'virtual_ipaddress',
        'virtual_ipaddress_excluded',
        'virtual_routes',
    ):
        for entry in _lines(instance, name):
            if 'no_track' not in entry:
                found.add(_options(entry[1:]).get('dev', interface))
    for entry in _lines(instance, 'track_interface'):
        found.add(entry[0])
    return sorted(device for device in found if device is not None)


def _address(text: str) -> str:
    """An address with its prefix length; ValueError for anything else.

    What ipaddress.ip_interface does, in a tenth of its time, and with the
    spelling that the kernel's addresses are reported in.
    """
    host, slash, length = text.partition('/')
    if slash and _DIGITS.fullmatch(length) is None:
        raise ValueError(text)
    host = _host(host)
    most = 128 if ':' in host else 32
    prefix = int(length) if slash else most
    if prefix > most:
        raise ValueError(text)
    return '%s/%d' % (host, prefix)


def _host(text: str) -> str:
    family = socket.AF_INET6 if ':' in text else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, text))
    except OSError:
        raise ValueError(text) from None


def _routes(instance: Instance) -> typing.List[protocol.Json]:
    found = []
    for entry in _lines(instance, 'virtual_routes'):
        words = list(entry)
        if words[0] == 'src':
            # "src ADDRESS [to] DESTINATION ..."
            words = words[2:]
        if words and words[0] == 'to':
            words = words[1:]
        options = _options(words[1:])
        elsewhere = options.get('table', 'main') not in _MAIN_TABLES
        if elsewhere or (words and words[0] in _DEAD):
            continue
        try:
            gateway = options.get('via')
            if gateway is not None:
                gateway = _host(gateway)
            destination = _destination(words[0], gateway)
        except (ValueError, IndexError):
            raise blocks.ConfError(
                'virtual_routes holds what is no route'
            ) from None
        found.append(
            {
                'destination': destination,
                'gateway': gateway,
                'device': options.get('dev'),
            }
        )
    return found


@functools.lru_cache(maxsize=1024)
def _destination(text: str, gateway: typing.Optional[str]) -> str:
    if text == 'default':
        return '::/0' if gateway and ':' in gateway else '0.0.0.0/0'
    return str(ipaddress.ip_network(text, strict=False))


def _options(words: typing.Sequence[str]) -> typing.Dict[str, str]:
    found = {}
    waiting = iter(words)
    for word in waiting:
        if word not in _BARE:
            value = next(waiting, None)
            if value is not None:
                found[word] = value
    return found

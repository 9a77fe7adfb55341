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

"""What one node's view proves about one replica.

Each answer is True, False or None, where None means that the view does not
say: it was not looked at. Nothing here compares with Neutron's claim.
"""

from collections.abc import Callable
import functools
import ipaddress
import socket
from typing import TypeVar

from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

Part = TypeVar('Part')
Answer = TypeVar('Answer')

#: states of a process that does no work: stopped, traced, dead, zombie
_NOT_LIVING = frozenset('TtXZ')

#: Neutron's default block for VIPs; used only where neither keepalived.conf
#: nor the HA port's own address tells which address is the VIP
_DEFAULT_VIPS = ipaddress.ip_network('169.254.0.0/24')

#: how many addresses are remembered: those of some routers, because each
#: address of a router comes up on several nodes and in several rules
_REMEMBERED = 4096

#: prefix lengths in their one spelling, of IPv4 and of IPv6
_LENGTHS = frozenset(map(str, range(33)))
_LENGTHS6 = frozenset(map(str, range(129)))


def remembered(function: Callable[[Part], Answer]) -> Callable[[Part], Answer]:
    """Keep each answer with the part of the model that it is about.

    Many rules ask the same, and a sweep asks for thousands of routers.
    """
    name = f'_{function.__name__}'

    @functools.wraps(function)
    def ask(part: Part) -> Answer:
        memory: dict[str, Answer] = part.__dict__
        try:
            return memory[name]
        except KeyError:
            answer = memory[name] = function(part)
            return answer

    return ask


def with_role(shown: view.NodeView, *roles: str) -> list[view.Process] | None:
    """Return the router's processes of these roles; None: not looked at."""
    if shown.processes is None:
        return None
    found = _by_role(shown)
    if len(roles) == 1:
        return found.get(roles[0], [])
    return [p for p in shown.processes if p.role in roles]


@remembered
def _by_role(shown: view.NodeView) -> dict[str, list[view.Process]]:
    by_role: dict[str, list[view.Process]] = {}
    for process in shown.processes or ():
        by_role.setdefault(process.role, []).append(process)
    return by_role


def living(process: view.Process) -> bool:
    """Whether a process does any work."""
    return process.state not in _NOT_LIVING


def parents(shown: view.NodeView) -> list[view.Process]:
    """Return the live parent processes of keepalived."""
    return [p for p in with_role(shown, 'keepalived') or () if living(p)]


def _running(shown: view.NodeView, role: str) -> bool | None:
    processes = with_role(shown, role)
    if processes is None:
        return None
    return any(map(living, processes))


@remembered
def keepalived(shown: view.NodeView) -> bool | None:
    """Whether a live keepalived VRRP process runs in the namespace."""
    return _running(shown, 'keepalived-vrrp')


@remembered
def monitor(shown: view.NodeView) -> bool | None:
    """Whether the state-change monitor runs."""
    return _running(shown, 'monitor')


def hung(shown: view.NodeView) -> list[view.Process]:
    """Return keepalived processes that exist and do nothing."""
    idle = [p for p in shown.processes or () if p.state in 'TtD']
    return [p for p in idle if p.role in ('keepalived', 'keepalived-vrrp')]


@remembered
def ha_devices(shown: view.NodeView) -> list[view.Link]:
    """Return the ha- devices, the one keepalived uses first."""
    found = [x for x in shown.links or () if x.name.startswith('ha-')]
    conf = shown.keepalived_conf
    return sorted(found, key=lambda x: not conf or x.name != conf.interface)


@remembered
def held(shown: view.NodeView) -> frozenset[str] | None:
    """Return every address of the namespace, normalised with prefix."""
    if shown.addresses is None:
        return None
    return frozenset([normal(a.address) for a in shown.addresses])


@remembered
def held_plain(shown: view.NodeView) -> frozenset[str]:
    """Return every address of the namespace, without prefix."""
    return frozenset([a.partition('/')[0] for a in held(shown) or ()])


@functools.lru_cache(_REMEMBERED)
def normal(address: str) -> str:
    """Return an address with prefix in one spelling; garbage as it is."""
    usual = _usual(address)
    if usual is not None:
        return usual
    try:
        return ipaddress.ip_interface(address).with_prefixlen
    except ValueError:
        return address


def _usual(address: str) -> str | None:
    """Do what ``normal`` does for the usual spellings, in a tenth of the time.

    ``ipaddress`` is most of what a verdict costs. None: something else.
    """
    plain, slash, length = address.partition('/')
    if ':' not in plain:
        # IPv4 has one spelling, and what is none stays what it is
        return address if length in _LENGTHS else None
    if not slash:
        length = '128'
    elif length not in _LENGTHS6:
        return None
    try:
        plain = socket.inet_ntop(
            socket.AF_INET6, socket.inet_pton(socket.AF_INET6, plain)
        )
    except (OSError, ValueError):
        return None
    # IPv4 inside IPv6 is spelt in several ways
    return None if '.' in plain else f'{plain}/{length}'


def bare(address: str) -> str:
    """Return an address without its prefix, in one spelling."""
    plain = address.partition('/')[0]
    # IPv4 has no other
    return normal(address).partition('/')[0] if ':' in plain else plain


def guessed_vips(
    shown: view.NodeView, port: claim.Port | None
) -> frozenset[str]:
    """Return what must be the VIP where no keepalived.conf was read.

    What an ha- device carries besides the HA port's own address is the VIP.
    Without Neutron's ports only its default block tells them apart.
    """
    own = {bare(a) for a in port.addresses} if port else set()
    vips = set()
    for address in shown.addresses or ():
        if not address.device.startswith('ha-'):
            continue
        plain = bare(address.address)
        try:
            ip = ipaddress.ip_address(plain)
        except ValueError:
            continue
        if ip.version == 6 or plain in own:
            continue
        if own or ip in _DEFAULT_VIPS:
            vips.add(normal(address.address))
    return frozenset(vips)


def holds(shown: view.NodeView, vips: frozenset[str]) -> bool | None:
    """Whether one of the VIPs is in the namespace."""
    if shown.namespace is None:
        return False
    if shown.addresses is None or not vips:
        return None
    plain = held_plain(shown)
    return not plain.isdisjoint(map(bare, vips))


@remembered
def followed(shown: view.NodeView) -> list[view.Link]:
    """Return the devices whose failure keepalived takes for its own."""
    conf = shown.keepalived_conf
    names = conf.tracked if conf is not None else ()
    return [link for link in shown.links or () if link.name in names]


@remembered
def able(shown: view.NodeView) -> bool | None:
    """Whether the ha- device lets keepalived do its work.

    keepalived goes to FAULT without the device, with the device down, and
    without an IPv4 address on it.
    """
    if shown.links is None or shown.addresses is None:
        return None
    devices = ha_devices(shown)
    if not devices or not devices[0].up:
        return False
    return any(
        a.device == devices[0].name and ':' not in a.address
        for a in shown.addresses
    )


def observe(shown: view.NodeView, vip: bool | None) -> report.Observed:
    """Say what the replica is.

    :param vip: whether it holds the VIP, as ``holds`` found
    """
    if shown.namespace is None:
        return report.Observed.ABSENT
    living = keepalived(shown)
    if vip is None or living is None:
        return report.Observed.UNKNOWN
    if vip:
        return report.Observed.ACTIVE if living else report.Observed.STALE
    fit = able(shown)
    if fit is None:
        return report.Observed.UNKNOWN
    if living and fit and all(link.up for link in followed(shown)):
        return report.Observed.STANDBY
    return report.Observed.FAULT

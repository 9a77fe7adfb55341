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

"""Model objects of every shape, built from the model's own annotations.

Most values are what a cloud has, so that they meet each other and lead the
rules somewhere; some are odd: empty, huge, not an address, in another script.
What is made of nothing else hardly ever is an active node, so ``cases`` has
captures as well, with a few values spoilt.
"""

from collections.abc import Sequence
import dataclasses
import types
import typing
from typing import Any

from hypothesis import strategies
from hypothesis.strategies import SearchStrategy

from osc_ha_router import text
from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit.scene import Scene

ROUTERS = (
    '7439ff46-8435-4052-a174-4ebc5a67337e',
    '00000000-0000-0000-0000-000000000001',
)
HOSTS = ('net1', 'net2', 'net3')
DEVICES = ('ha-0a', 'ha-1b', 'qg-2c', 'qr-3d', 'qr-4e', 'sg-5f', 'lo', 'x')
ADDRESSES = (
    '169.254.0.67/24',
    '169.254.192.4/18',
    '169.254.192.5/18',
    '10.1.1.1/24',
    '203.0.113.88/24',
    '203.0.113.119/32',
    '203.0.113.119',
    'fd00:1:1::/64',
    'fe80::1/64',
    'FD00:1:1:0::/64',
    '10.1.1.1/99',
)

odd = strategies.text(max_size=8).map(text.clean)


def words(*known: str) -> SearchStrategy[str]:
    """Return one of these, and now and then something else."""
    return strategies.one_of(
        strategies.sampled_from(known), strategies.sampled_from(known), odd
    )


_ids = strategies.sampled_from(ROUTERS)
_addresses = words(*ADDRESSES)
_devices = words(*DEVICES)
#: field name -> its plausible values, where the type alone does not tell
_FIELDS: dict[str, SearchStrategy[Any]] = {
    'host': words(*HOSTS),
    'router_id': _ids,
    'network_id': words('ha-network', 'other-network'),
    'device': _devices,
    'name': _devices,
    'interface': _devices,
    'address': _addresses,
    'source': words('169.254.192.4', '169.254.192.5'),
    'destination': words('0.0.0.0/0', '::/0', '10.1.1.0/24'),
    'gateway': words('203.0.113.1'),
    'owner': words(
        'network:router_ha_interface',
        'network:ha_router_replicated_interface',
        'network:router_gateway',
        'network:router_centralized_snat',
    ),
    'ha_state': words('active', 'standby', 'unknown'),
    'status': words('ACTIVE', 'DOWN', 'ERROR'),
    'vif_type': words('ovs', 'unbound', 'binding_failed'),
    'oper': words('UP', 'DOWN', 'UNKNOWN', 'LOWERLAYERDOWN'),
    'scope': words('global', 'link', 'host'),
    'role': words(
        'keepalived',
        'keepalived-vrrp',
        'keepalived-astray',
        'monitor',
        'radvd',
        'haproxy',
        'other',
    ),
    'state': words('S', 'R', 'D', 'T', 'Z', 'under-way', 'undone', 'left'),
    'value': words('primary', 'backup', 'master', 'fault'),
    'what': words('keepalived_conf', 'routes', 'view'),
    'namespace': words('qrouter-x', 'snat-x'),
    'vrid': strategies.sampled_from((1, 67, 255)),
    'pid': strategies.integers(1, 4),
    'ppid': strategies.integers(0, 4),
    'replicas': strategies.integers(0, 4),
    'ipv6_forwarding': strategies.lists(words('all', 'qg-2c'), max_size=2).map(
        tuple
    ),
    'tracked': strategies.lists(_devices, max_size=2).map(tuple),
    'flags': strategies.lists(
        words('permanent', 'tentative', 'dadfailed', 'nodad'), max_size=2
    ).map(tuple),
    'addresses_': strategies.lists(_addresses, max_size=3).map(tuple),
}


def of(kind: Any, name: str = '') -> SearchStrategy[Any]:
    """Return values of an annotation.

    :param name: of the field that has it
    """
    if dataclasses.is_dataclass(kind):
        return _instances(typing.cast(type, kind))
    if isinstance(kind, types.UnionType):
        (inner,) = (
            k for k in typing.get_args(kind) if k is not types.NoneType
        )
        return strategies.none() | of(inner, name)
    if typing.get_origin(kind) in (tuple, Sequence):
        inner = typing.get_args(kind)[0]
        if inner is str:
            known = {'addresses': 'addresses_'}.get(name, name)
            if known in _FIELDS:
                return _FIELDS[known]
        return strategies.lists(of(inner, name), max_size=4).map(tuple)
    if name in _FIELDS and kind in (str, int):
        return _FIELDS[name]
    return _SCALARS[kind]


_SCALARS: dict[Any, SearchStrategy[Any]] = {
    str: odd,
    bool: strategies.booleans(),
    int: strategies.integers(),
    float: strategies.floats(allow_nan=False, allow_infinity=False),
}


def _instances(cls: type) -> SearchStrategy[Any]:
    kinds = typing.get_type_hints(cls)
    return strategies.deferred(
        lambda: strategies.builds(
            cls,
            **{
                field.name: of(kinds[field.name], field.name)
                for field in dataclasses.fields(cls)
            },
        )
    )


routers = of(claim.Router).map(
    lambda router: dataclasses.replace(router, id=ROUTERS[0])
)
#: one view of each host, as a backend gives it
looks = strategies.lists(
    of(view.HostView), max_size=3, unique_by=lambda shown: shown.host
).map(tuple)

#: what happened on the lab, to be spoilt
SCENARIOS = ('healthy', 'incident', 'ha-network-cut', 'hidden-active')


@strategies.composite
def spoilt(draw: Any) -> tuple[claim.Router, tuple[view.HostView, ...]]:
    """Return a real look with a few values anywhere replaced or mixed up."""
    scene = draw(strategies.sampled_from(SCENARIOS).map(Scene.of))
    router, hosts = scene.router, scene.hosts
    for _ in range(draw(strategies.integers(0, 5))):
        kind = draw(strategies.sampled_from(('router', 'host', 'mixed')))
        if kind == 'router':
            router = _spoil(draw, router)
        else:
            index = draw(strategies.integers(0, len(hosts) - 1))
            changed = (
                _spoil(draw, hosts[index])
                if kind == 'host'
                else _mix(draw, hosts[index], hosts)
            )
            hosts = (*hosts[:index], changed, *hosts[index + 1 :])
    # a backend gives one view of each host
    unique = {shown.host: shown for shown in hosts}
    router = dataclasses.replace(router, id=scene.router.id)
    return router, tuple(unique.values())


def _spoil(draw: Any, value: Any) -> Any:
    """Return a dataclass with one value in it, however deep, replaced."""
    kinds = typing.get_type_hints(type(value))
    name = draw(
        strategies.sampled_from([f.name for f in dataclasses.fields(value)])
    )
    old = getattr(value, name)
    deeper = draw(strategies.integers(0, 3)) > 0
    if dataclasses.is_dataclass(old) and deeper:
        new = _spoil(draw, old)
    elif (
        isinstance(old, tuple)
        and old
        and dataclasses.is_dataclass(old[0])
        and deeper
    ):
        index = draw(strategies.integers(0, len(old) - 1))
        rest = old[:index], old[index + 1 :]
        if draw(strategies.booleans()):
            new = (*rest[0], _spoil(draw, old[index]), *rest[1])
        else:
            new = rest[0] + rest[1]
    else:
        new = draw(of(kinds[name], name))
    return dataclasses.replace(value, **{name: new})


def _mix(
    draw: Any, shown: view.HostView, hosts: tuple[view.HostView, ...]
) -> view.HostView:
    """Return a host that shows in one respect what another one shows."""
    other = draw(strategies.sampled_from(hosts))
    if not shown.views or not other.views:
        return dataclasses.replace(shown, views=other.views)
    names = [field.name for field in dataclasses.fields(view.NodeView)]
    name = draw(strategies.sampled_from(names))
    changed = dataclasses.replace(
        shown.views[0], **{name: getattr(other.views[0], name)}
    )
    return dataclasses.replace(shown, views=(changed, *shown.views[1:]))


#: a router, and what there is of it: near to what happens, and far from it
cases = strategies.one_of(
    spoilt(), spoilt(), strategies.tuples(routers, looks)
)

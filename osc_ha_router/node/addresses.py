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

"""The operations ``clean`` and ``add``: what keepalived.conf names, and only.

Both change the namespace for good: they put right what keepalived would have
done, and there is nothing to be undone.
"""

import typing

from osc_ha_router.node import active
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying
from osc_ha_router.node import routes
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import wanted
from osc_ha_router.node import writes

_KERNEL = 'kernel'
_FAILED = 'dadfailed'


def clean(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Removes addresses and routes from a node that must not have them.

    Fields: ``addresses`` and ``routes``, which keepalived.conf must name.

    :returns: ``addresses`` and ``routes`` that were there
    :raises ProgramError: ``unfit``, keepalived.conf does not name one;
        ``unsafe``, this node is or may be the active one; ``absent``
    """
    begun = errands.of(protocol.router(fields))
    places, some = wanted.addresses(fields), wanted.routes(fields)
    conf = begun.conf()
    _named(conf, places, some)
    active.must_be_passive(begun)
    with _Space(begun) as space:
        gone = [place for place in places if place in space.held()]
        lost = [
            route
            for route in space.routes()
            if any(_meant(route, each) for each in some)
        ]
        # routes first, as keepalived does it: the other way round some go
        # by themselves
        writes.delete_routes(space.channel, space.indices, lost)
        space.remove(gone)
        left = [place for place in gone if place in space.held()]
    if left:
        raise errors.ProgramError(
            errors.LEFT, 'the kernel keeps %s' % ', '.join(_words(left))
        )
    return {'addresses': _objects(gone), 'routes': [_route(r) for r in lost]}


def add(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Sets addresses that the active node lacks, as keepalived would.

    SIGHUP does not bring one back: keepalived 2.2.7 believes that it is set.
    It takes one that was added for its own, and removes it with the others.

    Fields: ``addresses``, which keepalived.conf must name.

    :returns: ``addresses`` that were not there
    :raises ProgramError: ``unfit``, keepalived.conf does not name one, or
        its device is missing; ``unsafe``, this node is not the active one;
        ``absent``
    """
    begun = errands.of(protocol.router(fields))
    places = wanted.addresses(fields)
    _named(begun.conf(), places, [])
    active.must_be_active(begun)
    with _Space(begun) as space:
        missing = {device for device, _ in places} - set(space.indices)
        if missing:
            raise errors.ProgramError(
                errors.UNFIT, 'there is no device %s' % ', '.join(missing)
            )
        held = space.held()
        # of no use as they are; detection is not done again
        failed = [p for p in places if _FAILED in held.get(p, ())]
        lacking = [p for p in places if p not in held or p in failed]
        space.remove(failed)
        writes.add_addresses(space.channel, space.indices, lacking)
    return {'addresses': _objects(lacking)}


class _Space:
    """The router's namespace, to be read and written.

    :raises ProgramError: ``absent``
    """

    def __init__(self, begun: errands_.Errand) -> None:
        with begun.inside():
            self.channel = netlink.Socket()
        self._names = rtnetlink.names(self.channel)
        self.indices = writes.indices(self._names)

    def __enter__(self) -> '_Space':
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def held(self) -> typing.Dict[wanted.Place, typing.List[str]]:
        """Every address with its flags."""
        return {
            (each['device'], each['address']): each['flags']
            for each in rtnetlink.addresses(self.channel, self._names)
        }

    def remove(self, places: typing.Sequence[wanted.Place]) -> None:
        """Removes addresses, and no other ones.

        With the first address of a subnet the kernel removes the others of
        the same one, unless it is set up to promote them.
        """
        before = self.held()
        writes.delete_addresses(self.channel, self.indices, places)
        after = self.held()
        writes.add_addresses(
            self.channel,
            self.indices,
            [p for p in before if p not in places and p not in after],
        )

    def routes(self) -> typing.List[wanted.Route]:
        """Every route but those that the kernel has made itself."""
        return [
            (each['destination'], each['gateway'], each['device'])
            for each in routes.routes(self.channel, self._names)
            if each['protocol'] != _KERNEL and each['device'] in self.indices
        ]


def _named(
    conf: protocol.Json,
    places: typing.Iterable[wanted.Place],
    some: typing.Iterable[wanted.Route],
) -> None:
    """Refuses what keepalived.conf does not name."""
    named = {
        (each['device'], each['address'])
        for each in conf['vips'] + conf['excluded']
    }
    strange = _words(place for place in places if place not in named)
    listed = [
        (each['destination'], each['gateway'], each['device'])
        for each in conf['routes']
    ]
    strange += [
        destination
        for destination, gateway, device in some
        if (destination, gateway, device) not in listed
    ]
    if strange:
        raise errors.ProgramError(
            errors.UNFIT,
            'keepalived.conf does not name %s' % ', '.join(strange),
        )


def _meant(route: wanted.Route, named: wanted.Route) -> bool:
    """Whether a route is what keepalived.conf says.

    It may leave the device out, or the gateway.
    """
    return all(
        named[part] in (None, route[part]) for part in range(len(route))
    )


def _words(places: typing.Iterable[wanted.Place]) -> typing.List[str]:
    return ['%s on %s' % (address, device) for device, address in places]


def _objects(
    places: typing.Iterable[wanted.Place],
) -> typing.List[protocol.Json]:
    return [
        {'device': device, 'address': address} for device, address in places
    ]


def _route(route: wanted.Route) -> protocol.Json:
    destination, gateway, device = route
    return {'destination': destination, 'gateway': gateway, 'device': device}

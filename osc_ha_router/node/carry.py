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


"""The operations ``export`` and ``import``: what a router remembers.

What one node exports the next one imports before it takes over.
"""

import typing

from osc_ha_router.node import connections
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import neighbours
from osc_ha_router.node import netlink
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying

#: entries of one reply
_BATCH = 500

T = typing.TypeVar('T')


def export(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Sends the router's neighbours and connections, as far as asked for.

    Fields of the request: ``neighbours`` and ``connections``, true or
    false. Replies hold a list under either name.

    :returns: the number of ``neighbours`` and of ``connections`` (null if
        they were not asked for or cannot be read) and ``reason``, why
        something is missing
    :raises BadRequest: a field is not what it must be
    :raises ProgramError: there is no such errand, its namespace has gone
    :raises Gone: nobody reads the replies
    """
    errand = errands.of(protocol.router(fields))
    wants_neighbours = protocol.flag(fields, 'neighbours')
    wants_connections = protocol.flag(fields, 'connections')
    reasons = []  # type: typing.List[str]
    near = []  # type: typing.List[protocol.Json]
    tracked = None
    with errand.inside():
        if wants_neighbours:
            try:
                near = neighbours.read()
            except (OSError, netlink.NetlinkError) as error:
                reasons.append('neighbours cannot be read: %s' % error)
        if wants_connections:
            try:
                tracked, missing = connections.read()
            except connections.Unable as error:
                missing = str(error)
            if missing is not None:
                reasons.append(missing)
    for some in _batches(near):
        replies({'neighbours': some})
    for part in _batches(tracked or []):
        replies({'connections': [connections.entry(each) for each in part]})
    return {
        'neighbours': len(near),
        'connections': None if tracked is None else len(tracked),
        'reason': _sentence(reasons),
    }


def import_(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Adds neighbours and connections to the router's.

    What is there already stays if it will do, and is replaced if it is out
    of date. Fields of the request: ``neighbours`` and ``connections``, lists
    of what ``export`` has sent.

    :returns: the number of ``neighbours`` and of ``connections`` (null if
        there is no way) that are there now, of those ``refused``, and
        ``reason``, why
    :raises BadRequest: an entry is not what it must be; then none is added
    :raises ProgramError: there is no such errand, its namespace has gone
    """
    errand = errands.of(protocol.router(fields))
    near = neighbours.check(fields.get('neighbours', []))
    tracked = connections.check(fields.get('connections', []))
    reasons = []  # type: typing.List[str]
    added, refused = 0, 0
    carried = None  # type: typing.Optional[int]
    with errand.inside():
        if near:
            try:
                added, refused = neighbours.write(near)
            except (OSError, netlink.NetlinkError) as error:
                refused = len(near)
                reasons.append('neighbours cannot be written: %s' % error)
        try:
            carried, bad, reason = connections.write(tracked)
        except connections.Unable as error:
            bad, reason = len(tracked), str(error)
        refused += bad
        if reason is not None:
            reasons.append(reason)
    return {
        'neighbours': added,
        'connections': carried,
        'refused': refused,
        'reason': _sentence(reasons),
    }


def _batches(
    entries: typing.Sequence[T],
) -> typing.Iterator[typing.Sequence[T]]:
    for start in range(0, len(entries), _BATCH):
        yield entries[start : start + _BATCH]


def _sentence(reasons: typing.Sequence[str]) -> typing.Optional[str]:
    return '; '.join(reasons) or None

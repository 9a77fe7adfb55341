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
"""Which hosts to look at, and for which routers."""

from collections.abc import Collection
from collections.abc import Sequence
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router.backends import base
from osc_ha_router.diagnosis import looked
from osc_ha_router.model import claim
from osc_ha_router.sweep import means
from osc_ha_router.sweep import second

if TYPE_CHECKING:
    from osc_ha_router import engine

#: with named routers, look for leftovers on every host with an L3 agent if
#: there are no more than this; a sweep looks at all of them anyway
_SMALL_CLOUD = 16


def first(question: 'engine.Question', said: Any) -> list[base.Request]:
    """Return what is asked of which host at first.

    :param said: what Neutron says, a flow or what stands for one
    """
    every = frozenset(said.hosts or ())
    hosts, routers = every, None
    if isinstance(said, means.Listed):
        # where a router is, only the nodes tell if Neutron does not
        if question.names and said.placed() and len(every) > _SMALL_CLOUD:
            hosts = frozenset()
        hosts |= said.places()
    if question.names:
        routers = said.ids
    elif question.host is not None or question.project is not None:
        routers = tuple(sorted(said.ids))
    return _ordered(said, hosts, routers, question.listen)


def again(
    said: Any,
    routers: Sequence[claim.Router],
    firsts: Sequence[second.First],
    shown: looked.Looked,
    listen: float,
) -> list[base.Request]:
    """Return what is asked at the second look.

    :param said: what Neutron said at first
    :param routers: what it says now of those that are looked at again
    :param firsts: what the first look came to
    :param shown: what the first look showed
    :param listen: for so many seconds
    """
    hosts = {agent.host for r in routers for agent in r.agents or ()}
    # where it was found, even where nobody else would look for it
    for first in firsts:
        hosts.update(shown.places(first.said.id))
        hosts.update(
            replica.host
            for replica in first.found.replicas
            # the report may call it something else
            if replica.host in shown.by_name
        )
    if len(said.hosts or ()) <= _SMALL_CLOUD:
        hosts.update(said.hosts or ())
    ids = tuple(first.said.id for first in firsts)
    return _ordered(said, hosts, ids, listen)


def _ordered(
    said: Any,
    hosts: Collection[str],
    routers: tuple[str, ...] | None,
    listen: float,
) -> list[base.Request]:
    """Return the requests, those first that may take long in vain."""
    alive = said.alive

    def order(host: str) -> tuple[bool, str]:
        return alive is None or host in alive, host

    return [
        base.Request(host, routers, listen)
        for host in sorted(hosts, key=order)
    ]

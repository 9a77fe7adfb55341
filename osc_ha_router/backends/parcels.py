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

"""Requests of a size that the node agents' API takes.

Its bodies have a bound, so the question after many routers, or on many
hosts, goes out in several parts, and what comes back is put together.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from osc_ha_router.backends import base
from osc_ha_router.model import view

#: routers named in one request; with 40 bytes each, half of what is taken
ROUTERS = 800
#: routers and hosts named in one request
_WORDS = 1200
#: bytes of a host name at most, in words of a router id
_HOST = 2


def ids(routers: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the ids in parts that fit into a request."""
    for start in range(0, len(routers), ROUTERS):
        yield tuple(routers[start : start + ROUTERS])


def batches(
    requests: Sequence[base.Request],
) -> Iterator[list[base.Request]]:
    """Yield the requests in parts that fit into one call each.

    A host with very many routers is in several of them, once in each.
    """
    batch: list[base.Request] = []
    words = 0
    for request in requests:
        for part in _parts(request):
            more = _HOST + len(part.routers or ())
            twice = bool(batch) and batch[-1].host == part.host
            if batch and (twice or words + more > _WORDS):
                yield batch
                batch, words = [], 0
            batch.append(part)
            words += more
    if batch:
        yield batch


def _parts(request: base.Request) -> Iterator[base.Request]:
    if request.routers is None or len(request.routers) <= ROUTERS:
        yield request
        return
    for some in ids(request.routers):
        yield dataclasses.replace(request, routers=some)


class Joiner:
    """Puts the views of a host together.

    :param requests: as they were asked for; each host once
    """

    def __init__(self, requests: Sequence[base.Request]) -> None:
        self._missing = {
            request.host: len(list(_parts(request))) for request in requests
        }
        self._parts: dict[str, view.HostView] = {}

    def add(self, shown: view.HostView) -> view.HostView | None:
        """Take one part; return the whole when it was the last."""
        first = self._parts.pop(shown.host, None)
        if first is not None:
            shown = dataclasses.replace(
                shown,
                failure=first.failure or shown.failure,
                views=(*first.views, *shown.views),
                residents=_later(first.residents, shown.residents),
                seconds=max(first.seconds or 0.0, shown.seconds or 0.0),
            )
        self._missing[shown.host] -= 1
        if self._missing[shown.host]:
            self._parts[shown.host] = shown
            return None
        return shown


def _later(
    first: tuple[view.Resident, ...] | None,
    second: tuple[view.Resident, ...] | None,
) -> tuple[view.Resident, ...] | None:
    return first if second is None else second

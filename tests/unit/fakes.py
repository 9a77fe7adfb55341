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

"""Neutron's side and the nodes' side, played back look by look."""

from collections.abc import Iterator
from collections.abc import Sequence

from osc_ha_router import config
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.model import claim
from osc_ha_router.model import view
from tests.unit.scene import Scene


class Source:
    """Says of each router what the next scene has.

    :param looks: what there is at the first look, at the second, ...; the
        last stays
    :param hosts: where L3 agents are; by default where the scenes have them
    """

    def __init__(
        self,
        *looks: Sequence[Scene],
        hosts: tuple[str, ...] | None = None,
    ) -> None:
        self._looks = list(looks)
        self._hosts = hosts or tuple(
            sorted({h.host for scene in looks[0] for h in scene.hosts})
        )
        #: names, project and host of each call of ``claims``
        self.asked: list[tuple[tuple[str, ...], str | None, str | None]] = []
        #: ids of each call of ``again``
        self.asked_again: list[tuple[str, ...]] = []

    def _next(self) -> list[claim.Router]:
        look = self._looks[0]
        if len(self._looks) > 1:
            del self._looks[0]
        return [scene.router for scene in look]

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        self.asked.append((tuple(names), project, host))
        routers = self._next()
        for name in names:
            if name not in [n for r in routers for n in (r.name, r.id)]:
                raise errors.RouterNotFound(f'No router {name}')
        return claim.Claims(tuple(routers), self._hosts)

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        self.asked_again.append(tuple(ids))
        return tuple(router for router in self._next() if router.id in ids)


class Backend(base.Backend):
    """Shows what the next scene has of each host it is asked for."""

    def __init__(self, *looks: Sequence[Scene]) -> None:
        super().__init__(config.Settings())
        self._looks = list(looks)
        #: the requests of each probe
        self.requests: list[list[base.Request]] = []
        #: seconds that were left for each probe
        self.left: list[float] = []

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        look = self._looks[0]
        if len(self._looks) > 1:
            del self._looks[0]
        self.requests.append(list(requests))
        self.left.append(deadline.left())
        # the order in which hosts answer is not the order of the requests
        for request in reversed(requests):
            yield _host(look, request)


def _host(look: Sequence[Scene], request: base.Request) -> view.HostView:
    found = [
        shown
        for scene in look
        for shown in scene.hosts
        if shown.host == request.host
    ]
    if not found:
        return view.HostView(request.host, residents=())
    views = tuple(
        seen
        for shown in found
        for seen in shown.views
        if request.routers is None or seen.router_id in request.routers
    )
    listed = [r for shown in found for r in shown.residents or ()]
    complete = all(shown.residents is not None for shown in found)
    return view.HostView(
        request.host,
        failure=found[0].failure,
        views=views,
        residents=tuple(dict.fromkeys(listed)) if complete else None,
    )

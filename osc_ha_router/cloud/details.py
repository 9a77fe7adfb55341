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
"""What belongs to routers, each as soon as it is known.

A call for each router, and everything else in bulk. What Neutron does not
tell in time, or fails to tell twice, becomes a gap of that router and does
not cost the others.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import itertools
from typing import Any
from typing import TypeAlias
from typing import TypeVar

from osc_ha_router.backends import base
from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import bulk
from osc_ha_router.cloud import describe
from osc_ha_router.cloud import gaps
from osc_ha_router.model import claim

T = TypeVar('T')

#: told how many of how many calls are done, in any thread
Tell = Callable[[int, int], None]

Ports: TypeAlias = dict[str, list[claim.Port]]


class Details:
    """What Neutron says of routers that it has listed.

    Made with all calls under way.

    :param api: for the calls
    :param said: id -> router as Neutron lists it
    :param agents: whether there is any L3 agent, as far as that is known
    :param among: whether all other routers on the HA networks of these are
        among them; otherwise they are asked for
    :param tell: told how far it is
    """

    def __init__(
        self,
        api: neutron.Api,
        said: Mapping[str, neutron.Json],
        *,
        agents: bool = True,
        among: bool = False,
        tell: Tell = lambda done, total: None,
    ) -> None:
        self._api = api
        self._said = said
        self._ports = self._in_parts(bulk.ports)
        self._ips = self._in_parts(bulk.floating_ips)
        #: whether the caller may not know where routers are
        self.blind = False
        self._agents = self._one_by_one(any_agents=agents)
        self._others = None if among else self._ask_for_others()
        self._peers: Mapping[str, Sequence[claim.Peer]] | None = None
        _count(
            {
                *self._ports.values(),
                *self._ips.values(),
                *self._agents.values(),
            },
            tell,
        )

    def router(
        self, id_: str, until: base.Deadline, *, doubtful: bool = False
    ) -> claim.Router | None:
        """Return one router, with gaps for what is not there in time.

        :param until: how long to wait for it
        :param doubtful: also one of which the caller cannot know whether it
            is an HA router
        :return: None for one that is not ours, or is gone
        :raises SDKException, ClientException: nothing was told of any
            router's ports, or floating IPs
        """
        said = self._said[id_]
        agents = gaps.wait(self._agents[id_], until)
        if isinstance(agents, bulk.NoScheduler):
            return None
        if not isinstance(agents, gaps.Gap) and describe.ovn(agents):
            return None
        ports = self._part(self._ports, id_, until)
        owned = None if isinstance(ports, gaps.Gap) else ports.get(id_, ())
        certain = owned is not None and not doubtful
        if agents is None and certain and not describe.sees_ha(said, owned):
            return None
        ips = self._part(self._ips, id_, until)
        return describe.router(
            said,
            None if isinstance(agents, gaps.Gap) else agents,
            owned,
            None if isinstance(ips, gaps.Gap) else ips.get(id_, ()),
            self._shared(until),
            [
                f'{what}: {answer.why}'
                for what, answer in (
                    ('which L3 agents host it', agents),
                    ('its ports', ports),
                    ('its floating IPs', ips),
                )
                if isinstance(answer, gaps.Gap)
            ],
        )

    def routers(
        self, *, doubtful: bool = False
    ) -> dict[str, claim.Router | None]:
        """Return id -> router of all, however long it takes.

        :param doubtful: as of ``router``
        :raises SDKException, ClientException: Neutron has failed to tell of
            each router where it is
        """
        found = {
            id_: self.router(id_, gaps.FOREVER, doubtful=doubtful)
            for id_ in self._said
        }
        # last of all: nothing is under way any more
        gaps.check(map(gaps.wait, self._agents.values()))
        return found

    def _part(
        self,
        parts: 'dict[str, futures.Future[T | gaps.Gap]]',
        id_: str,
        until: base.Deadline,
    ) -> T | gaps.Gap:
        """Return what came in bulk with one router.

        :raises SDKException, ClientException: no part of it came
        """
        found = gaps.wait(parts[id_], until)
        if isinstance(found, gaps.Gap) and found.exc is not None:
            gaps.check(gaps.wait(part, until) for part in {*parts.values()})
        return found

    # -- the calls ---------------------------------------------------------

    def _in_parts(
        self, call: Callable[[neutron.Api, Sequence[str]], dict[str, T]]
    ) -> 'dict[str, futures.Future[dict[str, T] | gaps.Gap]]':
        """Return router -> what will be known of it and of some others."""
        return {
            id_: asked
            for some, asked in self._api.in_parts(call, tuple(self._said))
            for id_ in some
        }

    def _one_by_one(
        self, any_agents: bool
    ) -> 'dict[str, futures.Future[bulk.Agents | gaps.Gap]]':
        """Return router -> its agents, once they are known.

        What a caller may not see of one router, that caller may not see of
        any; and where there is no L3 agent, none hosts a router.
        """
        if not self._said:
            self.blind = not any_agents
            return {}
        first, *others = self._said
        answer = gaps.kept(bulk.agents, self._api, first)
        self.blind = answer is None
        done: futures.Future[bulk.Agents | gaps.Gap] = futures.Future()
        done.set_result(answer)
        nowhere = isinstance(answer, bulk.NoScheduler) and not any_agents
        if self.blind or nowhere:
            return dict.fromkeys(self._said, done)
        return {first: done} | {
            id_: self._api.submit(gaps.kept, bulk.agents, self._api, id_)
            for id_ in others
        }

    def _ask_for_others(self) -> 'list[futures.Future[bulk.Peers | gaps.Gap]]':
        """Ask which other routers are on the HA networks of these."""
        parts = map(gaps.wait, {*self._ports.values()})
        networks = sorted({network for network, _ in _ha_ports(parts)})
        return [asked for _, asked in self._api.in_parts(bulk.peers, networks)]

    def _shared(
        self, until: base.Deadline
    ) -> Mapping[str, Sequence[claim.Peer]] | None:
        """Return HA network -> who is on it; None: not all was told."""
        if self._peers is None:
            counts = (
                self._among_them(until)
                if self._others is None
                else gaps.whole(gaps.wait(a, until) for a in self._others)
            )
            if counts is not None:
                self._peers = describe.shared(
                    network for part in counts for network in part.items()
                )
        return self._peers

    def _among_them(self, until: base.Deadline) -> list[bulk.Peers] | None:
        parts = gaps.whole(
            gaps.wait(asked, until) for asked in {*self._ports.values()}
        )
        return None if parts is None else [bulk.count(_ha_ports(parts))]


def _ha_ports(parts: Iterable[Ports | gaps.Gap]) -> Iterator[tuple[str, str]]:
    """Yield network and router of each HA port."""
    for part in parts:
        if not isinstance(part, gaps.Gap):
            for id_, ports in part.items():
                for port in ports:
                    if port.owner == claim.HA_PORT:
                        yield port.network_id, id_


def _count(asked: 'Iterable[futures.Future[Any]]', tell: Tell) -> None:
    """Tell of each answer how many there are."""
    every = list(asked)
    done = itertools.count(1)
    for future in every:
        future.add_done_callback(lambda _: tell(next(done), len(every)))

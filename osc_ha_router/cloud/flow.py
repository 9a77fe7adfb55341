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

"""All routers at once, each as soon as what belongs to it is known.

Which routers there are and where they may be comes first, so that the nodes
can be looked at while Neutron is asked for the rest: a call for each router,
and everything else in bulk. What it does not tell in time, or fails to tell,
becomes a gap of that router and does not cost the others.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
import contextlib
import dataclasses
import itertools
from typing import Any
from typing import TypeAlias
from typing import TypeVar

from osc_ha_router import text
from osc_ha_router.backends import base
from osc_ha_router.cloud import api as neutron
from osc_ha_router.cloud import bulk
from osc_ha_router.cloud import calls
from osc_ha_router.cloud import convert
from osc_ha_router.cloud import describe
from osc_ha_router.cloud import trouble
from osc_ha_router.model import claim

T = TypeVar('T')

#: told how many of how many calls are done, in any thread
Tell = Callable[[int, int], None]

_FOREVER = base.Deadline(float('inf'))


@dataclasses.dataclass(frozen=True)
class Gap:
    """Stands for an answer that there is not."""

    why: str
    #: what was raised; None: it was only too late
    exc: Exception | None = None


_LATE = Gap('there was no time left for the answer')

Ports: TypeAlias = dict[str, list[claim.Port]]
FloatingIPs: TypeAlias = dict[str, list[claim.FloatingIP]]


class Flow:
    """What Neutron says of all HA routers that the caller sees.

    Made with the first calls done and all others under way.

    :param api: for the calls
    :param project_id: only routers of this project
    :param host: only routers with an L3 agent on this host
    :param tell: told how far it is
    :raises SDKException, ClientException: trouble with the first calls
    :raises CloudError, UsageError: nobody can say what is on that host
    """

    def __init__(
        self,
        api: neutron.Api,
        project_id: str | None = None,
        host: str | None = None,
        tell: Tell = lambda done, total: None,
    ) -> None:
        self._api = api
        asked = api.submit(bulk.l3_agents, api)
        listed = bulk.routers(api, project_id)
        agents = asked.result()
        hosted = None if host is None else calls.on_host(api, host, agents)
        self._said = {
            router['id']: router
            for router in sorted(
                listed, key=lambda said: (said['name'] or '', said['id'])
            )
            # None: the caller may not see whether it is HA
            if router.get('ha') is not False
            and (hosted is None or router['id'] in hosted)
        }
        #: every router that Neutron has, HA or not; None: not all are known
        self.known = (
            frozenset(router['id'] for router in listed)
            if agents and project_id is None
            else None
        )
        #: every host with an L3 agent; None: not to be learned
        self.hosts = None if agents is None else convert.hosts(agents)
        #: those of them whose L3 agent sends heartbeats
        self.alive = (
            None if agents is None else convert.hosts(calls.living(agents))
        )
        self._ports = self._in_parts(bulk.ports)
        self._ips = self._in_parts(bulk.floating_ips)
        # the others on their HA networks are among them, or have to be asked
        # for
        self._others = None if host is None else self._ask_for_others()
        self._peers: Mapping[str, Sequence[claim.Peer]] | None = None
        #: whether the caller may not know where routers are
        self.blind = False
        self._agents = self._one_by_one(any_agents=bool(agents))
        _count(
            {
                *self._ports.values(),
                *self._ips.values(),
                *self._agents.values(),
            },
            tell,
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """The routers that may be ours, ordered by name."""
        return tuple(self._said)

    @property
    def names(self) -> dict[str, str]:
        """Id -> name of each."""
        return {
            id_: text.clean(said['name'] or '')
            for id_, said in self._said.items()
        }

    def router(self, id_: str, until: base.Deadline) -> claim.Router | None:
        """Return one router, with gaps for what is not there in time.

        :param until: how long to wait for it
        :return: None for one that is not ours, or is gone
        :raises SDKException, ClientException: nothing was told of any
            router's ports, or floating IPs
        """
        said = self._said[id_]
        agents = _wait(self._agents[id_], until)
        if isinstance(agents, bulk.NoScheduler):
            return None
        if not isinstance(agents, Gap) and describe.ovn(agents):
            return None
        ports = self._part(self._ports, id_, until)
        owned = None if isinstance(ports, Gap) else ports.get(id_, ())
        certain = owned is not None
        if agents is None and certain and not describe.sees_ha(said, owned):
            return None
        ips = self._part(self._ips, id_, until)
        return describe.router(
            said,
            None if isinstance(agents, Gap) else agents,
            owned,
            None if isinstance(ips, Gap) else ips.get(id_, ()),
            self._shared(until),
            [
                f'{what}: {answer.why}'
                for what, answer in (
                    ('which L3 agents host it', agents),
                    ('its ports', ports),
                    ('its floating IPs', ips),
                )
                if isinstance(answer, Gap)
            ],
        )

    def _part(
        self,
        parts: 'dict[str, futures.Future[T | Gap]]',
        id_: str,
        until: base.Deadline,
    ) -> T | Gap:
        """Return what came in bulk with one router.

        :raises SDKException, ClientException: no part of it came
        """
        found = _wait(parts[id_], until)
        if isinstance(found, Gap) and found.exc is not None:
            every = [_wait(asked, until) for asked in set(parts.values())]
            if all(isinstance(part, Gap) and part.exc for part in every):
                raise found.exc
        return found

    def claims(self) -> claim.Claims:
        """Return all of it, however long it takes.

        :raises SDKException, ClientException: Neutron has failed to tell of
            each router where it is
        """
        found = [self.router(id_, _FOREVER) for id_ in self._said]
        answers = [_wait(asked, _FOREVER) for asked in self._agents.values()]
        failed = [a.exc for a in answers if isinstance(a, Gap) and a.exc]
        if failed and len(failed) == len(answers):
            raise failed[0]
        return claim.Claims(
            tuple(router for router in found if router is not None),
            self.hosts,
            self.alive,
        )

    # -- the calls ---------------------------------------------------------

    def _in_parts(
        self, call: Callable[[neutron.Api, Sequence[str]], dict[str, T]]
    ) -> 'dict[str, futures.Future[dict[str, T] | Gap]]':
        """Return router -> what will be known of it and of some others."""
        found = {}
        for some in neutron.split(self.ids):
            asked = self._api.submit(_kept, call, self._api, some)
            found.update(dict.fromkeys(some, asked))
        return found

    def _one_by_one(
        self, any_agents: bool
    ) -> 'dict[str, futures.Future[bulk.Agents | Gap]]':
        """Return router -> its agents, once they are known.

        What a caller may not see of one router, that caller may not see of
        any; and where there is no L3 agent, none hosts a router.
        """
        if not self._said:
            self.blind = not any_agents
            return {}
        first, *others = self._said
        answer = _kept(bulk.agents, self._api, first)
        self.blind = answer is None
        done: futures.Future[bulk.Agents | Gap] = futures.Future()
        done.set_result(answer)
        nowhere = isinstance(answer, bulk.NoScheduler) and not any_agents
        if self.blind or nowhere:
            return dict.fromkeys(self._said, done)
        return {first: done} | {
            id_: self._api.submit(_kept, bulk.agents, self._api, id_)
            for id_ in others
        }

    def _ask_for_others(self) -> 'list[futures.Future[bulk.Peers | Gap]]':
        """Ask which other routers are on the HA networks of these."""
        parts = [_wait(asked, _FOREVER) for asked in set(self._ports.values())]
        networks = sorted({network for network, _ in _ha_ports(parts)})
        return [
            self._api.submit(_kept, bulk.peers, self._api, some)
            for some in neutron.split(networks)
        ]

    def _shared(
        self, until: base.Deadline
    ) -> Mapping[str, Sequence[claim.Peer]] | None:
        """Return HA network -> who is on it; None: not all was told."""
        if self._peers is None:
            counts = (
                self._among_them(until)
                if self._others is None
                else _all([_wait(asked, until) for asked in self._others])
            )
            if counts is not None:
                self._peers = describe.shared(
                    network for part in counts for network in part.items()
                )
        return self._peers

    def _among_them(self, until: base.Deadline) -> list[bulk.Peers] | None:
        parts = _all(
            [_wait(asked, until) for asked in set(self._ports.values())]
        )
        return None if parts is None else [bulk.count(_ha_ports(parts))]


def _kept(call: Callable[..., T], *args: Any) -> T | Gap:
    """Call, once more after trouble, and return what comes of it."""
    with contextlib.suppress(*trouble.ERRORS):
        return call(*args)
    try:
        return call(*args)
    except trouble.ERRORS as exc:
        return Gap(trouble.explain(exc), exc)


def _wait(asked: 'futures.Future[T | Gap]', until: base.Deadline) -> T | Gap:
    """Return the answer, or that there is none in time."""
    left = until.left()
    try:
        return asked.result(None if left == float('inf') else left)
    except (futures.TimeoutError, futures.CancelledError):
        return _LATE


def _all(answers: Iterable[T | Gap]) -> list[T] | None:
    """Return the answers, None if one is missing."""
    told = []
    for answer in answers:
        if isinstance(answer, Gap):
            return None
        told.append(answer)
    return told


def _ha_ports(parts: Iterable[Ports | Gap]) -> Iterator[tuple[str, str]]:
    """Yield network and router of each HA port."""
    for part in parts:
        if not isinstance(part, Gap):
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

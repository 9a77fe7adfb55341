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

"""The same look at a router with other secrets in it."""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import uuid

from osc_ha_router.model import claim
from osc_ha_router.model import view


def hosts(
    router: claim.Router, looks: Sequence[view.HostView]
) -> frozenset[str]:
    """Return the names of all nodes, however they come in."""
    return frozenset(
        {agent.host for agent in router.agents or ()}
        | {port.host for port in router.ports or () if port.host}
        | {shown.host for shown in looks}
    ) - {''}


def of(router: claim.Router, looks: Sequence[view.HostView]) -> set[str]:
    """Return what a tenant must not see of a look."""
    found = set(hosts(router, looks)) | set(router.gaps)
    found |= {agent.id for agent in router.agents or ()}
    found |= {peer.router_id for peer in router.peers or ()}
    for shown in looks:
        found |= set(_of_host(shown))
    return found - {router.id, ''}


def _of_host(shown: view.HostView) -> Iterator[str]:
    if shown.hostname:
        yield shown.hostname
    if shown.failure is not None:
        yield shown.failure.message
        yield shown.failure.advice
    for resident in shown.residents or ():
        yield resident.router_id
    for found in shown.views:
        yield from _of_view(found)


def _of_view(shown: view.NodeView) -> Iterator[str]:
    for process in shown.processes or ():
        # of one word there is no telling where it comes from
        yield ' '.join(process.command) if len(process.command) > 1 else ''
        yield process.config or ''
    if shown.keepalived_conf is not None:
        yield shown.keepalived_conf.path
        yield shown.keepalived_conf.sha256
    if shown.state_file is not None:
        yield shown.state_file.path
    if shown.errand is not None:
        yield shown.errand.by or ''
        yield shown.errand.message
        yield shown.errand.owed or ''
    for problem in shown.problems:
        yield problem.message


@dataclasses.dataclass(frozen=True)
class Dress:
    """Puts other secrets into the place of those that are there.

    :param names: of nodes, at least as many as there are
    :param word: what else is secret is made of it
    """

    names: tuple[str, ...]
    word: str

    def on(
        self, router: claim.Router, looks: Sequence[view.HostView]
    ) -> tuple[claim.Router, tuple[view.HostView, ...]]:
        """Return the look with these secrets.

        The order of the nodes' names stays, for the rules go by it.
        """
        old = sorted(hosts(router, looks))
        names = dict(zip(old, sorted(self.names), strict=False)) | {'': ''}
        peers = {
            peer.router_id: self._id(number)
            for number, peer in enumerate(router.peers or ())
        } | {router.id: router.id}
        dressed = dataclasses.replace(
            router,
            agents=router.agents
            and tuple(
                dataclasses.replace(
                    agent, id=self.word, host=names[agent.host]
                )
                for agent in router.agents
            ),
            ports=router.ports
            and tuple(
                dataclasses.replace(port, host=port.host and names[port.host])
                for port in router.ports
            ),
            peers=router.peers
            and tuple(
                claim.Peer(peers[peer.router_id], peer.replicas)
                for peer in router.peers
            ),
            gaps=tuple(self.word for _ in router.gaps),
        )
        return dressed, tuple(
            self._host(shown, names, peers) for shown in looks
        )

    def _id(self, number: int) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f'{self.word}{number}'))

    def _host(
        self,
        shown: view.HostView,
        names: dict[str, str],
        peers: dict[str, str],
    ) -> view.HostView:
        return dataclasses.replace(
            shown,
            host=names[shown.host],
            hostname=self.word,
            seconds=float(len(self.word)),
            failure=shown.failure
            and view.Failure(shown.failure.kind, self.word, self.word),
            residents=shown.residents
            and tuple(
                view.Resident(
                    peers.get(r.router_id, self._id(-1)), (self.word,), r.vrid
                )
                for r in shown.residents
            ),
            views=tuple(self._view(found) for found in shown.views),
        )

    def _view(self, shown: view.NodeView) -> view.NodeView:
        return dataclasses.replace(
            shown,
            neighbours=(view.Neighbour('x', self.word, self.word, 'STALE'),),
            processes=shown.processes
            and tuple(
                dataclasses.replace(
                    process, command=(self.word,), config=self.word
                )
                for process in shown.processes
            ),
            keepalived_conf=shown.keepalived_conf
            and dataclasses.replace(
                shown.keepalived_conf, path=self.word, sha256=self.word
            ),
            state_file=shown.state_file
            and dataclasses.replace(shown.state_file, path=self.word),
            errand=shown.errand
            and dataclasses.replace(
                shown.errand,
                by=self.word,
                message=self.word,
                owed=shown.errand.owed and self.word,
            ),
            problems=tuple(
                dataclasses.replace(problem, message=self.word)
                for problem in shown.problems
            ),
        )

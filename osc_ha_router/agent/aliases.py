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

"""What a tenant sees: its router's replicas, and not where they are.

The words of a finding are made of what the rules are given. So all that
names a node, a person or another project's router is taken out before the
diagnosis, and no text is ever searched for names afterwards: a node may be
called "active", or as the beginning of another one's name.

Nothing that a rule goes by is lost, so health, codes and the number of
findings are the same as for an administrator. Field by field:

===================== ====================================================
Router                id, name, project, status and the like: its own
Router.agents         kept, as replica-1 and so on in the order of the
                      hosts' names; no agent id
Router.ports          kept, bound to replica-1 and so on. Ids of ports and
                      networks open nothing and name no node; names of
                      devices hold the half of them anyway
Router.floating_ips   its own
Router.peers          how many there are and of how many replicas; those
                      that the caller may not check without their ids
Router.gaps           that there is one, not why: the API's address and
                      the agent's own rights are nobody's business
Replica.host          replica-1 and so on; other-1 and so on for a node
                      that has something of the router and should not, as
                      far as Neutron tells
Replica.failure       whether there was no time or no answer. The sentences
                      for administrators hold addresses, logins, commands
NodeView              links, addresses, routes, listening, forwarding: all
                      of them of the router's own namespace
NodeView.neighbours   gone: addresses of others on the external network
NodeView.processes    role, pid, state and age, which help whoever is told;
                      no command line, no path
keepalived_conf       kept; no path, and no sum of the file's bytes
state_file            one of Neutron's words, or that it is another; no path
errand                that there is one, its state and since when; not by
                      whom, no host that is owed something, and no message,
                      which names files and people
problems              what could not be read, not why
HostView.residents    only what shares the router's HA network, and that
                      without ids, and that there is something of the router
                      itself that was not looked at; no names of namespaces
HostView.hostname     gone
===================== ====================================================
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import datetime

from osc_ha_router.diagnosis import looked
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

#: what Neutron's monitor writes, in any release
_STATES = ('primary', 'master', 'backup', 'fault')

_WITHHELD = 'the reason is for the operator of the cloud'
_GAP = 'all that was asked of it'

_NO_TIME = view.Failure(
    'deadline',
    'There was no time left for this replica',
    'Raise --timeout, or ask for fewer routers.',
)
_NO_ANSWER = view.Failure(
    'unreachable',
    'The network node of this replica could not be asked',
    'Tell the operator of the cloud, with the router id and the time.',
)

_ERRANDS = {
    'under-way': 'a failover is under way',
    'undone': 'it is as it was before',
    'left': 'the operator of the cloud can see what it is',
}


class Aliases:
    """Judges routers of one project under names that tell nothing.

    A router's replicas keep their names from one look to the next. Those of
    different routers have nothing to do with each other.

    :param known: ids of routers that the caller may know; None: of all
    """

    def __init__(self, known: Collection[str] | None) -> None:
        self._known = None if known is None else frozenset(known)
        #: router -> host -> what it was called before
        self._given: dict[str, dict[str, str]] = {}

    def judge(
        self,
        router: claim.Router,
        hosts: Sequence[view.HostView],
        ignore: Collection[str] = (),
    ) -> report.Report:
        """Say what a router is, as ``diagnosis.verdict`` does."""
        every = looked.Looked.of(hosts)
        views = every.views(router.id)
        names = _names(
            self._given.setdefault(router.id, {}), router, every, views
        )
        peers = {
            peer.router_id: f'other-router-{number}'
            for number, peer in enumerate(router.peers or (), 1)
        }
        known = peers if self._known is None else self._known
        peers |= {id_: id_ for id_ in peers if id_ in known}
        residents = tuple(
            view.Resident(name, (), resident.vrid)
            for id_, name in peers.items()
            for resident in every.residents(id_)
        )
        # what the host has of it nobody has asked for, which is not nothing
        unseen = {
            shown.host: (view.Resident(router.id, ('',), None),)
            for shown in every
            if shown.failure is None
            and shown.residents is not None
            and not every.knows(shown.host, router.id)
        }
        return verdict.judge(
            _router(router, names, peers),
            tuple(_hosts(every, names, views, unseen, residents)),
            ignore,
        )


def _names(
    given: dict[str, str],
    router: claim.Router,
    hosts: Iterable[view.HostView],
    views: Mapping[str, view.NodeView],
) -> dict[str, str]:
    """Return what each host is called, and remember what may be shown.

    A host that has nothing of the router is called something as well, but
    not by a number that would tell how many they are.
    """
    replicas = {agent.host for agent in router.agents or ()}
    others = {port.host for port in router.ports or () if port.host}
    others |= {
        host
        for host, shown in views.items()
        if shown.namespace is not None or shown.processes
    }
    if router.agents is None:
        # where it should be, nobody knows
        replicas, others = others, replicas
    for word, group in (('replica', replicas), ('other', others - replicas)):
        used = sum(name.startswith(word) for name in given.values())
        new = sorted(group - given.keys())
        # the order of the names is that of the hosts, also of ten of them
        width = len(str(used + len(new)))
        for number, host in enumerate(new, used + 1):
            given[host] = f'{word}-{number:0{width}}'
    rest = {shown.host for shown in hosts} - given.keys()
    return {
        **{host: f'unnamed-{n}' for n, host in enumerate(sorted(rest))},
        **given,
        # a port that is not bound has no host
        '': '',
    }


def _router(
    router: claim.Router, names: Mapping[str, str], peers: Mapping[str, str]
) -> claim.Router:
    return dataclasses.replace(
        router,
        agents=None
        if router.agents is None
        else tuple(
            dataclasses.replace(
                agent,
                id=f'<L3 agent of {names[agent.host]}>',
                host=names[agent.host],
            )
            for agent in router.agents
        ),
        ports=None
        if router.ports is None
        else tuple(
            dataclasses.replace(
                port, host=None if port.host is None else names[port.host]
            )
            for port in router.ports
        ),
        peers=None
        if router.peers is None
        else tuple(
            claim.Peer(peers[peer.router_id], peer.replicas)
            for peer in router.peers
        ),
        gaps=tuple(_GAP for _ in router.gaps),
        service=_failure(router.service),
    )


def _hosts(
    hosts: Iterable[view.HostView],
    names: Mapping[str, str],
    views: Mapping[str, view.NodeView],
    unseen: Mapping[str, tuple[view.Resident, ...]],
    residents: tuple[view.Resident, ...],
) -> Iterator[view.HostView]:
    """Yield what each host shows of one router.

    :param views: of the router, by host
    :param unseen: that there is something of the router, by host
    :param residents: what hosts have of its peers; which host has it is not
        said, so the first that has said what it has gets all
    """
    for shown in hosts:
        own: tuple[view.Resident, ...] | None = None
        if shown.residents is not None:
            own, residents = residents + unseen.get(shown.host, ()), ()
        yield view.HostView(
            host=names[shown.host],
            failure=_failure(shown.failure),
            views=(_view(views[shown.host]),) if shown.host in views else (),
            residents=own,
        )


def _failure(failure: view.Failure | None) -> view.Failure | None:
    if failure is None:
        return None
    # of a node program, or of the agent that was asked for it
    late = failure.kind in ('deadline', 'agent-deadline')
    return _NO_TIME if late else _NO_ANSWER


def _view(shown: view.NodeView) -> view.NodeView:
    known = {field.name for field in dataclasses.fields(view.NodeView)}
    return dataclasses.replace(
        shown,
        neighbours=None,
        processes=None
        if shown.processes is None
        else tuple(
            dataclasses.replace(process, command=(), config=None)
            for process in shown.processes
        ),
        keepalived_conf=None
        if shown.keepalived_conf is None
        else dataclasses.replace(
            shown.keepalived_conf, path='keepalived.conf', sha256=''
        ),
        state_file=None
        if shown.state_file is None
        else view.StateFile('state', _state(shown.state_file.value)),
        errand=None if shown.errand is None else _errand(shown.errand),
        problems=tuple(
            view.Problem(
                problem.what if problem.what in known else 'view', _WITHHELD
            )
            for problem in shown.problems
        ),
    )


def _state(value: str) -> str:
    return value if value in _STATES else '(something else)'


def _errand(errand: view.Errand) -> view.Errand:
    # what is not known to be harmless counts as left, see the rule
    state = errand.state if errand.state in _ERRANDS else 'left'
    return view.Errand(None, _time(errand.since), state, _ERRANDS[state])


def _time(value: str | None) -> str | None:
    """Return a time that is one."""
    try:
        datetime.datetime.fromisoformat(value or '')
    except ValueError:
        return None
    return value

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

"""One router with its replicas side by side: what the rules look at."""

from collections.abc import Collection
from collections.abc import Iterable
import dataclasses
import functools

from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis import looked
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

ACTIVE = report.Observed.ACTIVE


@dataclasses.dataclass(frozen=True)
class Case:
    """What is known of one router. All hosts are in ``replicas``."""

    router: claim.Router
    replicas: tuple[report.Replica, ...]
    #: the HA VIP, with prefix; several when the nodes disagree
    vips: frozenset[str]
    #: what hosts said they have of the other routers on its HA network
    peers: tuple[view.Resident, ...]
    #: holder -> hosts whose VRRP advertisements it heard, itself included
    #: if it sends; None: not every living holder was listened on
    heard: dict[str, frozenset[str]] | None = None

    def seen(self, *observed: report.Observed) -> list[report.Replica]:
        """Return the replicas that were observed to be one of these."""
        return [r for r in self.replicas if r.observed in observed]

    @functools.cached_property
    def hosted(self) -> list[report.Replica]:
        """The replicas on hosts that Neutron names."""
        return [r for r in self.replicas if r.agent is not None]

    @functools.cached_property
    def looked(self) -> list[tuple[report.Replica, view.NodeView]]:
        """The replicas among these that have a namespace, with its view."""
        return [
            (r, r.view)
            for r in self.hosted
            if r.view is not None and r.view.namespace is not None
        ]

    @functools.cached_property
    def holders(self) -> list[report.Replica]:
        """The replicas that hold the VIP, whoever put it there."""
        return [r for r in self.replicas if r.vip]

    @functools.cached_property
    def active(self) -> report.Replica | None:
        """The one active replica, if exactly one node holds the VIP."""
        found = self.seen(report.Observed.ACTIVE)
        return found[0] if len(found) == 1 == len(self.holders) else None

    def ports(self, *owners: str) -> list[claim.Port]:
        """Return the router's ports of these owners."""
        return [p for p in self.router.ports or () if p.owner in owners]

    def ha_port(self, host: str) -> claim.Port | None:
        """Return the HA port that is bound to a host."""
        return self._ha_ports.get(host)

    @functools.cached_property
    def _ha_ports(self) -> dict[str | None, claim.Port]:
        # of several for one host the first
        return {p.host: p for p in reversed(self.ports(claim.HA_PORT))}

    def confs(self) -> list[tuple[str, view.KeepalivedConf]]:
        """Return host and keepalived.conf wherever one was read."""
        return [
            (r.host, r.view.keepalived_conf)
            for r in self.replicas
            if r.view is not None and r.view.keepalived_conf is not None
        ]


def build(router: claim.Router, hosts: Iterable[view.HostView]) -> Case:
    """Put claim and views of one router side by side.

    :param hosts: every host looked at; those with nothing of the router
        and no agent for it are left out. ``looked.Looked`` is best for many
        routers.
    """
    every = looked.Looked.of(hosts)
    agents = {agent.host: agent for agent in router.agents or ()}
    views = _views(router, every, agents)
    # hosts that Neutron names first, then those with leftovers
    order = sorted(agents) + sorted(set(views) - set(agents))
    ports = {
        port.host: port
        for port in router.ports or ()
        if port.owner == claim.HA_PORT
    }
    vips = _vips(views, ports)
    replicas = [
        _replica(
            host,
            agents.get(host),
            views.get(host),
            every.by_name.get(host),
            vips,
        )
        for host in order
    ]
    heard = _heard([r for r in replicas if r.observed == ACTIVE])
    return Case(
        router=router,
        replicas=tuple(
            [r if heard is None else _silenced(r, heard) for r in replicas]
        ),
        vips=vips,
        heard=heard,
        peers=tuple(
            resident
            for peer in router.peers or ()
            for resident in every.residents(peer.router_id)
        ),
    )


def _views(
    router: claim.Router,
    every: looked.Looked,
    agents: Collection[str],
) -> dict[str, view.NodeView]:
    """Return host -> what it shows, without what there is not to judge.

    :param agents: hosts with an agent for the router
    """
    views = {
        host: found
        for host, found in every.views(router.id).items()
        if host in agents or not _empty(router, found)
    }
    for host in agents:
        # a host that listed all it has, and has nothing of this router
        if host not in views and every.knows(host, router.id):
            views[host] = view.NodeView(router.id, None)
    return views


def _empty(router: claim.Router, shown: view.NodeView) -> bool:
    """Whether a host without an agent for the router really has nothing.

    A folder with keepalived.conf that outlived its router does no harm. With
    DVR the qrouter- namespace serves the instances of its host, with a
    metadata proxy; the active role has no part in it.
    """
    processes = shown.processes or ()
    if (
        router.distributed
        and (shown.namespace or '').startswith('qrouter-')
        and not evidence.ha_devices(shown)
    ):
        return not any(
            p.role.startswith(('keepalived', 'monitor')) for p in processes
        )
    return shown.namespace is None and not processes


def _vips(
    views: dict[str, view.NodeView], ports: dict[str | None, claim.Port]
) -> frozenset[str]:
    """Return the VIP: by keepalived.conf, or else by what is left over."""
    configured = {
        evidence.normal(vip.address)
        for shown in views.values()
        if shown.keepalived_conf is not None
        for vip in shown.keepalived_conf.vips
    }
    if configured:
        return frozenset(configured)
    return frozenset().union(
        *(
            evidence.guessed_vips(shown, ports.get(host))
            for host, shown in views.items()
        )
    )


def _heard(
    living: list[report.Replica],
) -> dict[str, frozenset[str]] | None:
    """Return listener -> hosts it heard among the living holders.

    A sender that is none of them is left out: it explains nothing.
    """
    if any(r.view is None or r.view.listening is None for r in living):
        return None
    by_address = {
        evidence.bare(address.address): replica.host
        for replica in living
        for address in (replica.view.addresses if replica.view else None) or ()
        if address.device.startswith('ha-')
    }
    heard = {}
    for replica in living:
        if replica.view is None or replica.view.listening is None:
            return None
        conf = replica.view.keepalived_conf
        senders = {
            replica.host if advert.own else by_address.get(advert.source, '')
            for advert in replica.view.listening.adverts
            if conf is None or conf.vrid in (None, advert.vrid)
        }
        heard[replica.host] = frozenset(senders - {''})
    return heard


def _silenced(
    replica: report.Replica, heard: dict[str, frozenset[str]]
) -> report.Replica:
    """Return the replica as stale if its keepalived is proved a backup.

    keepalived owns the VIP only while it advertises it. A holder that is
    silent while another one sends does not own it.
    """
    if replica.observed != ACTIVE:
        return replica
    sends = replica.host in heard[replica.host]
    others = any(host in senders for host, senders in heard.items())
    if sends or not others:
        return replica
    return dataclasses.replace(replica, observed=report.Observed.STALE)


def _replica(
    host: str,
    agent: claim.Agent | None,
    shown: view.NodeView | None,
    host_view: view.HostView | None,
    vips: frozenset[str],
) -> report.Replica:
    failure = host_view.failure if host_view is not None else None
    if shown is None:
        return report.Replica(
            host,
            agent,
            None,
            report.Observed.UNKNOWN,
            vip=None,
            keepalived=None,
            monitor=None,
            failure=failure,
        )
    vip = evidence.holds(shown, vips)
    return report.Replica(
        host,
        agent,
        shown,
        evidence.observe(shown, vip),
        vip=vip,
        keepalived=evidence.keepalived(shown),
        monitor=evidence.monitor(shown),
        failure=failure,
    )

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

"""One router on its nodes, and small edits that break it.

A scene starts as a capture of a healthy router; each edit returns a new
scene, so that a test reads as what is wrong: ``healthy.without_address(...)``.
"""

from collections.abc import Callable
import dataclasses
import ipaddress
from typing import Any
import uuid

from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.unit import captures

HA_PORT = 'network:router_ha_interface'
GATEWAY_PORT = 'network:router_gateway'
INTERNAL_PORT = 'network:ha_router_replicated_interface'
SNAT_PORT = 'network:router_centralized_snat'

#: of processes and ports that tests add
PID = 987654


@dataclasses.dataclass(frozen=True)
class Scene:
    """What Neutron says of one router, and what the nodes show."""

    router: claim.Router
    hosts: tuple[view.HostView, ...]

    @classmethod
    def of(cls, name: str) -> 'Scene':
        """Return the only router of a capture."""
        captured = captures.load(name)
        (router,) = captured.claims.routers
        return cls(router, captured.hosts)

    # -- what is there -----------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The hosts that Neutron names."""
        return sorted(agent.host for agent in self.router.agents or ())

    @property
    def reported(self) -> str:
        """The one host that Neutron calls active."""
        (host,) = (
            a.host for a in self.router.agents or () if a.ha_state == 'active'
        )
        return host

    @property
    def standbys(self) -> list[str]:
        """The hosts that Neutron does not call active."""
        return [name for name in self.names if name != self.reported]

    def shown(self, host: str) -> view.NodeView:
        """Return what a host shows of the router."""
        (shown,) = (h for h in self.hosts if h.host == host)
        (found,) = (v for v in shown.views if v.router_id == self.router.id)
        return found

    def conf(self, host: str) -> view.KeepalivedConf:
        """Return a host's keepalived.conf."""
        found = self.shown(host).keepalived_conf
        assert found is not None
        return found

    @property
    def vip(self) -> str:
        """The HA VIP, with prefix."""
        return self.conf(self.reported).vips[0].address

    @property
    def floating_ip(self) -> str:
        """A floating IP as it is on a device."""
        return (self.router.floating_ips or ())[0].address + '/32'

    @property
    def internal(self) -> str:
        """The router's IPv4 address on an internal network, with prefix."""
        return self._excluded('qr-', 4)

    @property
    def internal_ipv6(self) -> str:
        """The router's IPv6 address on an internal network, with prefix."""
        return self._excluded('qr-', 6)

    @property
    def gateway(self) -> str:
        """The router's external address, with prefix."""
        (port,) = self.ports(GATEWAY_PORT)
        (found,) = (
            a.address
            for a in self.conf(self.reported).excluded
            if a.address.startswith(port.addresses[0] + '/')
        )
        return found

    def _excluded(self, prefix: str, version: int) -> str:
        return next(
            a.address
            for a in self.conf(self.reported).excluded
            if (a.device or '').startswith(prefix)
            and not a.address.startswith('fe80:')
            and ipaddress.ip_interface(a.address).version == version
        )

    def ports(self, owner: str) -> list[claim.Port]:
        """Return the router's ports of one owner."""
        return [p for p in self.router.ports or () if p.owner == owner]

    def ha_port(self, host: str) -> claim.Port:
        """Return the HA port on a host."""
        (port,) = (p for p in self.ports(HA_PORT) if p.host == host)
        return port

    def device(self, host: str, prefix: str) -> str:
        """Return the name of a host's first device of a kind."""
        return next(
            link.name
            for link in self.shown(host).links or ()
            if link.name.startswith(prefix)
        )

    def device_of(self, address: str) -> str:
        """Return the device to which keepalived.conf gives an address."""
        conf = self.conf(self.reported)
        (device,) = (
            a.device
            for a in (*conf.vips, *conf.excluded)
            if a.address == address
        )
        assert device is not None
        return device

    def pid(self, host: str, role: str) -> int:
        """Return the pid of a host's first process of a role."""
        return next(
            p.pid for p in self.shown(host).processes or () if p.role == role
        )

    # -- the verdict -------------------------------------------------------

    def judge(self, *ignore: str) -> report.Report:
        """Return the verdict."""
        return verdict.judge(self.router, self.hosts, ignore)

    def found(self) -> set[tuple[str, str | None]]:
        """Return name and host of every finding."""
        return {(f.name, f.host) for f in self.judge().findings}

    def observed(self, host: str) -> str:
        """Return what the verdict says of one replica."""
        (replica,) = (r for r in self.judge().replicas if r.host == host)
        return replica.observed.value

    # -- what Neutron says -------------------------------------------------

    def with_router(self, **changes: Any) -> 'Scene':
        return dataclasses.replace(
            self, router=dataclasses.replace(self.router, **changes)
        )

    def with_agent(self, host: str, **changes: Any) -> 'Scene':
        """Change what Neutron says of a host's agent."""
        agents = self.router.agents or ()
        return self.with_router(
            agents=tuple(
                dataclasses.replace(a, **changes) if a.host == host else a
                for a in agents
            )
        )

    def without_agents(self, *hosts: str) -> 'Scene':
        """Let Neutron host the router on these no longer."""
        return self.with_router(
            agents=tuple(
                a for a in self.router.agents or () if a.host not in hosts
            ),
            ports=tuple(
                p
                for p in self.router.ports or ()
                if p.owner != HA_PORT or p.host not in hosts
            ),
        )

    def with_port(self, id_: str, **changes: Any) -> 'Scene':
        return self.with_router(
            ports=tuple(
                dataclasses.replace(p, **changes) if p.id == id_ else p
                for p in self.router.ports or ()
            )
        )

    def with_new_port(self, like: claim.Port, **changes: Any) -> 'Scene':
        """Add a port with an id of its own."""
        port = dataclasses.replace(like, id=str(uuid.UUID(int=5)), **changes)
        return self.with_router(ports=(*(self.router.ports or ()), port))

    def without_port(self, id_: str) -> 'Scene':
        return self.with_router(
            ports=tuple(p for p in self.router.ports or () if p.id != id_)
        )

    def with_peers(self, *replicas: int) -> 'Scene':
        """Put routers with this many HA ports on the same HA network."""
        return self.with_router(
            peers=tuple(
                claim.Peer(str(uuid.UUID(int=100 + index)), count)
                for index, count in enumerate(replicas)
            )
        )

    # -- what the nodes show -----------------------------------------------

    def with_host(self, host: str, **changes: Any) -> 'Scene':
        return dataclasses.replace(
            self,
            hosts=tuple(
                dataclasses.replace(h, **changes) if h.host == host else h
                for h in self.hosts
            ),
        )

    def without_host(self, host: str) -> 'Scene':
        """Nobody asked the host."""
        return dataclasses.replace(
            self, hosts=tuple(h for h in self.hosts if h.host != host)
        )

    def with_unreachable(self, host: str) -> 'Scene':
        """The host could not be looked at."""
        failure = view.Failure('refused', 'nobody listens', 'start sshd')
        return self.with_host(host, failure=failure, views=(), residents=None)

    def with_view(self, host: str, **changes: Any) -> 'Scene':
        """Change what a host shows of the router."""
        return self._edit(host, lambda v: dataclasses.replace(v, **changes))

    def without_namespace(self, host: str) -> 'Scene':
        """The host has nothing of the router."""
        return self.with_host(host, views=(), residents=())

    def _edit(
        self, host: str, change: Callable[[view.NodeView], view.NodeView]
    ) -> 'Scene':
        old = self.shown(host)
        (shown,) = (h for h in self.hosts if h.host == host)
        return self.with_host(
            host,
            views=tuple(change(v) if v is old else v for v in shown.views),
        )

    def without_address(self, host: str, *addresses: str) -> 'Scene':
        return self.with_view(
            host,
            addresses=tuple(
                a
                for a in self.shown(host).addresses or ()
                if a.address not in addresses
            ),
        )

    def with_address(
        self,
        host: str,
        address: str,
        device: str | None = None,
        flags: tuple[str, ...] = ('permanent',),
    ) -> 'Scene':
        """Add an address, to the device that keepalived.conf names."""
        device = device or self.device_of(address)
        # the HA device has another name on each node
        if device.startswith('ha-'):
            device = self.device(host, 'ha-')
        added = view.Address(device, address, 'global', flags)
        held = self.shown(host).addresses or ()
        return self.with_view(host, addresses=(*held, added))

    def with_flags(self, host: str, address: str, *flags: str) -> 'Scene':
        return self.with_view(
            host,
            addresses=tuple(
                dataclasses.replace(a, flags=flags)
                if a.address == address
                else a
                for a in self.shown(host).addresses or ()
            ),
        )

    def with_link(self, host: str, device: str, **changes: Any) -> 'Scene':
        return self.with_view(
            host,
            links=tuple(
                dataclasses.replace(link, **changes)
                if link.name == device
                else link
                for link in self.shown(host).links or ()
            ),
        )

    def with_link_down(self, host: str, device: str) -> 'Scene':
        """As ``ip link set DEVICE down`` leaves it."""
        return self.with_link(host, device, up=False, oper='DOWN')

    def with_new_link(self, host: str, name: str) -> 'Scene':
        links = self.shown(host).links or ()
        return self.with_view(
            host, links=(*links, view.Link(name, 99, True, 'UNKNOWN'))
        )

    def without_link(self, host: str, device: str) -> 'Scene':
        """The device is gone, and its addresses with it."""
        old = self.shown(host)
        return self.with_view(
            host,
            links=tuple(x for x in old.links or () if x.name != device),
            addresses=tuple(
                a for a in old.addresses or () if a.device != device
            ),
        )

    def without_route(self, host: str, destination: str) -> 'Scene':
        return self.with_view(
            host,
            routes=tuple(
                r
                for r in self.shown(host).routes or ()
                if r.destination != destination
            ),
        )

    def with_process(self, host: str, role: str, **changes: Any) -> 'Scene':
        """Change every process of a role."""
        return self.with_view(
            host,
            processes=tuple(
                dataclasses.replace(p, **changes) if p.role == role else p
                for p in self.shown(host).processes or ()
            ),
        )

    def with_new_process(
        self, host: str, role: str, pid: int = PID, ppid: int = 1
    ) -> 'Scene':
        added = view.Process(pid, ppid, role, 'S', (role,))
        there = self.shown(host).processes or ()
        return self.with_view(host, processes=(*there, added))

    def without_processes(self, host: str, *roles: str) -> 'Scene':
        return self.with_view(
            host,
            processes=tuple(
                p
                for p in self.shown(host).processes or ()
                if p.role not in roles
            ),
        )

    def without_keepalived(self, host: str) -> 'Scene':
        """keepalived was killed."""
        return self.without_processes(host, 'keepalived', 'keepalived-vrrp')

    def with_state_file(self, host: str, value: str) -> 'Scene':
        return self.with_view(
            host, state_file=view.StateFile('/somewhere/state', value)
        )

    def with_conf(self, host: str, **changes: Any) -> 'Scene':
        """Change a host's keepalived.conf."""
        return self.with_view(
            host,
            keepalived_conf=dataclasses.replace(self.conf(host), **changes),
        )

    def with_vip(self, host: str) -> 'Scene':
        """Add the VIP and nothing else, as an operator's mistake does."""
        return self.with_address(host, self.vip)

    def with_role(self, host: str) -> 'Scene':
        """Give a host all that keepalived and its monitor give an active."""
        active = self.shown(self.reported)
        changed = self.with_vip(host)
        for address in self.conf(self.reported).excluded:
            changed = changed.with_address(host, address.address)
        helpers = [
            p for p in active.processes or () if p.role in ('haproxy', 'radvd')
        ]
        shown = changed.shown(host)
        return changed.with_state_file(host, 'primary').with_view(
            host,
            routes=active.routes,
            ipv6_forwarding=('all', self.device(host, 'qg-')),
            processes=(*(shown.processes or ()), *helpers),
        )

    def without_role(self, host: str) -> 'Scene':
        """Take all of it away again."""
        conf = self.conf(host)
        gone = [a.address for a in (*conf.vips, *conf.excluded)]
        return (
            self.without_address(host, *gone)
            .without_processes(host, 'haproxy', 'radvd')
            .with_state_file(host, 'backup')
            # the agent turns forwarding off for the gateway device only
            .with_view(host, routes=(), ipv6_forwarding=('all',))
        )

    def hearing(self, host: str, *senders: str) -> 'Scene':
        """The host was listened on, and heard these, itself perhaps."""
        conf = self.conf(host)
        adverts = tuple(
            view.Advert(
                source=self.ha_port(sender).addresses[0],
                vrid=conf.vrid or 0,
                priority=conf.priority or 0,
                own=sender == host,
                count=4,
            )
            for sender in senders
        )
        device = self.device(host, 'ha-')
        return self.with_view(
            host, listening=view.Listening(device, 7.0, adverts)
        )

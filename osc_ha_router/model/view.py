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

"""What the nodes show: one ``HostView`` for each network node looked at.

The node program (``osc_ha_router.node``) prints objects of exactly these
shapes as JSON; ``osc_ha_router.codec`` turns them into these classes.
"""

from collections.abc import Sequence
import dataclasses


@dataclasses.dataclass(frozen=True)
class Link:
    """A network device inside a namespace (source: rtnetlink RTM_GETLINK)."""

    name: str
    index: int
    #: administrative state, IFF_UP
    up: bool
    #: operational state as ``ip link`` words it: UP, DOWN, UNKNOWN, ...
    oper: str
    mac: str | None = None
    mtu: int | None = None


@dataclasses.dataclass(frozen=True)
class Address:
    """An address on a device (source: RTM_GETADDR)."""

    device: str
    #: with prefix length, ``10.0.0.1/24``
    address: str
    #: global, link, host, site
    scope: str
    #: as ``ip address`` words them: permanent, tentative, dadfailed, ...
    flags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Route:
    """A unicast route of the main table (source: RTM_GETROUTE)."""

    #: ``0.0.0.0/0`` and ``::/0`` for the default routes
    destination: str
    gateway: str | None
    device: str | None
    #: as ``ip route`` words it: kernel, static, keepalived, ra, ...
    protocol: str


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """An ARP or ND entry (source: RTM_GETNEIGH)."""

    device: str
    address: str
    mac: str | None
    #: as ``ip neigh`` words it: REACHABLE, STALE, FAILED, ...
    state: str


@dataclasses.dataclass(frozen=True)
class Process:
    """A live process that belongs to a router (source: /proc)."""

    pid: int
    ppid: int
    #: keepalived (the parent), keepalived-vrrp (its VRRP child, the process
    #: that owns the addresses), keepalived-astray (this router's, in a
    #: namespace without a name), radvd, haproxy, conntrackd, monitor, other
    role: str
    #: one letter of /proc/PID/stat: R, S, D, T (stopped), Z, ...
    state: str
    #: for other than the known roles only the first word, so that captures
    #: hold no secrets from command lines
    command: tuple[str, ...]
    #: the configuration file that the process was started with
    config: str | None = None
    #: seconds since the process was started
    age: float | None = None


@dataclasses.dataclass(frozen=True)
class ConfiguredAddress:
    """An address that keepalived.conf gives to the active node."""

    #: with prefix length, normalised: ``203.0.113.5/32``
    address: str
    device: str | None


@dataclasses.dataclass(frozen=True)
class ConfiguredRoute:
    """A route that keepalived.conf gives to the active node."""

    destination: str
    gateway: str | None
    device: str | None


@dataclasses.dataclass(frozen=True)
class KeepalivedConf:
    """What a router's keepalived.conf says (source: the file)."""

    path: str
    interface: str | None
    #: VRRP virtual router id, 1..255
    vrid: int | None
    priority: int | None
    #: seconds
    advert_int: float | None
    nopreempt: bool
    #: virtual_ipaddress: for Neutron the one HA VIP
    vips: tuple[ConfiguredAddress, ...]
    #: virtual_ipaddress_excluded: gateway, floating IPs, internal addresses
    excluded: tuple[ConfiguredAddress, ...]
    routes: tuple[ConfiguredRoute, ...]
    #: of the file's bytes, to tell whether two looks saw the same file
    sha256: str
    #: devices whose failure is a failure of the instance
    tracked: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Advert:
    """VRRP advertisements from one sender, heard on one ha- device."""

    #: sender's address
    source: str
    vrid: int
    priority: int
    #: sent by the listening node itself
    own: bool
    #: how many were heard
    count: int


@dataclasses.dataclass(frozen=True)
class Listening:
    """The result of listening for VRRP on a router's ha- device."""

    device: str
    #: how long was listened
    seconds: float
    adverts: tuple[Advert, ...]


@dataclasses.dataclass(frozen=True)
class StateFile:
    """The ``state`` file that the state-change monitor writes."""

    path: str
    #: primary, backup (``master`` up to Ussuri), or whatever is in it
    value: str


@dataclasses.dataclass(frozen=True)
class Errand:
    """A change of this tool's that a node has under way, or has left."""

    #: who makes it; None: not known
    by: str | None
    #: UTC, ISO 8601 with seconds; None: not known
    since: str | None
    #: under-way; left: whoever made it was killed; undone: that, and what
    #: was left has just been undone
    state: str
    #: in a sentence
    message: str
    #: host to whose L3 agent Neutron has to give the router back; with
    #: ``left`` only
    owed: str | None = None


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that could not be read, and why."""

    #: which field of the view is missing or incomplete
    what: str
    message: str


@dataclasses.dataclass(frozen=True)
class NodeView:
    """What one host shows of one router. None: not looked at."""

    router_id: str
    #: qrouter-UUID, or snat-UUID for DVR+HA; None: there is no namespace
    namespace: str | None
    links: tuple[Link, ...] | None = None
    addresses: tuple[Address, ...] | None = None
    routes: tuple[Route, ...] | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    #: the processes in the namespace, and the monitor wherever it runs
    processes: tuple[Process, ...] | None = None
    #: whether keepalived.conf and the state file were looked for
    files: bool = False
    #: None with ``files`` true: there is no such file
    keepalived_conf: KeepalivedConf | None = None
    state_file: StateFile | None = None
    #: whether the L3 agent wrote a configuration for radvd, which it
    #: removes again when radvd is not to run; None: not looked for
    radvd_conf: bool | None = None
    #: the same for the metadata proxy
    metadata_conf: bool | None = None
    #: devices with net.ipv6.conf.DEVICE.forwarding on, and ``all``
    ipv6_forwarding: tuple[str, ...] | None = None
    listening: Listening | None = None
    #: None: there is none
    errand: Errand | None = None
    problems: tuple[Problem, ...] = ()


@dataclasses.dataclass(frozen=True)
class Resident:
    """A router that a host has something of, in a few words."""

    router_id: str
    #: names of its namespaces on the host, possibly none
    namespaces: tuple[str, ...]
    #: virtual_router_id of its keepalived.conf, if there is one
    vrid: int | None


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a host could not be looked at."""

    #: one of ``osc_ha_router.backends.failures``: refused, timeout, ...
    kind: str
    #: one sentence of what happened
    message: str
    #: one sentence of what to do
    advice: str

    @property
    def sentences(self) -> str:
        """Return what happened and what to do.

        What others say may end in a full stop of its own.
        """
        return f'{self.message.rstrip(".")}. {self.advice}'


@dataclasses.dataclass(frozen=True)
class HostView:
    """One look at one host, whatever the number of routers."""

    host: str
    #: set: the host, or the rest of it, could not be looked at
    failure: Failure | None = None
    #: those of many routers may be packed, see ``osc_ha_router.packing``
    views: Sequence[NodeView] = ()
    #: every router of which the host has a namespace or keepalived.conf
    residents: tuple[Resident, ...] | None = None
    #: the node's own idea of its name (uname), to catch a wrong connection
    hostname: str | None = None
    #: from the first byte sent to the last byte read
    seconds: float | None = None

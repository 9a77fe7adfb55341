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

"""What a repair stands on while it acts: locked nodes, and Neutron."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
from typing import Protocol

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.repair import nodes
from osc_ha_router.repair import plan as planning

#: seconds to wait for what should be there already
GLANCE = 1.0


class Changes(Protocol):
    """What is changed through Neutron: ``cloud.changes.Changes``."""

    def provoke(self, router_id: str) -> None:
        """Update a router with what it has."""

    def rebind(self, port_ids: Iterable[str], host: str) -> None:
        """Bind ports to a host."""

    def hosts(self, router_id: str, host: str) -> bool:
        """Return whether Neutron has a router on a host."""

    def reseat(self, router_id: str, host: str) -> None:
        """Take a router off an L3 agent and give it back."""

    def give(self, router_id: str, host: str) -> None:
        """Give a router back to an L3 agent."""

    def expel(self, router_id: str, host: str) -> None:
        """Have an L3 agent remove what is not its own any more."""


@dataclasses.dataclass
class Ground:
    """What all actions of a round share."""

    plan: planning.Plan
    #: the nodes that are locked, by host
    hosts: Mapping[str, nodes.Node]
    #: hosts whose L3 agent sends heartbeats, None: not known
    alive: frozenset[str] | None
    #: how Neutron is changed
    changes: Callable[[], Changes]
    until: base.Deadline
    #: told the phase, and in a sentence what happens
    tell: Callable[[str, str], None]
    #: host -> why nothing more can be asked of it
    broken: dict[str, str] = dataclasses.field(default_factory=dict)
    #: why nothing may be taken away, in words; empty: it may
    unsure: str = ''
    #: what a reader of the result should know
    notes: list[str] = dataclasses.field(default_factory=list)

    def node(self, host: str) -> nodes.Node:
        """Return a node that can be asked.

        :raises CloudError: it cannot
        """
        if host in self.broken:
            raise errors.CloudError(f'not begun: {self.broken[host]}')
        if host not in self.hosts:
            raise errors.CloudError(f'not begun: {host} was not looked at')
        return self.hosts[host]

    def heed(self, host: str, trouble: base.Trouble) -> None:
        """Ask nothing more of a node whose line is broken."""
        if not goes_on(trouble):
            self.broken[host] = trouble.failure.message

    def soon(self) -> base.Deadline:
        """Return a bound for what should be there already."""
        return base.Deadline.after(min(GLANCE, self.until.left()))


def goes_on(trouble: base.Trouble) -> bool:
    """Return whether the node program itself has spoken."""
    return (
        trouble.refusal is not None
        or trouble.failure.kind == 'node-error'
        or of_old(trouble)
    )


def of_old(trouble: base.Trouble) -> bool:
    """Return whether the node program does not know what was asked for."""
    return trouble.failure.kind == 'version'


def not_begun(trouble: base.Trouble) -> errors.CloudError:
    """Return that something was not begun, because of something before."""
    return errors.CloudError(f'not begun: {trouble.failure.message}')

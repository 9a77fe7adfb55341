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

"""What Neutron says to the model, every text made safe to print."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from osc_ha_router import text
from osc_ha_router.model import claim


def agent(found: Mapping[str, Any]) -> claim.Agent:
    """Convert an L3 agent that hosts a router."""
    configuration = found.get('configurations')
    mode = (
        configuration.get('agent_mode')
        if isinstance(configuration, dict)
        else None
    )
    return claim.Agent(
        id=found['id'],
        host=text.clean(found['host']),
        alive=bool(found.get('alive')),
        admin_state_up=bool(found.get('admin_state_up')),
        ha_state=optional(found.get('ha_state')),
        mode=optional(mode),
    )


def port(found: Mapping[str, Any]) -> claim.Port:
    """Convert a port of a router."""
    return claim.Port(
        id=found['id'],
        owner=text.clean(found.get('device_owner') or ''),
        network_id=found['network_id'],
        mac=optional(found.get('mac_address')),
        addresses=tuple(
            text.clean(ip['ip_address']) for ip in found['fixed_ips'] or ()
        ),
        status=text.clean(found.get('status') or ''),
        host=optional(found.get('binding:host_id')),
        vif_type=optional(found.get('binding:vif_type')),
    )


def floating_ip(found: Mapping[str, Any]) -> claim.FloatingIP:
    """Convert a floating IP of a router."""
    return claim.FloatingIP(
        id=found['id'],
        address=text.clean(found['floating_ip_address']),
        fixed_address=optional(found.get('fixed_ip_address')),
        status=optional(found.get('status')),
    )


def hosts(agents: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the hosts of agents."""
    return tuple(sorted({text.clean(agent['host']) for agent in agents}))


def optional(value: Any) -> str | None:
    """Convert a text that may be missing."""
    return None if value is None else text.clean(str(value))

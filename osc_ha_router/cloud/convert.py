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

"""The SDK's resources to the model, every text made safe to print."""

from typing import Any

from osc_ha_router import text
from osc_ha_router.model import claim


def agent(found: Any) -> claim.Agent:
    """Convert an L3 agent that hosts a router."""
    configuration = found.configuration
    mode = (
        configuration.get('agent_mode')
        if isinstance(configuration, dict)
        else None
    )
    return claim.Agent(
        id=found.id,
        host=text.clean(found.host),
        alive=bool(found.is_alive),
        admin_state_up=bool(found.is_admin_state_up),
        ha_state=optional(found.ha_state),
        mode=optional(mode),
    )


def port(found: Any) -> claim.Port:
    """Convert a port of a router."""
    return claim.Port(
        id=found.id,
        owner=text.clean(found.device_owner or ''),
        network_id=found.network_id,
        mac=optional(found.mac_address),
        addresses=tuple(
            text.clean(ip['ip_address']) for ip in found.fixed_ips or ()
        ),
        status=text.clean(found.status or ''),
        host=optional(found.binding_host_id),
        vif_type=optional(found.binding_vif_type),
    )


def floating_ip(found: Any) -> claim.FloatingIP:
    """Convert a floating IP of a router."""
    return claim.FloatingIP(
        id=found.id,
        address=text.clean(found.floating_ip_address),
        fixed_address=optional(found.fixed_ip_address),
        status=optional(found.status),
    )


def optional(value: Any) -> str | None:
    """Convert a text that may be missing."""
    return None if value is None else text.clean(str(value))

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

"""What the cloud holds after `up`: users, networks and the router r1."""

from __future__ import annotations

import json

from tests.lab.api import Api
from tests.lab.layout import EXTERNAL_GATEWAY
from tests.lab.layout import EXTERNAL_POOL
from tests.lab.layout import EXTERNAL_SUBNET
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.layout import HA_SERVICE
from tests.lab.layout import KEYSTONE_URL
from tests.lab.layout import Layout
from tests.lab.layout import NEUTRON_URL
from tests.lab.layout import NODES
from tests.lab.layout import PASSWORD
from tests.lab.layout import PHYSNET
from tests.lab.layout import PRIVATE_GATEWAY6
from tests.lab.layout import PRIVATE_SUBNET
from tests.lab.layout import PRIVATE_SUBNET6
from tests.lab.layout import REGION

#: The node that the server behind the floating IP stands on.
SERVER_NODE = "net3"
#: The node whose agent is the one that clients ask.
ENTRY_NODE = "net1"


def identity(api: Api) -> dict[str, str]:
    """Make the catalogue entries, projects and users; returns ids by name."""
    entry = f"https://{NODES[ENTRY_NODE]}:{HA_AGENT_PORT}"
    _catalogue(api, "neutron", "network", NEUTRON_URL)
    _catalogue(api, "osc-ha-router", "router-ha", entry)
    roles = {
        role["name"]: role["id"]
        for role in api.keystone("GET", "/roles")["roles"]
    }
    for name in ("service", "reader"):
        if name not in roles:
            roles[name] = api.keystone(
                "POST", "/roles", {"role": {"name": name}}
            )["role"]["id"]
    ids = {}
    for name in ("service", "demo", "other"):
        project = {"name": name, "domain_id": "default"}
        ids[f"project {name}"] = api.keystone(
            "POST", "/projects", {"project": project}
        )["project"]["id"]
    for name, project_name, granted in (
        ("neutron", "service", ("admin", "service")),
        ("demo", "demo", ("member",)),
        ("demo-reader", "demo", ("reader",)),
        ("other", "other", ("member",)),
        # The least that will do, see `settings.neutron_policy`.
        (HA_SERVICE, "service", ("service",)),
    ):
        user = {"name": name, "password": PASSWORD, "domain_id": "default"}
        ids[f"user {name}"] = api.keystone("POST", "/users", {"user": user})[
            "user"
        ]["id"]
        for role in granted:
            project_id, user_id = (
                ids[f"project {project_name}"],
                ids[f"user {name}"],
            )
            api.keystone(
                "PUT",
                f"/projects/{project_id}/users/{user_id}/roles/{roles[role]}",
            )
    return ids


def _catalogue(api: Api, name: str, type_: str, url: str) -> None:
    """Put a service with its endpoints into the catalogue."""
    service = api.keystone(
        "POST", "/services", {"service": {"name": name, "type": type_}}
    )["service"]
    for interface in ("public", "internal", "admin"):
        endpoint = {
            "service_id": service["id"],
            "interface": interface,
            "region_id": REGION,
            "url": url,
        }
        api.keystone("POST", "/endpoints", {"endpoint": endpoint})


def networks(admin: Api, demo: Api) -> dict[str, str]:
    """Make the networks; returns ids by name."""
    public = admin.create(
        "network",
        name="public",
        shared=False,
        **{
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": PHYSNET,
        },
    )
    admin.create(
        "subnet",
        name="public-subnet",
        network_id=public["id"],
        ip_version=4,
        cidr=EXTERNAL_SUBNET,
        gateway_ip=EXTERNAL_GATEWAY,
        enable_dhcp=False,
        allocation_pools=[
            {"start": EXTERNAL_POOL[0], "end": EXTERNAL_POOL[1]}
        ],
    )
    private = demo.create("network", name="private")
    subnet = demo.create(
        "subnet",
        name="private-subnet",
        network_id=private["id"],
        ip_version=4,
        cidr=PRIVATE_SUBNET,
    )
    subnet6 = demo.create(
        "subnet",
        name="private-subnet6",
        network_id=private["id"],
        ip_version=6,
        cidr=PRIVATE_SUBNET6,
        gateway_ip=PRIVATE_GATEWAY6,
        ipv6_address_mode="slaac",
        ipv6_ra_mode="slaac",
    )
    return {
        "public": public["id"],
        "private": private["id"],
        "subnet": subnet["id"],
        "subnet6": subnet6["id"],
    }


def router(demo: Api, ids: dict[str, str]) -> str:
    """Make the router r1 on all three networks; returns its id."""
    made = demo.create(
        "router",
        name="r1",
        external_gateway_info={"network_id": ids["public"]},
    )
    for subnet in ("subnet", "subnet6"):
        demo.neutron(
            "PUT",
            f"/routers/{made['id']}/add_router_interface",
            {"subnet_id": ids[subnet]},
        )
    return str(made["id"])


def server(admin: Api, demo: Api, ids: dict[str, str]) -> dict[str, str]:
    """Make a server's port, bound to a node, and a floating IP for it.

    Returns what plugging it in takes.
    """
    port = demo.create("port", name="server", network_id=ids["private"])
    admin.neutron(
        "PUT",
        f"/ports/{port['id']}",
        {
            "port": {
                "binding:host_id": SERVER_NODE,
                "device_owner": "compute:nova",
                "device_id": "server",
            }
        },
    )
    floating = demo.create(
        "floatingip", floating_network_id=ids["public"], port_id=port["id"]
    )
    fixed = next(
        item["ip_address"]
        for item in port["fixed_ips"]
        if item["subnet_id"] == ids["subnet"]
    )
    return {
        "server_port": port["id"],
        "server_mac": port["mac_address"],
        "server_ip": fixed,
        "floating_ip": floating["floating_ip_address"],
    }


def clouds(layout: Layout) -> str:
    """The text of clouds.yaml: JSON, which is YAML too, needs no library."""
    found: dict[str, dict[str, object]] = {}
    for cloud, user, project in (
        ("lab", "admin", "admin"),
        ("lab-demo", "demo", "demo"),
        ("lab-demo-reader", "demo-reader", "demo"),
        ("lab-other", "other", "other"),
    ):
        found[cloud] = {
            "auth": {
                "auth_url": KEYSTONE_URL,
                "username": user,
                "password": PASSWORD,
                "project_name": project,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            "region_name": REGION,
            "identity_api_version": "3",
            "cacert": str(layout.ca),
        }
    # Tenants have their own credentials, and nothing else.
    found["lab"]["router_ha"] = {
        "backend": "ssh",
        "ssh_config": str(layout.ssh_config),
    }
    return json.dumps({"clouds": found}, indent=2) + "\n"

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

"""The text of the configuration files of Keystone, Neutron and others."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path

from tests.lab.layout import AGENT_DOWN_TIME
from tests.lab.layout import CHECK_CHILDREN_INTERVAL
from tests.lab.layout import CONTROL_ADDRESS
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.layout import HA_SERVICE
from tests.lab.layout import KEYSTONE_PORT
from tests.lab.layout import KEYSTONE_URL
from tests.lab.layout import Layout
from tests.lab.layout import NEUTRON_PORT
from tests.lab.layout import NODES
from tests.lab.layout import PASSWORD
from tests.lab.layout import PHYSNET
from tests.lab.layout import REGION
from tests.lab.layout import REPORT_INTERVAL
from tests.lab.layout import VRRP_ADVERT_INTERVAL

#: Where the database listens inside `ctl`; there is no TCP port.
DATABASE_SOCKET = "/run/lab/database.sock"
#: The bridge of a node that joins it to the physical network.
PHYSICAL_BRIDGE = "br-phys"

#: What Prometheus would present to the node agents.
METRICS_TOKEN = "lab-metrics"  # noqa: S105

_OWNERS = " or role:reader and project_id:%(project_id)s"

Sections = Mapping[str, Mapping[str, object]]


def ini(sections: Sections) -> str:
    """An INI file as oslo.config reads it."""
    lines = []
    for section, options in sections.items():
        lines += [
            f"[{section}]",
            *(f"{key} = {value}" for key, value in options.items()),
            "",
        ]
    return "\n".join(lines)


def database_url(name: str) -> str:
    """What SQLAlchemy connects to."""
    return (
        f"mysql+pymysql://{name}:{PASSWORD}@localhost/{name}"
        f"?unix_socket={DATABASE_SOCKET}&charset=utf8"
    )


def database(layout: Layout) -> list[str]:
    """The arguments of mariadbd; nothing in it has to outlive a power cut."""
    return [
        "--no-defaults",
        "--user=mysql",
        f"--datadir={layout.run / 'database'}",
        f"--socket={DATABASE_SOCKET}",
        "--pid-file=/run/lab/database.pid",
        "--skip-networking",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-flush-method=nosync",
        "--innodb-buffer-pool-size=128M",
        "--performance-schema=off",
        "--max-connections=300",
        "--character-set-server=utf8mb3",
    ]


def broker(layout: Layout) -> dict[str, str]:
    """The environment of RabbitMQ."""
    folder = layout.run / "broker"
    return {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": CONTROL_ADDRESS,
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


def broker_file() -> str:
    """rabbitmq.conf: one user; the built-in one may use the loopback only."""
    return (
        "default_user = neutron\n"
        f"default_pass = {PASSWORD}\n"
        "vm_memory_high_watermark.absolute = 1GB\n"
    )


def keystone(layout: Layout) -> str:
    """keystone.conf."""
    return ini(
        {
            "DEFAULT": {"use_stderr": True},
            "database": {"connection": database_url("keystone")},
            # Nobody attacks these passwords, and each command signs on anew:
            # the usual 12 take a processor half a second and more.
            "identity": {"password_hash_rounds": 4},
            "token": {"provider": "fernet", "expiration": 86400},
            "fernet_tokens": {"key_repository": layout.config / "fernet"},
            "credential": {"key_repository": layout.config / "credential"},
        }
    )


def gunicorn(application: str, port: int) -> str:
    """A gunicorn configuration file. It has to name the application too.

    Both programs read the command line themselves, so that gunicorn must not
    be given one.
    """
    return (
        f"wsgi_app = {application!r}\n"
        f"bind = '{CONTROL_ADDRESS}:{port}'\n"
        "workers = 2\n"
        "worker_class = 'gthread'\n"
        "threads = 8\n"
        "timeout = 120\n"
        "keepalive = 60\n"
        "errorlog = '-'\n"
        "accesslog = '-'\n"
    )


def keystone_server() -> str:
    """gunicorn for Keystone."""
    return gunicorn("keystone.wsgi.api:application", KEYSTONE_PORT)


def neutron_server() -> str:
    """gunicorn for Neutron's API."""
    return gunicorn("neutron.wsgi.api:application", NEUTRON_PORT)


def packaged_server() -> list[str]:
    """The arguments of uWSGI, under which Debian has Neutron's API."""
    return [
        "uwsgi-core",
        "--plugins-dir=/usr/lib/uwsgi/plugins",
        "--plugin=python311",
        "--wsgi-file=/usr/bin/neutron-api",
        f"--http-socket={CONTROL_ADDRESS}:{NEUTRON_PORT}",
        "--master",
        "--lazy-apps",
        "--enable-threads",
        "--processes=2",
        "--threads=8",
        "--buffer-size=65535",
        "--add-header=Connection: close",
    ]


def _common() -> dict[str, dict[str, object]]:
    return {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "router",
            "transport_url": (
                f"rabbit://neutron:{PASSWORD}@{CONTROL_ADDRESS}:5672/"
            ),
            "state_path": "/var/lib/neutron",
            "use_stderr": True,
        },
        "oslo_concurrency": {"lock_path": "/run/lock/neutron"},
        "agent": {"root_helper": "sudo", "report_interval": REPORT_INTERVAL},
    }


def neutron(layout: Layout) -> str:
    """neutron.conf of the control plane."""
    sections = _common()
    paste = layout.venv / "etc/neutron/api-paste.ini"
    if layout.packaged:
        paste = Path("/usr/share/neutron-common/api-paste.ini")
    sections["DEFAULT"] |= {
        "auth_strategy": "keystone",
        "api_paste_config": paste,
        "l3_ha": True,
        "router_distributed": layout.distributed,
        "max_l3_agents_per_router": 3,
        "agent_down_time": AGENT_DOWN_TIME,
        "rpc_workers": 1,
        "notify_nova_on_port_status_changes": False,
        "notify_nova_on_port_data_changes": False,
    }
    sections["database"] = {
        "connection": database_url("neutron"),
        "max_pool_size": 20,
    }
    sections["keystone_authtoken"] = _middleware("neutron")
    return ini(sections)


def _service(user: str) -> dict[str, object]:
    """How a service signs on."""
    return {
        "auth_type": "password",
        "auth_url": KEYSTONE_URL,
        "username": user,
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def _middleware(user: str) -> dict[str, object]:
    """How a service has the tokens of its callers checked."""
    return {
        **_service(user),
        "www_authenticate_uri": KEYSTONE_URL,
        "service_token_roles_required": True,
    }


def neutron_policy(layout: Layout) -> str:
    """policy.yaml of Neutron, with what the node agents need.

    They ask about routers of every project and the L3 agents of each, with
    the role service and no other. By Neutron's own rules that role sees the
    ports, but for the rest it would have to be admin.
    """
    rules = {
        name: f"rule:admin_only or rule:service_api{others}"
        for name, others in {
            "get_agent": "",
            "get_l3-agents": "",
            "get_router": _OWNERS,
            "get_router:distributed": "",
            "get_router:ha": "",
            "get_floatingip": _OWNERS,
        }.items()
    }
    if layout.packaged:
        # Older releases do not know this rule, nor let the role see ports.
        rules["service_api"] = "role:service"
        services = "rule:admin_only or rule:service_api"
        rules["get_port"] = (
            "rule:service_api or rule:context_is_advsvc or "
            "rule:admin_owner_or_network_owner"
        )
        for name in ("host_id", "vif_type"):
            rules[f"get_port:binding:{name}"] = services
    # JSON, which is YAML too.
    return json.dumps(rules, indent=2) + "\n"


def ml2() -> str:
    """ml2.ini of the control plane."""
    return ini(
        {
            "ml2": {
                "mechanism_drivers": "openvswitch",
                "type_drivers": "flat,vlan",
                "tenant_network_types": "vlan",
                "extension_drivers": "port_security",
            },
            "ml2_type_flat": {"flat_networks": PHYSNET},
            "ml2_type_vlan": {"network_vlan_ranges": f"{PHYSNET}:100:500"},
            "securitygroup": {"enable_security_group": False},
        }
    )


def node(name: str) -> str:
    """neutron.conf of a node."""
    sections = _common()
    sections["DEFAULT"]["host"] = name
    return ini(sections)


def openvswitch_agent(layout: Layout) -> str:
    """openvswitch_agent.ini: in user space, without a kernel module."""
    return ini(
        {
            "ovs": {
                "datapath_type": "netdev",
                "bridge_mappings": f"{PHYSNET}:{PHYSICAL_BRIDGE}",
                "ovsdb_connection": "tcp:127.0.0.1:6640",
            },
            "agent": {
                "tunnel_types": "",
                "enable_distributed_routing": layout.distributed,
            },
            "securitygroup": {
                "enable_security_group": False,
                "firewall_driver": "noop",
            },
        }
    )


def l3_agent(layout: Layout) -> str:
    """l3_agent.ini."""
    return ini(
        {
            "DEFAULT": {
                "interface_driver": "openvswitch",
                "agent_mode": "dvr_snat" if layout.distributed else "legacy",
                "ha_vrrp_advert_int": VRRP_ADVERT_INTERVAL,
                "enable_metadata_proxy": True,
            },
            "AGENT": {
                "check_child_processes_interval": CHECK_CHILDREN_INTERVAL
            },
            "ovs": {"ovsdb_connection": "tcp:127.0.0.1:6640"},
        }
    )


def ha_agent(name: str, folder: str) -> str:
    """agent.conf of the node agent, whose other files are in `folder`."""
    return ini(
        {
            "DEFAULT": {"use_stderr": True},
            "agent": {
                "host": name,
                "listen_address": NODES[name],
                "listen_port": HA_AGENT_PORT,
                "tls_cert": f"{folder}/cert.pem",
                "tls_key": f"{folder}/key.pem",
            },
            "keystone_authtoken": _middleware(HA_SERVICE),
            "service_auth": _service(HA_SERVICE),
            "peers": {
                "endpoint": f"https://{{host}}:{HA_AGENT_PORT}",
                "cafile": f"{folder}/ca.pem",
                "hosts": ",".join(NODES),
            },
            "metrics": {"credentials_file": f"{folder}/metrics-token"},
        }
    )

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

"""The agent's options, all of them here.

``register`` makes them known to a configuration, ``list_opts`` to
oslo-config-generator and to the documentation. Those of libraries
([keystone_authtoken], [oslo_policy], logging) are the libraries' own.
"""

import itertools
import socket
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg
from oslo_config import types

from osc_ha_router.diagnosis import catalogue

PROJECT = 'osc-ha-router'
#: the file that is read if none is named
FILE = '/etc/osc-ha-router/agent.conf'

AGENT = 'agent'
SERVICE_AUTH = 'service_auth'
PEERS = 'peers'
METRICS = 'metrics'

PORT = 6689


class Finding(types.ConfigType):
    """The code or the name of a finding; its value is the code."""

    def __init__(self) -> None:
        super().__init__(type_name='finding')

    def __call__(self, value: str) -> str:
        entry = catalogue.by_code(value)
        if entry is None:
            raise ValueError(
                f'{value!r} is no finding; see "openstack router ha finding '
                'list"'
            )
        return entry.code

    def _formatter(self, value: str) -> str:
        return value


_AGENT_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        'host',
        regex=r'^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z',
        default=socket.gethostname(),
        sample_default='the name of the node',
        help='Name of this node as Neutron knows it: what "openstack network '
        'agent list" shows as Host, which is the option "host" in '
        'neutron.conf.',
    ),
    cfg.HostAddressOpt(
        'listen_address',
        default='0.0.0.0',  # noqa: S104 # nosec B104
        help='Address to listen on. Give the address of the management '
        'network; 0.0.0.0 is every IPv4 address of the node, :: every '
        'address.',
    ),
    cfg.PortOpt(
        'listen_port',
        default=PORT,
        min=1,
        help='Port to listen on. The rights of root are gone by then, so it '
        'has to be one above 1023.',
    ),
    cfg.BoolOpt(
        'tls',
        default=True,
        help='Whether to serve HTTPS. Without it, tokens cross the network '
        'in clear text: turn it off only where something on this node that '
        'speaks TLS stands before the agent.',
    ),
    cfg.StrOpt(
        'tls_cert',
        help='File (PEM) with the certificate of this node and those that '
        'lead to its CA. It has to be valid for the name or address by '
        'which clients and other agents reach this node.',
    ),
    cfg.StrOpt(
        'tls_key',
        help='File (PEM) with the private key of tls_cert. It is read before '
        'the rights of root are given away, so only root needs to be able '
        'to read it.',
    ),
    cfg.StrOpt(
        'user',
        default='osc-ha-router',
        help='User to run as once the privileged child is started.',
    ),
    cfg.StrOpt(
        'group',
        default='',
        help='Group to run as. Empty: the primary group of the user.',
    ),
    cfg.IntOpt(
        'threads',
        default=256,
        min=8,
        max=4096,
        help='How many requests are answered at the same time. More wait in '
        'line.',
    ),
    cfg.IntOpt(
        'front_threads',
        default=192,
        min=1,
        help='How many of the threads may be held by requests for which this '
        'agent has to ask other agents: three quarters of them by checks, '
        'and one quarter by looks at nodes and by conversations. More are '
        'answered 503, and clients try again. What is left of the threads '
        'answers the other agents; without that, agents that wait for each '
        'other would wait for ever.',
    ),
    cfg.IntOpt(
        'slow_threads',
        default=64,
        min=1,
        help='How many of the threads may wait for clients that are slow to '
        'send a long body, or to read an answer. Beyond that, a client has '
        'half a second for it. All else that a client sends is waited for '
        'without a thread.',
    ),
    cfg.IntOpt(
        'slow_threads_per_address',
        default=32,
        min=1,
        help='How many of slow_threads may wait for the clients of one '
        'address. Set it to slow_threads where clients come by way of a '
        'proxy, which has one address for all of them.',
    ),
    cfg.IntOpt(
        'checks',
        default=8,
        min=1,
        help='How many checks are under way at the same time. More wait in '
        'line, until their own time bound.',
    ),
    cfg.IntOpt(
        'checks_per_project',
        default=24,
        min=1,
        help='How many checks of one project may be under way or wait. More '
        'are answered 503, and clients try again.',
    ),
    cfg.FloatOpt(
        'check_timeout',
        default=600.0,
        min=1.0,
        help='Seconds, the most that a check may take for callers who may '
        'not check every router. Who asks for more gets what there is by '
        'then.',
    ),
    cfg.FloatOpt(
        'check_probe_timeout',
        default=60.0,
        min=1.0,
        help='Seconds, the most that one node may take in a check for '
        'callers who may not check every router.',
    ),
    cfg.IntOpt(
        'connections',
        default=1024,
        min=16,
        help='How many connections may be open at the same time. Beyond '
        'that one is closed: of the address that has most of them, the one '
        'that has been silent for longest. Needs as many open files '
        '(LimitNOFILE of systemd).',
    ),
    cfg.FloatOpt(
        'request_timeout',
        default=20.0,
        min=1.0,
        max=600.0,
        help='Seconds within which a client has to have sent a whole '
        'request, and after which a silent connection is closed.',
    ),
    cfg.FloatOpt(
        'shutdown_timeout',
        default=20.0,
        min=0.0,
        max=600.0,
        help='Seconds that requests under way have to come to their end '
        'when the agent is stopped. What they have begun to change on the '
        'node is undone in any case.',
    ),
    cfg.IntOpt(
        'processes',
        default=32,
        min=1,
        max=1024,
        help='How many node programs run at the same time: one for each '
        'conversation, and one for each look that cannot share another.',
    ),
    cfg.IntOpt(
        'conversations',
        default=16,
        min=1,
        max=1024,
        help='How many conversations (failovers and repairs) can be open on '
        'this node at the same time. More are answered 503.',
    ),
    cfg.FloatOpt(
        'lease',
        default=10.0,
        min=2.0,
        max=300.0,
        help='Seconds after which a conversation is ended, and what it has '
        'begun undone, if its client neither has a request under way nor '
        'says that it is still there.',
    ),
]

_SERVICE_AUTH_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        'region_name',
        help='Region of the Neutron to ask. Needed if there are several.',
    ),
    cfg.StrOpt(
        'interface',
        default='internal',
        choices=['public', 'internal', 'admin'],
        help='Which endpoint of Neutron in the catalogue to use.',
    ),
]

_PEERS_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        'endpoint',
        default=f'https://{{host}}:{PORT}',
        help='Where the agent of another node answers: {host} stands for '
        'its name as Neutron knows it, {short} for the part before the '
        'first dot.',
    ),
    cfg.StrOpt(
        'cafile',
        help="File (PEM) with the CAs of the agents' certificates. Name one "
        'that signs for nobody else: whoever has a certificate that is '
        "trusted here, for the name of a node, is shown the agents' token. "
        'Empty: those that the system trusts.',
    ),
    cfg.ListOpt(
        'hosts',
        default=[],
        item_type=types.HostDomain(),
        help='Nodes that there are whatever Neutron says, to be asked as '
        'well when it is down: then it is these, those that Neutron named '
        'last, and this node. Others are never asked, and shown no token.',
    ),
    cfg.IntOpt(
        'concurrency',
        default=32,
        min=1,
        max=1024,
        help='How many agents are asked at the same time, for one request.',
    ),
]

_METRICS_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        'credentials_file',
        help='File whose content a client of /metrics has to present as '
        'bearer token (authorization.credentials_file of Prometheus). It is '
        'read at the start, before the rights of root are given away. '
        'Empty: there is no /metrics.',
    ),
    cfg.FloatOpt(
        'interval',
        default=0.0,
        min=0.0,
        help='Seconds from one check of all HA routers, whose result '
        '/metrics shows, to the next. Set it on one or two agents, not on '
        'all. 0: this agent checks nothing by itself.',
    ),
    cfg.FloatOpt(
        'timeout',
        default=120.0,
        min=1.0,
        help='Bound for one of these checks, in seconds.',
    ),
    cfg.ListOpt(
        'ignore',
        default=[],
        item_type=Finding(),
        help='Codes or names of findings that do not count in these checks '
        'and raise no alert, as with "openstack router ha check --ignore".',
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the agent's options known to a configuration."""
    for group, options in _own():
        conf.register_group(group)
        conf.register_opts(options, group)
    loading.register_session_conf_options(conf, SERVICE_AUTH)
    loading.register_auth_conf_options(conf, SERVICE_AUTH)


def list_opts() -> list[tuple[cfg.OptGroup, list[Any]]]:
    """Return the options by group; an entry point of oslo.config.opts."""
    found = dict(
        (group.name, (group, list(options))) for group, options in _own()
    )
    by_keystoneauth = itertools.chain(
        loading.get_auth_common_conf_options(),
        loading.get_auth_plugin_conf_options('password'),
        loading.get_session_conf_options(),
    )
    known = found[SERVICE_AUTH][1]
    for option in by_keystoneauth:
        if option.name not in {other.name for other in known}:
            known.append(option)
    return list(found.values())


def _own() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    # new groups each time: what is set in one configuration is kept in them
    return [
        (cfg.OptGroup(name, title), known)
        for name, title, known in (
            (AGENT, 'This agent, and how it is reached', _AGENT_OPTIONS),
            (
                SERVICE_AUTH,
                'Who the agent is to Keystone, Neutron and other agents',
                _SERVICE_AUTH_OPTIONS,
            ),
            (PEERS, 'The agents of the other nodes', _PEERS_OPTIONS),
            (METRICS, 'Metrics for Prometheus', _METRICS_OPTIONS),
        )
    ]

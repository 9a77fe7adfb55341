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

"""Puts the parts together, by the configuration."""

import dataclasses
import functools

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1 import session as ksa_session
from openstack import connection
from oslo_config import cfg
from oslo_policy import policy

from osc_ha_router import cloud
from osc_ha_router import config
from osc_ha_router import errors
from osc_ha_router.agent import checking
from osc_ha_router.agent import claims
from osc_ha_router.agent import conversations
from osc_ha_router.agent import keeper as keepers
from osc_ha_router.agent import local
from osc_ha_router.agent import nodes as everywhere
from osc_ha_router.agent import options
from osc_ha_router.agent import peers
from osc_ha_router.agent import policies
from osc_ha_router.agent import relay
from osc_ha_router.agent import services
from osc_ha_router.agent import sweep
from osc_ha_router.backends import web

#: seconds
_LONGEST = 86400.0
#: seconds for an answer of Keystone or Neutron, unless ``timeout`` says
_PATIENCE = 20.0


@dataclasses.dataclass(frozen=True)
class Parts:
    """What is started and ended, and what the API is given of it."""

    services: services.Services
    conversations: conversations.Conversations
    sweep: sweep.Sweep
    claims: claims.Claims


def build(
    conf: cfg.ConfigOpts,
    keeper: keepers.Keeper,
    enforcer: policy.Enforcer,
    credentials: bytes,
) -> Parts:
    """Return the parts.

    :param conf: checked by ``startup``
    :param keeper: started before
    :param enforcer: of the policies
    :param credentials: of /metrics; empty: there is none
    :raises ConfigError: the agent's own credentials cannot be used
    """
    host = conf.agent.host
    # whoever asks bounds a look
    here = local.Local(host, keeper, config.Settings(probe_timeout=_LONGEST))
    talks = conversations.Conversations(
        here, limit=conf.agent.conversations, lease=conf.agent.lease
    )
    neutron = claims.Claims(
        cloud.Cloud(_connection(conf, session(conf))),
        [host, *conf.peers.hosts],
    )
    others = peers.Peers(
        peers.Settings(conf.peers.endpoint, conf.peers.cafile),
        # another session: whoever waits for a token in it has little time,
        # and nobody who asks Neutron may keep it waiting
        session(conf),
        neutron.knows,
    )
    nodes = functools.partial(
        everywhere.Nodes, here, others, conf.peers.concurrency
    )
    regular = sweep.Sweep(
        neutron,
        nodes,
        sweep.Settings(
            interval=conf.metrics.interval,
            timeout=conf.metrics.timeout,
            ignore=frozenset(conf.metrics.ignore),
        ),
    )
    return Parts(
        services.Services(
            host=host,
            knows=neutron.knows,
            conversations=talks,
            nodes=nodes,
            relay=relay.Relay(others),
            checker=checking.Checker(
                neutron,
                nodes,
                functools.partial(policies.allows, enforcer),
                checking.Limits(
                    conf.agent.checks,
                    conf.agent.checks_per_project,
                    conf.agent.check_timeout,
                    conf.agent.check_probe_timeout,
                ),
            ),
            alive=keeper.alive,
            metrics=regular.page,
            credentials=credentials,
        ),
        talks,
        regular,
        neutron,
    )


def session(conf: cfg.ConfigOpts) -> ksa_session.Session:
    """Return a session with the agent's own credentials.

    :raises ConfigError: they cannot be used
    """
    section = options.SERVICE_AUTH
    try:
        auth = loading.load_auth_from_conf_options(conf, section)
        found = loading.load_session_from_conf_options(
            conf,
            section,
            auth=auth,
            # whose waits end with those of whoever needs a token
            session=web.session().session,
        )
    except (exceptions.ClientException, cfg.Error) as exc:
        raise errors.ConfigError(f'[{section}]: {exc}') from None
    if found.timeout is None:
        # who waits for Neutron keeps others waiting
        found.timeout = _PATIENCE
    return found


def _connection(
    conf: cfg.ConfigOpts, own: ksa_session.Session
) -> connection.Connection:
    section = conf[options.SERVICE_AUTH]
    return connection.Connection(
        session=own,
        region_name=section.region_name,
        interface=section.interface,
    )

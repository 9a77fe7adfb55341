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

"""What has to be right before anything starts, and what only root reads.

Each fault is said with the option that mends it; whoever reads it is at a
console, after ``systemctl start``.
"""

from collections.abc import Sequence
import dataclasses
import grp
import os
import pwd
import resource
import ssl

from oslo_config import cfg
from oslo_log import log as logging

from osc_ha_router import errors
from osc_ha_router.agent import options
from osc_ha_router.agent import tokens
from osc_ha_router.agent import transport

#: open files beside those of clients: node programs, other agents, logs
_FILES = 1024


@dataclasses.dataclass(frozen=True)
class Secrets:
    """What is read as root and kept."""

    #: None: no TLS
    tls: ssl.SSLContext | None
    #: of /metrics; empty: there is none
    credentials: bytes


def configuration(arguments: Sequence[str]) -> cfg.ConfigOpts:
    """Return the configuration of the command line and the files.

    :raises ConfigError: it cannot be read
    """
    conf = cfg.ConfigOpts()
    logging.register_options(conf)
    # nobody looks for a file of logs where there is a journal
    conf.set_default('use_stderr', True)
    options.register(conf)
    tokens.register(conf)
    files = [options.FILE] if os.path.exists(options.FILE) else []
    folder = f'{options.FILE}.d'
    folders = [folder] if os.path.isdir(folder) else []
    try:
        conf(
            list(arguments),
            project=options.PROJECT,
            prog='osc-ha-router-agent',
            default_config_files=files,
            default_config_dirs=folders,
        )
        # what is not a proper value is found now rather than in use
        for group, known in options.list_opts():
            for option in known:
                if option.dest in conf[group.name]:
                    conf[group.name][option.dest]
    except (cfg.Error, ValueError) as exc:
        raise errors.ConfigError(str(exc)) from None
    return conf


def check(conf: cfg.ConfigOpts) -> None:
    """Refuse what cannot work, before anything is started.

    :raises ConfigError: naming the option
    """
    if os.geteuid() != 0:
        raise errors.ConfigError(
            'The agent has to be started as root: it keeps one child with '
            'its rights, and gives its own away'
        )
    _check_user(conf.agent.user, conf.agent.group)
    for name in ('front_threads', 'slow_threads'):
        if conf.agent[name] >= conf.agent.threads:
            raise errors.ConfigError(
                f'{name} in [agent] is {conf.agent[name]} and has to be less '
                f'than threads, which is {conf.agent.threads}'
            )
    for section in (tokens.SECTION, options.SERVICE_AUTH):
        if not (conf[section].auth_type or conf[section].auth_section):
            raise errors.ConfigError(
                f'auth_type in [{section}] is missing: with auth_url, '
                'username, password and the rest it says who the agent is '
                'to Keystone'
            )
    if not conf[tokens.SECTION].www_authenticate_uri:
        raise errors.ConfigError(
            f'www_authenticate_uri in [{tokens.SECTION}] is missing: the '
            'public URL of Keystone, which clients without a token are told'
        )
    try:
        conf.peers.endpoint.format(host='host', short='host')
    except (ValueError, LookupError, AttributeError) as exc:
        raise errors.ConfigError(f'endpoint in [peers]: {exc}') from None


def secrets(conf: cfg.ConfigOpts) -> Secrets:
    """Read what only root can.

    :raises ConfigError: naming the option
    """
    return Secrets(_tls(conf), _credentials(conf.metrics.credentials_file))


def raise_limits(connections: int) -> None:
    """Make room for open files.

    :param connections: of clients, at most
    :raises ConfigError: root of this node may not have that many
    """
    wanted = connections + _FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError):
        raise errors.ConfigError(
            f'connections in [agent] needs {wanted} open files, and {hard} '
            'are allowed: lower it, or raise LimitNOFILE of the service'
        ) from None


def _check_user(user: str, group: str) -> None:
    try:
        entry = (
            pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        )
    except KeyError:
        raise errors.ConfigError(
            f'There is no user {user}: create it (useradd --system {user}), '
            'or set user in [agent]'
        ) from None
    if entry.pw_uid == 0:
        raise errors.ConfigError(
            'user in [agent] is root: name one without rights'
        )
    try:
        if group.isdigit():
            grp.getgrgid(int(group))
        elif group:
            grp.getgrnam(group)
    except KeyError:
        raise errors.ConfigError(
            f'There is no group {group}: create it, or correct group in '
            '[agent]'
        ) from None


def _tls(conf: cfg.ConfigOpts) -> ssl.SSLContext | None:
    if not conf.agent.tls:
        return None
    for name in ('tls_cert', 'tls_key'):
        path = conf.agent[name]
        if not path:
            raise errors.ConfigError(
                f'{name} in [agent] is missing: name a file in PEM format. '
                'Only where something on this node speaks TLS for the agent, '
                'set tls to false'
            )
        try:
            with open(path, 'rb'):
                pass
        except OSError as exc:
            raise errors.ConfigError(
                f'{name} in [agent]: {path}: {exc.strerror}'
            ) from None
    try:
        return transport.load(conf.agent.tls_cert, conf.agent.tls_key)
    except (OSError, ValueError) as exc:
        raise errors.ConfigError(
            f'tls_cert {conf.agent.tls_cert} and tls_key '
            f'{conf.agent.tls_key} in [agent] cannot be used: {exc}'
        ) from None


def _credentials(path: str | None) -> bytes:
    if not path:
        return b''
    try:
        with open(path, 'rb') as stream:
            found = stream.read(65536).strip()
    except OSError as exc:
        raise errors.ConfigError(
            f'credentials_file in [metrics]: {path}: {exc.strerror}'
        ) from None
    if not found:
        raise errors.ConfigError(
            f'credentials_file in [metrics]: {path} is empty; put a long '
            'random word in it (openssl rand -hex 32)'
        )
    return found

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

"""Settings: command line, then environment, then the cloud's own entry.

Each setting of ``Settings`` can be given as the global option
``--os-router-ha-<name>``, as ``OS_ROUTER_HA_<NAME>`` in the environment, or
as ``<name>`` under ``router_ha:`` in the cloud's entry of clouds.yaml. The
table of fields below is the one place that names them.
"""

from collections.abc import Mapping
import dataclasses
import os
import shlex
from typing import Any

from osc_ha_router import errors


def _setting(default: Any, help: str) -> Any:
    return dataclasses.field(default=default, metadata={'help': help})


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to reach the nodes. Times are in seconds."""

    backend: str = _setting(
        '',
        'How to look at the nodes: ssh, agent or another one that is '
        'installed (default: ssh, and where Neutron does not tell you where '
        'routers are, the reports of the node agents)',
    )
    agent_endpoint: str = _setting(
        '',
        'URL of a node agent (default: that of the service router-ha in the '
        'catalogue)',
    )
    ssh_user: str = _setting('', "SSH user name (default: ssh's own choice)")
    ssh_config: str = _setting('', 'OpenSSH client configuration file')
    ssh_host: str = _setting(
        '{host}',
        'SSH host name made of the host name that Neutron knows: {host}, '
        'or {short} for the part before the first dot',
    )
    become: str = _setting(
        'sudo -n', 'Command that gains root on the node; empty: none'
    )
    node_program: str = _setting(
        '',
        'Path of osc-ha-router-node on the nodes '
        '(default: the program is sent along)',
    )
    node_python: str = _setting('python3', 'Python on the nodes')
    concurrency: int = _setting(32, 'How many nodes to look at at once')
    timeout: float = _setting(120.0, 'Bound for everything')
    probe_timeout: float = _setting(15.0, 'Bound for one node')

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name), field.name)


def fields() -> tuple[dataclasses.Field[Any], ...]:
    """Return the settings, each with name, default and metadata['help']."""
    return dataclasses.fields(Settings)


def option(name: str) -> str:
    """Return the global option of a setting."""
    return '--' + variable(name).lower().replace('_', '-')


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return 'OS_ROUTER_HA_' + name.upper()


def describe(setting: dataclasses.Field[Any]) -> str:
    """Return a setting's help text for argparse."""
    default = f', default: {setting.default}' if setting.default else ''
    text = setting.metadata['help'] + default
    return f'{text} (Env: {variable(setting.name)})'.replace('%', '%%')


def brief(name: str, text: str = '') -> str:
    """Return the help text of a command's own option for a setting.

    :param text: what it is there, if not the same as everywhere
    """
    (setting,) = (field for field in fields() if field.name == name)
    text = text or setting.metadata['help']
    if setting.default:
        text += f' (default: {setting.default:g})'
    return text.replace('%', '%%')


def load(
    options: Mapping[str, Any],
    entry: object,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Combine the three places.

    :param options: values of the command line, None where not given
    :param entry: what ``router_ha:`` of clouds.yaml holds, if anything
    :param environ: the environment
    :raises ConfigError: for a value that cannot be used, saying where it is
    """
    if entry is None:
        entry = {}
    if not isinstance(entry, dict):
        raise errors.ConfigError('router_ha in clouds.yaml is not a mapping')
    known = {field.name for field in fields()}
    unknown = sorted(str(key) for key in entry if key not in known)
    if unknown:
        raise errors.ConfigError(
            f'router_ha in clouds.yaml has no setting {", ".join(unknown)}; '
            f'known are {", ".join(sorted(known))}'
        )
    values: dict[str, Any] = {}
    for field in fields():
        for place, value in (
            (option(field.name), options.get(field.name)),
            (variable(field.name), environ.get(variable(field.name))),
            (f'router_ha.{field.name} in clouds.yaml', entry.get(field.name)),
        ):
            if value is not None:
                values[field.name] = _convert(field, value, place)
                _check(field.name, values[field.name], place)
                break
    return Settings(**values)


def _convert(field: dataclasses.Field[Any], value: Any, place: str) -> Any:
    kind: type = type(field.default)
    if isinstance(value, (dict, list, bool)):
        raise errors.ConfigError(f'{place}: a single value is expected')
    try:
        return kind(value)
    except (ValueError, OverflowError):
        raise errors.ConfigError(
            f'{place}: {value!r} is not a number'
        ) from None


def _check(name: str, value: Any, place: str) -> None:
    """Refuse what no use of the setting could work with."""
    if isinstance(value, (int, float)) and not 0 < value < float('inf'):
        raise errors.ConfigError(f'{place} must be a number above zero')
    try:
        if name == 'become':
            shlex.split(value)
        elif name == 'ssh_host':
            value.format(host='host', short='host')
    except (ValueError, LookupError, AttributeError) as exc:
        raise errors.ConfigError(f'{place}: {exc}') from None

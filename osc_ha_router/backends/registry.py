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

"""Backends by name, from the entry points of whatever is installed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from stevedore import driver
from stevedore import exception
from stevedore import extension

from osc_ha_router import config
from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.backends import base

if TYPE_CHECKING:
    from openstack import connection

GROUP = 'osc_ha_router.backends'

#: where the settings name none
DEFAULT = 'ssh'


def load(
    settings: config.Settings,
    connect: Callable[[], 'connection.Connection'] = base.no_cloud,
) -> base.Backend:
    """Return the backend that the settings name.

    :param settings: how to reach the nodes
    :param connect: as ``base.Backend`` describes
    :raises ConfigError: when there is none of this name, saying which
        there are
    """
    try:
        # said where nothing is run: generic from stevedore 5.6 on only
        manager: driver.DriverManager[base.Backend] = driver.DriverManager(
            GROUP,
            settings.backend or DEFAULT,
            invoke_on_load=True,
            invoke_args=(settings, connect),
        )
    except exception.NoMatches:
        names = sorted(extension.ExtensionManager(GROUP).names())
        raise errors.ConfigError(
            f'There is no backend {text.clean(settings.backend)!r}; '
            f'installed are {", ".join(names) or "none"}'
        ) from None
    found = manager.driver
    assert isinstance(found, base.Backend)  # noqa: S101
    return found

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

"""The plugin as the openstack command sees it.

This module is imported by every ``openstack`` command, whatever it does,
so it imports nothing that costs time.
"""

import argparse
from typing import Any

DEFAULT_API_VERSION = '1'
API_VERSION_OPTION = 'os_router_ha_api_version'
API_NAME = 'router_ha'
API_VERSIONS = ('1',)


def make_client(instance: Any) -> Any:
    """Return what ``client_manager.router_ha`` is: Neutron's side."""
    from osc_ha_router import cloud

    return cloud.Cloud(instance.sdk_connection)


def build_option_parser(
    parser: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add the global options, one for each setting."""
    from osc_ha_router import config

    parser.add_argument(
        '--os-router-ha-api-version',
        metavar='<router-ha-api-version>',
        help='Router HA API version, default: ' + DEFAULT_API_VERSION,
    )
    for setting in config.fields():
        parser.add_argument(
            config.option(setting.name),
            metavar='<' + setting.name.replace('_', '-') + '>',
            help=config.describe(setting),
        )
    return parser

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

"""Sphinx configuration of the man page, which packagers build by itself.

It needs nothing but Sphinx: neither the theme and the extensions of the other
pages nor the package.
"""

import email
from importlib import metadata
import pathlib


def _version() -> str:
    """Return the version: of this sdist, else of what is installed.

    Empty in a checkout from which nothing was installed: only pbr knows then.
    """
    told = pathlib.Path(__file__).resolve().parents[3] / 'PKG-INFO'
    if told.is_file():
        return email.message_from_bytes(told.read_bytes())['Version'] or ''
    try:
        return metadata.version('osc-ha-router')
    except metadata.PackageNotFoundError:
        return ''


project = 'openstack-router-ha'
author = 'osc-ha-router developers'
version = release = _version()
root_doc = 'openstack-router-ha'
# options are written with two hyphens, which are not a dash
smartquotes = False

man_pages = [
    (
        root_doc,
        'openstack-router-ha',
        'check, move and repair HA routers of Neutron',
        author,
        1,
    ),
]

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

"""Sphinx configuration; run ``tox -e docs``."""

from importlib import metadata
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'ext'))

extensions = [
    'openstackdocstheme',
    'cliff.sphinxext',
    'oslo_config.sphinxext',
    'oslo_policy.sphinxext',
    'pages',
]

project = 'osc-ha-router'
author = 'osc-ha-router developers'
copyright = '2026, osc-ha-router developers'  # noqa: A001
# The extension "pages" needs the package, so it is always installed.
version = release = metadata.version('osc-ha-router')

exclude_patterns = ['samples', '**/*.inc']
# options are written with two hyphens, which are not a dash
smartquotes = False

html_theme = 'openstackdocs'
html_theme_options = {'sidebar_mode': 'toctree', 'display_badge': False}
pygments_style = 'native'
openstackdocs_auto_name = False
openstackdocs_auto_version = False

autoprogram_cliff_application = 'openstack'
# options of every openstack command; see its own documentation
autoprogram_cliff_ignored = [
    '--help',
    '--format',
    '--column',
    '--max-width',
    '--fit-width',
    '--print-empty',
    '--prefix',
    '--noindent',
    '--quote',
    '--sort-column',
    '--sort-ascending',
    '--sort-descending',
]

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

"""The directives ``setting`` and ``settings-summary``.

``.. setting:: ssh_user`` shows where the setting can be given, its default
and its help text, all from ``config.fields()``; the text below the directive
says more. Leaving a setting out, or naming one that there is not, warns.
"""

import re
from typing import Any
from typing import ClassVar

from docutils import nodes
from sphinx.util import docutils
from sphinx.util import logging

from osc_ha_router import config
from pages import markup

LOG = logging.getLogger(__name__)
#: {host} and {short} of the template for host names
_BRACES = re.compile(r'(\{[a-z]+\})')
_KNOWN = {setting.name: setting for setting in config.fields()}


class Setting(docutils.SphinxDirective):
    """One setting."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        setting = _KNOWN.get(name)
        if setting is None:
            raise self.error(f'there is no setting {name}')
        described = self.env.metadata[self.env.docname]
        described[f'setting-{name}'] = 'yes'
        help_text = _BRACES.sub(r'``\1``', setting.metadata['help'])
        text = '\n'.join(
            (
                f'.. _setting-{name.replace("_", "-")}:',
                '',
                f'``{name}``',
                f'    {help_text}.',
                '',
                markup.indented('\n'.join(self.content), 4),
                '',
                f'    :Command line: ``{config.option(name)}``',
                f'    :Environment: ``{config.variable(name)}``',
                f'    :clouds.yaml: ``{name}`` under ``router_ha:``',
                f'    :Default: {_default(setting)}',
            )
        )
        return markup.parse(self, text)


class Summary(docutils.SphinxDirective):
    """A table of all settings."""

    #: there are no options
    option_spec: ClassVar[Any] = {}

    def run(self) -> list[nodes.Node]:
        lines = [
            '.. list-table::',
            '   :header-rows: 1',
            '',
            '   * - Setting',
            '     - Command line',
            '     - Environment',
            '     - Default',
        ]
        for name, setting in _KNOWN.items():
            lines += [
                f'   * - :ref:`{name} <setting-{name.replace("_", "-")}>`',
                f'     - ``{config.option(name)}``',
                f'     - ``{config.variable(name)}``',
                f'     - {_default(setting)}',
            ]
        return markup.parse(self, '\n'.join(lines))


def _default(setting: Any) -> str:
    return f'``{setting.default}``' if setting.default != '' else '(empty)'


def complete(app: Any, env: Any) -> None:
    """Warn of settings that no page describes."""
    described = {key for page in env.metadata.values() for key in page}
    for name in _KNOWN:
        if f'setting-{name}' not in described:
            LOG.warning('the setting %s is not described', name)


def setup(app: Any) -> None:
    """Register the directives."""
    app.add_directive('setting', Setting)
    app.add_directive('settings-summary', Summary)
    app.connect('env-check-consistency', complete)

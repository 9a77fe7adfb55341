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

"""What the page of ``openstack router ha repair`` takes from the code.

``.. repair-remedies::`` shows what is done about each finding,
``.. repair-actions::`` what a repair can do at all, ``.. repair-results::``
how it can end.
"""

from typing import Any

from docutils import nodes
from sphinx import pycode
from sphinx.util import docutils

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.repair import action
from osc_ha_router.repair import remedies
from osc_ha_router.repair import result
from pages import failover
from pages import markup


class RepairRemedies(docutils.SphinxDirective):
    """A table of the findings, with what is done about each."""

    def run(self) -> list[nodes.Node]:
        lines = [
            '.. list-table::',
            '   :header-rows: 1',
            '   :widths: 35 65',
            '',
            '   * - Finding',
            '     - What a repair does',
        ]
        for entry in catalogue.entries().values():
            told = remedies.told(entry.name)
            if told:
                code = entry.code
                lines += [
                    f'   * - :doc:`{code} {entry.name} </findings/{code}>`',
                    f'     - {markup.prose(told)}',
                ]
        return markup.parse(self, '\n'.join(lines))


class RepairActions(docutils.SphinxDirective):
    """A definition for each kind of action, in the order of doing."""

    def run(self) -> list[nodes.Node]:
        module = pycode.ModuleAnalyzer.for_module(action.__name__)
        said = {
            name: ' '.join(' '.join(comment).split())
            for (owner, name), comment in module.find_attr_docs().items()
            if owner == 'Op'
        }
        lines = []
        for op in action.Op:
            lines += [f'``{op.value}``', f'    {_sentence(said[op.name])}', '']
        return markup.parse(self, '\n'.join(lines))


class RepairResults(failover.FailoverResults):
    """The same of a repair."""

    module = result


def _sentence(text: str) -> str:
    return f'{text[:1].upper()}{markup.prose(text)[1:]}.'


def setup(app: Any) -> None:
    """Register the directives."""
    app.add_directive('repair-remedies', RepairRemedies)
    app.add_directive('repair-actions', RepairActions)
    app.add_directive('repair-results', RepairResults)

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

"""Directives for the pages of ``openstack router ha failover``.

``.. failover-methods::`` shows the methods with what they cost,
``.. failover-results::`` how a failover can end, ``.. failover-bars:: target``
the findings that forbid a move when they are there (see ``catalogue.Bars``;
``ignorable``: those that ``--ignore`` is for). ``.. json-keys::
osc_ha_router.commands.failover.COLUMNS`` makes a table of the columns from
lines ``name | type | meaning``, and fails for one that is missing or not
known.
"""

import importlib
from typing import Any

from docutils import nodes
from sphinx import pycode
from sphinx.util import docutils

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.failover import methods
from osc_ha_router.failover import result
from osc_ha_router.model import report
from pages import markup

_IGNORABLE = 'ignorable'


class FailoverMethods(docutils.SphinxDirective):
    """A definition for each method: what is done, and what it costs."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for method in methods.METHODS.values():
            lines += [
                f'``{method.name}``',
                f'    {_sentence(method.summary)}',
                '',
                f'    Cost: {markup.prose(method.cost)}.',
                '',
            ]
        return markup.parse(self, '\n'.join(lines))


class FailoverResults(docutils.SphinxDirective):
    """A table of the outcomes with their exit codes."""

    #: has them
    module = result

    def run(self) -> list[nodes.Node]:
        module = pycode.ModuleAnalyzer.for_module(self.module.__name__)
        said = {
            name: ' '.join(' '.join(comment).split())
            for (owner, name), comment in module.find_attr_docs().items()
            if owner == 'Outcome'
        }
        lines = [
            '.. list-table::',
            '   :header-rows: 1',
            '   :widths: 25 15 60',
            '',
            '   * - Result',
            '     - Exit code',
            '     - Meaning',
        ]
        for outcome in self.module.Outcome:
            lines += [
                f'   * - ``{outcome.value}``',
                f'     - {outcome.exit_code}',
                f'     - {_sentence(said[outcome.name])}',
            ]
        return markup.parse(self, '\n'.join(lines))


class FailoverBars(docutils.SphinxDirective):
    """A list of the findings that have one kind of bar."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        wanted = self.arguments[0]
        lines = [
            f'* :doc:`{entry.code} {entry.name} </findings/{entry.code}>`'
            for entry in catalogue.entries().values()
            if _kind(entry) == wanted
        ]
        if not lines:
            raise self.error(f'no finding has the bar {wanted}')
        return markup.parse(self, '\n'.join(lines))


class JsonKeys(docutils.SphinxDirective):
    """A table of the keys of a command."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition('.')
        wanted = getattr(importlib.import_module(module), name)
        rows: list[list[str]] = []
        for line in self.content:
            if ' | ' in line:
                rows.append([cell.strip() for cell in line.split(' | ')])
            elif line.strip():
                rows[-1][-1] += ' ' + line.strip()
        if [row[0] for row in rows] != list(wanted):
            raise self.error(f'the keys are {", ".join(wanted)}')
        lines = [
            '.. list-table::',
            '   :header-rows: 1',
            '   :widths: 25 20 55',
            '',
            '   * - Key',
            '     - Type',
            '     - Meaning',
        ]
        for key, kind, meaning in rows:
            lines += [
                f'   * - ``{key}``',
                f'     - {kind}',
                f'     - {meaning}',
            ]
        return markup.parse(self, '\n'.join(lines))


def _kind(entry: catalogue.Entry) -> str:
    """Return the bar of a finding; nothing if it never keeps a move back."""
    if entry.bars != catalogue.Bars.NEVER:
        return entry.bars.value
    counts = entry.severity.rank >= report.Severity.UNKNOWN.rank
    return _IGNORABLE if counts else ''


def _sentence(text: str) -> str:
    # a program keeps its name as it is
    first = text[:1] if text.startswith('keepalived') else text[:1].upper()
    return f'{first}{markup.prose(text)[1:]}.'


def setup(app: Any) -> None:
    """Register the directives."""
    app.add_directive('failover-methods', FailoverMethods)
    app.add_directive('failover-results', FailoverResults)
    app.add_directive('failover-bars', FailoverBars)
    app.add_directive('json-keys', JsonKeys)

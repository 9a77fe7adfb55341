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

"""The directive ``failure-kinds``: why a node could not be looked at.

``.. failure-kinds:: refused unreachable`` shows what the tool says for these
kinds, from ``failures.KINDS``; with ``:way: agent`` those of the node agents,
from ``faults.KINDS``, and with ``:way: here`` those of an agent's own node, from
``trouble.KINDS``. A kind that no page names warns.
"""

from typing import Any
from typing import ClassVar

from docutils import nodes
from sphinx.util import docutils
from sphinx.util import logging

from osc_ha_router.agent import trouble
from osc_ha_router.backends import failures
from osc_ha_router.backends import faults
from pages import markup

LOG = logging.getLogger(__name__)

#: the templates' fields in words; {reason} stands for ": " and a detail
_WORDS = {
    '{reason}': '',
    '{ssh}': 'ssh {login}',
    '{agent}': 'the node agent at {url}',
    '{Agent}': 'The node agent at {url}',
    '{node}': '{host}',
}
_KINDS = {
    'ssh': failures.KINDS,
    'agent': faults.KINDS,
    'here': trouble.KINDS,
}


class FailureKinds(docutils.SphinxDirective):
    """A definition for each kind: the message, and what to do."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = {'way': str}

    def run(self) -> list[nodes.Node]:
        described = self.env.metadata[self.env.docname]
        way = self.options.get('way', 'ssh')
        lines = []
        for name in self.arguments[0].split():
            kind = _KINDS[way].get(name)
            if kind is None:
                raise self.error(f'there is no kind of failure {name}')
            described[f'failure-{way}-{name}'] = 'yes'
            lines += [
                f'``{name}``',
                f'    *{_plain(kind.message)}.*',
                '',
                f'    {markup.prose(_worded(kind.advice))}',
                '',
            ]
        return markup.parse(self, '\n'.join(lines))


def _worded(text: str) -> str:
    for field, words in _WORDS.items():
        text = text.replace(field, words)
    return text


def _plain(text: str) -> str:
    """Return a text for use within emphasis, which cannot be nested."""
    return markup.fields(_worded(text)).replace('*', '\\*')


def complete(app: Any, env: Any) -> None:
    """Warn of kinds that no page describes."""
    described = {key for page in env.metadata.values() for key in page}
    for way, kinds in _KINDS.items():
        for name in kinds:
            if f'failure-{way}-{name}' not in described:
                LOG.warning('the failure %s is not described', name)


def setup(app: Any) -> None:
    """Register the directive."""
    app.add_directive('failure-kinds', FailureKinds)
    app.connect('env-check-consistency', complete)

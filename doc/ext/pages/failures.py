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
kinds, from ``failures.KINDS``. A kind that no page names warns.
"""

from typing import Any

from docutils import nodes
from sphinx.util import docutils
from sphinx.util import logging

from osc_ha_router.backends import failures
from pages import markup

LOG = logging.getLogger(__name__)

#: the templates' fields in words; {reason} stands for ": " and a detail
_WORDS = {'{reason}': '', '{ssh}': 'ssh {login}'}


class FailureKinds(docutils.SphinxDirective):
    """A definition for each kind: the message, and what to do."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        described = self.env.metadata[self.env.docname]
        lines = []
        for name in self.arguments[0].split():
            kind = failures.KINDS.get(name)
            if kind is None:
                raise self.error(f'there is no kind of failure {name}')
            described[f'failure-{name}'] = 'yes'
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
    for name in failures.KINDS:
        if f'failure-{name}' not in described:
            LOG.warning('the failure %s is not described', name)


def setup(app: Any) -> None:
    """Register the directive."""
    app.add_directive('failure-kinds', FailureKinds)
    app.connect('env-check-consistency', complete)

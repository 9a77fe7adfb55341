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

"""What the node agents' API has, from the list that it is made of.

``.. api-operations::`` shows each method of each path: who may, what a
request holds, what is answered.
"""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.util import docutils

from osc_ha_router.agent.api import operations
from osc_ha_router.agent.api import problems
from pages import markup


class Operations(docutils.SphinxDirective):
    """All of them, in the order of the list."""

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for operation in operations.OPERATIONS:
            lines += _operation(operation)
        return markup.parse(self, '\n'.join(lines))


def _operation(operation: operations.Operation) -> Iterator[str]:
    yield f'``{operation.method} {operation.path}``'
    yield f'    {operation.summary}.'
    yield ''
    yield f'    :Policy: {_policy(operation)}'
    if operation.body is not None:
        yield f'    :Body: {_body(operation)}'
    for code, answer in operation.answers.items():
        kind = f' (``{answer.media_type}``)' if answer.media_type else ''
        yield f'    :{code}: {markup.fields(answer.description)}{kind}'
    own = ', '.join(
        f'{code} {problems.title(code)}' for code in operation.problems
    )
    if own:
        yield f'    :Refusals of its own: {own}'
    yield ''


def _policy(operation: operations.Operation) -> str:
    if operation.rule is not None:
        return f'``{operation.rule}``'
    if operation.name == 'metrics':
        return 'the content of ``credentials_file`` as bearer token'
    return 'none, no token is asked for'


def _body(operation: operations.Operation) -> str:
    body: Any = operation.body
    if not body['properties']:
        return 'none, or ``{}``'
    words = []
    for name, schema in body['properties'].items():
        said = f'``{name}``'
        if name not in body['required'] and 'default' in schema:
            said += f' (``{schema["default"]}``)'
        words.append(said)
    return f'{", ".join(words)}; at most {operation.limit >> 10} KiB'


def setup(app: Any) -> None:
    """Register the directive."""
    app.add_directive('api-operations', Operations)

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

"""Plain text of the code as reStructuredText."""

import re

from docutils import nodes
from docutils import statemachine
from sphinx.util import docutils

#: what str.format would fill in: {vip}, {seconds:.0f}
_FIELD = re.compile(r'\{([a-z_]+)(?::[^}]*)?\}')
_CODE = re.compile(r'`([^`]+)`')
_SPECIAL = re.compile(r'([\\*`|]|_(?![a-z0-9]))')


def prose(text: str) -> str:
    """Return a text with `code` and {fields} as reStructuredText."""
    parts = _CODE.split(fields(text))
    # the odd ones stood between backquotes
    for at, part in enumerate(parts):
        if at % 2:
            parts[at] = f'\\ ``{part}``\\ '
        else:
            parts[at] = _SPECIAL.sub(r'\\\1', part)
    return ''.join(parts).removeprefix('\\ ').removesuffix('\\ ').strip()


def fields(text: str) -> str:
    """Return a text with each {field} as <field>."""
    return _FIELD.sub(r'<\1>', text)


def indented(text: str, by: int) -> str:
    """Return the text with each of its lines indented."""
    return '\n'.join(
        ' ' * by + line if line.strip() else '' for line in text.splitlines()
    )


def heading(text: str, underline: str) -> list[str]:
    """Return the lines of a heading."""
    return [text, underline * len(text), '']


def parse(directive: docutils.SphinxDirective, text: str) -> list[nodes.Node]:
    """Return the nodes of generated reStructuredText."""
    source = f'<{directive.name}>'
    lines = statemachine.StringList(text.splitlines(), source)
    container = nodes.section()
    container.document = directive.state.document
    directive.state.nested_parse(lines, 0, container)
    return list(container.children)

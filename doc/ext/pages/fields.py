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

"""The directive ``model-fields``: the keys of one class of the model.

``.. model-fields:: osc_ha_router.model.view.Link`` shows each field with its
type as JSON has it and the comment that stands above it in the source. A
line ``name: text`` in the directive adds to, or stands in for, the comment.
A field without a word of explanation warns.
"""

import dataclasses
import importlib
import re
import types
import typing
from typing import Any

from docutils import nodes
from sphinx import pycode
from sphinx.util import docutils
from sphinx.util import logging

from pages import markup

LOG = logging.getLogger(__name__)

_NAMES = {
    str: 'string',
    bool: 'true or false',
    int: 'number',
    float: 'number',
}


class ModelFields(docutils.SphinxDirective):
    """A table of a dataclass's fields."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition('.')
        cls = getattr(importlib.import_module(module), name)
        comments = pycode.ModuleAnalyzer.for_module(module).find_attr_docs()
        said = {
            key: ' '.join(' '.join(comment).split())
            for (owner, key), comment in comments.items()
            if owner == name
        }
        said |= self._added()
        known = {field.name for field in dataclasses.fields(cls)}
        for unknown in set(self._added()) - known:
            raise self.error(f'{name} has no field {unknown}')
        kinds = typing.get_type_hints(cls)
        lines = [
            f'.. list-table:: {name}',
            '   :header-rows: 1',
            '   :widths: 20 25 55',
            '',
            '   * - Key',
            '     - Type',
            '     - Meaning',
        ]
        for field in dataclasses.fields(cls):
            if field.name not in said:
                LOG.warning('nothing says what %s.%s is', name, field.name)
            lines += [
                f'   * - ``{field.name}``',
                f'     - {_kind(kinds[field.name])}',
                f'     - {_sentence(said.get(field.name, ""))}',
            ]
        return markup.parse(self, '\n'.join(lines))

    def _added(self) -> dict[str, str]:
        found: dict[str, str] = {}
        name = ''
        for line in self.content:
            start = re.match(r'([a-z_0-9]+): (.*)', line)
            if start:
                name = start[1]
                found[name] = start[2]
            elif line.strip():
                found[name] += ' ' + line.strip()
        return found


def _kind(kind: Any) -> str:
    if isinstance(kind, types.UnionType):
        (inner,) = (k for k in typing.get_args(kind) if k is not type(None))
        return f'{_kind(inner)}, or null'
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        if dataclasses.is_dataclass(inner):
            return f'list of {_kind(inner)}'
        return f'list of {_kind(inner)}s'
    if dataclasses.is_dataclass(kind):
        return str(getattr(kind, '__name__', kind))
    return _NAMES.get(kind) or str(kind.__name__).lower()


def _sentence(text: str) -> str:
    text = re.sub(r':\w+:`([^`]*)`', r'``\1``', text).rstrip('.')
    return text[:1].upper() + text[1:] if text[:1].islower() else text


def setup(app: Any) -> None:
    """Register the directive."""
    app.add_directive('model-fields', ModelFields)

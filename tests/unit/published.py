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

"""The published JSON Schema, held against what a command has printed.

Scripts may find keys that they do not know; here there must be none, so that
nothing is printed that the schema does not describe.
"""

import functools
import importlib.util
import json
import pathlib
import types
from typing import Any

import jsonschema

import osc_ha_router

DOC = pathlib.Path(osc_ha_router.__file__).parents[1] / 'doc'


def generator() -> types.ModuleType:
    """Return doc/schemas.py, which is not part of a package."""
    spec = importlib.util.spec_from_file_location(
        'schemas', DOC / 'schemas.py'
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def schema() -> dict[str, Any]:
    """Return what the file has."""
    found: dict[str, Any] = json.loads(generator().PATH.read_text('utf-8'))
    return found


def validate(kind: str, value: Any) -> None:
    """Hold a value against one of the ``$defs``, as scripts do.

    :raises jsonschema.ValidationError: a key is missing, or of another type
    """
    _validator(kind, strict=False).validate(value)


def match(kind: str, value: Any) -> None:
    """Do the same, and have a key that is not described be an error."""
    _validator(kind, strict=True).validate(value)


@functools.cache
def _validator(kind: str, strict: bool) -> jsonschema.Draft202012Validator:
    whole = _closed(schema()) if strict else schema()
    return jsonschema.Draft202012Validator(
        {**whole, '$ref': f'#/$defs/{kind}'}
    )


def _closed(part: Any) -> Any:
    """Return a schema whose objects have the keys that it names, no other."""
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    if part.get('type') == 'object' and 'properties' in part:
        closed['additionalProperties'] = False
    return closed

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

"""JSON Schema of the model: what ``codec`` writes, for those outside.

The model is its own schema, field names and annotations; this says the same
in the words of JSON Schema (2020-12), which OpenAPI 3.1 uses as well.
"""

from collections import abc
import dataclasses
import enum
import inspect
import types
import typing
from typing import Any

from osc_ha_router import codec

_MISSING = dataclasses.MISSING

_SCALARS = {
    str: 'string',
    bool: 'boolean',
    int: 'integer',
    float: 'number',
}


def schemas(*classes: type) -> dict[str, dict[str, Any]]:
    """Return a schema for each dataclass, and for those that they hold.

    The keys are the names of the classes. A field with a default may be left
    out, and means that; more keys may come with newer versions.

    :param classes: dataclasses of ``osc_ha_router.model``
    """
    found: dict[str, dict[str, Any]] = {}
    for cls in classes:
        _add(cls, found)
    return found


def reference(cls: type) -> dict[str, str]:
    """Return a reference to the schema of a dataclass, for OpenAPI."""
    return {'$ref': f'#/components/schemas/{cls.__name__}'}


def _add(cls: type, found: dict[str, dict[str, Any]]) -> None:
    if cls.__name__ in found:
        return
    entry: dict[str, Any] = {'type': 'object'}
    # before the fields are looked at: a class may hold itself
    found[cls.__name__] = entry
    doc = inspect.getdoc(cls)
    if doc:
        entry['description'] = ' '.join(doc.partition('\n\n')[0].split())
    kinds = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    entry['required'] = [
        field.name for field in fields if field.default is _MISSING
    ]
    entry['properties'] = {
        field.name: _with_default(_kind(kinds[field.name], found), field)
        for field in fields
    }


def _with_default(
    schema: dict[str, Any], field: dataclasses.Field[Any]
) -> dict[str, Any]:
    if field.default is _MISSING:
        return schema
    return {**schema, 'default': codec.encode(field.default)}


def _kind(kind: Any, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if dataclasses.is_dataclass(kind):
        cls = typing.cast(type, kind)
        _add(cls, found)
        return reference(cls)
    if isinstance(kind, types.UnionType):
        # the model uses unions for "or None" only
        (inner,) = (
            k for k in typing.get_args(kind) if k is not types.NoneType
        )
        schema = _kind(inner, found)
        if isinstance(schema.get('type'), str):
            return {**schema, 'type': [schema['type'], 'null']}
        return {'anyOf': [schema, {'type': 'null'}]}
    if typing.get_origin(kind) in (tuple, abc.Sequence):
        return {
            'type': 'array',
            'items': _kind(typing.get_args(kind)[0], found),
        }
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {'type': 'string', 'enum': [member.value for member in kind]}
    return {'type': _SCALARS[kind]}

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

"""Frozen dataclasses to JSON and back, checked on the way in.

The model is its own schema: field names are the keys, annotations are the
types. What comes from outside (node program, capture file) is checked
against them, cleaned of control characters, and unknown keys are left out,
so that an older client can read what a newer node says.
"""

import dataclasses
import enum
import functools
import sys
import types
import typing
from typing import Any
from typing import TypeVar

from osc_ha_router import text

T = TypeVar('T')

_MISSING = dataclasses.MISSING


class DecodeError(ValueError):
    """The data do not have the shape that the model asks for."""


def encode(value: Any) -> Any:
    """Return dataclasses, tuples and enums as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value


def decode(cls: type[T], data: Any) -> T:
    """Build a dataclass from JSON values.

    :param cls: a dataclass of ``osc_ha_router.model``
    :param data: what ``json.loads`` returned
    :raises DecodeError: naming the place and what is wrong with it
    """
    return typing.cast(T, _decode(cls, data, cls.__name__))


def _decode(kind: Any, data: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_object(typing.cast(type, kind), data, where)
    if isinstance(kind, types.UnionType):
        # the model uses unions for "or None" only
        if data is None:
            return None
        (kind,) = (k for k in typing.get_args(kind) if k is not types.NoneType)
        return _decode(kind, data, where)
    if typing.get_origin(kind) is tuple:
        if not isinstance(data, list):
            raise DecodeError(f'{where}: expected a list')
        item_kind = typing.get_args(kind)[0]
        return tuple(
            _decode(item_kind, item, f'{where}[{index}]')
            for index, item in enumerate(data)
        )
    return _decode_scalar(kind, data, where)


def _decode_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is str and isinstance(data, str):
        return text.clean(data)
    if kind is bool and isinstance(data, bool):
        return data
    if kind is int and isinstance(data, int) and not isinstance(data, bool):
        return data
    if (
        kind is float
        and isinstance(data, (int, float))
        and not isinstance(data, bool)
        # not infinite, not NaN, not an integer beyond any float
        and abs(data) <= sys.float_info.max
    ):
        return float(data)
    raise DecodeError(f'{where}: expected {kind.__name__}')


def _decode_object(cls: type, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise DecodeError(f'{where}: expected an object')
    values = {}
    for name, (kind, required) in _fields(cls).items():
        if name in data:
            values[name] = _decode(kind, data[name], f'{where}.{name}')
        elif required:
            raise DecodeError(f'{where}: {name} is missing')
    return cls(**values)


@functools.cache
def _fields(cls: type) -> dict[str, tuple[Any, bool]]:
    """Return each field's type and whether it must be given."""
    kinds = typing.get_type_hints(cls)
    return {
        field.name: (
            kinds[field.name],
            field.default is _MISSING and field.default_factory is _MISSING,
        )
        for field in dataclasses.fields(cls)
    }

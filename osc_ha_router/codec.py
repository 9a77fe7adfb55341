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

from collections.abc import Sequence
import contextlib
import dataclasses
import enum
import functools
import json
import re
import sys
import types
import typing
from typing import Any
from typing import TypeVar

import msgspec

from osc_ha_router import text

T = TypeVar('T')

#: escapes in JSON; one letter behind the other, as they make a character
_ESCAPES = re.compile(rb'\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|.?)')
_HARMLESS = frozenset((rb'\"', rb'\\', rb'\/'))
_BEYOND_ASCII = re.compile(rb'[\x80-\xff]+')
_DELETE = b'\x7f'

#: made once for each class
_decoders: dict[type, Any] = {}

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
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [encode(item) for item in value]
    return value


def dumps(value: Any) -> bytes:
    """Return what ``encode`` makes as JSON, in a tenth of the time."""
    try:
        # views that are packed are a sequence of their own
        return msgspec.json.encode(value, enc_hook=tuple)
    except OverflowError:
        # an integer of more than 64 bits
        return json.dumps(encode(value)).encode()


def loads(cls: type[T], data: bytes | msgspec.Raw) -> T:
    """Build a dataclass from JSON: ``decode`` in a tenth of the time.

    A sweep reads tens of thousands of views. What has nothing to be cleaned
    is read by a library; what it refuses, and the rest, by ``decode``.

    :param cls: a dataclass of ``osc_ha_router.model`` without a Sequence
    :param data: JSON in UTF-8
    :raises DecodeError: naming the place and what is wrong with it
    """
    data = bytes(data)
    if plain(data):
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            return _decoder(cls).decode(data)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise DecodeError(f'{cls.__name__}: {exc}') from None
    return decode(cls, found)


def plain(data: bytes) -> bool:
    """Whether all texts in this JSON are safe to print as they are."""
    if _DELETE in data:
        return False
    if not data.isascii():
        for part in set(_BEYOND_ASCII.findall(data)):
            if not _safe(part):
                return False
    for escape in set(_ESCAPES.findall(data)) - _HARMLESS:
        # a control character, or no escape at all
        if len(escape) < len(b'\\u0000'):
            return False
        meant: str = json.loads(b'"%b"' % escape)
        if not _safe(meant.encode('utf-8', 'surrogatepass')):
            return False
    return True


def _safe(part: bytes) -> bool:
    try:
        shown = part.decode()
    except ValueError:
        return False
    return text.clean(shown) == shown


def _decoder(cls: type[T]) -> 'msgspec.json.Decoder[T]':
    decoder: msgspec.json.Decoder[T] | None = _decoders.get(cls)
    if decoder is None:
        decoder = _decoders[cls] = msgspec.json.Decoder(cls)
    return decoder


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
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _decode_enum(kind, data, where)
    if typing.get_origin(kind) in (tuple, Sequence):
        if not isinstance(data, list):
            raise DecodeError(f'{where}: expected a list')
        item_kind = typing.get_args(kind)[0]
        return tuple(
            _decode(item_kind, item, f'{where}[{index}]')
            for index, item in enumerate(data)
        )
    return _decode_scalar(kind, data, where)


def _decode_enum(kind: type[enum.Enum], data: Any, where: str) -> enum.Enum:
    # a number or true could be equal to a value of another type
    if isinstance(data, str):
        try:
            return kind(data)
        except ValueError:
            pass
    values = ', '.join(str(item.value) for item in kind)
    raise DecodeError(f'{where}: expected one of {values}')


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

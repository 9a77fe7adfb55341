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

"""The wire format: requests and replies, one JSON object a line.

A request is ``{"id": 1, "op": "probe", ...}``; what follows depends on the
operation. Fields that are not known are ignored, so that a newer client can
talk to an older program; fields that are known are checked strictly.
"""

import json
import re
import typing

from osc_ha_router.node import errors

#: raised whenever an older client would misread the replies
VERSION = 1
PROGRAM = 'osc-ha-router-node'
#: bytes of one request, with its newline
LINE_LIMIT = 1 << 20

_SUM = re.compile('[0-9a-f]{64}')
_UUID = re.compile(
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
)
#: integers longer than this are no ids; converting them may take minutes
_DIGITS = 18

_ENCODER = json.JSONEncoder(separators=(',', ':'), allow_nan=False)

Json = typing.Dict[str, typing.Any]


class Request(typing.NamedTuple):
    """A request whose envelope is sound; ``fields`` is all of it."""

    id: int
    op: str
    fields: Json


def is_uuid(text: str) -> bool:
    """Whether this is a UUID the way that Neutron writes one."""
    return _UUID.fullmatch(text) is not None


def encode(reply: Json) -> bytes:
    """One line, ASCII only: any name a node may hold survives it."""
    return _ENCODER.encode(reply).encode('ascii') + b'\n'


def decode(line: bytes) -> Json:
    """The object on a line.

    :raises BadRequest: it is not one JSON object in UTF-8
    """
    try:
        value = json.loads(
            line.decode('utf-8'),
            parse_int=_integer,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError) as error:
        raise errors.BadRequest('not a line of JSON: %s' % error) from None
    if not isinstance(value, dict):
        raise errors.BadRequest('a request is a JSON object')
    return value


def request_id(fields: Json) -> int:
    """The ``id`` of a request: an integer from 0 on.

    :raises BadRequest: it is missing or something else
    """
    value = fields.get('id')
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise errors.BadRequest('"id" must be a whole number from 0 on')
    return value


def request(fields: Json) -> Request:
    """Checks the envelope of a request.

    :raises BadRequest: ``id`` or ``op`` is missing or of a wrong type
    """
    number = request_id(fields)
    operation = fields.get('op')
    if not isinstance(operation, str):
        raise errors.BadRequest('"op" must be a string')
    return Request(number, operation, fields)


def routers(fields: Json, name: str) -> typing.Optional[typing.List[str]]:
    """A list of router ids, each once and in the order asked; or null.

    :raises BadRequest: the field is missing, or holds anything else
    """
    if name not in fields:
        raise errors.BadRequest('"%s" is missing' % name)
    value = fields[name]
    if value is None:
        return None
    if not isinstance(value, list):
        raise errors.BadRequest('"%s" must be a list or null' % name)
    for item in value:
        if not isinstance(item, str) or not is_uuid(item):
            raise errors.BadRequest(
                '"%s" must hold UUIDs in lower case, not %.60s'
                % (name, json.dumps(item))
            )
    return list(dict.fromkeys(value))


def router(fields: Json) -> str:
    """The router that a request is about.

    :raises BadRequest: ``router`` is missing or no UUID
    """
    value = fields.get('router')
    if not isinstance(value, str) or not is_uuid(value):
        raise errors.BadRequest('"router" must be a UUID in lower case')
    return value


def text(fields: Json, name: str, most: int) -> str:
    """A text that can be shown on one line.

    :param most: characters
    :raises BadRequest: it is missing, too long, or something else
    """
    value = fields.get(name)
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= most
        or not value.isprintable()
    ):
        raise errors.BadRequest(
            '"%s" must be one line of at most %d characters' % (name, most)
        )
    return value


def number(fields: Json, name: str, least: int, most: int) -> int:
    """A whole number.

    :raises BadRequest: it is missing, out of bounds, or something else
    """
    value = fields.get(name)
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or not least <= value <= most
    ):
        raise errors.BadRequest(
            '"%s" must be a whole number from %d to %d' % (name, least, most)
        )
    return value


def digest(fields: Json, name: str) -> str:
    """A SHA-256 in hexadecimal.

    :raises BadRequest: it is missing or something else
    """
    value = fields.get(name)
    if not isinstance(value, str) or _SUM.fullmatch(value) is None:
        raise errors.BadRequest('"%s" must be a SHA-256' % name)
    return value


def seconds(fields: Json, name: str, most: float) -> float:
    """A duration from 0 to ``most``; 0 where the field is missing.

    :raises BadRequest: it is anything else
    """
    value = fields.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise errors.BadRequest('"%s" must be a number of seconds' % name)
    # written so that it also refuses a number that overflowed to infinity
    if not 0 <= value <= most:
        raise errors.BadRequest('"%s" must be from 0 to %g' % (name, most))
    return float(value)


def flag(fields: Json, name: str) -> bool:
    """True or false; false where the field is missing.

    :raises BadRequest: it is anything else
    """
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise errors.BadRequest('"%s" must be true or false' % name)
    return value


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError('a number is too long')
    return int(text)


def _constant(text: str) -> float:
    raise ValueError('%s is not JSON' % text)

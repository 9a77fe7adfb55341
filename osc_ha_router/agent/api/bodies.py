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

"""JSON Schema of what a request may hold.

Bounds are part of the promise: what is beyond them is refused with 400
instead of being cut to size. How much can be asked for at once the size of
the body bounds.
"""

from typing import Any

#: seconds; a day is more than anybody waits
_LONGEST = 86400
#: seconds of listening, the most that the node program takes
_LISTEN = 60
#: seconds until the second look
_RECHECK = 300

#: as Neutron writes one
UUID = {
    'type': 'string',
    'pattern': '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
}

_LABEL = '[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'

#: what ``backends.command`` takes for a host name as well
HOST = {
    'type': 'string',
    'maxLength': 253,
    'pattern': rf'^{_LABEL}(\.{_LABEL})*$',
    'description': 'A node, by its name as Neutron knows it.',
}

_TIMEOUT = {
    'type': 'number',
    'exclusiveMinimum': 0,
    'maximum': _LONGEST,
    'description': 'Bound for everything, in seconds.',
}

#: beside a bound of a check
_OPERATORS = (
    'An agent may have a lower one for callers who may not check any router.'
)

_PROBE_TIMEOUT = {
    'type': 'number',
    'exclusiveMinimum': 0,
    'maximum': _LONGEST,
    'description': 'Bound for one node, in seconds.',
}

_LISTENING = {
    'type': 'number',
    'minimum': 0,
    'maximum': _LISTEN,
    'default': 0.0,
    'description': 'Seconds to listen for VRRP advertisements first.',
}

_SEEN = {
    'type': ['array', 'null'],
    'items': UUID,
    'description': 'Ids of the routers to look at; null: every router that '
    'the node has anything of.',
}


def _object(
    properties: dict[str, Any], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        'type': 'object',
        'properties': properties,
        'required': list(required),
        # a misspelt key must not pass for one that was left out
        'additionalProperties': False,
    }


PROBE = _object(
    {
        'routers': _SEEN,
        'listen': _LISTENING,
        'timeout': {**_TIMEOUT, 'default': 15.0},
    },
    ('routers',),
)

PROBES = _object(
    {
        'requests': {
            'type': 'array',
            'items': _object(
                {'host': HOST, 'routers': _SEEN, 'listen': _LISTENING},
                ('host', 'routers'),
            ),
        },
        'timeout': {**_TIMEOUT, 'default': 120.0},
        'probe_timeout': {**_PROBE_TIMEOUT, 'default': 15.0},
    },
    ('requests',),
)

CONVERSATION = _object({})

REQUEST = _object(
    {
        'op': {
            'type': 'string',
            'minLength': 1,
            'maxLength': 32,
            'pattern': '^[a-z]+(-[a-z]+)*$',
            'description': 'An operation of the node program.',
        },
        'fields': {
            'type': 'object',
            'default': {},
            'description': 'What else is in its request. The node program '
            'checks it.',
        },
        'timeout': {**_TIMEOUT, 'default': 60.0},
    },
    ('op',),
)

CHECK = _object(
    {
        'routers': {
            'type': ['array', 'null'],
            'items': UUID,
            'minItems': 1,
            'description': 'Ids of the routers to check; null: every HA '
            'router that the caller may check.',
        },
        'ignore': {
            'type': 'array',
            'items': {'type': 'string', 'minLength': 1, 'maxLength': 64},
            'default': [],
            'description': 'Codes of findings that do not count.',
        },
        'listen': _LISTENING,
        'recheck': {
            'type': 'number',
            'minimum': 0,
            'maximum': _RECHECK,
            'default': 10.0,
            'description': 'Seconds after which to look again at what may be '
            'a change under way; 0: do not.',
        },
        'timeout': {
            **_TIMEOUT,
            'default': 120.0,
            'description': f'{_TIMEOUT["description"]} {_OPERATORS}',
        },
        'probe_timeout': {
            **_PROBE_TIMEOUT,
            'default': 15.0,
            'description': f'{_PROBE_TIMEOUT["description"]} {_OPERATORS}',
        },
    },
    ('routers',),
)


def defaults(schema: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with the defaults of what was left out."""
    return {
        name: data.get(name, part.get('default'))
        for name, part in schema['properties'].items()
    }

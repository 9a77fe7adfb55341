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

"""Write the JSON Schema of what the commands print, once more.

    python doc/schemas.py             rewrite it
    python doc/schemas.py --check     only say whether it is out of date

The objects of the model come from ``osc_ha_router.schema``; the columns of
the commands are here, and a test compares them with the commands.
"""

import json
import pathlib
import sys
from typing import Any

from osc_ha_router import capture
from osc_ha_router import schema
from osc_ha_router.commands import moved
from osc_ha_router.commands import repair
from osc_ha_router.failover import result as moves
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.repair import action
from osc_ha_router.repair import result as repairs

#: raised when a key is renamed, goes, or changes its meaning: never so far
VERSION = 1
PATH = (
    pathlib.Path(__file__).resolve().parent
    / f'source/reference/output-v{VERSION}.schema.json'
)

TEXT = {'type': 'string'}
FLAG = {'type': 'boolean'}
COUNT = {'type': 'integer', 'minimum': 0}
SECONDS = {'type': 'number', 'minimum': 0}
TEXTS = {'type': 'array', 'items': TEXT}
HEALTH = {'enum': [item.value for item in report.Severity]}


def maybe(kind: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that there may not be."""
    return {'anyOf': [kind, {'type': 'null'}]}


def thing(**keys: Any) -> dict[str, Any]:
    """Return the schema of an object; underscores stand for spaces."""
    return exactly({key.replace('_', ' '): keys[key] for key in keys})


def exactly(keys: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with these keys, and perhaps more."""
    return {'type': 'object', 'required': list(keys), 'properties': keys}


def many(name: str) -> dict[str, Any]:
    """Return the schema of a list of objects of a definition."""
    return {'type': 'array', 'items': {'$ref': f'#/$defs/{name}'}}


FINDING = exactly(
    {
        key: TEXT
        for key in ('code', 'name', 'summary', 'hint', 'documentation_url')
    }
    | {'severity': HEALTH, 'host': maybe(TEXT), 'ignored': FLAG}
)
_REPLICA = {
    'host': TEXT,
    'agent_id': maybe(TEXT),
    'alive': maybe(FLAG),
    'admin_state_up': maybe(FLAG),
    'reported': maybe(TEXT),
    'observed': {'enum': [item.value for item in report.Observed]},
    'vip': maybe(FLAG),
    'keepalived': maybe(FLAG),
    'monitor': maybe(FLAG),
    'failure': maybe(TEXT),
}
REPLICA = exactly(_REPLICA)
EVIDENCE = exactly(_REPLICA | {'view': maybe({'$ref': '#/$defs/NodeView'})})
ROUTER = {
    'Router': TEXT,
    'Name': TEXT,
    'Health': HEALTH,
    'Active Hosts': TEXTS,
    'Reported Active': TEXTS,
    'Findings': many('finding'),
}
CHECKED = ROUTER | {'Replicas': many('replica')}
CHECK = exactly(CHECKED)
BEFORE = thing(
    Health=HEALTH,
    Active_Hosts=TEXTS,
    Reported_Active=TEXTS,
    Findings={
        'type': 'array',
        'items': thing(code=TEXT, name=TEXT, host=maybe(TEXT), ignored=FLAG),
    },
)


def event(name: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a line of ``check --watch``."""
    moment = {'type': 'string', 'format': 'date-time'}
    return exactly({'Time': moment, 'Event': {'const': name}} | keys)


_BEFORE = {'Before': {'$ref': '#/$defs/before'}}
WATCH = {
    'anyOf': [
        event('state', CHECKED),
        event('change', CHECKED | _BEFORE),
        event('new', CHECKED),
        event('gone', {'Router': TEXT, 'Name': TEXT} | _BEFORE),
        event('failed', {'Message': TEXT, 'Routers': COUNT}),
        event('works', {}),
    ]
}
SHOW = exactly(
    ROUTER
    | {
        'Replicas': many('evidence'),
        'Project': maybe(TEXT),
        'Distributed': maybe(FLAG),
        'VIP': TEXTS,
        'Virtual Router ID': {'type': 'array', 'items': COUNT},
        'Expected Addresses': TEXTS,
        'Expected Routes': TEXTS,
    }
)
HOST = thing(
    Host=TEXT,
    Active=maybe(COUNT),
    Standby=maybe(COUNT),
    Problems=maybe(COUNT),
    Orphans=maybe(COUNT),
    Agent_Alive=maybe(FLAG),
    Reachable=maybe(FLAG),
    Probe_Seconds=maybe(SECONDS),
)
OUTCOMES = [item.value for item in moves.Outcome]
FAILOVER = thing(
    Router=TEXT,
    From=TEXT,
    To=maybe(TEXT),
    Method=maybe(TEXT),
    Result={'enum': OUTCOMES},
    Takeover_Seconds=maybe(SECONDS),
    Outage=maybe(SECONDS),
    Health=HEALTH,
    Findings=many('finding'),
    Connections=maybe(TEXT),
    Notes=TEXTS,
)
MOVED = thing(
    Router=TEXT,
    Name=TEXT,
    From=TEXT,
    To=maybe(TEXT),
    Result={'enum': [*OUTCOMES, moved.REFUSED, moved.NOT_BEGUN]},
    Takeover_Seconds=maybe(SECONDS),
    Outage=maybe(SECONDS),
    Health=maybe(HEALTH),
    Notes=TEXTS,
)
_ACTION = {
    'action': {'enum': [item.value for item in action.Op]},
    'codes': TEXTS,
    'risks': TEXTS,
    'details': {'type': 'object'},
    'changed': FLAG,
    'failed': FLAG,
}
_REFUSAL = {'host': maybe(TEXT), 'steps': TEXTS}
for _key in ('host', 'waits_for', 'result'):
    _ACTION[_key] = maybe(TEXT)
ACTION = exactly({key: _ACTION.get(key, TEXT) for key in repair.ACTION_KEYS})
REFUSAL = exactly(
    {key: _REFUSAL.get(key, TEXT) for key in repair.REFUSAL_KEYS}
)
REPAIR = thing(
    Router=TEXT,
    Result={'enum': [item.value for item in repairs.Outcome]},
    Health=HEALTH,
    Actions=many('action'),
    Refused=many('refusal'),
    Findings=many('finding'),
    Notes=TEXTS,
)
_ENTRY = {
    'Code': TEXT,
    'Name': TEXT,
    'Severity': HEALTH,
    'Summary': TEXT,
}
LISTED = exactly(_ENTRY)
# with --long only
LISTED['required'] = [key for key in _ENTRY if key != 'Summary']


def objects(*keys: str) -> dict[str, Any]:
    """Return the schema of a list of objects with these texts."""
    return {'type': 'array', 'items': exactly(dict.fromkeys(keys, TEXT))}


EXPLAINED = exactly(
    _ENTRY
    | {
        'Hint': TEXT,
        'Explanation': TEXT,
        'Confirm': objects('run', 'expect'),
        'Fix': TEXTS,
        'Lookalikes': objects('code', 'how'),
        'Bugs': objects('id', 'url', 'title', 'releases'),
        'Documentation URL': TEXT,
    }
)
CAPTURE = exactly(
    {
        'format': {'const': capture.FORMAT},
        'version': {'const': capture.VERSION},
        'taken_at': TEXT,
        'claims': {'$ref': '#/$defs/Claims'},
        'hosts': many('HostView'),
    }
)
# older ones have none
CAPTURE['properties']['note'] = {**TEXT, 'default': ''}


def build() -> dict[str, Any]:
    """Return the schema; each kind of output is one of its ``$defs``."""
    model = json.dumps(schema.schemas(claim.Claims, view.HostView))
    return {
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        '$id': f'osc-ha-router/output-v{VERSION}.schema.json',
        'title': 'What osc-ha-router prints with -f json, and its captures',
        '$defs': {
            'check': {'type': 'array', 'items': CHECK},
            'watch': WATCH,
            'show': SHOW,
            'host-list': {'type': 'array', 'items': HOST},
            'failover': {'type': 'array', 'items': FAILOVER},
            'evacuate': {'type': 'array', 'items': MOVED},
            'rebalance': {'type': 'array', 'items': MOVED},
            'repair': {'type': 'array', 'items': REPAIR},
            'finding-list': {'type': 'array', 'items': LISTED},
            'finding-show': EXPLAINED,
            'capture': CAPTURE,
            'finding': FINDING,
            'replica': REPLICA,
            'evidence': EVIDENCE,
            'before': BEFORE,
            'action': ACTION,
            'refusal': REFUSAL,
        }
        | json.loads(model.replace('#/components/schemas/', '#/$defs/')),
    }


def main() -> int:
    """Do what the command line says; returns the exit code."""
    text = json.dumps(build(), indent=1) + '\n'
    if '--check' in sys.argv:
        return int(text != PATH.read_text('utf-8'))
    PATH.write_text(text, 'utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())

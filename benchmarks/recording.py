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
"""Take from the lab the answers that the stand-in API is made of.

``python -m benchmarks.recording``, with the lab up, writes ``recorded.json``:
one of each kind, as Keystone and Neutron gave it, and how long Neutron took.
"""

import json
import pathlib
import sys
import time
from typing import Any

from tests.lab.lab import Lab

FILE = pathlib.Path(__file__).with_name('recorded.json')

_LOGIN = {
    'auth': {
        'identity': {
            'methods': ['password'],
            'password': {
                'user': {
                    'name': 'admin',
                    'password': 'lab-secret',
                    'domain': {'id': 'default'},
                }
            },
        },
        'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}},
    }
}


def main() -> int:
    """Ask, and write it down."""
    lab = Lab.attach()
    router = lab.facts['router']
    recorded: dict[str, Any] = {
        'token': lab.admin.keystone('POST', '/auth/tokens', _LOGIN),
        'version': lab.admin.keystone('GET', ''),
    }
    seconds = {}
    for name, path in (
        ('agents', '/agents?agent_type=L3+agent'),
        ('routers', f'/routers?id={router}'),
        ('l3-agents', f'/routers/{router}/l3-agents'),
        ('ports', f'/ports?device_id={router}'),
        ('floatingips', f'/floatingips?router_id={router}'),
    ):
        began = time.monotonic()
        recorded[name] = lab.admin.neutron('GET', path)
        seconds[name] = round(time.monotonic() - began, 4)
    recorded['seconds'] = seconds
    FILE.write_text(json.dumps(recorded, indent=1) + '\n')
    print(json.dumps(seconds))
    return 0


if __name__ == '__main__':
    sys.exit(main())

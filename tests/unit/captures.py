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

"""Captures taken on the lab, one for each scenario of the functional tests."""

import functools
import json
import os
import pathlib
from typing import Any

from osc_ha_router import capture

#: the captures in the tree, unless the functional tests just wrote others
FOLDER = pathlib.Path(
    os.environ.get('OSC_HA_ROUTER_CAPTURES')
    or pathlib.Path(__file__).parents[1] / 'captures'
)


def path(name: str) -> str:
    """Return the file of a scenario."""
    return str(FOLDER / f'{name}.json')


@functools.cache
def load(name: str) -> capture.Capture:
    """Return what was seen in a scenario."""
    return capture.load(path(name))


def raw(name: str) -> Any:
    """Return a scenario's JSON, to be spoilt."""
    return json.loads(pathlib.Path(path(name)).read_text())

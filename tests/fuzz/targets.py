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

"""The fuzz targets by name.

Each is a module with ``check``, which takes any bytes and raises what is a
bug: an error that is not documented, an answer that is not right.
"""

from collections.abc import Callable
import importlib
import pathlib

#: name -> what is fed with whatever comes to mind
TARGETS = {
    'requests': 'the node program: what is asked of it',
    'answers': 'the client: what a node program says over a channel',
    'models': 'views and captures, as JSON',
    'verdicts': 'the rules, on whatever a capture may hold',
    'configuration': 'keepalived.conf: reading and editing it',
    'kernel': 'netlink, connection tracking, VRRP frames',
    'switch': 'Open vSwitch: its database and its bridges',
    'bodies': "the node agent: requests' bodies, hosts and ids",
    'replies': "the client: what a node agent's API says",
}

#: a folder for each target
CORPUS = pathlib.Path(__file__).parent / 'corpus'


def load(name: str) -> Callable[[bytes], None]:
    """Return the target's ``check``."""
    module = importlib.import_module(f'tests.fuzz.{name}')
    found: Callable[[bytes], None] = module.check
    return found


def corpus(name: str) -> list[pathlib.Path]:
    """Return the files that are kept of a target."""
    return sorted((CORPUS / name).iterdir())

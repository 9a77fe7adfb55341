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

"""What the kernel says: messages are read, or refused as they must be.

The first byte chooses the reader; what it has read must have the types that
the rest of the program counts on.
"""

from collections.abc import Callable
import json
from typing import Any

from osc_ha_router.node import connections
from osc_ha_router.node import ctnetlink
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import routes
from osc_ha_router.node import rtnetlink
from osc_ha_router.node import vrrp

_NAMES = {1: 'lo', 2: 'ha-0a', 3: 'qg-2c'}


def check(data: bytes) -> None:
    """Read it in one of the ways."""
    if not data:
        return
    read = READERS[data[0] % len(READERS)]
    try:
        found = read(data[1:])
    except netlink.NetlinkError as error:
        assert str(error)
        return
    # all of it travels as JSON
    json.dumps(found, allow_nan=False)


def _datagram(data: bytes) -> None:
    for _, _, _, body in netlink.messages(data):
        netlink.attributes(body, 0, (1, 2, 3))


def _connection(data: bytes) -> Any:
    found = ctnetlink.decode(data)
    if found is None or not connections.worth(found):
        return None
    entry = json.loads(json.dumps(connections.entry(found)))
    try:
        (again,) = connections.check([entry])
    except errors.BadRequest:
        # of two families, or with what TCP does not have
        return None
    assert again == found, (again, found)
    decoded = ctnetlink.decode(ctnetlink.encode(again))
    assert decoded is None or decoded.original == again.original
    return entry


def _error(data: bytes) -> None:
    netlink._check_done(data)
    raise netlink._refusal(data)


READERS: tuple[Callable[[bytes], Any], ...] = (
    _datagram,
    rtnetlink.link,
    lambda data: rtnetlink.address(data, _NAMES),
    lambda data: rtnetlink.neighbour(data, _NAMES),
    lambda data: rtnetlink.configuration(data, _NAMES),
    lambda data: routes.route(data, _NAMES),
    _connection,
    _error,
    vrrp.decode,
)

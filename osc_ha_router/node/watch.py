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

"""The operation ``watch``: tells when the role has left this node."""

import time

from osc_ha_router.node import errand
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying
from osc_ha_router.node import vip

#: seconds
_LONGEST = 900


def run(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errand.Errands,
) -> protocol.Json:
    """Waits until the HA address is not on this node any more.

    Fields of the request: ``router``, ``timeout`` (seconds).

    :returns: ``gone``; false as well if the client asked for something else
    :raises ProgramError: ``no-errand``, ``absent``, ``unfit``
    :raises Gone: the client has hung up
    """
    router_id = protocol.router(fields)
    timeout = protocol.seconds(fields, 'timeout', _LONGEST)
    until = time.monotonic() + timeout
    with vip.Vip(errands.of(router_id)) as address:
        while address.held():
            left = until - time.monotonic()
            if left <= 0 or replies.asked():
                return {'gone': False}
            replies.wait(left, [address.descriptor])
    replies({'event': 'gone'})
    return {'gone': True}

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

"""A router's lock without more, for what is changed for good.

Where there is no namespace or no keepalived.conf of the router there is
nothing that could be changed for a while, but there may be something to be
removed.
"""

import contextlib
import os
import time
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import guardian
from osc_ha_router.node import lock
from osc_ha_router.node import look as looking
from osc_ha_router.node import namespaces
from osc_ha_router.node import place
from osc_ha_router.node import recovery


def take(router_id: str, by: str, since: str, conf_path: str) -> lock.Lock:
    """Takes the lock of a router.

    :param by: who it is, for those who are refused meanwhile
    :param conf_path: of its keepalived.conf, empty where there is none
    :raises ProgramError: ``locked``
    """
    owner = {'by': by, 'since': since, 'pid': os.getpid(), 'conf': conf_path}
    try:
        return lock.Lock(router_id, owner)
    except lock.Locked as error:
        raise errors.ProgramError(
            errors.LOCKED,
            'a change of router %s by %s is under way since %s'
            % ((router_id,) + recovery.told(error.owner)),
        ) from None


class Hold:
    """The lock of one router, which one conversation has.

    :param by: who wants it, for those who are refused meanwhile
    :param seconds: it is given back then
    :raises ProgramError: ``locked``, ``left``, ``no-rights``
    """

    def __init__(self, router_id: str, by: str, seconds: float) -> None:
        self.router_id = router_id
        #: on the monotonic clock
        self.deadline = time.monotonic() + seconds
        with contextlib.ExitStack() as stack:
            held = take(router_id, by, recovery.now(), '')
            stack.callback(held.close)
            stack.callback(held.remove)
            #: what a predecessor who was killed had left, in sentences
            self.undone = _settle(router_id, held)
            watcher = guardian.Guardian(
                seconds, [held.descriptor], held.remove
            )
            stack.callback(watcher.dismiss)
            self._stack = stack.pop_all()

    def end(self) -> typing.List[str]:
        """Gives the lock back; there is nothing to be undone."""
        with self._stack:
            return []


def _settle(router_id: str, held: lock.Lock) -> typing.List[str]:
    with namespaces.Traveller() as traveller:
        look = looking.Look(traveller, looking.spaces(), [router_id])
        paths = place.candidates(look, router_id)
        return recovery.first(
            traveller, router_id, recovery.noted(held.before) + paths
        ).sentences

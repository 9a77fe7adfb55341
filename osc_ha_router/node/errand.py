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

"""Changes under way on this node, each of one router, and their undoing.

An errand begins with the router's lock and ends with everything as it was
found. Whatever an operation changes for a while it records first; leaving
the conversation in any way undoes all errands.
"""

import contextlib
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import namespaces
from osc_ha_router.node import protocol


class Errand:
    """The changes of one router that one conversation has under way."""

    def __init__(
        self,
        router_id: str,
        namespace: namespaces.Namespace,
        conf_path: str,
    ) -> None:
        self.router_id = router_id
        #: the one that holds the ha- device
        self.namespace = namespace
        #: of keepalived.conf
        self.conf_path = conf_path

    @contextlib.contextmanager
    def inside(self) -> typing.Iterator[None]:
        """Runs its body inside the router's namespace.

        :raises ProgramError: ``absent``, it has gone
        """
        raise NotImplementedError
        yield

    def conf(self) -> protocol.Json:
        """What keepalived.conf says now, as ``keepalived.parse`` has it.

        :raises ProgramError: ``absent``, or it cannot be understood
        """
        raise NotImplementedError

    def keepalived(self) -> typing.Tuple[int, int]:
        """Pids of the live keepalived parent and its VRRP child.

        :raises ProgramError: ``no-keepalived``
        """
        raise NotImplementedError

    def record(self, step: protocol.Json) -> None:
        """Writes down a change before it is made.

        :param step: with its ``kind``, one that ``undo`` knows
        """
        raise NotImplementedError

    def unchanged(self) -> bool:
        """Whether keepalived.conf still is what was last written here.

        True as well if nothing was written and it is as it was found.
        """
        raise NotImplementedError

    def restore(self) -> str:
        """Puts keepalived.conf back now, and has keepalived read it.

        :returns: ``restored``; ``kept``: somebody has rewritten it, that
            version stays; ``nothing``: there was nothing to put back
        """
        raise NotImplementedError

    def undo(self) -> typing.List[str]:
        """Undoes what is left, the latest change first.

        :returns: a sentence for each thing undone
        """
        raise NotImplementedError


class Errands:
    """The errands of one conversation."""

    def __init__(self) -> None:
        self._under_way = {}  # type: typing.Dict[str, Errand]

    def begin(self, router_id: str, by: str, seconds: float) -> Errand:
        """Takes a router's lock.

        :param by: who wants it, for those who are refused meanwhile
        :param seconds: whatever is left then is undone
        :raises ProgramError: ``locked``, ``absent``
        """
        raise NotImplementedError

    def of(self, router_id: str) -> Errand:
        """The errand of a router.

        :raises ProgramError: ``no-errand``
        """
        errand = self._under_way.get(router_id)
        if errand is None:
            raise errors.ProgramError(
                errors.NO_ERRAND, 'no errand of router %s has begun' % router_id
            )
        return errand

    def close(self) -> None:
        """Undoes whatever is left of all of them."""
        raise NotImplementedError

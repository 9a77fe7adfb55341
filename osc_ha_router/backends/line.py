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


"""A conversation over a channel, with what goes wrong in words."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
from typing import Any

from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import failures
from osc_ha_router.model import view


class Line(base.Conversation):
    """A channel that is open.

    :param host: as Neutron knows it
    :param hostname: uname's, of what answers there
    :param talk: the channel
    :param describe: turns a kind and a detail into sentences
    """

    def __init__(
        self,
        host: str,
        hostname: str,
        talk: channel.Channel,
        describe: Callable[[str, str], view.Failure],
    ) -> None:
        self.host = host
        self.hostname = hostname
        self._talk = talk
        self._describe = describe

    def call(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Send a request, as ``base.Conversation`` describes."""
        with self._told():
            yield from self._talk.call(op, fields, until, enough)

    def replies(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
        beat: float | None = None,
    ) -> Iterator[dict[str, Any] | None]:
        """Send a request and yield its replies as they are.

        The last one has ``end`` or ``error``, which the node program says.

        :param beat: seconds of silence after each of which None is yielded
        :raises Trouble: the line is broken
        """
        with self._told():
            yield from self._talk.replies(op, fields, until, enough, beat)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except failures.Broken as broken:
            failure = self._describe(broken.kind, broken.detail)
            raise base.Trouble(failure, broken.refusal) from None


@contextlib.contextmanager
def opened(
    host: str,
    reach: Callable[[], channel.Channel],
    until: base.Deadline,
    describe: Callable[[str, str], view.Failure],
) -> Iterator[Line]:
    """Open a line to one host; it ends with the block.

    :param host: as Neutron knows it
    :param reach: makes the channel; may raise Broken
    :param until: bound for opening it
    :param describe: turns a kind and a detail into sentences
    :raises Trouble: it cannot be opened, with the reason
    """
    with contextlib.ExitStack() as stack:
        try:
            talk = stack.enter_context(reach())
            hello = talk.open(until)
        except failures.Broken as broken:
            failure = describe(broken.kind, broken.detail)
            raise base.Trouble(failure, broken.refusal) from None
        yield Line(host, hello.hostname, talk, describe)
        # gives the program the time to undo what is still to be undone
        talk.close()

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

"""Where the replies to a request go, and who waits for them."""

import math
import select
import typing

from osc_ha_router.node import lines
from osc_ha_router.node import protocol


class Gone(Exception):
    """Whoever read the replies does not read them any more."""


class Replies:
    """The replies to one request: call it with each.

    :param stdout: a binary stream
    :param number: the request's id, None while it is not known
    :param stdin: where further requests come from; None: there are none
    """

    def __init__(
        self,
        stdout: typing.BinaryIO,
        number: typing.Optional[int] = None,
        stdin: typing.Optional[lines.Input] = None,
    ) -> None:
        self._stdout = stdout
        self.number = number
        self._stdin = stdin

    def __call__(self, reply: protocol.Json) -> None:
        """Sends one reply.

        :raises Gone: nobody reads it
        """
        self.relay(self.line(reply))

    def asked(self) -> bool:
        """Whether the client has said something more: enough of this one.

        :raises Gone: the client has hung up
        """
        if self._stdin is None:
            return False
        try:
            return self._stdin.asked()
        except EOFError:
            raise Gone() from None

    def wait(
        self, seconds: float, descriptors: typing.Sequence[int] = ()
    ) -> typing.List[int]:
        """Waits for any of these, for the client's next word, or in vain.

        Returns at once if the client has ``asked`` for something already.

        :param seconds: at most
        :param descriptors: to read from
        :returns: those of them that are ready
        :raises Gone: the client has hung up
        """
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        source = self._stdin.descriptor() if self._stdin else None
        if source is not None:
            poll.register(source, select.POLLIN)
        target = self._target()
        if target is not None and target != source:
            # reports nothing but that nobody can read any more
            poll.register(target, 0)
        if self.asked():
            seconds = 0
        ready = [
            found for found, _ in poll.poll(max(0, math.ceil(seconds * 1000)))
        ]
        if target in ready and target != source:
            raise Gone()
        self.asked()
        return [found for found in ready if found in descriptors]

    def _target(self) -> typing.Optional[int]:
        try:
            return self._stdout.fileno()
        except (OSError, ValueError):
            return None

    def line(self, reply: protocol.Json) -> bytes:
        """A reply as it is sent: with the request's id."""
        message = {'id': self.number}  # type: protocol.Json
        message.update(reply)
        return protocol.encode(message)

    def relay(self, lines: bytes) -> None:
        """Sends what ``line`` has made, here or in another process.

        :raises Gone: nobody reads it
        """
        try:
            self._stdout.write(lines)
            self._stdout.flush()
        except OSError:
            raise Gone() from None

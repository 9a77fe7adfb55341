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

"""Where the replies to a request go."""

import typing

from osc_ha_router.node import protocol


class Gone(Exception):
    """Whoever read the replies does not read them any more."""


class Replies:
    """The replies to one request: call it with each.

    :param stdout: a binary stream
    :param number: the request's id, None while it is not known
    """

    def __init__(
        self,
        stdout: typing.BinaryIO,
        number: typing.Optional[int] = None,
    ) -> None:
        self._stdout = stdout
        self.number = number

    def __call__(self, reply: protocol.Json) -> None:
        """Sends one reply.

        :raises Gone: nobody reads it
        """
        self.relay(self.line(reply))

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

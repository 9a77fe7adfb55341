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
"""How long somebody waits for an answer: to the deadline, or to Ctrl-C."""

from collections.abc import Callable
import time
from typing import TypeVar

from osc_ha_router import errors
from osc_ha_router import interruption
from osc_ha_router.backends import base

T = TypeVar('T')

#: seconds of judging that somebody waits for who has asked for an end
_HURRY = 0.4


class Patience:
    """That of one question.

    :param stop: ends the waiting
    :param seconds: bound for everything
    """

    def __init__(
        self, stop: interruption.Interruption, seconds: float
    ) -> None:
        self._stop = stop
        self.deadline = base.Deadline.after(seconds)
        #: when somebody asked for an end
        self._hurried: float | None = None

    @property
    def interrupted(self) -> bool:
        """Whether nobody waits for anything any more."""
        return self._hurried is not None

    @property
    def exhausted(self) -> bool:
        """Whether nobody waits for what costs no more than thinking."""
        since = self._hurried
        return since is not None and time.monotonic() - since > _HURRY

    @property
    def wanted(self) -> bool:
        """Whether somebody has asked for an end, noticed or not."""
        return self._stop.wanted

    def wait(self, function: Callable[[], T]) -> T:
        """Call what waits, as long as somebody has patience.

        :raises Interrupted: somebody does not wait for it
        :raises KeyboardInterrupt: the same, and nobody asked for what there
            is
        """
        try:
            with self._stop.waiting():
                return function()
        except KeyboardInterrupt:
            self._hurry()
            raise errors.Interrupted('Interrupted') from None

    def call(self, function: Callable[[], T]) -> T:
        """Call what may hang, and wait for it in its place.

        :raises TimeoutError: there is no time left
        :raises Interrupted, KeyboardInterrupt: as of ``wait``
        """
        try:
            return self._stop.call(function, self.deadline)
        except KeyboardInterrupt:
            self._hurry()
            raise errors.Interrupted('Interrupted') from None

    def _hurry(self) -> None:
        if not self._stop.wanted:
            raise KeyboardInterrupt
        self._hurried = self._hurried or time.monotonic()

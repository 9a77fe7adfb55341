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

"""Asking somebody who may say nothing, without everybody waiting for it.

Whoever does not answer holds each thread that asks until a time bound is
over. So many who come meanwhile would be all there are.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import threading
import time

from osc_ha_router import errors

#: seconds in which nobody has had to wait, whatever came of it
_SOON = 0.5


class Silent(errors.Error):
    """It was not asked, as it answers nobody or too many wait already."""


class Asking:
    """Lets some ask at the same time, and others wait, while that is of use.

    As soon as one gets no answer, those who wait are sent away. From then on
    one at a time tries whether there is an answer again.

    :param name: of who is asked
    :param at_once: how many ask at the same time
    :param most: how many may be here, asking or waiting
    :param seconds: to wait for a turn at most
    """

    def __init__(
        self, name: str, at_once: int, most: int, seconds: float
    ) -> None:
        self._name = name
        self._at_once = at_once
        self._most = most
        self._seconds = seconds
        #: guards the three below
        self._changed = threading.Condition()
        self._here = 0
        self._asking = 0
        #: whether it has answered last time
        self._answers = True

    @contextlib.contextmanager
    def turn(self, silence: Callable[[Exception], bool]) -> Iterator[None]:
        """Ask in this block.

        :param silence: whether what was raised in it means that there was no
            answer; what is refused soon is one, as it holds nobody up
        :raises Silent: nobody may ask now
        """
        self._enter()
        answered = True
        began = time.monotonic()
        try:
            yield
        except Exception as exc:
            soon = time.monotonic() - began < _SOON
            answered = soon or not silence(exc)
            raise
        finally:
            self._leave(answered)

    def _enter(self) -> None:
        with self._changed:
            if self._here >= self._most:
                raise Silent(f'too many wait for {self._name} already')
            self._here += 1
            self._changed.wait_for(
                lambda: not self._answers or self._asking < self._at_once,
                self._seconds,
            )
            if self._asking < (self._at_once if self._answers else 1):
                self._asking += 1
                return
            self._here -= 1
        raise Silent(f'{self._name} does not answer others either')

    def _leave(self, answered: bool) -> None:
        with self._changed:
            self._here -= 1
            self._asking -= 1
            self._answers = answered
            self._changed.notify_all()

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

"""Bounds on how much of one kind goes on at the same time."""

from collections.abc import Iterator
import contextlib
import threading

from osc_ha_router.agent.api import problems


class Gate:
    """Lets so many through at a time; the next one is told to come again.

    :param limit: how many
    :param what: they are, in a sentence
    """

    def __init__(self, limit: int, what: str) -> None:
        self._free = threading.BoundedSemaphore(limit)
        self._what = what

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        :raises Problem: 503, there is none
        """
        if not self._free.acquire(blocking=False):
            raise problems.busy(f'{self._what}: try again in a moment.')
        try:
            yield
        finally:
            self._free.release()

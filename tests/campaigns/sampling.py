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

"""Whether some node is active, ten times a second."""

from collections.abc import Mapping
import threading
import time
from types import TracebackType

from tests.campaigns import traces
from tests.lab import processes
from tests.lab.holding import Holders

#: seconds from one sample to the next
INTERVAL = 0.1


class Sampler:
    """Samples while the context is open.

    A node is active that holds the VRRP address and whose keepalived lives,
    the one that lived at the beginning.

    :param before: what was on every node at the beginning
    """

    def __init__(
        self, holders: Holders, before: Mapping[str, traces.Traces]
    ) -> None:
        self._holders = holders
        self._born = {
            name: [(pid, processes.started(pid)) for pid in found.keepalived]
            for name, found in before.items()
        }
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        #: the longest time from a sample with an active node to the next
        #: one that has one, in seconds
        self.longest = 0.0

    def __enter__(self) -> 'Sampler':
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._over.wait(INTERVAL):
            now = time.monotonic()
            # until it is over, an absence counts as it grows
            self.longest = max(self.longest, now - last)
            if any(map(self._lives, self._holders.now())):
                last = now

    def _lives(self, name: str) -> bool:
        born = self._born[name]
        return bool(born) and all(
            processes.started(pid) == since for pid, since in born
        )

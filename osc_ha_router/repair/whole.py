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

"""What is not to be cut in half by a signal."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import queue
import signal
import threading
from typing import Any

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def whole(heard: Callable[[], None]) -> Iterator[None]:
    """Keep signals that end the program until the block has ended.

    Then they do what they always do. Those that are ignored stay ignored,
    and nothing keeps SIGKILL.

    :param heard: called in another thread when the first one has come: what
        the signal interrupts may hold what is needed to say so
    """
    if threading.current_thread() is not threading.main_thread():
        # they do not come here
        yield
        return
    came: list[int] = []
    # can be put into while it is put into, as a handler may have to
    news: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def note(number: int, frame: Any) -> None:
        came.append(number)
        news.put(number)

    def heed() -> None:
        if news.get() is not None:
            heard()

    heeding = threading.Thread(target=heed, name='heed', daemon=True)
    heeding.start()
    before = {}
    for number in _NUMBERS:
        handler = signal.getsignal(number)
        # None: of a library, and nobody could set it again
        if handler not in (signal.SIG_IGN, None):
            before[number] = handler
            signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        news.put(None)
        heeding.join()
        for came_one in dict.fromkeys(came):
            signal.raise_signal(came_one)

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

"""One function for many hosts at once, in threads, results as they come."""

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
import concurrent.futures
import itertools
import threading
from typing import TypeVar

T = TypeVar('T')
R = TypeVar('R')


def run(
    work: Callable[[T, threading.Event], R],
    items: Iterable[T],
    concurrency: int,
) -> Generator[R]:
    """Yield one result for each item, in the order in which they are ready.

    No more than ``concurrency`` items are in hand at a time, results that
    wait for the consumer included, so memory does not grow with the number
    of items. Closing the iterator, or an exception in it such as
    KeyboardInterrupt, sets the event that ``work`` was given and waits until
    all work has returned.

    :param work: given an item and an event; has to return soon when the
        event is set. What it raises is raised here.
    :param items: any number
    :param concurrency: at least 1
    """
    waiting = iter(items)
    stop = threading.Event()
    pool = concurrent.futures.ThreadPoolExecutor(concurrency)
    try:
        running = {
            pool.submit(work, item, stop)
            for item in itertools.islice(waiting, concurrency)
        }
        while running:
            done, running = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            while done:
                result = done.pop().result()
                running.update(
                    pool.submit(work, item, stop)
                    for item in itertools.islice(waiting, 1)
                )
                yield result
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)

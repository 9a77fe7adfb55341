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

"""All routers, checked again and again, for Prometheus.

What a check found is kept as the page that it makes, not as reports: a
scrape costs next to nothing, and what a cloud of 10,000 routers leaves in
memory is some megabytes of text.
"""

from collections.abc import Callable
import dataclasses
import random
import threading
import time

from oslo_log import log

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import metrics
from osc_ha_router.backends import base

LOG = log.getLogger(__name__)

#: by how much of the interval checks of several agents drift apart
_JITTER = 0.1
#: pause after a check, however long that took; of the interval
_REST = 0.1
#: seconds within which the first check begins
_SOON = 30.0


def lifetime(interval: float) -> float:
    """Return after how long what a check found is not said any more.

    The rules for Prometheus tell of it after half that time.
    """
    return 2 * (3 * interval + 300)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How often, and how long. Times are in seconds."""

    #: from the beginning of a check to that of the next; 0: never
    interval: float = 0.0
    #: bound for one check
    timeout: float = 120.0
    #: bound for one node
    probe_timeout: float = 15.0
    #: codes of findings that do not count
    ignore: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class _Result:
    """What is left of a check."""

    page: bytes
    #: when it began, in seconds of the epoch: nothing in it is older
    at: float
    #: when it ended, on the monotonic clock
    ended: float
    #: how long it took
    seconds: float
    #: host -> when it was last looked at, in seconds of the epoch
    looked: dict[str, float]


class Sweep:
    """Checks all routers with the agent's own rights, in one thread.

    There is one thread, so there are never two checks at the same time.

    :param source: what Neutron says to the agent
    :param nodes: gives a backend for a probe timeout
    """

    def __init__(
        self,
        source: engine.Source,
        nodes: Callable[[float], base.Backend],
        settings: Settings,
    ) -> None:
        self._source = source
        self._nodes = nodes
        self._settings = settings
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        #: guards the three below
        self._lock = threading.Lock()
        self._results = {'success': 0, 'error': 0}
        self._success: bool | None = None
        self._last: _Result | None = None

    def start(self) -> None:
        """Begin, unless the interval says never."""
        if not self._settings.interval:
            return
        # a check that hangs must not keep the agent from ending
        self._thread = threading.Thread(
            target=self._run, name='sweep', daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End, and wait so many seconds for a check that is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def page(self) -> bytes:
        """Return the text for Prometheus; ``metrics.CONTENT_TYPE``."""
        with self._lock:
            success, last = self._success, self._last
            results = dict(self._results)
        own = metrics.Metrics()
        interval = self._settings.interval
        own.set('router_ha_check_interval_seconds', interval)
        for result, count in results.items():
            own.set('router_ha_checks_total', count, result)
        if success is not None:
            own.set('router_ha_check_success', success)
        found = b''
        if last is not None:
            # these are said for ever: they tell how old the others are
            own.set('router_ha_last_check_timestamp_seconds', last.at)
            own.set('router_ha_check_duration_seconds', last.seconds)
            if time.monotonic() - last.ended < lifetime(interval):
                found = last.page
        return found + own.render()

    def _run(self) -> None:
        interval = self._settings.interval
        self._stop.wait(random.uniform(0, min(interval, _SOON)))  # noqa: S311
        while not self._stop.is_set():
            began = time.monotonic()
            self.check()
            drift = random.uniform(-_JITTER, _JITTER)  # noqa: S311
            left = began + interval * (1 + drift) - time.monotonic()
            self._stop.wait(max(left, interval * _REST))

    def check(self) -> None:
        """Make one check. Whatever goes wrong with it is said, not raised."""
        try:
            result = self._check()
        except Exception as exc:
            if self._stop.is_set():
                return
            LOG.error(
                'The check of all routers failed: %s',
                exc,
                # what is not one of our own errors is a bug
                exc_info=not isinstance(exc, errors.Error),
            )
            with self._lock:
                self._success = False
                self._results['error'] += 1
            return
        with self._lock:
            self._success = True
            self._results['success'] += 1
            self._last = result

    def _check(self) -> _Result:
        settings = self._settings
        at, began = time.time(), time.monotonic()
        machine = engine.Engine(
            self._source,
            self._nodes(settings.probe_timeout),
            sleep=self._pause,
        )
        work = machine.sweep(
            engine.Question(ignore=settings.ignore, timeout=settings.timeout)
        )
        found = metrics.Found()
        # one by one: thousands of them need not be in memory
        for item in work.reports():
            found.router(item)
        for shown in work.hosts:
            found.node(shown)
        with self._lock:
            earlier = self._last.looked if self._last is not None else {}
        looked = found.end(at, earlier)
        page = found.metrics.render()
        ended = time.monotonic()
        return _Result(page, at, ended, ended - began, looked)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise errors.Interrupted('the agent ends')

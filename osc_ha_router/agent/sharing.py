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


"""Looks that share one run of the node program.

Two hundred checks at the same moment ask the node once or twice: whoever
asks while a run is under way gets the next one, together with all others
who do. Nobody gets what was seen before the question.
"""

from collections.abc import Callable
import threading
import time

from oslo_log import log as logging

from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import look as looking

LOG = logging.getLogger(__name__)

#: routers of one run beyond which nobody else joins it
_MOST = 1000
#: seconds after which a run that is still under way has another follow it
_GAP = 0.5
#: seconds until is noticed what no event tells
_TICK = 0.1

#: tells what went wrong to whoever waits
Tell = Callable[[failures.Broken], None]
#: looks: what to ask, until when, ended by the event, into the answer; may
#: go on after it has told what went wrong, and holds its place so long
Work = Callable[
    [base.Request, base.Deadline, threading.Event, looking.Answer, Tell], None
]
#: the listening time, and whether all routers are asked about
_Key = tuple[float, bool]


class Run:
    """One run of the node program, and how many wait for it."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.routers: dict[str, None] = {}
        self.askers = 0
        #: the latest of all askers
        self.until = base.Deadline(0)
        self.began: float | None = None
        self.answer = looking.Answer(())
        self.broken: failures.Broken | None = None
        self.done = threading.Event()
        #: nobody waits for it any more
        self.stop = threading.Event()

    def add(self, request: base.Request, until: base.Deadline) -> None:
        """Add what somebody asks, before it begins."""
        self.routers.update(dict.fromkeys(request.routers or ()))
        self.until = max(self.until, until, key=lambda bound: bound.at)
        self.askers += 1

    def tell(self, broken: failures.Broken) -> None:
        """Tell what went wrong to those who wait."""
        if not self.done.is_set():
            self.broken = broken
            self.done.set()

    def has_room(self, request: base.Request) -> bool:
        """Return whether it may ask about these routers as well."""
        routers = self.routers.keys() | set(request.routers or ())
        return len(routers) <= max(_MOST, len(self.routers))


class Sharing:
    """The runs under way, and those that are to follow.

    :param host: what is looked at
    :param work: one run
    :param at_once: how many runs at once; as many again that listen
    """

    def __init__(self, host: str, work: Work, at_once: int) -> None:
        self._host = host
        self._work = work
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: list[Run] = []
        self._running: list[Run] = []

    def look(
        self,
        request: base.Request,
        until: base.Deadline,
        stop: threading.Event,
    ) -> tuple[looking.Answer, failures.Broken | None]:
        """Look, in a run that begins from now on.

        :return: what there was until then, of more routers than were asked
            about, and what went wrong
        """
        run = self._join(request, until)
        try:
            broken = self._await(run, until, stop)
        finally:
            self._leave(run)
        return run.answer, broken

    def _join(self, request: base.Request, until: base.Deadline) -> Run:
        key = (request.listen, request.routers is None)
        with self._lock:
            for run in self._waiting:
                if run.key == key and run.has_room(request):
                    break
            else:
                run = Run(key)
                self._waiting.append(run)
            run.add(request, until)
            self._begin()
        return run

    def _await(
        self, run: Run, until: base.Deadline, stop: threading.Event
    ) -> failures.Broken | None:
        while not run.done.wait(min(_TICK, until.left())):
            if stop.is_set():
                return failures.Broken('interrupted')
            if not until.left():
                if run.began is None:
                    return failures.Broken('agent-busy', 'others were before')
                return failures.Broken('timeout')
            if run.began is None:
                with self._lock:
                    self._begin()
        return run.broken

    def _leave(self, run: Run) -> None:
        with self._lock:
            run.askers -= 1
            if run.askers:
                return
            run.stop.set()
            if run in self._waiting:
                self._waiting.remove(run)

    def _begin(self) -> None:
        """Begin the runs that may begin now; under the lock."""
        for run in list(self._waiting):
            if self._may(run):
                self._waiting.remove(run)
                self._running.append(run)
                run.began = time.monotonic()
                try:
                    threading.Thread(
                        target=self._run, args=(run,), name='look', daemon=True
                    ).start()
                except RuntimeError as exc:
                    self._running.remove(run)
                    run.tell(failures.Broken('agent-busy', str(exc)))

    def _may(self, run: Run) -> bool:
        listens = run.key[0] > 0
        among = [
            each for each in self._running if (each.key[0] > 0) == listens
        ]
        if len(among) >= self._at_once:
            return False
        now = time.monotonic()
        return all(
            each.began is not None and now - each.began >= _GAP
            for each in among
            if each.key == run.key
        )

    def _run(self, run: Run) -> None:
        listen, all_ = run.key
        routers = None if all_ else tuple(run.routers)
        run.answer = looking.Answer(routers)
        request = base.Request(self._host, routers, listen)
        try:
            self._work(request, run.until, run.stop, run.answer, run.tell)
        except Exception as exc:
            LOG.exception('A look failed')
            run.tell(failures.Broken('node-error', str(exc)))
        finally:
            run.done.set()
            with self._lock:
                self._running.remove(run)
                self._begin()

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

"""Carrying out many moves, a few at a time, each by ``failover``."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent import futures
import dataclasses
import functools
import itertools
import threading

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.failover import plan as planning
from osc_ha_router.failover import result
from osc_ha_router.failover import run as running
from osc_ha_router.fleet import plan as plans
from osc_ha_router.model import report

#: a look that says who can take over listens for advertisements
_LISTEN = 2.5


@dataclasses.dataclass(frozen=True)
class Moved:
    """What came of one move."""

    move: plans.Move
    #: None: it was refused, or not begun
    result: result.Result | None
    #: why there is no result
    reason: str = ''
    #: whether it was begun
    begun: bool = True


class Fleet:
    """All routers of a cloud.

    :param source: what Neutron says
    :param backend: what the nodes show, and how to talk to them
    :param tell: told the phase, and in a sentence what happens
    :param detail: told the same of each single move
    :param progress: told how far a look is, as by the engine
    """

    def __init__(
        self,
        source: engine.Source,
        backend: base.Backend,
        *,
        tell: Callable[[str, str], None] = lambda phase, message: None,
        detail: Callable[[str, str], None] = lambda phase, message: None,
        progress: Callable[[str, int, int], None] = lambda *told: None,
    ) -> None:
        self._source = source
        self._backend = backend
        self._tell = tell
        self._detail = detail
        self._progress = progress
        #: set by the first interruption: nothing more is begun
        self._enough = threading.Event()
        #: under way; the second one cuts them off
        self._running: set[running.Failover] = set()

    def look(
        self, ignore: frozenset[str], timeout: float
    ) -> tuple[report.Report, ...]:
        """Return the reports of all routers, good for a plan.

        :param timeout: in seconds
        :raises Error: see ``errors``
        """
        until = base.Deadline.after(timeout)
        found = self._look(ignore, until, _LISTEN)
        longer = planning.listening(found, _LISTEN)
        if longer and longer < until.left():
            self._tell('look', 'listening for longer: routers advertise late')
            found = self._look(ignore, until, longer)
        return found

    def _look(
        self, ignore: frozenset[str], until: base.Deadline, listen: float
    ) -> tuple[report.Report, ...]:
        machine = engine.Engine(
            self._source,
            self._backend,
            notify=functools.partial(self._tell, 'look'),
            progress=self._progress,
        )
        question = engine.Question(
            ignore=ignore,
            listen=listen,
            recheck=0.0,
            # that it is too little is for the look to say
            timeout=max(until.left(), 0.1),
        )
        return machine.check(question).reports

    def carry_out(
        self,
        moves: Iterable[plans.Move],
        wish: planning.Wish,
        *,
        by: str,
        parallel: int,
        timeout: float,
    ) -> Iterator[Moved]:
        """Do the moves, and yield what comes of each as it ends.

        :param wish: method and codes that are ignored
        :param by: who does it, told to whoever is refused meanwhile
        :param parallel: how many at the same time
        :param timeout: bound for one move, in seconds
        """
        do = functools.partial(self._move, wish=wish, by=by, timeout=timeout)
        waiting = iter(moves)
        pool = futures.ThreadPoolExecutor(parallel)
        try:
            under_way = {
                pool.submit(do, move)
                for move in itertools.islice(waiting, parallel)
            }
            while under_way:
                done, under_way = futures.wait(
                    under_way, return_when=futures.FIRST_COMPLETED
                )
                for move in itertools.islice(waiting, len(done)):
                    under_way.add(pool.submit(do, move))
                for one in done:
                    yield one.result()
        except BaseException:
            # whoever reads the results has gone
            self._cut()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    @property
    def interrupted(self) -> bool:
        """Whether somebody wants it to end."""
        return self._enough.is_set()

    def interrupt(self) -> None:
        """Begin nothing more; the second time, cut off what is under way.

        The nodes undo what was begun and is cut off.
        """
        if self._enough.is_set():
            self._tell('interrupt', 'cut off; the nodes undo what was begun')
            self._cut()
            return
        self._enough.set()
        self._tell(
            'interrupt',
            f'nothing more is begun, {len(self._running)} under way are '
            'being finished; again, and they are cut off',
        )

    def _cut(self) -> None:
        self._enough.set()
        for failover in tuple(self._running):
            failover.cut_off()

    def _move(
        self,
        move: plans.Move,
        *,
        wish: planning.Wish,
        by: str,
        timeout: float,
    ) -> Moved:
        if self._enough.is_set():
            return Moved(move, None, 'interrupted before its turn', False)
        name = move.name or move.router_id
        failover = running.Failover(
            self._source,
            self._backend,
            tell=lambda phase, message: self._detail(
                phase, f'{name}: {message}'
            ),
        )
        asked = dataclasses.replace(wish, to=move.target, from_=move.source)
        self._running.add(failover)
        try:
            deadline = base.Deadline.after(timeout)
            plan = failover.plan(move.router_id, asked, deadline)
            return Moved(move, failover.carry_out(plan, deadline, by=by))
        except errors.Error as exc:
            return Moved(move, None, str(exc))
        finally:
            self._running.discard(failover)

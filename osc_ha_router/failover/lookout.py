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


"""Watching old and new node at the same time while the role moves."""

from concurrent import futures
import functools
import threading
import time
from typing import Any

from osc_ha_router.backends import base
from osc_ha_router.failover import nodes
from osc_ha_router.failover import stage

_TICK = 0.05
#: seconds in which the new node begins to watch
_BEFORE = 0.2
#: seconds before the end of all time at which nobody waits any more: a wait
#: that is ended leaves a conversation in order, one that is cut off does not
_LAST = 1.0


class Lookout:
    """Waits for the role on its way, in a thread for each node.

    A context manager: when it is left, nobody waits any more.

    :param scene: told what is seen
    :param candidates: where the role may come to
    :param timeout: how long to wait for it, in seconds
    :param hold: how long after it keepalived.conf is put back
    :param stay: how long after it the new node is looked after, at most
    :param resign: whether the old node is to resign as soon as all watch
    """

    def __init__(
        self,
        scene: stage.Stage,
        candidates: list[nodes.Node],
        *,
        timeout: float,
        hold: float,
        stay: float,
        resign: bool = False,
    ) -> None:
        self._scene = scene
        self._candidates = candidates
        self._times = {'timeout': timeout, 'hold': hold, 'stay': stay}
        self._resign = resign
        #: whether it was told to
        self._resigned = False
        self._over = threading.Event()
        self._pool = futures.ThreadPoolExecutor(len(candidates) + 1)

    def __enter__(self) -> 'Lookout':
        try:
            self._send_out()
        except BaseException:
            # Ctrl-C comes at any time, and then there is no __exit__
            self._scene.stop.set()
            self._pool.shutdown(wait=False)
            raise
        return self

    def _send_out(self) -> None:
        scene = self._scene
        self._waits = {
            self._pool.submit(
                node.takeover,
                scene.until,
                **self._times,
                event=functools.partial(self._note, node.host),
                enough=functools.partial(self._enough, node.host),
            ): node.host
            for node in self._candidates
        }
        self._source = self._pool.submit(self._leave)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            # somebody pressed Ctrl-C: nobody is waited for
            self._scene.stop.set()
        self._over.set()
        self._pool.shutdown(wait=True)
        waits: list[futures.Future[Any]] = [self._source, *self._waits]
        for wait in waits:
            trouble = wait.exception()
            if isinstance(trouble, base.Trouble):
                self._scene.note(trouble.failure.sentences)

    def result(self) -> nodes.Takeover:
        """Return how it went where it came to, or everywhere in vain.

        Trouble on one node is none for the role as long as it can still
        come to another, or is on its way already.

        :raises Trouble: it cannot come to any node any more
        """
        while True:
            done, waiting = futures.wait(
                self._waits,
                timeout=_TICK,
                return_when=futures.FIRST_COMPLETED,
            )
            if self._hopeless():
                self._source.result()
            ends = {
                self._waits[wait]: wait.result()
                for wait in done
                if not wait.exception()
            }
            winner = self._scene.winner
            # not who was active for a moment only
            if winner in ends and ends[winner].active:
                return ends[winner]
            if not waiting and ends:
                return max(ends.values(), key=lambda end: end.active)
            if not waiting:
                return done.pop().result()

    def _hopeless(self) -> bool:
        """Whether the old node will not do what it was asked to.

        With nobody to see it go, a move that was to be without a gap might
        leave both nodes active: better not begun.
        """
        return (
            self._source.done()
            and self._source.exception() is not None
            and self._scene.winner is None
            and not self._resigned
        )

    def _leave(self) -> None:
        """Let the old node resign if it is to, and see it go."""
        scene = self._scene
        if self._resign:
            scene.wait(_BEFORE)
            scene.start()
            scene.source.terminate(scene.until)
            self._resigned = True
        if scene.source.watch(scene.until, self._no_more):
            scene.has_gone()

    def _note(self, host: str, reply: dict[str, Any]) -> None:
        if reply.get('event') == 'active':
            self._scene.is_active(host)
        elif reply.get('event') == 'restored':
            what = 'Neutron has rewritten' if reply.get('kept') else 'has back'
            self._scene.tell('restore', f'{host} {what} its keepalived.conf')
        elif reply.get('event') == 'revived':
            self._scene.tell(
                'act',
                f'{host}: the Open vSwitch agent had cut off a port; '
                'it is connected again',
            )

    def _enough(self, host: str) -> bool:
        arrivals = self._scene.arrivals
        # Equals may both have become active, until they hear each other:
        # who was second may be who stays.
        lost = arrivals and host not in arrivals and self._held()
        return bool(lost) or self._settled() or self._no_more()

    def _settled(self) -> bool:
        """Whether all is over, and the new node was heard long enough."""
        return self._scene.settled.is_set() and self._held()

    def _held(self) -> bool:
        """Whether the new node has been active long enough to be heard."""
        active = self._scene.moments.active
        return (
            active is not None
            and time.monotonic() >= active + self._times['hold']
        )

    def _no_more(self) -> bool:
        scene = self._scene
        return (
            self._over.is_set()
            or scene.stop.is_set()
            or scene.until.left() < _LAST
        )

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
from typing import Any

from osc_ha_router.failover import nodes
from osc_ha_router.failover import stage

_TICK = 0.05
#: seconds in which the new node begins to watch
_BEFORE = 0.2


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
        self._over = threading.Event()
        self._pool = futures.ThreadPoolExecutor(len(candidates) + 1)

    def __enter__(self) -> 'Lookout':
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
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            # somebody pressed Ctrl-C: nobody is waited for
            self._scene.stop.set()
        self._over.set()
        self._pool.shutdown(wait=True)

    def result(self) -> nodes.Takeover:
        """Return how it went where it came to, or everywhere in vain.

        :raises Trouble: a node cannot be reached any more
        """
        while True:
            done, waiting = futures.wait(
                self._waits,
                timeout=_TICK,
                return_when=futures.FIRST_COMPLETED,
            )
            if self._source.done() and self._source.exception():
                # the old node has not done what it was asked to
                self._source.result()
            for wait in done:
                if wait.exception() or wait.result().active:
                    return wait.result()
            if not waiting:
                return next(iter(done)).result()

    def _leave(self) -> None:
        """Let the old node resign if it is to, and see it go."""
        scene = self._scene
        if self._resign:
            scene.wait(_BEFORE)
            scene.start()
            scene.source.terminate(scene.until)
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
        scene = self._scene
        lost = scene.winner is not None and scene.winner != host
        return lost or scene.settled.is_set() or self._no_more()

    def _no_more(self) -> bool:
        return self._over.is_set() or self._scene.stop.is_set()

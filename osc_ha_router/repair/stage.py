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

"""One round of actions, under the router's lock on every node."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import threading
from typing import Any

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.failover import nodes as moved
from osc_ha_router.repair import action
from osc_ha_router.repair import deeds
from osc_ha_router.repair import ground
from osc_ha_router.repair import nodes
from osc_ha_router.repair import plan as planning
from osc_ha_router.repair import result

#: seconds in which the nodes can give the lock back when time is up
SPARE = 10.0
#: what is set or removed is what the node's keepalived.conf names
NAMED = frozenset((action.Op.ADD, action.Op.CLEAN))


class Rewritten(errors.Refused):
    """A node has another keepalived.conf than the plan was made for."""


class Stage:
    """The nodes of a router while something is done about it.

    A context manager: when it is entered every node that can be reached is
    locked, when it is left all of them are given back.

    :param alive: hosts whose L3 agent sends heartbeats, None: not known
    :param by: who does it, told to whoever is refused meanwhile
    """

    def __init__(
        self,
        plan: planning.Plan,
        alive: frozenset[str] | None,
        backend: base.Backend,
        changes: Callable[[], ground.Changes],
        until: base.Deadline,
        by: str,
        tell: Callable[[str, str], None],
    ) -> None:
        self._plan = plan
        self._backend = backend
        self._until = until
        self._by = by
        self._tell = tell
        self._stop = threading.Event()
        self._hosts: dict[str, nodes.Node] = {}
        self._ground = ground.Ground(
            plan, self._hosts, alive, changes, until, tell
        )

    def __enter__(self) -> 'Stage':
        with contextlib.ExitStack() as stack:
            # before the lines are closed: nobody may wait there then
            stack.callback(self._stop.set)
            self._open(stack)
            stack.callback(self._finish)
            self._lock()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def run(self, actions: Iterable[action.Action]) -> Iterator[result.Step]:
        """Do one after the other, and yield what came of each."""
        return deeds.Deeds(self._ground).run(actions)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        return self._ground.notes

    def _open(self, stack: contextlib.ExitStack) -> None:
        needed = {each.host for each in self._plan.actions}
        needed.add(self._plan.serving)
        for replica in self._plan.report.replicas:
            if replica.view is None:
                continue
            try:
                line = stack.enter_context(
                    self._backend.converse(
                        replica.host, self._until, self._stop
                    )
                )
            except base.Trouble as trouble:
                if replica.host in needed:
                    raise moved.refused(trouble) from None
                continue
            self._hosts[replica.host] = nodes.Node(line, self._plan.router.id)

    def _lock(self) -> None:
        """Take the lock everywhere, always in the same order.

        :raises Locked: somebody else changes the router
        :raises Refused: a node is not any more what the plan was made for
        """
        until = base.Deadline(self._until.at + SPARE)
        for host, node in sorted(self._hosts.items()):
            try:
                begun = node.take(self._by, until)
            except base.Trouble as trouble:
                raise moved.refused(trouble) from None
            for sentence in begun.undone:
                self._tell('preflight', f'{host}: {sentence}')
            self._compare(host, begun)
        serving = self._plan.serving
        taking = any(each.op in deeds.TAKING for each in self._plan.actions)
        if serving is None or not taking:
            return
        try:
            serves = self._hosts[serving].serves(self._ground.soon())
        except base.Trouble as trouble:
            if trouble.refusal not in ('absent', 'unfit'):
                raise moved.refused(trouble) from None
            # without its keepalived.conf; the rest can be done
            self._ground.unsure = (
                f'whether {serving} still is active cannot be told '
                f'({trouble.failure.message})'
            )
            return
        if not serves:
            raise errors.Refused(
                f'{serving} is not active any more.\n'
                'The router has moved since it was looked at: run the '
                'command again.'
            )

    def _compare(self, host: str, begun: nodes.Begun) -> None:
        """Refuse what a file named that is another one by now.

        Whatever else is done on a node does not depend on its file, which
        Neutron may be writing because of what is to be mended.
        """
        if not any(
            each.host == host and each.op in NAMED
            for each in self._plan.actions
        ):
            return
        for replica in self._plan.report.replicas:
            shown = replica.view
            if replica.host != host or shown is None or not shown.files:
                continue
            conf = shown.keepalived_conf
            if (conf.sha256 if conf else None) != begun.sha256:
                raise Rewritten(
                    f'keepalived.conf on {host} has just been rewritten.\n'
                    'Neutron is changing the router: run the command again.'
                )

    def _finish(self) -> None:
        """Give back what was taken; trouble with one is none for others."""
        for host, node in sorted(self._hosts.items()):
            if node.found is None or host in self._ground.broken:
                continue
            try:
                for sentence in node.finish(base.Deadline.after(SPARE)):
                    self._tell('restore', f'{host}: {sentence}')
            except base.Trouble as trouble:
                self.notes.append(trouble.failure.sentences)

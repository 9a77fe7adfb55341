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
from typing import Protocol

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.failover import nodes as moved
from osc_ha_router.repair import action
from osc_ha_router.repair import nodes
from osc_ha_router.repair import plan as planning
from osc_ha_router.repair import result

#: seconds in which the nodes can give the lock back when time is up
SPARE = 10.0
#: seconds that the active node announces its addresses
ANNOUNCE = 2.0
#: seconds that a node watches its switch after ports were bound anew: until
#: Neutron's agents, which look every two seconds, have wired them
GUARD = 10.0
#: seconds to see that the active node is that still
_GLANCE = 1.0

Op = action.Op
#: what takes something away, which is right only while somebody serves
_TAKING = frozenset((Op.END, Op.CLEAN, Op.EVICT, Op.RESEAT))


class Changes(Protocol):
    """What is changed through Neutron: ``cloud.changes.Changes``."""

    def provoke(self, router_id: str) -> None:
        """Update a router with what it has."""

    def rebind(self, port_ids: Iterable[str], host: str) -> None:
        """Bind ports to a host."""

    def reseat(self, router_id: str, host: str) -> None:
        """Take a router off an L3 agent and give it back."""

    def expel(self, router_id: str, host: str) -> None:
        """Have an L3 agent remove what is not its own any more."""


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
        changes: Callable[[], Changes],
        until: base.Deadline,
        by: str,
        tell: Callable[[str, str], None],
    ) -> None:
        self._plan = plan
        self._alive = alive
        self._backend = backend
        self._changes = changes
        self._until = until
        self._by = by
        self._tell = tell
        self._stop = threading.Event()
        self._hosts: dict[str, nodes.Node] = {}
        #: host -> why nothing more can be asked of it
        self._broken: dict[str, str] = {}
        self._quiet: set[str] = set()
        #: what a reader of the result should know
        self.notes: list[str] = []

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
        for todo in actions:
            where = f'{todo.host}: ' if todo.host else ''
            self._tell('act', f'{where}{todo.what}')
            try:
                done = self._do(todo)
            except base.Trouble as trouble:
                if not _goes_on(trouble):
                    self._broken[todo.host or ''] = trouble.failure.message
                words = trouble.failure.message
                yield result.Step(todo, words, failed=True)
            except errors.CloudError as exc:
                yield result.Step(todo, str(exc), failed=True)
            else:
                yield result.Step(todo, done.words, changed=done.changed)

    # -- locks ---------------------------------------------------------------

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
                    raise _refused(trouble) from None
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
                raise _refused(trouble) from None
            for sentence in begun.undone:
                self._tell('preflight', f'{host}: {sentence}')
        serving = self._plan.serving
        taking = any(each.op in _TAKING for each in self._plan.actions)
        if serving is None or not taking:
            return
        try:
            serves = self._hosts[serving].serves(self._soon(_GLANCE))
        except base.Trouble as trouble:
            raise _refused(trouble) from None
        if not serves:
            raise errors.Refused(
                f'{serving} is not active any more.\n'
                'The router has moved since it was looked at: run the '
                'command again.'
            )

    def _finish(self) -> None:
        """Give back what was taken; trouble with one is none for others."""
        for host, node in sorted(self._hosts.items()):
            if not node.taken or host in self._broken:
                continue
            try:
                for sentence in node.finish(base.Deadline.after(SPARE)):
                    self._tell('restore', f'{host}: {sentence}')
            except base.Trouble as trouble:
                self.notes.append(trouble.failure.sentences)

    # -- actions -------------------------------------------------------------

    def _do(self, todo: action.Action) -> nodes.Done:
        router_id = self._plan.router.id
        match todo.op:
            case Op.PROVOKE:
                self._changes().provoke(router_id)
                return nodes.Done(True, 'Neutron has sent it')
            case Op.RESEAT:
                assert todo.host is not None  # noqa: S101
                self._changes().reseat(router_id, todo.host)
                return nodes.Done(True, 'taken off and given back')
        assert todo.host is not None  # noqa: S101
        node = self._node(todo.host)
        match todo.op:
            case Op.ANNOUNCE:
                return self._announce(node)
            case Op.REPORT:
                return self._report(node, bool(todo.fields.get('guard')))
            case Op.REBIND:
                return self._rebind(node, todo.fields['ports'])
            case Op.EVICT:
                self._silence(node)
                return self._evict(node, todo.fields.get('namespace'))
            case Op.CLEAN:
                self._silence(node)
        return node.run(todo, self._until)

    def _node(self, host: str) -> nodes.Node:
        """Return a node that can be asked.

        :raises CloudError: it cannot
        """
        if host in self._broken:
            raise errors.CloudError(f'not begun: {self._broken[host]}')
        if host not in self._hosts:
            raise errors.CloudError(f'not begun: {host} was not looked at')
        return self._hosts[host]

    def _silence(self, node: nodes.Node) -> None:
        """Keep a node from claiming the addresses when it loses them.

        On losing an IPv6 address a node sends a multicast report from the
        router's own MAC, and switches believe it (Launchpad bug 1859832).
        """
        if node.host in self._quiet:
            return
        self._quiet.add(node.host)
        try:
            quiet = node.quiet(self._until)
        except base.Trouble as trouble:
            if not _goes_on(trouble):
                raise
            # there is no namespace with an HA device, so nobody is misled
            return
        if not quiet.quiet:
            self.notes.append(
                f'{node.host}: multicast reports could not be held off '
                f'({quiet.reason or "no reason given"}): switches may send '
                'to this node for a moment'
            )

    def _announce(self, node: nodes.Node) -> nodes.Done:
        took = node.takeover(
            self._until,
            timeout=_GLANCE,
            hold=0,
            stay=ANNOUNCE,
            event=lambda reply: None,
            enough=lambda: self._until.left() < _GLANCE,
        )
        if not took.active:
            return nodes.Done(False, 'it does not hold the HA address')
        return nodes.Done(False, f'announced for {ANNOUNCE:.0f} s')

    def _report(self, node: nodes.Node, guard: bool) -> nodes.Done:
        told = node.report(GUARD if guard else 0.0, self._until)
        if not told.answered:
            raise errors.CloudError('the L3 agent does not answer')
        if not told.known:
            raise errors.CloudError('the L3 agent does not have the router')
        return nodes.Done(True, f'the L3 agent was told {told.state}')

    def _rebind(self, node: nodes.Node, ports: list[str]) -> nodes.Done:
        """Have Neutron bind ports, while the node watches its switch."""
        trouble: list[errors.CloudError] = []

        def event(reply: dict[str, Any]) -> None:
            if reply.get('event') == 'active':
                try:
                    self._changes().rebind(ports, node.host)
                except errors.CloudError as exc:
                    trouble.append(exc)

        took = node.takeover(
            self._until,
            timeout=_GLANCE,
            hold=0,
            stay=GUARD,
            event=event,
            enough=lambda: bool(trouble) or self._until.left() < _GLANCE,
        )
        if trouble:
            raise trouble[0]
        if not took.active:
            raise errors.CloudError('the node is not active any more')
        return nodes.Done(True, f'{len(ports)} ports are bound')

    def _evict(self, node: nodes.Node, namespace: str | None) -> nodes.Done:
        """Remove a leftover, by whoever can without stumbling.

        An L3 agent that believes to have the router starts keepalived and
        the monitor again, and fails where their namespace is missing: it has
        to be told by Neutron. Without it, the node removes all.
        """
        first = node.evict(namespace, False, self._until)
        try:
            told = node.report(0.0, self._until)
        except base.Trouble as trouble:
            if not _goes_on(trouble):
                raise
            told = moved.Told(None)
        alive = self._alive is None or node.host in self._alive
        if told.known is False or not (alive or told.answered):
            rest = node.evict(namespace, True, self._until)
            words = ', '.join(
                each.words for each in (first, rest) if each.changed
            )
            return nodes.Done(first.changed or rest.changed, words)
        reason = ''
        if not alive:
            reason = 'lives, but Neutron does not hear it'
        elif told.state is not None and not told.answered:
            reason = 'does not answer'
        if reason:
            raise errors.CloudError(
                f'{first.words}; the rest stays as long as the L3 agent there '
                f'{reason}'
            )
        self._changes().expel(self._plan.router.id, node.host)
        return nodes.Done(
            True,
            f'{first.words}; Neutron has told the L3 agent to remove the rest',
        )

    def _soon(self, seconds: float) -> base.Deadline:
        return base.Deadline.after(min(seconds, self._until.left()))


def _goes_on(trouble: base.Trouble) -> bool:
    """Return whether the node program itself has spoken."""
    return trouble.refusal is not None or trouble.failure.kind == 'node-error'


def _refused(trouble: base.Trouble) -> errors.Error:
    kind = errors.Locked if trouble.refusal == 'locked' else errors.Refused
    return kind(f'{trouble.failure.message}\n{trouble.failure.advice}')

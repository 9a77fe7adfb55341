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

"""What is done about a router, one action after the other.

Every node that can be reached is locked meanwhile. What goes wrong half-way
says what was done before.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import evidence
from osc_ha_router.failover import nodes as moved
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import ground
from osc_ha_router.repair import nodes
from osc_ha_router.repair import result
from osc_ha_router.repair import seats

#: seconds that the active node announces its addresses
ANNOUNCE = 2.0
#: seconds that a node watches its switch after ports were bound anew: until
#: Neutron's agents, which look every two seconds, have wired them
GUARD = 10.0

Op = action.Op
#: what takes something away, which is right only while somebody serves
TAKING = frozenset((Op.END, Op.CLEAN, Op.EVICT, Op.RESEAT))
#: refusals of the node program that come before anything is done
_BEFORE = frozenset(
    (
        'absent',
        'changed',
        'locked',
        'no-errand',
        'no-keepalived',
        'unfit',
        'unsafe',
    )
)


class Deeds:
    """Does what a plan says."""

    def __init__(self, on: ground.Ground) -> None:
        self._on = on
        self._quiet: set[str] = set()
        #: of the action under way
        self._so_far: list[nodes.Done] = []

    def run(self, actions: Iterable[action.Action]) -> Iterator[result.Step]:
        """Do one after the other, and yield what came of each."""
        for todo in actions:
            where = f'{todo.host}: ' if todo.host else ''
            self._on.tell('act', f'{where}{todo.what}')
            self._so_far = []
            try:
                done = self._do(todo)
            except base.Trouble as trouble:
                self._on.heed(todo.host or '', trouble)
                yield self._failed(
                    todo,
                    trouble.failure.message,
                    # what is only told changes nothing
                    todo.op != Op.ANNOUNCE and _touched(trouble),
                )
            except errors.CloudError as exc:
                yield self._failed(
                    todo, str(exc), isinstance(exc, errors.Halfway)
                )
            else:
                yield result.Step(todo, done.words, changed=done.changed)

    def _failed(
        self, todo: action.Action, why: str, touched: bool
    ) -> result.Step:
        before = [done.words for done in self._so_far if done.changed]
        return result.Step(
            todo,
            '; '.join((*before, why)),
            changed=touched or bool(before),
            failed=True,
        )

    def _do(self, todo: action.Action) -> nodes.Done:
        """Do one, and return what came of it.

        :raises Trouble: a node
        :raises Halfway: and it may have changed something
        :raises CloudError: and it has not
        """
        if self._on.unsure and todo.op in TAKING:
            raise errors.CloudError(f'not begun: {self._on.unsure}')
        if todo.op == Op.PROVOKE:
            self._on.changes().provoke(self._on.plan.router.id)
            return nodes.Done(True, 'Neutron has sent it')
        assert todo.host is not None  # noqa: S101
        match todo.op:
            case Op.GIVE:
                return seats.give(self._on, todo.host, todo.fields['noted'])
            case Op.RESEAT:
                return seats.reseat(self._on, todo.host)
        node = self._on.node(todo.host)
        match todo.op:
            case Op.ANNOUNCE:
                return self._announce(node)
            case Op.REPORT:
                return self._report(node, bool(todo.fields.get('guard')))
            case Op.REBIND:
                return self._rebind(node, todo.fields['ports'])
            case Op.EVICT:
                return self._evict(node, todo.fields.get('namespace'))
            case Op.LINK_UP:
                return self._link_up(node, todo.fields['devices'])
            case Op.CLEAN:
                self._silence(node)
        return node.run(todo, self._on.until)

    # -- on the nodes --------------------------------------------------------

    def _silence(self, node: nodes.Node) -> None:
        """Keep a node from claiming the addresses of the active one.

        On losing an IPv6 address, or when a device comes up, a node sends a
        multicast report from the router's own MAC, and switches believe it
        (Launchpad bug 1859832).

        :raises CloudError: the node cannot be asked any more
        """
        if node.host in self._quiet:
            return
        self._quiet.add(node.host)
        try:
            quiet = node.quiet(self._on.until)
        except base.Trouble as trouble:
            if ground.goes_on(trouble):
                # there is no namespace with an HA device: nobody is misled
                return
            self._on.heed(node.host, trouble)
            raise ground.not_begun(trouble) from None
        if not quiet.quiet:
            self._on.notes.append(
                f'{node.host}: multicast reports could not be held off '
                f'({quiet.reason or "no reason given"}): switches may send '
                'to this node for a moment'
            )

    def _link_up(self, node: nodes.Node, devices: list[str]) -> nodes.Done:
        # an HA device has a MAC of its own on each node
        shared = any(not device.startswith('ha-') for device in devices)
        if shared and node.host != self._on.plan.serving:
            self._silence(node)
        for device in devices:
            self._so_far.append(node.link_up(device, self._on.until))
        return nodes.Done(
            any(done.changed for done in self._so_far),
            ', '.join(done.words for done in self._so_far),
        )

    def _announce(self, node: nodes.Node) -> nodes.Done:
        took = node.takeover(
            self._on.until,
            timeout=ground.GLANCE,
            hold=0,
            stay=ANNOUNCE,
            event=lambda reply: None,
            enough=lambda: self._on.until.left() < ground.GLANCE,
        )
        if not took.active:
            return nodes.Done(False, 'it does not hold the HA address')
        return nodes.Done(False, f'announced for {ANNOUNCE:.0f} s')

    def _report(self, node: nodes.Node, guard: bool) -> nodes.Done:
        told = node.report(GUARD if guard else 0.0, self._on.until)
        # it may act on it later than it was waited for
        if not told.answered:
            raise errors.Halfway('the L3 agent does not answer')
        if not told.known:
            raise errors.Halfway('the L3 agent does not have the router')
        return nodes.Done(True, f'the L3 agent was told {told.state}')

    def _rebind(self, node: nodes.Node, ports: list[str]) -> nodes.Done:
        """Have Neutron bind ports, while the node watches its switch."""
        trouble: list[errors.CloudError] = []

        def event(reply: dict[str, Any]) -> None:
            if reply.get('event') == 'active':
                try:
                    self._on.changes().rebind(ports, node.host)
                except errors.CloudError as exc:
                    trouble.append(exc)
                else:
                    done = nodes.Done(True, f'{len(ports)} ports are bound')
                    self._so_far.append(done)

        took = node.takeover(
            self._on.until,
            timeout=ground.GLANCE,
            hold=0,
            stay=GUARD,
            event=event,
            enough=lambda: (
                bool(trouble) or self._on.until.left() < ground.GLANCE
            ),
        )
        if trouble:
            raise trouble[0]
        if not took.active or not self._so_far:
            raise errors.CloudError('the node is not active any more')
        return self._so_far[-1]

    # -- a leftover ----------------------------------------------------------

    def _evict(self, node: nodes.Node, namespace: str | None) -> nodes.Done:
        """Remove a leftover, by whoever can without stumbling.

        An L3 agent that believes to have the router starts keepalived and
        the monitor again, and fails where their namespace is missing: it has
        to be told by Neutron. Without it, the node removes all.
        """
        if self._on.changes().hosts(self._on.plan.router.id, node.host):
            raise errors.CloudError(
                f'not begun: Neutron has the router on {node.host} by now'
            )
        self._must_be_followed(node)
        self._silence(node)
        first = node.evict(namespace, False, self._on.until)
        self._so_far.append(first)
        try:
            told = node.report(0.0, self._on.until)
        except base.Trouble as trouble:
            if not ground.goes_on(trouble):
                raise
            told = moved.Told(None)
        alive = self._on.alive is None or node.host in self._on.alive
        if told.known is False or not (alive or told.answered):
            rest = node.evict(namespace, True, self._on.until)
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
                f'the rest stays as long as the L3 agent there {reason}'
            )
        seats.expel(self._on, node.host)
        return nodes.Done(
            True,
            f'{first.words}; Neutron has told the L3 agent to remove the rest',
        )

    def _must_be_followed(self, node: nodes.Node) -> None:
        """See that somebody can take over what a leftover may be serving.

        That the active node still is that was seen when it was locked.

        :raises CloudError: nobody is seen to be able to
        """
        if self._on.plan.serving is not None:
            return
        try:
            if not node.serves(self._on.soon()):
                return
        except base.Trouble as trouble:
            self._on.heed(node.host, trouble)
            if not ground.goes_on(trouble):
                raise ground.not_begun(trouble) from None
        for replica in self._on.plan.report.replicas:
            other = self._on.hosts.get(replica.host)
            if (
                other is None
                or other.found is None
                or replica.agent is None
                or replica.view is None
                or replica.observed != report.Observed.STANDBY
            ):
                continue
            children = evidence.with_role(replica.view, 'keepalived-vrrp')
            if any(
                child.pid in other.found.keepalived for child in children or ()
            ):
                return
        raise errors.CloudError(
            'not begun: this may be all that serves the router, and no node '
            'that hosts it is seen to be able to take over'
        )


def _touched(trouble: base.Trouble) -> bool:
    """Return whether a node may have changed something before it gave up."""
    return trouble.refusal not in _BEFORE and not ground.of_old(trouble)

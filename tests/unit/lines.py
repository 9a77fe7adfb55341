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

"""A conversation with a node program that exists in the tests only.

It checks what it is asked with the parts of the real one, and what it does
changes what the nodes show.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
import json
import threading
import time
from typing import Any
from typing import TYPE_CHECKING

from osc_ha_router import config
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.node import connections
from osc_ha_router.node import errors
from osc_ha_router.node import neighbours
from osc_ha_router.node import protocol
from tests.unit.scene import Scene

if TYPE_CHECKING:
    from tests.unit.moving import Nodes

#: of the file with another priority
CHANGED = 'c' * 64


@dataclasses.dataclass
class Fault:
    """What goes wrong with one operation on one node."""

    #: raised; the line is broken from then on, unless the program spoke
    trouble: BaseException | None = None
    #: the event after which, None: at the beginning
    after: str | None = None
    #: how many requests are answered well before
    skip: int = 0
    #: how long the node says nothing
    seconds: float = 0.0
    #: done at the same moment, before
    call: Callable[[], object] = lambda: None
    #: what the end has instead
    end: dict[str, Any] = dataclasses.field(default_factory=dict)


def trouble(host: str, kind: str = 'truncated', detail: str = '') -> Exception:
    """Return the end of a conversation."""
    return _trouble(host, failures.Broken(kind, detail))


def refusal(host: str, kind: str, message: str) -> Exception:
    """Return what becomes of an error of the node errors."""
    error = {'kind': kind, 'message': message}
    return _trouble(host, channel._node_error({'error': error}))


def _goes_on(trouble: BaseException) -> bool:
    """Whether the line is well after it: the program itself has spoken."""
    return isinstance(trouble, base.Trouble) and (
        trouble.refusal is not None or trouble.failure.kind == 'node-error'
    )


def _trouble(host: str, broken: failures.Broken) -> base.Trouble:
    place = command.place(config.Settings(), host)
    failure = failures.describe(broken.kind, place, broken.detail)
    return base.Trouble(failure, broken.refusal)


class Line(base.Conversation):
    """A node program: what it answers, and how it checks what it is asked."""

    def __init__(
        self, nodes: 'Nodes', host: str, stop: threading.Event
    ) -> None:
        self.host = host
        self._nodes = nodes
        self._stop = stop
        self._begun = False
        self._raised: float | None = None
        self._dead: BaseException | None = None

    def call(
        self,
        op: str,
        fields: Mapping[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        self._nodes.asked.append((self.host, op, dict(fields)))
        fault = self._nodes.faults.get((self.host, op), Fault())
        if fault.skip:
            fault.skip -= 1
            fault = Fault()
        if self._dead:
            raise self._dead
        # whoever has no time left is not waited for
        self._pause(until)
        if fault.after is None:
            self.meet(fault, until)
        try:
            replies = self._answer(op, dict(fields), until, enough)
            for reply in replies:
                if 'end' in reply:
                    reply['end'].update(fault.end)
                yield json.loads(json.dumps({'id': 1, **reply}))
                if fault.after and reply.get('event') == fault.after:
                    self.meet(fault, until)
        except errors.ProgramError as error:
            raise refusal(self.host, error.kind, error.message) from None

    def meet(self, fault: Fault, until: base.Deadline) -> None:
        """Let it happen."""
        end = time.monotonic() + fault.seconds
        while time.monotonic() < end:
            self._pause(until)
        fault.call()
        if fault.trouble is not None:
            if not _goes_on(fault.trouble):
                self._dead = fault.trouble
            raise fault.trouble

    def undo(self) -> list[str]:
        """What comes of the end of the conversation."""
        self._nodes.edit(self._restored)
        undone = ['keepalived.conf is as it was'] if self._raised else []
        self._raised = None
        if self._begun:
            del self._nodes.locks[self.host]
        self._begun = False
        return undone

    def _restored(self, scene: Scene) -> Scene:
        if self._raised is None or self.host in self._nodes.stuck:
            return scene
        before = self._nodes.before.shown(self.host)
        return scene.with_view(
            self.host, keepalived_conf=before.keepalived_conf
        )

    def _pause(self, until: base.Deadline) -> None:
        if self._stop.is_set():
            raise trouble(self.host, 'interrupted')
        if not until.left():
            raise trouble(self.host, 'timeout', 'it stopped in between')
        time.sleep(0.002)

    # -- operations --------------------------------------------------------

    def _answer(
        self,
        op: str,
        fields: dict[str, Any],
        until: base.Deadline,
        enough: Callable[[], bool] | None,
    ) -> Iterator[dict[str, Any]]:
        router = protocol.router(fields)
        if op != 'begin' and not self._begun:
            raise errors.ProgramError(
                errors.NO_ERRAND, f'no change of router {router} has begun'
            )

        def asked() -> bool:
            self._pause(until)
            return enough is not None and enough()

        if op == 'watch':
            yield from self._watch(fields, asked)
        elif op == 'takeover':
            yield from self._takeover(fields, asked)
        elif op == 'export':
            yield from self._export(fields)
        else:
            yield {'end': getattr(self, f'_{op}')(fields)}

    def _begin(self, fields: dict[str, Any]) -> dict[str, Any]:
        by = protocol.text(fields, 'by', 120)
        if protocol.seconds(fields, 'seconds', 900) < 1:
            raise errors.BadRequest('"seconds" must be at least 1')
        if self.host in self._nodes.locks:
            by, since = self._nodes.locks[self.host]
            raise errors.ProgramError(
                errors.LOCKED,
                f'a change of router {fields["router"]} by {by} is under way '
                f'since {since}',
            )
        self._nodes.locks[self.host] = (by, '2026-01-01T00:00:00Z')
        self._begun = True
        shown = self._nodes.scene.shown(self.host)
        conf = self._nodes.scene.conf(self.host)
        pids = [
            p.pid
            for role in ('keepalived', 'keepalived-vrrp')
            for p in shown.processes or ()
            if p.role == role
        ]
        return {
            'undone': [],
            'keepalived': pids,
            'sha256': conf.sha256,
            'priority': conf.priority,
            'nopreempt': conf.nopreempt,
            'advert_int': conf.advert_int,
            'namespace': shown.namespace,
        }

    def _raise(self, fields: dict[str, Any]) -> dict[str, Any]:
        priority = protocol.number(fields, 'priority', 1, 254)
        preempt = protocol.flag(fields, 'preempt')
        meant = protocol.digest(fields, 'sha256')
        if meant != self._nodes.scene.conf(self.host).sha256:
            raise errors.ProgramError(
                errors.CHANGED, 'keepalived.conf has been rewritten'
            )
        self._nodes.edit(
            lambda s: s.with_conf(
                self.host,
                priority=priority,
                nopreempt=not preempt,
                sha256=CHANGED,
            )
        )
        self._raised = time.monotonic()
        self._nodes.heir = self.host
        self._preempts = preempt
        return {'sha256': CHANGED}

    def _owe(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._nodes.owed.pop(self.host, None)
        if fields['agent'] is not None:
            agent = protocol.text(fields, 'agent', 120)
            self._nodes.owed[self.host] = agent
        return {}

    def _quiet(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {'quiet': True, 'reason': None}

    def _terminate(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._nodes.resign(self.host)
        return {'pid': 1234}

    def _report(self, fields: dict[str, Any]) -> dict[str, Any]:
        protocol.seconds(fields, 'guard', 60)
        self._nodes.tell(self.host)
        return {'state': 'primary', 'answered': True, 'known': True}

    def _finish(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {'undone': self.undo()}

    def _watch(
        self, fields: dict[str, Any], asked: Callable[[], bool]
    ) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + protocol.seconds(fields, 'timeout', 900)
        while self._nodes.holds(self.host, self._nodes.before.vip):
            if time.monotonic() >= end or asked():
                yield {'end': {'gone': False}}
                return
        yield {'event': 'gone'}
        yield {'end': {'gone': True}}

    def _takeover(
        self, fields: dict[str, Any], asked: Callable[[], bool]
    ) -> Iterator[dict[str, Any]]:
        times = {
            name: protocol.seconds(fields, name, 900)
            for name in ('timeout', 'hold', 'stay')
        }
        reason = self._await(times['timeout'], asked)
        revived = []
        if reason is None:
            began = time.monotonic()
            yield {'event': 'active'}
            for port in self._nodes.ports:
                revived.append(port)
                yield {'event': 'revived', **port}
            while not asked():
                if time.monotonic() >= began + times['hold']:
                    yield from self._restore()
                if time.monotonic() >= began + times['stay']:
                    break
        restored = self._raised is not None or reason is None
        yield from self._restore()
        yield {
            'end': {
                'active': reason is None,
                'reason': reason,
                'restored': restored,
                'revived': revived,
                'guarded': self._nodes.guarded,
            }
        }

    def _await(self, timeout: float, asked: Callable[[], bool]) -> str | None:
        nodes = self._nodes
        end = time.monotonic() + timeout
        while not nodes.holds(self.host, nodes.before.vip):
            if asked():
                return 'stopped'
            if time.monotonic() >= end:
                return f'its HA address did not come within {timeout:g} s'
            due = not nodes.active or (self._raised and self._preempts)
            if nodes.willing and due and nodes.heir == self.host:
                nodes.move(self.host)
        return None

    def _restore(self) -> Iterator[dict[str, Any]]:
        if self._raised is not None:
            self._nodes.edit(self._restored)
            self._raised = None
            yield {'event': 'restored', 'kept': False}

    def _export(self, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
        near, tracked = self._nodes.neighbours, self._nodes.connections
        for start in range(0, len(near), 500):
            yield {'neighbours': near[start : start + 500]}
        for start in range(0, len(tracked or ()), 500):
            yield {'connections': (tracked or [])[start : start + 500]}
        yield {
            'end': {
                'neighbours': len(near),
                'connections': None if tracked is None else len(tracked),
                'reason': 'no tools' if tracked is None else None,
            }
        }

    def _import(self, fields: dict[str, Any]) -> dict[str, Any]:
        near = neighbours.check(fields.get('neighbours', []))
        tracked = connections.check(fields.get('connections', []))
        return {
            'neighbours': len(near),
            'connections': len(tracked),
            'refused': 0,
            'reason': None,
        }

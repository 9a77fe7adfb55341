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


"""The phases of a failover: plan, preflight, act, wait, verify, report."""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import functools
import threading

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.failover import handover
from osc_ha_router.failover import nodes
from osc_ha_router.failover import plan as planning
from osc_ha_router.failover import promote
from osc_ha_router.failover import release
from osc_ha_router.failover import remind
from osc_ha_router.failover import result
from osc_ha_router.failover import stage
from osc_ha_router.failover import verify
from osc_ha_router.model import report

ACTS = {
    'promote': promote.act,
    'handover': handover.act,
    'release': release.act,
}

#: how long a look listens for advertisements: Neutron's default interval
#: is 2 seconds
_LISTEN = 2.5
#: seconds in which the nodes can undo what is left when time is up
_SPARE = 10.0
_POLL = 1.0
#: seconds after Neutron has rebound the ports until its agents, which look
#: every two seconds, have wired them
_WIRED = 2.5
_LOOK = 3.0


class Failover:
    """Moves the active role of one router.

    :param source: what Neutron says
    :param backend: what the nodes show, and how to talk to them
    :param tell: told the phase, and in a sentence what happens
    """

    def __init__(
        self,
        source: engine.Source,
        backend: base.Backend,
        *,
        tell: Callable[[str, str], None] = lambda phase, message: None,
    ) -> None:
        self._source = source
        self._backend = backend
        self._tell = tell
        self._cut = threading.Event()
        #: of the move under way
        self._stop = threading.Event()

    def cut_off(self) -> None:
        """End what is under way; the nodes undo what was begun there.

        For another thread than the one that is at it.
        """
        self._cut.set()
        self._stop.set()

    def plan(
        self, name: str, wish: planning.Wish, deadline: base.Deadline
    ) -> planning.Plan:
        """Look at the router, and say who takes over and how.

        :param name: name or id of the router
        :raises Refused: it must not be moved, or not like this
        :raises Error: see ``errors``
        """
        found = self._look(name, wish.ignore, deadline, _LISTEN)
        longer = planning.listening((found,), _LISTEN)
        if longer:
            found = self._look(name, wish.ignore, deadline, longer)
        return planning.make(found, wish)

    def carry_out(
        self,
        plan: planning.Plan,
        deadline: base.Deadline,
        *,
        by: str,
        wait: bool = True,
    ) -> result.Result:
        """Do what the plan says, and see what comes of it.

        :param by: who does it, told to whoever is refused meanwhile
        :param wait: whether to wait until Neutron has caught up
        :raises Refused: somebody else is at it, or the router is not any
            more what the plan was made for; nothing was changed
        """
        needed = 5 * plan.advert_int + _SPARE
        if deadline.left() < needed:
            raise errors.Refused(
                f'There are {deadline.left():.0f} s left, and a move takes '
                f'up to {needed:.0f} s.\nGive it more time with --timeout.'
            )
        self._stop = stop = threading.Event()
        if self._cut.is_set():
            raise errors.Refused('Interrupted before anything was begun.')
        scene = stage.Stage(
            plan=plan,
            hosts={},
            until=deadline,
            tell=self._tell,
            settled=threading.Event(),
            stop=stop,
        )
        with contextlib.ExitStack() as lines:
            try:
                self._open(scene, lines)
                self._begin(scene, by)
                self._act(scene)
            finally:
                # before the lines are closed: nobody may wait there then
                stop.set()
        return self._report(scene, deadline, wait)

    # -- looking -----------------------------------------------------------

    def _look(
        self,
        name: str,
        ignore: frozenset[str],
        deadline: base.Deadline,
        listen: float = 0.0,
    ) -> report.Report:
        if not deadline.left():
            raise errors.CloudError('There is no time left to look')
        machine = engine.Engine(
            self._source,
            self._backend,
            notify=functools.partial(self._tell, 'look'),
        )
        question = engine.Question(
            names=(name,),
            ignore=ignore,
            listen=listen,
            recheck=0.0,
            timeout=deadline.left(),
        )
        (found,) = machine.check(question).reports
        return found

    # -- acting ------------------------------------------------------------

    def _open(self, scene: stage.Stage, lines: contextlib.ExitStack) -> None:
        """Open a line to every node that could be looked at."""
        for host in scene.plan.hosts:
            try:
                line = lines.enter_context(
                    self._backend.converse(host, scene.until, scene.stop)
                )
            except base.Trouble as trouble:
                raise nodes.refused(trouble) from None
            scene.hosts[host] = nodes.Node(line, scene.plan.router.id)

    def _begin(self, scene: stage.Stage, by: str) -> None:
        """Take the lock everywhere, always in the same order.

        Two who want to move the same router meet on the first node, and one
        of them is refused.

        :raises Refused: and no node has anything begun
        """
        try:
            self._lock(scene, by)
        except base.Trouble as trouble:
            self._finish(scene)
            raise nodes.refused(trouble) from None
        except errors.Refused:
            self._finish(scene)
            raise

    def _lock(self, scene: stage.Stage, by: str) -> None:
        until = base.Deadline(scene.until.at + _SPARE)
        for host in sorted(scene.hosts):
            begun = scene.hosts[host].begin(by, until)
            for sentence in begun.undone:
                self._tell('preflight', f'{host}: {sentence}')
            _compare(scene.plan, host, begun)
        if scene.source.watch(base.Deadline.after(_SPARE), lambda: True):
            raise errors.Refused(
                f'{scene.plan.source} is not active any more.\n'
                'Somebody or something has moved the router since it was '
                'looked at: look again.'
            )

    def _act(self, scene: stage.Stage) -> None:
        """Act, and give everything back whatever comes of it."""
        try:
            with self._following(scene):
                ACTS[scene.plan.method](scene)
                self._remind(scene)
        except base.Trouble as trouble:
            scene.note(trouble.failure.sentences)
        if scene.took is not None and scene.took.active:
            if not scene.took.guarded:
                scene.note(
                    f'{scene.winner}: the ports of Open vSwitch could not be '
                    'watched; its agent may have cut one off for up to 2 s'
                )
        elif scene.took is not None:
            reason = scene.took.reason
            scene.note(
                _REASONS.get(reason or '')
                or f'nobody has taken over in time: {reason}'
            )
        self._finish(scene)

    def _remind(self, scene: stage.Stage) -> None:
        """Have Neutron told of it, if it has not learned by itself."""
        if scene.took is None or not scene.took.active or scene.over():
            return
        try:
            routers = self._source.again((scene.plan.router.id,))
        except errors.Error:
            # that it says nothing is found when all is done
            return
        for router in routers:
            remind.remind(scene, router)

    def _finish(self, scene: stage.Stage) -> None:
        """Give back whatever is begun; trouble with one is none for others.

        Each has its own time: one that does not answer takes none from those
        that do.
        """
        for host, node in sorted(scene.hosts.items()):
            if node.begun is None:
                continue
            try:
                for sentence in node.finish(base.Deadline.after(_SPARE)):
                    self._tell('restore', f'{host}: {sentence}')
            except base.Trouble as trouble:
                scene.note(trouble.failure.sentences)

    @contextlib.contextmanager
    def _following(self, scene: stage.Stage) -> Iterator[None]:
        """Watch, beside the acting, what Neutron learns of it."""
        over = threading.Event()
        # its question to Neutron may take long: Ctrl-C does not wait for it
        thread = threading.Thread(
            target=self._follow, args=(scene, over), daemon=True
        )
        thread.start()
        waits = True
        try:
            yield
        except KeyboardInterrupt:
            waits = False
            raise
        finally:
            over.set()
            if waits:
                thread.join()

    def _follow(self, scene: stage.Stage, over: threading.Event) -> None:
        known = False
        while not over.wait(_WIRED if known else _POLL):
            if known:
                scene.settled.set()
                return
            if not scene.arrivals:
                continue
            try:
                routers = self._source.again((scene.plan.router.id,))
            except errors.Error:
                # what it says is asked for again when all is done
                continue
            known = any(
                verify.caught_up(router, host)
                for router in routers
                for host in scene.arrivals
            )
            if known:
                self._tell('wait', 'Neutron has learned of it')

    # -- the result --------------------------------------------------------

    def _report(
        self, scene: stage.Stage, deadline: base.Deadline, wait: bool
    ) -> result.Result:
        plan = scene.plan
        after = plan.report
        verdict = verify.Verdict(
            result.Outcome.UNKNOWN, ('there was no time to look',)
        )
        self._tell('verify', 'looking at what has come of it')
        said: tuple[str, ...] = ()
        while True:
            # One look is always made: what came of it matters more than
            # the bound does.
            bound = base.Deadline.after(max(deadline.left(), _SPARE))
            try:
                after = self._look(
                    plan.router.id, _ignored(plan.report), bound
                )
                verdict = verify.judge(plan, scene.winner, after)
            except errors.Error as exc:
                verdict = verify.Verdict(result.Outcome.UNKNOWN, (str(exc),))
            if not wait and verdict.outcome == result.Outcome.LAGGING:
                verdict = dataclasses.replace(
                    verdict, outcome=result.Outcome.MOVED
                )
            if (
                verdict.outcome in _FINAL
                or not wait
                or deadline.left() < _LOOK
            ):
                break
            if verdict.reasons != said:
                said = verdict.reasons
                self._tell('wait', '; '.join(said))
            if self._cut.wait(_LOOK):
                break
        went = verify.arrived(plan, scene.winner, after)
        return result.Result(
            outcome=verdict.outcome,
            source=plan.source,
            target=went,
            method=plan.method,
            report=after,
            takeover=scene.moments.takeover,
            outage=_outage(scene),
            connections=scene.connections(went, after),
            notes=(*scene.notes, *verdict.reasons),
        )


#: what the node program says in one word
_REASONS = {
    'changed': 'keepalived.conf of the new node was rewritten meanwhile, so '
    'it was left as it is and nobody has taken over',
    'stopped': 'nobody had taken over when the time was up',
}

_FINAL = frozenset((result.Outcome.VERIFIED, result.Outcome.FAILED))


def _compare(plan: planning.Plan, host: str, begun: nodes.Begun) -> None:
    """Refuse to act on a node that is not as it was when it was judged."""
    for replica in plan.report.replicas:
        conf = replica.view.keepalived_conf if replica.view else None
        if replica.host == host and conf and conf.sha256 != begun.sha256:
            raise errors.Refused(
                f'keepalived.conf on {host} has just been rewritten.\n'
                'Neutron is changing the router: run the command again.'
            )


def _ignored(found: report.Report) -> frozenset[str]:
    return frozenset(f.code for f in found.findings if f.ignored)


def _outage(scene: stage.Stage) -> float | None:
    """Return for how long nobody can have answered, in seconds.

    The time without an address on any node, and that in which the new
    node's switch had cut a port off.
    """
    gap = scene.moments.gap
    if gap is None or scene.took is None:
        return None
    return gap + max((r.seconds for r in scene.took.revived), default=0.0)

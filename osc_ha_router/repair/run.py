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

"""The phases of a repair: look, plan, act, look again until it is well."""

from collections.abc import Callable
import functools
import time

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import course as courses
from osc_ha_router.repair import ground
from osc_ha_router.repair import plan as planning
from osc_ha_router.repair import result
from osc_ha_router.repair import stage

#: seconds between looks
_LOOK = 3.0
#: seconds that a round may need, beside what it is given
_NEEDED = 10.0


class Repair:
    """Mends one router.

    :param source: what Neutron says
    :param backend: what the nodes show, and how to talk to them
    :param changes: how Neutron is changed, when that is needed
    :param tell: told the phase, and in a sentence what happens
    """

    def __init__(
        self,
        source: engine.Source,
        backend: base.Backend,
        changes: Callable[[], ground.Changes],
        *,
        tell: Callable[[str, str], None] = lambda phase, message: None,
    ) -> None:
        self._source = source
        self._backend = backend
        self._changes = changes
        self._tell = tell
        #: hosts whose L3 agent sends heartbeats, None: not known
        self._alive: frozenset[str] | None = None

    def plan(
        self,
        name: str,
        wish: planning.Wish,
        deadline: base.Deadline,
        recheck: float,
    ) -> planning.Plan:
        """Look at the router, and say how it can be mended.

        :param name: name or id of the router
        :param recheck: look again after this time before anything is planned
            about what may be a change under way
        :raises Refused: somebody else is at it, or the wish makes no sense
        :raises Error: see ``errors``
        """
        found = self._look(name, wish, deadline, recheck)
        return planning.make(found, wish)

    def carry_out(
        self, plan: planning.Plan, deadline: base.Deadline, *, by: str
    ) -> result.Result:
        """Do what the plan says, and look until it is well or time is up.

        Nothing is done that the plan does not name: what turns out to be
        needed beyond it is told.

        :param by: who does it, told to whoever is refused meanwhile
        :raises Refused: nothing was changed
        """
        if deadline.left() < _NEEDED:
            raise errors.Refused(
                f'There are {deadline.left():.0f} s left, too little to mend '
                'anything.\nGive it more time with --timeout.'
            )
        course = courses.Course(plan)
        said = ''
        while True:
            todo = course.due()
            if todo:
                self._round(course, todo, deadline, by)
            self._verify(course, deadline)
            if course.over or deadline.left() < _LOOK:
                break
            if course.due():
                continue
            if course.awaited() != said:
                said = course.awaited()
                self._tell('wait', said)
            time.sleep(_LOOK)
        return course.outcome()

    def _round(
        self,
        course: courses.Course,
        todo: list[action.Action],
        deadline: base.Deadline,
        by: str,
    ) -> None:
        course.rounds += 1
        try:
            with stage.Stage(
                course.plan,
                self._alive,
                self._backend,
                self._changes,
                deadline,
                by,
                self._tell,
            ) as scene:
                for step in scene.run(todo):
                    course.note(step)
        except errors.Refused as refused:
            if not course.steps:
                raise
            if isinstance(refused, stage.Rewritten):
                # which may have been asked for: looked at once more
                return
            # something was done before, which must not go unsaid
            course.trouble = str(refused)
        else:
            course.notes.extend(scene.notes)

    def _verify(self, course: courses.Course, deadline: base.Deadline) -> None:
        """Look, and make up the mind anew."""
        if not course.looked:
            self._tell('verify', 'looking at what has come of it')
        # One look is always made: what came of it matters more than the
        # bound does.
        bound = base.Deadline.after(max(deadline.left(), stage.SPARE))
        try:
            found = self._look(
                course.plan.router.id, course.plan.wish, bound, 0.0
            )
            course.consider(found)
        except errors.Locked as locked:
            course.trouble = str(locked)
        except errors.Error as exc:
            course.unknown = str(exc)

    def _look(
        self,
        name: str,
        wish: planning.Wish,
        deadline: base.Deadline,
        recheck: float,
    ) -> report.Report:
        if not deadline.left():
            raise errors.CloudError('There is no time left to look')
        machine = engine.Engine(
            self._source,
            self._backend,
            notify=functools.partial(self._tell, 'look'),
        )
        answer = machine.check(
            engine.Question(
                names=(name,),
                ignore=wish.ignore,
                recheck=recheck,
                timeout=deadline.left(),
            )
        )
        alive = answer.look.claims.alive
        self._alive = None if alive is None else frozenset(alive)
        if not answer.reports:
            raise errors.RouterNotFound(
                'The router was deleted while it was looked at'
            )
        (found,) = answer.reports
        return found

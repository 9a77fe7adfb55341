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

"""How far a repair has come, and what there is still to be done."""

import time

from osc_ha_router.model import report
from osc_ha_router.repair import action
from osc_ha_router.repair import plan as planning
from osc_ha_router.repair import result

#: seconds after something was done in which what is found may pass
_SETTLE = 20.0
#: seconds after which what was done has had its time
_PATIENCE = 12.0
#: seconds after something was done before more is that only may be needed:
#: Neutron's agents hold back what they report for four
_CALM = 6.0
#: what was approved and is needed again is done again, but not for ever
_ROUNDS = 4


class Course:
    """How far a repair has come.

    :param plan: that was said yes to
    """

    def __init__(self, plan: planning.Plan) -> None:
        self._first = plan
        #: by the last look
        self.plan = plan
        self.steps: list[result.Step] = []
        self.notes: list[str] = []
        #: why it was not gone on with
        self.trouble = ''
        #: why the last look came to nothing
        self.unknown = ''
        self.looked = False
        self._tried: dict[action.Key, tuple[float, action.Action]] = {}
        self._acted = time.monotonic()
        #: how often something was done
        self.rounds = 0

    def due(self) -> list[action.Action]:
        """Return what is to be done now, and may be."""
        if self.trouble or self.rounds >= _ROUNDS:
            return []
        calm = time.monotonic() > self._acted + _CALM
        return [each for each in self._open() if calm or not self.looked]

    def _open(self) -> list[action.Action]:
        """Return what may be done yet, and was not."""
        return [
            each
            for each in self.plan.actions
            if each.op != action.Op.WAIT
            and each.key in self._first.approved
            and (
                each.key not in self._tried
                or self._tried[each.key][1].fields != each.fields
            )
        ]

    def note(self, step: result.Step) -> None:
        """Keep what came of an action."""
        self.steps.append(step)
        self._acted = time.monotonic()
        self._tried[step.action.key] = self._acted, step.action

    def consider(self, found: report.Report) -> None:
        """Plan anew, from a look.

        :raises Locked: somebody else is changing the router
        """
        self.looked = True
        self.unknown = ''
        now = time.monotonic()
        tried = {
            key: now - at > _PATIENCE for key, (at, _) in self._tried.items()
        }
        # what was to be kept may hold nothing any more, which is well
        wish = planning.Wish(ignore=self._first.wish.ignore)
        self.plan = planning.make(found, wish, tried)

    @property
    def over(self) -> bool:
        """Return whether waiting any longer is of no use."""
        if self.trouble:
            return True
        if self.unknown:
            return False
        if self.plan.healthy:
            return True
        if self._open() and self.rounds < _ROUNDS:
            return False
        if time.monotonic() < self._acted + _SETTLE and self._soft():
            return False
        return not self._waits()

    def awaited(self) -> str:
        """Return in words what is waited for."""
        if self.unknown:
            return self.unknown
        return '; '.join(
            dict.fromkeys(
                each.waits_for
                for each in self.plan.actions
                if each.op == action.Op.WAIT
            )
        ) or '; '.join(
            f'{finding.code} {finding.name}'
            for finding in planning.counted(self.plan.report)
        )

    def outcome(self) -> result.Result:
        """Return what came of it."""
        outcome = self._outcome()
        notes = dict.fromkeys((*self.notes, *self._more(outcome)))
        return result.Result(
            outcome=outcome,
            report=self.plan.report,
            steps=(*self.steps, *self._awaited()),
            refusals=self.plan.refusals,
            notes=tuple(notes),
        )

    def _awaited(self) -> list[result.Step]:
        """Return the waits of the plan, and whether they were in vain."""
        left = {
            (finding.code, finding.host)
            for finding in planning.counted(self.plan.report)
        }
        steps = []
        for each in self._first.actions:
            if each.op == action.Op.WAIT:
                vain = any((code, each.host) in left for code in each.codes)
                words = 'not yet' if vain else 'it has come about'
                steps.append(result.Step(each, words, failed=vain))
        return steps

    def _soft(self) -> bool:
        """Return whether anything that is found may pass by itself."""
        hard = {
            (each.code, each.host)
            for each in self.plan.refusals
            if not each.passing
        }
        return any(
            (finding.code, finding.host) not in hard
            for finding in planning.counted(self.plan.report)
        )

    def _waits(self) -> bool:
        """Return whether there is anything to wait for.

        Nothing comes of what failed; what would come by itself is given the
        time to settle only.
        """
        return any(
            each.op == action.Op.WAIT for each in self.plan.actions
        ) and not any(step.failed for step in self.steps)

    def _outcome(self) -> result.Outcome:
        if self.unknown:
            return result.Outcome.UNKNOWN
        left = planning.counted(self.plan.report)
        if not left:
            return result.Outcome.MENDED
        if all(f.severity == report.Severity.UNKNOWN for f in left):
            return result.Outcome.UNKNOWN
        if not any(step.changed for step in self.steps) and self.steps:
            return result.Outcome.FAILED
        if self._waits() and not self.plan.refusals and not self.due():
            return result.Outcome.WAITING
        return result.Outcome.INCOMPLETE

    def _more(self, outcome: result.Outcome) -> list[str]:
        found = [self.trouble, self.unknown]
        if outcome == result.Outcome.WAITING:
            found.append(f'Waited for: {self.awaited()}')
        new = [
            each
            for each in self.plan.actions
            if each.op != action.Op.WAIT
            and each.key not in self._first.approved
        ]
        if new and not self.plan.healthy:
            found.append(
                'More can be done, which was not in the plan: run the '
                'command again.'
            )
        return [sentence for sentence in found if sentence]

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

"""What came of a repair."""

import dataclasses
import enum

from osc_ha_router.model import report
from osc_ha_router.repair import action


class Outcome(enum.StrEnum):
    """How it ended; ``exit_code`` is what the command ends with."""

    #: a dry run
    PLANNED = 'planned'
    #: nothing was to be done
    HEALTHY = 'healthy'
    #: a look has shown that nothing is wrong any more
    MENDED = 'mended'
    #: nothing of it is for a repair to do; nothing was changed
    REFUSED = 'refused'
    #: it did not work out, and nothing was changed
    FAILED = 'failed'
    #: all was done, and Neutron or its agents have not done their part yet
    WAITING = 'not yet'
    #: what came of it is not known
    UNKNOWN = 'unknown'
    #: some of it was done, or may have been; the rest is for people
    INCOMPLETE = 'incomplete'

    @property
    def exit_code(self) -> int:
        """Return 0, 1, 3 or 4, as documented."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.PLANNED: 0,
    Outcome.HEALTHY: 0,
    Outcome.MENDED: 0,
    Outcome.REFUSED: 1,
    Outcome.FAILED: 1,
    Outcome.WAITING: 3,
    Outcome.UNKNOWN: 3,
    Outcome.INCOMPLETE: 4,
}


@dataclasses.dataclass(frozen=True)
class Step:
    """An action, and what came of it."""

    action: action.Action
    #: in words; empty: it was not begun
    words: str = ''
    #: whether anything is different now, or may be
    changed: bool = False
    failed: bool = False


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a repair."""

    outcome: Outcome
    #: after it; the one of the plan where nothing was done
    report: report.Report
    steps: tuple[Step, ...] = ()
    #: what may follow, in a plan that was not carried out
    later: tuple[action.Later, ...] = ()
    refusals: tuple[action.Refusal, ...] = ()
    #: sentences for whoever reads the result
    notes: tuple[str, ...] = ()

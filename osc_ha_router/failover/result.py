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


"""What came of a failover."""

import dataclasses
import enum

from osc_ha_router.model import report


class Outcome(enum.StrEnum):
    """How it ended; ``exit_code`` is what the command ends with."""

    #: a dry run
    PLANNED = 'planned'
    #: nothing was to be done
    ALREADY = 'already active'
    #: it moved, and all that belongs to it was seen
    VERIFIED = 'verified'
    #: it moved; the rest was not waited for
    MOVED = 'moved'
    #: it moved; Neutron or its agents have not caught up in time
    LAGGING = 'lagging'
    #: what came of it is not known
    UNKNOWN = 'unknown'
    #: it moved, but something is not as it should be
    INCOMPLETE = 'incomplete'
    #: it did not move, and nothing was changed
    FAILED = 'failed'

    @property
    def exit_code(self) -> int:
        """Return 0, 1, 3 or 4, as documented."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.PLANNED: 0,
    Outcome.ALREADY: 0,
    Outcome.VERIFIED: 0,
    Outcome.MOVED: 0,
    Outcome.LAGGING: 3,
    Outcome.UNKNOWN: 3,
    Outcome.INCOMPLETE: 4,
    Outcome.FAILED: 1,
}


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a failover. Times are in seconds."""

    outcome: Outcome
    source: str
    #: where the role is now, or was to go; None: nobody chose
    target: str | None
    method: str
    #: after the move, or before it if there was none; None: not looked at
    report: report.Report
    #: from the first step that can move the role to the new node's address
    takeover: float | None = None
    #: for how long nobody answered, as far as the nodes can tell
    outage: float | None = None
    #: what became of the tracked connections
    connections: str = ''
    #: sentences for whoever reads the result
    notes: tuple[str, ...] = ()

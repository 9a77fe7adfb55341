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

"""Gather, diagnose, report: the one way in for every front end."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
import dataclasses
import threading
import time
from typing import Protocol

from osc_ha_router import capture
from osc_ha_router import interruption
from osc_ha_router.backends import base
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.sweep import means
from osc_ha_router.sweep import run as sweeping
from osc_ha_router.sweep import substitutes


class Source(Protocol):
    """What Neutron says: ``cloud.Cloud`` or a capture of it."""

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        """Return what it says of these routers, or of all."""

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return what it says now of these, without those that are gone."""


class Service(Protocol):
    """Judges routers for callers who may not: the node agents' API."""

    def check(
        self,
        question: 'Question',
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> tuple[report.Report, ...]:
        """Return its finished reports.

        :param question: ``names`` are ids; none: every HA router that it
            judges for this caller. It finds projects and hosts by itself:
            ``project`` and ``host`` are not for it.
        :param deadline: bound for the whole answer
        :param stop: ends every wait with Trouble when it is set
        :raises Trouble: of ``backends.base``, with the reason
        """


#: a router, the hosts looked at and the codes that do not count: a verdict
Judge = Callable[
    [claim.Router, Sequence[view.HostView], Collection[str]], report.Report
]


@dataclasses.dataclass(frozen=True)
class Question:
    """What to check. Times are in seconds."""

    #: names or ids; none: every HA router that the caller sees
    names: tuple[str, ...] = ()
    project: str | None = None
    host: str | None = None
    #: codes of findings that do not count
    ignore: frozenset[str] = frozenset()
    #: listen for VRRP advertisements this long on the first look
    listen: float = 0.0
    #: look again this much later at what may be a move under way; 0: do not
    recheck: float = 10.0
    timeout: float = 120.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """The reports, and the last look that they rest on."""

    reports: tuple[report.Report, ...]
    look: capture.Capture
    #: hosts that could not be looked at, and no report says so
    unseen: tuple[view.HostView, ...] = ()
    #: whether there was no time for a verdict on some router
    unjudged: bool = False


class Engine:
    """Puts a source and a backend together.

    :param source: what Neutron says
    :param backend: what the nodes show
    :param notify: told in a sentence what takes time
    :param warn: told in a sentence what is missing in the answer; by default
        the same
    :param judge: makes the report on one router
    :param service: asked for reports on routers of which Neutron does not
        tell the caller where they are, and where Neutron cannot be reached
    :param progress: told what is done, and how much of how much; in any
        thread
    :param stop: ends the waiting, and leaves what is known by then
    """

    def __init__(
        self,
        source: Source,
        backend: base.Backend,
        *,
        notify: Callable[[str], None] = lambda message: None,
        warn: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        judge: Judge = verdict.judge,
        service: Service | None = None,
        progress: Callable[[str, int, int], None] = lambda *told: None,
        stop: interruption.Interruption | None = None,
    ) -> None:
        self._means = means.Means(
            source=source,
            backend=backend,
            notify=notify,
            warn=warn or notify,
            sleep=sleep,
            judge=judge,
            service=service,
            progress=progress,
            stop=stop or interruption.Never(),
        )

    def check(
        self,
        question: Question,
        *,
        recheck: bool = True,
        lean: bool = False,
    ) -> Answer:
        """Say what each router really is.

        :param recheck: false for what cannot change, such as a capture
        :param lean: whether the reports may do without the views that they
            rest on, which for many routers are most of the memory
        :raises Error: see ``errors``; trouble with one node is no error
        """
        work = self.sweep(question, recheck=recheck, keep=True, lean=lean)
        # those that were looked at twice are back in their places
        found = {
            item.router.id: substitutes.without_views(item) if lean else item
            for item in work.reports()
        }
        order = [r.id for r in work.claims.routers if r.id in found]
        reports = {id_: found[id_] for id_ in order} | found
        return Answer(
            tuple(reports.values()),
            capture.Capture(work.claims, work.hosts, capture.now()),
            work.unseen,
            work.unjudged,
        )

    def sweep(
        self,
        question: Question,
        *,
        recheck: bool = True,
        keep: bool = False,
        lean: bool = True,
    ) -> sweeping.Sweep:
        """Return the work that ``check`` does, report by report.

        :param keep: whether what was seen is wanted when all is done
        """
        return sweeping.Sweep(
            self._means, question, recheck=recheck, keep=keep, lean=lean
        )

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
"""The second look: what it replaces, and what it says beside the first."""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from osc_ha_router import packing
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import looked
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

#: seconds of listening that hold at least two advertisements: three
#: intervals of Neutron's default ha_vrrp_advert_int, and one to spare
LISTEN = 7.0

#: findings that only advertisements explain
_NEEDS_LISTENING = frozenset(('multiple-active',))

#: of a router; None where Neutron did not tell
_TOLD = ('agents', 'ports', 'floating_ips', 'peers')

UNKNOWN = report.Observed.UNKNOWN


@dataclasses.dataclass(frozen=True)
class First:
    """What the first look came to, of a router that is looked at again."""

    #: by Neutron; the report may call hosts something else
    said: claim.Router
    found: report.Report


def may_settle(found: report.Report) -> bool:
    """Whether what was found may be a change under way."""
    if not found.findings:
        # most of thousands; the catalogue need not be read for them
        return False
    entries = catalogue.entries()
    return any(
        entries[finding.name].settles
        for finding in found.findings
        if not finding.ignored
    )


def listening(firsts: Iterable[First], seconds: float) -> float:
    """Return how long to listen, as there may be nothing else that tells.

    :param seconds: that somebody has asked for
    """
    needed = any(
        finding.name in _NEEDS_LISTENING
        for first in firsts
        for finding in first.found.findings
    )
    return max(seconds, LISTEN) if needed else seconds


def less(
    first: First,
    now: claim.Router | None,
    later: report.Report,
    before: looked.Looked,
    after: looked.Looked,
) -> bool:
    """Whether the second look saw less of a router than the first one.

    What is missing in its report is not gone then.

    :param now: what Neutron says later; None: it has no such router
    :param later: the report
    :param before: what the first look showed
    :param after: what the second one showed
    """
    said, id_ = first.said, first.said.id
    if now is not None and any(
        getattr(now, name) is None and getattr(said, name) is not None
        for name in _TOLD
    ):
        return True
    known = {r.host for r in first.found.replicas if r.observed != UNKNOWN}
    if any(r.host in known and r.observed == UNKNOWN for r in later.replicas):
        return True
    places = {agent.host for agent in said.agents or ()}
    return any(
        before.knows(host, id_) and not after.knows(host, id_)
        for host in places.union(before.places(id_))
    )


def changes(
    first: report.Report, later: report.Report, seconds: float
) -> Iterator[report.Finding]:
    """Yield what changed from one look to the other.

    :param seconds: from the one to the other
    """
    before, after = first.active_hosts, later.active_hosts
    gone = {f.name for f in first.findings} - {f.name for f in later.findings}
    if len(before) == len(after) == 1 and before != after:
        yield catalogue.finding(
            'active-moved',
            None,
            before=before[0],
            after=after[0],
            seconds=seconds,
        )
    elif gone and not any(r.observed == UNKNOWN for r in later.replicas):
        # where nobody could look, it may still be there
        yield catalogue.finding(
            'changed-meanwhile',
            None,
            seconds=seconds,
            earlier=', '.join(sorted(gone)),
        )


def joined(
    hosts: looked.Looked, again: looked.Looked, settled: Collection[str]
) -> looked.Looked:
    """Put the second look in the place of the first one's, where it counts.

    What it did not show of such a router must not be taken from the first.

    :param settled: ids of routers of which it counts
    """
    merged = dict(hosts.by_name)
    for new in again:
        old = merged.get(new.host, view.HostView(new.host))
        # a look that failed takes nothing away from one that did not, and
        # one at some routers does not make good a failed one at all
        failed = new.failure is not None and new.host in merged
        merged[new.host] = dataclasses.replace(
            old if failed or old.failure is not None else new,
            views=packing.replaced(
                old.views, settled, packing.only(new.views, settled)
            ),
        )
    return looked.Looked(merged.values())


def named(firsts: Sequence[First]) -> str:
    """Return which routers these are, in a few words."""
    if len(firsts) != 1:
        return f'{len(firsts)} routers'
    router = firsts[0].found.router
    return f'Router {router.name or router.id}'

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
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from osc_ha_router import packing
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import looked
from osc_ha_router.model import report
from osc_ha_router.model import view

#: seconds of listening that hold at least two advertisements: three
#: intervals of Neutron's default ha_vrrp_advert_int, and one to spare
LISTEN = 7.0

#: findings that only advertisements explain
_NEEDS_LISTENING = frozenset(('multiple-active',))


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


def needs_listening(found: report.Report) -> bool:
    """Whether only listening tells more."""
    return any(f.name in _NEEDS_LISTENING for f in found.findings)


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
    elif gone:
        yield catalogue.finding(
            'changed-meanwhile',
            None,
            seconds=seconds,
            earlier=', '.join(sorted(gone)),
        )


def joined(
    hosts: Sequence[view.HostView],
    asked: Collection[str],
    again: Sequence[view.HostView],
) -> looked.Looked:
    """Put the second look in the place of the first one's.

    What the second look did not show of a router that was asked for must
    not be taken from the first.

    :param asked: ids of these
    """
    merged = {shown.host: shown for shown in hosts}
    for shown in again:
        old = merged.get(shown.host)
        if old is not None:
            views = packing.replaced(old.views, asked, shown.views)
            shown = dataclasses.replace(shown, views=views)
        merged[shown.host] = shown
    return looked.Looked(merged.values())


def named(reports: Sequence[report.Report]) -> str:
    """Return which routers these are, in a few words."""
    if len(reports) != 1:
        return f'{len(reports)} routers'
    (only,) = reports
    return f'Router {only.router.name or only.router.id}'

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

"""Failovers of this tool, under way or killed (RHA607 to RHA609)."""

from collections.abc import Iterator

from osc_ha_router.diagnosis import case
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.model import report

_NAMES = {
    'under-way': 'failover-under-way',
    'undone': 'failover-undone',
    'left': 'failover-left',
}


def errands(this: case.Case) -> Iterator[report.Finding]:
    """What a failover does on a node, or has left there."""
    for replica in this.replicas:
        errand = replica.view.errand if replica.view else None
        if errand is None:
            continue
        yield catalogue.finding(
            # of a state that is not known nothing good can be said
            _NAMES.get(errand.state, 'failover-left'),
            replica.host,
            by=errand.by or 'somebody',
            since=errand.since or 'a time not known',
            message=errand.message.rstrip('.'),
            router_id=this.router.id,
        )

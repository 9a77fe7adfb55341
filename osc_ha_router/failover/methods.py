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

"""The ways to move the active role, and which of them a router allows."""

import dataclasses

from osc_ha_router.diagnosis import evidence
from osc_ha_router.model import report

PROMOTE = 'promote'
HANDOVER = 'handover'
RELEASE = 'release'

#: the target's while it takes over; 255 is for the owner of the addresses
HIGHEST = 254


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to move the active role."""

    #: as it is typed
    name: str
    #: what is done, a sentence without a final dot
    summary: str
    #: what it costs, the same
    cost: str


_RESPAWN = (
    'redundancy is missing until Neutron starts keepalived again on the old '
    'node (check_child_processes_interval, 60 s by default)'
)

#: by name, the best one first
METHODS = {
    method.name: method
    for method in (
        Method(
            PROMOTE,
            'the target gets the highest priority and takes over while the '
            'old node still forwards',
            'no ping is lost in most runs, the outage is up to about 0.1 s; '
            'no keepalived is restarted; it takes three advertisement '
            'intervals to begin',
        ),
        Method(
            HANDOVER,
            'the target gets the highest priority, then keepalived on the '
            'old node is ended with SIGTERM and resigns',
            f'the outage is up to about 0.1 s; {_RESPAWN}',
        ),
        Method(
            RELEASE,
            'keepalived on the old node is ended with SIGTERM and resigns; '
            'nothing is changed on the others',
            f'the outage is about 0.9 s, and VRRP chooses the winner; '
            f'{_RESPAWN}',
        ),
    )
}


def impossible(method: str, source: report.Replica) -> list[str]:
    """Return why a method cannot be used, nothing if it can.

    :param source: the active replica
    """
    if method == PROMOTE:
        return _no_promotion(source)
    if source.view is None or not evidence.parents(source.view):
        return [f'no parent process of keepalived was seen on {source.host}']
    return []


def _no_promotion(source: report.Replica) -> list[str]:
    reasons = []
    conf = source.view.keepalived_conf if source.view else None
    if conf is None or conf.priority is None:
        reasons.append(f'the priority of {source.host} is not known')
    elif conf.priority >= HIGHEST:
        reasons.append(
            f'{source.host} has priority {conf.priority}, and the target '
            f'can be given {HIGHEST} at most'
        )
    if not source.keepalived:
        reasons.append(f'no live keepalived was seen on {source.host}')
    return reasons

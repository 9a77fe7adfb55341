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


"""Reports of a service, for callers who may not see what they rest on.

A tenant's Neutron does not tell where its routers are, and no Neutron tells
it while it is down. Whoever may look in its place, the node agents' API,
returns finished reports.
"""

from collections.abc import Sequence
import dataclasses
import re
import threading
from typing import TYPE_CHECKING

from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.model import claim
from osc_ha_router.model import report
from osc_ha_router.model import view

if TYPE_CHECKING:
    from osc_ha_router import engine

_UUID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


@dataclasses.dataclass(frozen=True)
class Served:
    """What a service said."""

    reports: tuple[report.Report, ...] = ()
    #: why it said nothing
    failure: view.Failure | None = None

    def beside(
        self, claims: claim.Claims, question: 'engine.Question'
    ) -> 'Served':
        """Return the same without reports on what Neutron tells all of."""
        seen = {r.id for r in claims.routers if r.agents is not None}
        projects = {r.project_id for r in claims.routers}
        return dataclasses.replace(
            self,
            reports=tuple(
                item
                for item in self.reports
                if item.router.id not in seen
                and (
                    question.project is None
                    or item.router.project_id in projects
                )
            ),
        )

    def rest(self, claims: claim.Claims) -> claim.Claims:
        """Return the claims that are still to be judged."""
        done = {item.router.id for item in self.reports}
        return dataclasses.replace(
            claims,
            routers=tuple(
                dataclasses.replace(router, service=self.failure)
                if router.agents is None
                else router
                for router in claims.routers
                if router.id not in done
            ),
        )


#: nobody waits for it any more
INTERRUPTED = Served(
    failure=view.Failure(
        'interrupted',
        'they were not waited for, as this was interrupted',
        'Run the command again.',
    )
)
LATE = Served(
    failure=view.Failure(
        'deadline',
        'they did not answer in the time that there was',
        'Try again with a longer --timeout.',
    )
)


def wanted(claims: claim.Claims, question: 'engine.Question') -> bool:
    """Return whether a service may know what Neutron did not tell."""
    if not claims.routers and not question.names:
        # a tenant is not told whether a router without ports is an HA one
        return not claims.hosts
    return any(router.agents is None for router in claims.routers)


def untold(
    claims: claim.Claims, question: 'engine.Question'
) -> tuple[str, ...]:
    """Return the ids of routers to ask a service for; none: all."""
    if not question.names:
        return ()
    return tuple(r.id for r in claims.routers if r.agents is None)


def replaceable(question: 'engine.Question') -> bool:
    """Return whether a service can answer without Neutron."""
    filtered = question.project is not None or question.host is not None
    ids = all(_UUID.fullmatch(name) for name in question.names)
    return bool(question.names) and ids and not filtered


def instead(
    question: 'engine.Question', exc: errors.CloudUnreachable
) -> tuple[str, ...]:
    """Return the ids of routers to ask a service for in Neutron's place.

    :raises CloudUnreachable: there are none, and what could be tried
    """
    if not question.names:
        raise exc
    if not replaceable(question):
        raise errors.CloudUnreachable(
            f'{exc}\nWhat the nodes show can still be told of routers that '
            'are given by ID, without --project and --host.'
        )
    return question.names


def ask(
    service: 'engine.Service',
    ids: Sequence[str],
    question: 'engine.Question',
    deadline: base.Deadline,
    stop: threading.Event,
) -> Served:
    """Return what a service says of routers.

    :param ids: of these; none: of all
    :param stop: ends the waiting when it is set
    """
    asked = dataclasses.replace(
        question, names=tuple(ids), project=None, host=None
    )
    try:
        return Served(service.check(asked, deadline, stop))
    except base.Trouble as trouble:
        return Served(failure=trouble.failure)

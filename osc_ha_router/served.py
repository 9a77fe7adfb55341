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

from collections.abc import Iterable
import dataclasses
import re
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


def wanted(claims: claim.Claims, question: 'engine.Question') -> bool:
    """Return whether a service may know what Neutron did not tell."""
    if not claims.routers and not question.names:
        # a tenant is not told whether a router without ports is an HA one
        return not claims.hosts
    return any(router.agents is None for router in claims.routers)


def ask(
    service: 'engine.Service',
    claims: claim.Claims,
    question: 'engine.Question',
    deadline: base.Deadline,
) -> Served:
    """Return the service's reports on what Neutron does not tell all of."""
    blind = tuple(r.id for r in claims.routers if r.agents is None)
    ids = blind if question.names else ()
    told = _call(service, ids, question, deadline)
    seen = {r.id for r in claims.routers if r.agents is not None}
    projects = {r.project_id for r in claims.routers}
    return dataclasses.replace(
        told,
        reports=tuple(
            item
            for item in told.reports
            if item.router.id not in seen
            and (
                question.project is None or item.router.project_id in projects
            )
        ),
    )


def replaceable(question: 'engine.Question') -> bool:
    """Return whether a service can answer without Neutron."""
    filtered = question.project is not None or question.host is not None
    ids = all(_UUID.fullmatch(name) for name in question.names)
    return bool(question.names) and ids and not filtered


def instead(
    service: 'engine.Service',
    question: 'engine.Question',
    deadline: base.Deadline,
    exc: errors.CloudUnreachable,
) -> Served:
    """Return the service's reports in the place of Neutron's answer.

    :raises CloudUnreachable: with what else was tried
    """
    names = question.names
    if not names:
        raise exc
    if not replaceable(question):
        raise errors.CloudUnreachable(
            f'{exc}\nWhat the nodes show can still be told of routers that '
            'are given by ID, without --project and --host.'
        )
    told = _call(service, names, question, deadline)
    if told.failure is not None:
        raise errors.CloudUnreachable(f'{exc}\n{told.failure.sentences}')
    return told


def _call(
    service: 'engine.Service',
    ids: Iterable[str],
    question: 'engine.Question',
    deadline: base.Deadline,
) -> Served:
    asked = dataclasses.replace(
        question, names=tuple(ids), project=None, host=None
    )
    try:
        return Served(service.check(asked, deadline))
    except base.Trouble as trouble:
        return Served(failure=trouble.failure)

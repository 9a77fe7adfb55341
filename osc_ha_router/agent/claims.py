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

"""What Neutron says, and what is left when it says nothing.

The agent is needed most when something is broken, Neutron perhaps. Then a
router is no more than its id, the nodes are those that are known from
before, and what they show is all there is.
"""

from collections.abc import Sequence
import threading
from typing import Protocol

from oslo_log import log

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.model import claim

LOG = log.getLogger(__name__)

#: routers whose names are remembered; a cloud with more has none then
_REMEMBERED = 100_000


class Neutron(engine.Source, Protocol):
    """What is asked of Neutron: all of it by ``cloud.Cloud``."""

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the projects of those of these routers that there are."""


class Claims:
    """Asks Neutron, and does without it where that is possible.

    For use by several threads at the same time.

    :param neutron: asked with the agent's own rights
    :param hosts: nodes to ask where Neutron does not name any: this one,
        and those that are configured
    """

    def __init__(self, neutron: Neutron, hosts: Sequence[str]) -> None:
        self._neutron = neutron
        self._lock = threading.Lock()
        self._hosts = frozenset(hosts)
        #: id -> what Neutron called the router when it last answered, and
        #: the project; never used to say who may see it
        self._routers: dict[str, tuple[str, str | None]] = {}

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the projects of those of these routers that there are.

        :raises CloudError: when Neutron refuses or does not answer: from
            memory nobody is given a right
        """
        return self._neutron.owners(ids)

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        """Return what Neutron says; without it, routers by their ids.

        :param names: ids; none: every HA router
        :raises RouterNotFound, NotSupported: see ``errors``
        :raises CloudError: when only Neutron could tell which routers
        """
        try:
            found = self._neutron.claims(names, project=project, host=host)
        except errors.CloudError as exc:
            LOG.warning('Neutron does not say what routers are: %s', exc)
            if project is not None or host is not None:
                raise
            with self._lock:
                ids = tuple(names) or tuple(sorted(self._routers))
                hosts = tuple(sorted(self._hosts))
            if not ids:
                raise
            return claim.Claims(self._without(ids, exc), hosts)
        self._remember(found, everything=not (names or project or host))
        return found

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return what Neutron says now; without it, routers by their ids."""
        try:
            return self._neutron.again(ids)
        except errors.CloudError as exc:
            LOG.warning('Neutron does not say what routers are now: %s', exc)
            return self._without(ids, exc)

    def _remember(self, found: claim.Claims, *, everything: bool) -> None:
        routers = {r.id: (r.name, r.project_id) for r in found.routers}
        with self._lock:
            if found.hosts:
                self._hosts |= frozenset(found.hosts)
            if everything or len(self._routers) > _REMEMBERED:
                self._routers = routers
            else:
                self._routers |= routers

    def _without(
        self, ids: Sequence[str], exc: errors.CloudError
    ) -> tuple[claim.Router, ...]:
        gap = f'anything of it, so only what nodes have is shown: {exc}'
        with self._lock:
            known = {id_: self._routers.get(id_, ('', None)) for id_ in ids}
        return tuple(
            claim.Router(
                id=id_,
                name=name,
                project_id=project,
                status=None,
                admin_state_up=None,
                distributed=None,
                gateway=None,
                agents=None,
                ports=None,
                floating_ips=None,
                gaps=(gap,),
            )
            for id_, (name, project) in known.items()
        )

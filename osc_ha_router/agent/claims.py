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

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import threading
import time
from typing import Any
from typing import Protocol

from oslo_log import log

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import web
from osc_ha_router.cloud import trouble
from osc_ha_router.model import claim
from osc_ha_router.sweep import means

LOG = log.getLogger(__name__)

#: routers whose names are remembered; a cloud with more has none then
_REMEMBERED = 100_000
#: seconds to wait for Neutron's word on which hosts there are
_PATIENCE = 5.0
#: seconds after which it is asked for that once more
_AGAIN = 5.0

#: name and project of a router
_Named = tuple[str, str | None]


class Neutron(engine.Source, Protocol):
    """What is asked of Neutron: all of it by ``cloud.Cloud``."""

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the projects of those of these routers that there are."""

    def hosts(self) -> tuple[str, ...] | None:
        """Return where there are L3 agents; None: that is not told."""

    def flow(
        self,
        *,
        project: str | None = None,
        host: str | None = None,
        tell: Callable[[int, int], None] = lambda done, total: None,
    ) -> contextlib.AbstractContextManager[Any]:
        """Yield all routers, as they come."""


class Claims:
    """Asks Neutron, and does without it where that is possible.

    For use by several threads at the same time.

    :param neutron: asked with the agent's own rights
    :param hosts: nodes that there are, whatever Neutron says: this one, and
        those that are configured
    """

    def __init__(self, neutron: Neutron, hosts: Sequence[str]) -> None:
        self._neutron = neutron
        self._configured = frozenset(hosts)
        self._lock = threading.Lock()
        #: those that Neutron named last
        self._named: frozenset[str] = frozenset()
        #: when it was asked for them alone, on the monotonic clock
        self._asked = -_AGAIN
        #: id -> what Neutron called the router when it last answered, and
        #: the project; never used to say who may see it
        self._routers: dict[str, _Named] = {}

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
            return self._remembered(names, exc)
        self._see(found.hosts, found.routers)
        self._keep(
            {r.id: (r.name, r.project_id) for r in found.routers},
            everything=not (names or project or host),
        )
        return found

    @contextlib.contextmanager
    def flow(
        self,
        *,
        project: str | None = None,
        host: str | None = None,
        tell: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[Any]:
        """Yield all routers as they come; without Neutron, those from before.

        :raises CloudError: when only Neutron could tell which routers
        """
        with contextlib.ExitStack() as stack:
            found: Any
            try:
                found = _Flow(
                    stack.enter_context(
                        self._neutron.flow(
                            project=project, host=host, tell=tell
                        )
                    ),
                    self._see,
                )
            except errors.CloudError as exc:
                LOG.warning('Neutron does not say which there are: %s', exc)
                if project is not None or host is not None:
                    raise
                found = means.Listed(self._remembered((), exc))
            yield found
        if isinstance(found, _Flow):
            self._keep(found.seen, everything=not (project or host))

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return what Neutron says now; without it, routers by their ids."""
        try:
            found = self._neutron.again(ids)
        except errors.CloudError as exc:
            LOG.warning('Neutron does not say what routers are now: %s', exc)
            return self._without(ids, exc)
        self._see(None, found)
        return found

    def knows(self, host: str) -> bool:
        """Return whether a host is one of the nodes.

        Neutron is asked once more before that is denied, if it was not just
        now.
        """
        if host not in self._hosts():
            self.learn()
        return host in self._hosts()

    def learn(self) -> None:
        """Have Neutron say which nodes there are, if it did not just now."""
        with self._lock:
            now = time.monotonic()
            if now - self._asked < _AGAIN:
                return
            self._asked = now
        try:
            with web.Guard(base.Deadline.after(_PATIENCE)).applied():
                self._see(self._neutron.hosts(), ())
        except (errors.CloudError, failures.Broken) as exc:
            LOG.warning('Neutron does not say which nodes there are: %s', exc)

    def _hosts(self) -> frozenset[str]:
        with self._lock:
            return self._configured | self._named

    def _see(
        self, hosts: Iterable[str] | None, routers: Iterable[claim.Router]
    ) -> None:
        """Remember where routers may be.

        :param hosts: all that there are; None or none: that is not told
        """
        placed = frozenset(a.host for r in routers for a in r.agents or ())
        with self._lock:
            self._named = (frozenset(hosts or ()) or self._named) | placed

    def _keep(self, routers: dict[str, _Named], *, everything: bool) -> None:
        with self._lock:
            if everything or len(self._routers) > _REMEMBERED:
                self._routers = routers
            else:
                self._routers |= routers

    def _remembered(
        self, names: Sequence[str], exc: errors.CloudError
    ) -> claim.Claims:
        """Return what there is of routers without Neutron.

        :param names: ids; none: all that are remembered
        :raises CloudError: none is
        """
        with self._lock:
            ids = tuple(names) or tuple(sorted(self._routers))
        if not ids:
            raise exc
        hosts = tuple(sorted(self._hosts()))
        return claim.Claims(self._without(ids, exc), hosts)

    def _without(
        self, ids: Sequence[str], exc: errors.CloudError
    ) -> tuple[claim.Router, ...]:
        with self._lock:
            known = {id_: self._routers.get(id_, ('', None)) for id_ in ids}
        return tuple(
            claim.untold(id_, _gap(exc), name, project)
            for id_, (name, project) in known.items()
        )


class _Flow:
    """A flow of Neutron's, of which is kept what it says.

    :param flow: as of ``cloud.flow``
    :param see: told where routers may be
    """

    def __init__(
        self,
        flow: Any,
        see: Callable[[Iterable[str] | None, Iterable[claim.Router]], None],
    ) -> None:
        self._flow = flow
        self._see = see
        #: id -> name and project of those that it has told of
        self.seen: dict[str, _Named] = {}
        see(flow.hosts, ())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flow, name)

    def router(self, id_: str, until: base.Deadline) -> claim.Router | None:
        """Return one; if nothing is told of any, by its id."""
        found: claim.Router | None
        try:
            found = self._flow.router(id_, until)
        except trouble.ERRORS as exc:
            name = self._flow.names.get(id_, '')
            found = claim.untold(id_, _gap(trouble.explain(exc)), name)
        if found is not None:
            self.seen[id_] = found.name, found.project_id
            self._see(None, [found])
        return found


def _gap(why: object) -> str:
    return f'anything of it, so only what nodes have is shown: {why}'

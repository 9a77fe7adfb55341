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

"""The cloud as the engine sees it."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import re
import threading
from typing import Any

from keystoneauth1 import session as ksa_session
from openstack import connection
from openstack import exceptions as sdk_exceptions
import requests

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import api
from osc_ha_router.cloud import bulk
from osc_ha_router.cloud import caller
from osc_ha_router.cloud import calls
from osc_ha_router.cloud import convert
from osc_ha_router.cloud import details
from osc_ha_router.cloud import flow
from osc_ha_router.cloud import trouble
from osc_ha_router.cloud import workers
from osc_ha_router.model import claim

#: of a project, as Keystone makes them
_ID = re.compile('[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')

#: API calls under way at once; a call of some 50 ms keeps one of Neutron's
#: processes busy, of which a small cloud has about as many
CONCURRENCY = 16


class Cloud:
    """One cloud's Neutron.

    :param conn: an SDK connection; used from several threads at a time
    :param concurrency: how many API calls may be under way at once
    """

    def __init__(
        self,
        conn: connection.Connection,
        *,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._conn = conn
        self._concurrency = concurrency
        #: all that ask at the same time share what may be under way, and the
        #: connections for it: several moves look at their routers at once
        self._turns = threading.BoundedSemaphore(concurrency)
        #: the bound that was set here
        self._bound: float | None = None

    def bound(self, seconds: float) -> None:
        """Let no API call take longer than this, if nobody else bounds it."""
        session = self._conn.session
        # the session lives on for the next command of an interactive shell
        if session.timeout in (None, self._bound):
            session.timeout = self._bound = seconds

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        """Ask for routers and everything that belongs to them.

        :param names: names or ids; none: every HA router the caller sees
        :param project: name or id of the project the routers must be of
        :param host: only routers with an L3 agent on this host
        :raises RouterNotFound, AmbiguousName, NotSupported: see ``errors``
        :raises CloudError: when the API refuses or does not answer
        """
        with self._api() as asked:
            project_id = self._project_id(project)
            if names:
                return calls.Round(asked).named(names, project_id, host)
            return flow.Flow(asked, project_id, host).claims()

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Ask once more for routers; those that are gone are left out.

        :raises CloudError: when the API refuses or does not answer
        """
        with self._api() as asked:
            return calls.Round(asked).again(ids)

    def owners(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Ask for no more than which project each of these routers is of.

        :param ids: of any routers, HA or not
        :return: id to project id; without those that the caller cannot see
        :raises CloudError: when the API refuses or does not answer
        """
        with self._api() as asked:
            return calls.Round(asked).owners(ids)

    def hosts(self) -> tuple[str, ...] | None:
        """Ask for no more than where there are L3 agents.

        :return: None: the caller may not know
        :raises CloudError: when the API refuses or does not answer
        """
        with self._api() as asked:
            agents = bulk.l3_agents(asked)
        return None if agents is None else convert.hosts(agents)

    @contextlib.contextmanager
    def flow(
        self,
        *,
        project: str | None = None,
        host: str | None = None,
        tell: details.Tell = lambda done, total: None,
    ) -> Iterator[flow.Flow]:
        """Ask for all routers, and have each as soon as it is known.

        The calls end with the block.

        :param project, host: as of ``claims``
        :param tell: told how many of how many calls are done, in any thread
        :raises CloudError: when the API refuses or does not answer at first
        """
        with self._api() as asked:
            who = caller.of(self._conn.session)
            yield flow.Flow(asked, self._project_id(project), host, tell, who)

    @contextlib.contextmanager
    def _api(self) -> Iterator[api.Api]:
        with trouble.told(), workers.Workers(self._concurrency) as pool:
            # found out at the first use: the API may be down until then
            network = self._conn.network
            _widen(network.session, self._concurrency)
            yield api.Api(network, pool, self._turns)

    def _project_id(self, project: str | None) -> str | None:
        if project is None:
            return None
        identity: Any = self._conn.identity
        try:
            found = identity.find_project(project, ignore_missing=False)
        except sdk_exceptions.ForbiddenException:
            # a caller who may not look projects up can still give an id; a
            # name would not match any router, without a word
            if _ID.fullmatch(project):
                return project
            raise errors.UsageError(
                'You may not look up projects by name: give the ID instead '
                f'of {text.clean(project)!r}'
            ) from None
        except sdk_exceptions.NotFoundException:
            raise errors.UsageError(
                f'No project with a name or ID of {text.clean(project)!r}'
            ) from None
        except sdk_exceptions.DuplicateResource:
            raise errors.UsageError(
                f'Several projects are named {text.clean(project)!r}: '
                'give the ID'
            ) from None
        return str(found.id)


def _widen(session: Any, connections: int) -> None:
    """Let a session keep this many connections open, where it has fewer.

    With the usual ten, each call more at the same time is a connection that
    is made, used once and thrown away.
    """
    http = session.session
    if not isinstance(http, requests.Session):
        return
    for scheme, adapter in list(http.adapters.items()):
        # no other class: somebody has put that there with a reason
        if type(adapter) is ksa_session.TCPKeepAliveAdapter:
            if adapter._pool_maxsize < connections:
                http.mount(
                    scheme,
                    ksa_session.TCPKeepAliveAdapter(pool_maxsize=connections),
                )

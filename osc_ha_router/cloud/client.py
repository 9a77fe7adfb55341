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
from concurrent import futures
import contextlib
from typing import Any

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import connection
from openstack import exceptions as sdk_exceptions

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.cloud import calls
from osc_ha_router.model import claim


class Cloud:
    """One cloud's Neutron.

    :param conn: an SDK connection; used from several threads at a time
    :param concurrency: how many API calls may be under way at once
    """

    def __init__(
        self,
        conn: connection.Connection,
        *,
        concurrency: int = 8,
    ) -> None:
        self._conn = conn
        self._network = conn.network
        self._concurrency = concurrency

    def bound(self, seconds: float) -> None:
        """Let no API call take longer than this, if nobody else bounds it."""
        if self._conn.session.timeout is None:
            self._conn.session.timeout = seconds

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
        with self._round() as round_:
            return round_.run(
                names, self._project_id(project) if project else None, host
            )

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Ask once more for routers; those that are gone are left out.

        :raises CloudError: when the API refuses or does not answer
        """
        with self._round() as round_:
            return round_.again(ids)

    @contextlib.contextmanager
    def _round(self) -> Iterator[calls.Round]:
        try:
            with futures.ThreadPoolExecutor(self._concurrency) as pool:
                yield calls.Round(self._network, pool)
        except (
            sdk_exceptions.SDKException,
            ksa_exceptions.ClientException,
        ) as exc:
            raise errors.CloudError(_explain(exc)) from None

    def _project_id(self, project: str) -> str:
        identity: Any = self._conn.identity
        try:
            found = identity.find_project(project, ignore_missing=False)
        except sdk_exceptions.ForbiddenException:
            # a caller who may not look projects up can still give an id
            return project
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


def _explain(exc: Exception) -> str:
    message = text.one_line(str(exc), 400)
    if isinstance(exc, sdk_exceptions.ForbiddenException):
        return f'Neutron refuses this to you: {message}'
    if isinstance(exc, ksa_exceptions.ConnectFailure):
        return f'The API cannot be reached: {message}'
    if isinstance(exc, ksa_exceptions.ConnectTimeout):
        return f'The API did not answer in time: {message}'
    return f'The API call failed: {message}'

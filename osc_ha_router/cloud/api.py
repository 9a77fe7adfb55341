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
"""Neutron's API: plain GETs, several at a time.

The SDK finds the endpoint, signs on and gets tokens. Its objects for what is
listed are left out: they cost 0.8 ms for each port, and a sweep asks for tens
of thousands.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
import json
import threading
from typing import Any
from typing import TypeVar
from urllib import parse

from openstack import exceptions as sdk_exceptions

from osc_ha_router.cloud import gaps
from osc_ha_router.cloud import workers

T = TypeVar('T')

Json = dict[str, Any]
#: of a query; with several values any of them will do
Value = str | Sequence[str]

#: ids in one query, so that the URL stays below common 8 KiB limits
_IDS_A_QUERY = 150


class Api:
    """One cloud's Neutron.

    :param network: the SDK's proxy of it
    :param pool: the threads for calls at the same time
    :param turns: what a call takes for as long as it lasts
    """

    def __init__(
        self,
        network: Any,
        pool: workers.Workers,
        turns: threading.BoundedSemaphore,
    ) -> None:
        self._network = network
        self._pool = pool
        self._turns = turns

    def submit(
        self, call: Callable[..., T], *args: Any
    ) -> 'futures.Future[T]':
        """Have something called in one of the threads."""
        return self._pool.submit(call, *args)

    def list(
        self,
        path: str,
        key: str,
        fields: Sequence[str] = (),
        **query: Value,
    ) -> list[Json]:
        """Return what is listed, whatever the number of pages.

        :param path: below the endpoint, ``/routers``
        :param key: of the list in the answer
        :param fields: what is wanted of each; none: everything
        :raises SDKException: the API refuses, or answers with nonsense
        """
        params = [('fields', field) for field in fields]
        for name, value in query.items():
            values = [value] if isinstance(value, str) else value
            params += [(name, each) for each in values]
        found: list[Json] = []
        wanted: Sequence[tuple[str, str]] | None = params
        while wanted is not None:
            body = self._get(path, wanted)
            page = body.get(key)
            if not isinstance(page, list):
                raise sdk_exceptions.SDKException(f'GET {path}: no {key}')
            found += page
            # a page without anything cannot be followed by one with more
            wanted = _next(body, key) if page else None
        return found

    def in_parts(
        self,
        call: 'Callable[[Api, Sequence[str]], T]',
        ids: Sequence[str],
    ) -> Sequence['tuple[Sequence[str], futures.Future[T | gaps.Gap]]']:
        """Ask about ids, in parts of a size that a URL takes.

        :param call: asks about some; begun at once for all parts
        :return: each part, and what will come of it
        """
        return tuple(
            (some, self.submit(gaps.kept, call, self, some))
            for some in split(ids)
        )

    def _get(self, path: str, params: Iterable[tuple[str, str]]) -> Json:
        with self._turns:
            response = self._network.get(path, params=list(params))
        sdk_exceptions.raise_from_response(response)
        try:
            body = json.loads(response.content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise sdk_exceptions.SDKException(
                f"GET {path}: the answer is not Neutron's"
            )
        return body


def split(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the ids in parts of a size that a URL takes."""
    for start in range(0, len(ids), _IDS_A_QUERY):
        yield ids[start : start + _IDS_A_QUERY]


def _next(body: Json, key: str) -> list[tuple[str, str]] | None:
    """Return the query of the next page, None after the last.

    Host and scheme of the link may be those that a proxy hides.
    """
    for link in body.get(f'{key}_links') or ():
        if link.get('rel') == 'next':
            return parse.parse_qsl(parse.urlsplit(link['href']).query)
    return None

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

"""The agent backend: one request to one node agent, which asks the others."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import functools
import threading
from typing import TYPE_CHECKING
from urllib import parse

from keystoneauth1 import adapter

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.backends import base
from osc_ha_router.backends import remote
from osc_ha_router.model import report
from osc_ha_router.model import view

if TYPE_CHECKING:
    from osc_ha_router import engine

#: of the node agents in Keystone's catalogue
SERVICE_TYPE = 'router-ha'


class AgentBackend(base.Backend):
    """Looks at hosts, and talks to them, through the node agents' API.

    Which agent is asked: the one of the setting ``agent_endpoint``, or of
    ``router_ha_endpoint_override`` in the cloud's entry, or the endpoint of
    the service ``router-ha`` in the catalogue, for the region and the
    interface that the cloud's entry names. Whom to trust (``cacert``,
    ``verify``) and who asks are the cloud's as well.
    """

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        """Look at several hosts at once, as ``base.Backend`` describes."""
        if requests:
            yield from self._remote.looks(
                requests, deadline, self.settings.probe_timeout
            )

    @contextlib.contextmanager
    def converse(
        self, host: str, deadline: base.Deadline, stop: threading.Event
    ) -> Iterator[base.Conversation]:
        """Open a line to one host, as ``base.Backend`` describes."""
        bound = min(self.settings.probe_timeout, deadline.left())
        with self._remote.converse(
            host, base.Deadline.after(bound), stop
        ) as line:
            yield line

    def check(
        self,
        question: 'engine.Question',
        deadline: base.Deadline,
        stop: threading.Event | None = None,
    ) -> tuple[report.Report, ...]:
        """Return finished reports, as ``engine.Service`` describes.

        :raises Trouble: with the reason
        """
        return self._remote.check(
            question, deadline, self.settings.probe_timeout, stop
        )

    @functools.cached_property
    def _remote(self) -> remote.Remote:
        conn = self.connect()
        config = conn.config
        return remote.Remote(
            adapter.Adapter(
                session=conn.session,
                service_type=config.get_service_type(SERVICE_TYPE),
                service_name=config.get_service_name(SERVICE_TYPE),
                interface=config.get_interface(SERVICE_TYPE),
                region_name=config.get_region_name(SERVICE_TYPE),
                endpoint_override=self._endpoint()
                or config.get_endpoint(SERVICE_TYPE),
            )
        )

    def _endpoint(self) -> str:
        given = self.settings.agent_endpoint
        url = parse.urlsplit(given)
        if given and not (url.scheme in ('http', 'https') and url.hostname):
            raise errors.ConfigError(
                f'agent_endpoint {text.clean(given)!r} is not a URL such as '
                'https://net1.example.org:6689'
            )
        return given

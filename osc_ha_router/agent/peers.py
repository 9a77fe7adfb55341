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

"""The agents of the other nodes, by name of the node.

There are two ways to ask them. What the agent does for itself, or for
callers whose rights it has judged, it asks for with its own token. What it
only relays it asks for with the caller's: the other agent judges that once
more, knows whose a conversation is, and no agent can do more for a caller
than the caller may.
"""

from collections.abc import Callable
import dataclasses
import threading
import time
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import exceptions
from keystoneauth1 import plugin
from keystoneauth1 import session as ksa_session
from oslo_context import context
from oslo_log import log

from osc_ha_router.backends import base
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.backends import remote
from osc_ha_router.backends import web

LOG = log.getLogger(__name__)

#: connections to one agent that are kept for the next requests
_POOL = 4
#: agents to which connections are kept
_HOSTS = 256
#: seconds after which Keystone is asked again that gave no token
_FRESH = 2.0
#: seconds to wait for a token that can be done without
_SOON = 2.0
#: seconds after which a Keystone that has said nothing is taken for silent
_ENOUGH = 1.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to reach the agents of other nodes."""

    #: URL with {host} and {short}
    endpoint: str = 'https://{host}:6689'
    #: file with the CAs of their certificates; None: those of the system
    cafile: str | None = None


class Peers:
    """Leads to the agents of other nodes; for use by several threads.

    :param settings: how to reach them
    :param own: signs on to Keystone as the agent itself
    :param knows: says which hosts are nodes; to others no token is shown
    """

    def __init__(
        self,
        settings: Settings,
        own: ksa_session.Session,
        knows: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._own = Own(own)
        self._knows = knows
        # Keystone's certificate may be of another CA than the agents'
        self._session = web.session(
            _POOL, _HOSTS, verify=settings.cafile or True
        )

    def remote(
        self, host: str, who: context.RequestContext | None = None
    ) -> remote.Remote:
        """Return a node's agent, to be asked with this agent's own token.

        :param host: as Neutron knows it
        :param who: on whose behalf, whose request id goes along
        :raises Broken: ``agent-unresolved``: it is no name of a host;
            ``agent-stranger``: it is no node
        """
        return remote.Remote(self._to(host, self._own, who), direct=True)

    def relay(self, host: str, who: context.RequestContext) -> adapter.Adapter:
        """Return the way to a node's agent, with the caller's token.

        :raises Broken: as of ``remote``
        """
        auth = Callers(str(who.auth_token), self._own.get_token_if_any)
        return self._to(host, auth, who)

    def _to(
        self,
        host: str,
        auth: plugin.BaseAuthPlugin,
        who: context.RequestContext | None,
    ) -> adapter.Adapter:
        url = self.url(host)
        if not self._knows(host):
            raise failures.Broken(
                'agent-stranger',
                'neither Neutron nor the configuration names it',
            )
        return adapter.Adapter(
            session=self._session,
            auth=auth,
            endpoint_override=url,
            global_request_id=who.global_id if who is not None else None,
        )

    def url(self, host: str) -> str:
        """Return where the agent of a node answers.

        :raises Broken: ``agent-unresolved``: it is no name of a host
        """
        try:
            # Neutron's word is checked before it gets into an address
            name = command.destination('{host}', host)
        except failures.Broken as broken:
            raise failures.Broken('agent-unresolved', broken.detail) from None
        short = name.partition('.')[0]
        return self._settings.endpoint.format(host=name, short=short)


class Own(plugin.BaseAuthPlugin):
    """The agent's own token, got in a session of its own.

    :param session: knows Keystone, its CA, and the agent's credentials
    """

    def __init__(self, session: ksa_session.Session) -> None:
        super().__init__()
        self._signed_on = session
        self._lock = threading.Lock()
        #: what went wrong last, and when, on the monotonic clock
        self._failed: tuple[Exception, float] | None = None

    def get_token(self, session: Any) -> str | None:
        """Return it.

        While one asks a Keystone that does not answer, others wait for the
        outcome instead of asking after each other, each for its own time.

        :raises Broken: what this thread's guard says while it waits
        """
        with web.held(self._lock):
            if self._failed is not None:
                failure, at = self._failed
                if time.monotonic() - at < _FRESH:
                    raise failure.with_traceback(None)
            began = time.monotonic()
            try:
                token: str | None = self._signed_on.get_token()
            except exceptions.ClientException as exc:
                self._failed = exc, time.monotonic()
                raise
            except failures.Broken:
                # whoever had no time left has learned nothing of Keystone
                if time.monotonic() - began >= _ENOUGH:
                    silence = exceptions.ConnectTimeout(
                        'Keystone did not answer in time'
                    )
                    self._failed = silence, time.monotonic()
                raise
            self._failed = None
            return token

    def get_token_if_any(self) -> str | None:
        """Return it, None where Keystone does not give one soon."""
        try:
            with web.Guard(base.Deadline.after(_SOON)).applied():
                return self.get_token(None)
        except (exceptions.ClientException, failures.Broken) as exc:
            LOG.warning('Keystone gives this agent no token: %s', exc)
            return None

    def invalidate(self) -> bool:
        """Forget it; say whether there may be another one."""
        return bool(self._signed_on.invalidate())


class Callers(plugin.BaseAuthPlugin):
    """The token of a caller.

    Beside it goes the agent's own, by which Keystone's middleware takes the
    caller's even if it expires in the middle of a failover.

    :param token: of the caller
    :param own: gives that of the agent, if there is one
    """

    def __init__(self, token: str, own: Callable[[], str | None]) -> None:
        super().__init__()
        self._token = token
        self._own = own

    def get_token(self, session: Any) -> str:
        """Return it."""
        return self._token

    def get_headers(self, session: Any) -> dict[str, str]:
        """Return what goes with each request."""
        headers = {'X-Auth-Token': self._token}
        own = self._own()
        if own is not None:
            headers['X-Service-Token'] = own
        return headers

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


"""The SSH backend: the system's ssh, once for each host."""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import threading

from osc_ha_router.backends import archive
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.backends import fanout
from osc_ha_router.backends import line
from osc_ha_router.backends import login
from osc_ha_router.backends import look as looking
from osc_ha_router.model import view


class SshBackend(base.Backend):
    """Looks at hosts with the OpenSSH client and the user's own setup."""

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        """Look at several hosts at once, as ``base.Backend`` describes."""

        def look(
            request: base.Request, stop: threading.Event
        ) -> view.HostView:
            return self._look(request, deadline, stop)

        if requests and not self.settings.node_program:
            # once, before all threads find that it is still to be done
            archive.build()
        yield from fanout.run(look, requests, self.settings.concurrency)

    @contextlib.contextmanager
    def converse(
        self, host: str, deadline: base.Deadline, stop: threading.Event
    ) -> Iterator[base.Conversation]:
        """Open a line to one host, as ``base.Backend`` describes."""
        bound = min(self.settings.probe_timeout, deadline.left())
        with line.opened(
            host,
            lambda: self._reach(host, bound, stop),
            base.Deadline.after(bound),
            lambda kind, detail: self._describe(host, kind, detail),
        ) as found:
            yield found

    def _look(
        self,
        request: base.Request,
        deadline: base.Deadline,
        stop: threading.Event,
    ) -> view.HostView:
        timeout = self.settings.probe_timeout
        return looking.look(
            request,
            looking.Bound.begin(timeout + request.listen, deadline),
            lambda: self._reach(request.host, timeout, stop),
            lambda kind, detail: self._describe(request.host, kind, detail),
        )

    def _reach(
        self, host: str, seconds: float, stop: threading.Event
    ) -> channel.Channel:
        to = command.build(self.settings, host, seconds)
        return channel.Channel(login.Login(to), stop)

    def _describe(self, host: str, kind: str, detail: str) -> view.Failure:
        return failures.describe(
            kind, command.place(self.settings, host), detail
        )

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


"""Who judges for callers who may not see where routers are."""

from collections.abc import Callable
import threading
from typing import TYPE_CHECKING

from osc_ha_router import config
from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router.backends import base as backends
from osc_ha_router.model import report

if TYPE_CHECKING:
    # brings openstacksdk, which a capture does not need
    from openstack import connection


class Agents:
    """The node agents' API, brought in when it is first needed."""

    def __init__(
        self,
        settings: config.Settings,
        connect: Callable[[], 'connection.Connection'],
    ) -> None:
        self._settings = settings
        self._connect = connect

    def check(
        self,
        question: engine.Question,
        deadline: backends.Deadline,
        stop: threading.Event,
    ) -> tuple[report.Report, ...]:
        """Return finished reports, as ``engine.Service`` describes."""
        from osc_ha_router.backends import agent

        service = agent.AgentBackend(self._settings, self._connect)
        return service.check(question, deadline, stop)


class Unsaved:
    """Stands for that API where what was seen is to be saved."""

    def check(
        self,
        question: engine.Question,
        deadline: backends.Deadline,
        stop: threading.Event,
    ) -> tuple[report.Report, ...]:
        """Refuse: a report of it is nothing that could be judged again.

        The names that it has for nodes are other ones for each router, and
        what the nodes have of others' routers is not in it.
        """
        raise errors.CaptureError(
            'There is nothing to save: Neutron does not tell you where the '
            'routers are, and the node agents give reports, not what they '
            'rest on. Leave --save out, and keep the reports with -f json.'
        )

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

"""Keystone and Neutron by plain HTTP, over sockets that live in `ctl`."""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.lab.errors import LabError
from tests.lab.layout import CONTROL
from tests.lab.layout import CONTROL_ADDRESS
from tests.lab.layout import KEYSTONE_PORT
from tests.lab.layout import Layout
from tests.lab.layout import NEUTRON_PORT
from tests.lab.layout import PASSWORD
from tests.lab.sockets import connect


class ApiError(LabError):
    """An HTTP status of 400 or more."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


#: the token of each cloud, user and project that this program has used last
_tokens: dict[tuple[str, str, str], str] = {}


class Api:
    """Keystone and Neutron as one user in one project."""

    def __init__(
        self, layout: Layout, user: str = "admin", project: str = "admin"
    ) -> None:
        self._layout = layout
        self._user = user
        self._project = project
        self._identity = (str(layout.state), user, project)

    def keystone(self, method: str, path: str, body: object = None) -> Any:
        """One request to Keystone below /v3; returns the decoded answer."""
        return self._request(KEYSTONE_PORT, method, f"/v3{path}", body)

    def neutron(self, method: str, path: str, body: object = None) -> Any:
        """One request to Neutron below /v2.0; returns the decoded answer."""
        return self._request(NEUTRON_PORT, method, f"/v2.0{path}", body)

    def create(self, kind: str, **attributes: object) -> dict[str, Any]:
        """Create one thing in Neutron, such as create('router', name='r1')."""
        answer: dict[str, dict[str, Any]] = self.neutron(
            "POST", f"/{kind}s", {kind: attributes}
        )
        return answer[kind]

    def agents(self) -> list[dict[str, Any]]:
        """All agents as Neutron sees them."""
        found: list[dict[str, Any]] = self.neutron("GET", "/agents")["agents"]
        return found

    def hosting(self, router_id: str) -> list[dict[str, Any]]:
        """The L3 agents that host a router, each with its `ha_state`.

        Not a mere look: Neutron corrects the state of a dead agent when it is
        asked.
        """
        found: list[dict[str, Any]] = self.neutron(
            "GET", f"/routers/{router_id}/l3-agents"
        )["agents"]
        return found

    def token(self, scoped: bool = True) -> str:
        """A fresh token, for the project or for nothing."""
        return self._login(scoped)

    def _login(self, scoped: bool = True) -> str:
        domain = {"id": "default"}
        identity = {
            "methods": ["password"],
            "password": {
                "user": {
                    "name": self._user,
                    "password": PASSWORD,
                    "domain": domain,
                }
            },
        }
        project = {"project": {"name": self._project, "domain": domain}}
        scope = project if scoped else "unscoped"
        _body, headers = self._send(
            KEYSTONE_PORT,
            "POST",
            "/v3/auth/tokens",
            {"auth": {"identity": identity, "scope": scope}},
            {},
        )
        return headers["X-Subject-Token"]

    def _request(self, port: int, method: str, path: str, body: object) -> Any:
        token = _tokens.get(self._identity)
        if token is not None:
            try:
                headers = {"X-Auth-Token": token}
                return self._send(port, method, path, body, headers)[0]
            except ApiError as error:
                # The token may be of an earlier life of the lab.
                if error.status != 401:
                    raise
        token = _tokens[self._identity] = self._login()
        headers = {"X-Auth-Token": token}
        return self._send(port, method, path, body, headers)[0]

    def _send(
        self,
        port: int,
        method: str,
        path: str,
        body: object,
        headers: dict[str, str],
    ) -> tuple[Any, http.client.HTTPMessage]:
        link = http.client.HTTPConnection(CONTROL_ADDRESS, port)
        try:
            link.sock = connect(
                self._layout.namespace_path(CONTROL), CONTROL_ADDRESS, port, 60
            )
            data = None if body is None else json.dumps(body)
            link.request(
                method,
                path,
                data,
                {"Content-Type": "application/json", **headers},
            )
            answer = link.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"{method} {path}: {error}") from error
        finally:
            link.close()
        if answer.status >= 400:
            raise ApiError(
                answer.status, f"{method} {path}: {answer.status} {text[:500]}"
            )
        return (json.loads(text) if text else None), answer.headers

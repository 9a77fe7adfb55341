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

"""Requests to a node agent, as they are: nothing is tried again or hidden."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
import http.client
import json
from pathlib import Path
import ssl
from typing import Any

from tests.lab.layout import CONTROL
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.layout import Layout
from tests.lab.layout import NODES
from tests.lab.sockets import connect


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    #: names in lower case
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded; ValueError when it is not JSON."""
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        """The JSON of each line; None for an empty one, a sign of life."""
        return [
            json.loads(line) if line else None
            for line in self.body.splitlines()
        ]


def context(layout: Layout, ca: Path | None = None) -> ssl.SSLContext:
    """What checks an agent's certificate, by another CA than its own too."""
    return ssl.create_default_context(cafile=ca or layout.ca)


def dial(
    layout: Layout,
    node: str,
    timeout: float = 60,
    tls: ssl.SSLContext | None = None,
) -> ssl.SSLSocket:
    """A TLS connection from `ctl` to a node's agent; OSError when not."""
    address = NODES[node]
    plain = connect(
        layout.namespace_path(CONTROL), address, HA_AGENT_PORT, timeout
    )
    try:
        chosen = tls or context(layout)
        return chosen.wrap_socket(plain, server_hostname=address)
    except BaseException:
        plain.close()
        raise


def ask(
    layout: Layout,
    node: str,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    timeout: float = 60,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request to a node's agent and read all of the answer.

    `body` is sent as JSON, and bytes as they are. OSError, or
    http.client.HTTPException, when there is no answer.
    """
    sent = dict(headers or {})
    if token is not None:
        sent["X-Auth-Token"] = token
    data = body if isinstance(body, bytes) else None
    if body is not None and data is None:
        data = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    link = http.client.HTTPConnection(NODES[node], HA_AGENT_PORT)
    link.sock = dial(layout, node, timeout, tls)
    try:
        link.request(method, path, data, sent)
        answer = link.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    finally:
        link.close()

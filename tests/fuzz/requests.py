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

"""What the node program is asked: every request gets its answer.

Nothing here reaches the host: routers are nowhere, and what an operation
wants to know of its errand is refused, after its fields were checked. Lines
that hold connections or neighbours go past the errand.
"""

import io
import json
from typing import Any
from typing import NoReturn
from unittest import mock

from osc_ha_router.node import connections
from osc_ha_router.node import crew
from osc_ha_router.node import ctnetlink
from osc_ha_router.node import errand
from osc_ha_router.node import errors
from osc_ha_router.node import look
from osc_ha_router.node import namespaces
from osc_ha_router.node import neighbours
from osc_ha_router.node import protocol
from osc_ha_router.node import serve
from osc_ha_router.node import view

_KINDS = {
    value
    for name, value in vars(errors).items()
    if name.isupper() and isinstance(value, str)
}
#: a mistake in the program, which is what is looked for
_KINDS.remove(errors.INTERNAL)

for _operation in serve.OPERATIONS.values():
    if isinstance(_operation, serve.Later):
        # now, while the fuzzer sees what is imported
        _operation.load()


class _Nowhere:
    """An errand of which nothing can be had."""

    def __getattr__(self, name: str) -> NoReturn:
        raise errors.ProgramError(errors.ABSENT, 'it is not here')


class _Errands:
    """Errands that have begun, whatever their router."""

    def begin(self, *args: Any) -> NoReturn:
        """Refuse it: it is nowhere."""
        raise errors.ProgramError(errors.ABSENT, 'it is not here')

    def of(self, router_id: str) -> _Nowhere:
        """Return one of which nothing can be had."""
        assert protocol.is_uuid(router_id)
        return _Nowhere()

    held = of

    def end(self, router_id: str) -> list[str]:
        """Undo nothing."""
        assert protocol.is_uuid(router_id)
        return []

    def close(self) -> None:
        """Undo nothing."""


def check(data: bytes) -> None:
    """Ask it all, and read each answer."""
    out = io.BytesIO()
    with (
        mock.patch.object(errand, 'Errands', _Errands),
        mock.patch.object(namespaces, 'Traveller', mock.MagicMock()),
        mock.patch.object(look, 'spaces', dict),
        mock.patch.object(look, 'Look', mock.MagicMock()),
        mock.patch.object(crew, 'send_views', lambda *args: {}),
        mock.patch.object(view, 'residents', lambda *args: []),
        # what was left of a router
        mock.patch('osc_ha_router.node.probe._recover', lambda *args: {}),
        mock.patch('osc_ha_router.node.listen.listen', lambda *args: {}),
    ):
        serve.serve(io.BytesIO(data), out)
    lines = out.getvalue().splitlines()
    asked = data.split(b'\n')
    assert len(lines) == 1 + len(asked) - (not asked[-1]), lines
    for line in lines[1:]:
        assert line.isascii()
        reply = json.loads(line)
        assert set(reply) in ({'id', 'end'}, {'id', 'error'}), reply
        if 'error' in reply:
            assert reply['error']['kind'] in _KINDS, reply
    for line in asked:
        _carry(line)


def _carry(line: bytes) -> None:
    """Take what a request brings from another node."""
    try:
        fields = protocol.decode(line)
        found = connections.check(fields.get('connections', []))
        neighbours.check(fields.get('neighbours', []))
    except errors.BadRequest as error:
        assert error.message
        return
    for each in found:
        entry = json.loads(json.dumps(connections.entry(each)))
        assert connections.check([entry]) == [each]
        ctnetlink.encode(each)

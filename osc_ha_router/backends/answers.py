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

"""What the node agents' API has answered: read, checked, or refused.

All of it is from outside. What is not as it should be is
``failures.Broken`` with a kind of ``faults``.
"""

from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterable
import contextlib
from typing import Any
from typing import TypeVar

import msgspec

from osc_ha_router import codec
from osc_ha_router import packing
from osc_ha_router.backends import base
from osc_ha_router.backends import failures
from osc_ha_router.backends import faults
from osc_ha_router.model import view

L = TypeVar('L')

#: what an agent that relays may say of another one
_AGENTS = frozenset(kind for kind in faults.KINDS if kind.startswith('agent-'))


class Row(msgspec.Struct):
    """A line of an answer about hosts, whose view is read later."""

    view: msgspec.Raw = msgspec.Raw(b'null')
    end: Any = None
    error: Any = None

    @property
    def last(self) -> bool:
        """Return whether no other line comes after this one."""
        return self.end is not None or self.error is not None


_ROW = msgspec.json.Decoder(Row)


def row(text: bytes) -> Row | None:
    """Read such a line.

    :param text: the line; empty: a sign of life
    :return: None for a sign of life
    :raises Broken: garbled
    """
    if not text:
        return None
    try:
        return _ROW.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # msgspec's own errors are values' errors from 0.21 on only
        shown = text[:1024].decode('utf-8', 'backslashreplace')
        raise failures.Broken('agent-garbled', shown) from None


def last(line: dict[str, Any] | None) -> bool:
    """Return whether a reply of the node program is its last."""
    return line is not None and ('end' in line or 'error' in line)


def up_to(
    lines: Iterable[L],
    is_last: Callable[[L], bool],
    source: Generator[Any],
) -> Generator[L]:
    """Yield the lines up to that which says that it is the last.

    :param lines: made of those of ``source``
    :param source: closed at the end
    :raises Broken: there is no such line
    """
    with contextlib.closing(source):
        for line in lines:
            if is_last(line):
                with contextlib.suppress(failures.Broken):
                    # the end of the answer, after which the connection is
                    # free for the next one
                    next(source, None)
                yield line
                return
            yield line
    raise failures.Broken('agent-truncated')


def decoded(kind: type[codec.T], data: Any) -> codec.T:
    """Return what has been answered as a dataclass.

    :raises Broken: garbled
    """
    try:
        return codec.decode(kind, data)
    except codec.DecodeError as exc:
        raise failures.Broken('agent-garbled', str(exc)) from None


def host(data: bytes, requests: dict[str, base.Request]) -> view.HostView:
    """Return the view of a host.

    :param data: its JSON
    :param requests: what was asked about which host
    :raises Broken: garbled, or not what was asked for
    """
    try:
        shown = packing.host(data)
    except codec.DecodeError as exc:
        raise failures.Broken('agent-garbled', str(exc)) from None
    request = requests.get(shown.host)  # nosec B113
    if request is None:
        raise failures.Broken(
            'agent-garbled', f'{shown.host}, which nobody asked about'
        )
    found = packing.ids(shown.views)
    if len(found) != len(set(found)):
        raise failures.Broken('agent-garbled', 'the same router twice')
    if request.routers is not None and not {*found} <= {*request.routers}:
        raise failures.Broken('agent-garbled', 'a router nobody asked about')
    return shown


def agent_error(error: Any) -> failures.Broken:
    """Return what an agent says went wrong in the middle of an answer."""
    message = error.get('message') if isinstance(error, dict) else error
    return failures.Broken('agent-error', str(message))


def node_error(error: Any) -> failures.Broken:
    """Return what the node program, or the agent, says of itself."""
    if not isinstance(error, dict):
        return failures.Broken('agent-garbled', str(error))
    kind, message = str(error.get('kind')), str(error.get('message'))
    if kind in failures.REFUSALS:
        return failures.Broken('node-refusal', message, refusal=kind)
    if kind == 'unknown-op':
        return failures.Broken('version', message)
    if kind == 'no-rights' or kind in _AGENTS:
        return failures.Broken(kind, message)
    if kind in failures.KINDS or kind == 'keeper-gone':
        # of the agent's way to the program, which has come to its end
        return failures.Broken('agent-lost', message)
    return failures.Broken('node-error', f'{kind}: {message}')

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

"""What a host says over a channel, up to the view that is made of it.

Whatever it is, the look ends with a view of the host, safe to print, with
what was whole before the trouble, and a failure of a known kind.
"""

import os
import threading
from typing import Any

from osc_ha_router import codec
from osc_ha_router import config
from osc_ha_router import packing
from osc_ha_router import text
from osc_ha_router.backends import base
from osc_ha_router.backends import channel
from osc_ha_router.backends import command
from osc_ha_router.backends import failures
from osc_ha_router.backends import line
from osc_ha_router.backends import look
from osc_ha_router.backends import wire
from osc_ha_router.model import view

ROUTER = '7439ff46-8435-4052-a174-4ebc5a67337e'
#: seconds; nothing is waited for here
_BOUND = 5.0
_PLACE = command.place(config.Settings(), 'net1')


class Recording(wire.Wire):
    """What was said, over pipes that end with it."""

    def __init__(self, data: bytes, line_limit: int) -> None:
        super().__init__(line_limit)
        out, back = os.pipe()
        ignored, stdin = os.pipe()
        self._ignored = ignored
        # no more than a pipe holds, and then its end
        os.write(back, data)
        os.close(back)
        self._attach(os.fdopen(stdin, 'wb', 0), os.fdopen(out, 'rb', 0))

    @property
    def ended(self) -> bool:
        """Whether all is read."""
        return all(end.closed for end in self._takers)

    def hang_up(self, timeout: float) -> None:
        """There is nobody."""

    def kill(self) -> None:
        """Close what is open."""
        os.close(self._ignored)
        self._shut()


class Way:
    """Leads to the recording."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def start(self, line_limit: int) -> wire.Wire:
        """Start it."""
        return Recording(self._data, line_limit)

    def late(self) -> failures.Broken:
        """Say that nothing was said."""
        return failures.Broken('connect-timeout')

    def epitaph(self, noise: str, greeted: bool) -> failures.Broken:
        """Say that it has ended."""
        return failures.Broken('truncated' if greeted else 'noise', noise)


def describe(kind: str, detail: str) -> view.Failure:
    """Return the sentences of a failure."""
    return failures.describe(kind, _PLACE, detail)


def check(data: bytes) -> None:
    """Look at the host, and talk to it."""

    def reach() -> channel.Channel:
        return channel.Channel(Way(data), threading.Event())

    far = base.Deadline.after(_BOUND)
    for routers in (None, (ROUTER,)):
        shown = look.look(
            base.Request('net1', routers),
            look.Bound.begin(_BOUND, far),
            reach,
            describe,
        )
        _consider(shown)
    try:
        with line.opened('net1', reach, far, describe) as talk:
            for reply in talk.replies('probe', {}, far):
                assert reply is not None
    except base.Trouble as trouble:
        safe(codec.encode(trouble.failure))


def _consider(shown: view.HostView) -> None:
    assert shown.seconds is not None and shown.seconds < _BOUND
    again = packing.host(codec.dumps(shown))
    assert again == shown, (again, shown)
    safe(codec.encode(shown))


def safe(value: Any) -> None:
    """See that no text in here can do anything to a terminal."""
    if isinstance(value, str):
        assert text.clean(value) == value, value
    elif isinstance(value, dict):
        for item in value.values():
            safe(item)
    elif isinstance(value, list):
        for item in value:
            safe(item)

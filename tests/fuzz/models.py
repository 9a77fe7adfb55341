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

"""Views and captures from JSON: the fast way and the careful one agree.

The first byte chooses what the JSON is taken for. What is accepted is safe
to print, can be judged, and is the same after it was saved.
"""

from collections.abc import Callable
import json
import os
import tempfile
from typing import Any

from osc_ha_router import capture
from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router import packing
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.fuzz import answers

_FOLDER = tempfile.TemporaryDirectory(prefix='fuzz-')
_FILE = os.path.join(_FOLDER.name, 'capture')


def check(data: bytes) -> None:
    """Read it as one of them."""
    if data:
        KINDS[data[0] % len(KINDS)](data[1:])


def _whole(kind: type[Any]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        try:
            found = codec.loads(kind, data)
        except codec.DecodeError as error:
            assert str(error)
            return
        # not by the letter: with the same key twice either may be meant
        written = codec.dumps(found)
        assert codec.loads(kind, written) == found
        assert codec.decode(kind, json.loads(written)) == found
        answers.safe(codec.encode(found))

    return read


def _host(data: bytes) -> None:
    try:
        found = packing.host(data)
    except codec.DecodeError as error:
        assert str(error)
        return
    list(packing.ids(found.views))
    assert packing.host(codec.dumps(found)) == found
    answers.safe(codec.encode(found))


def _capture(data: bytes) -> None:
    with open(_FILE, 'wb') as file:
        file.write(data)
    try:
        found = capture.load(_FILE)
    except errors.CaptureError as error:
        assert str(error).isprintable(), str(error)
        return
    for router in found.claims.routers:
        judged = verdict.judge(router, found.hosts)
        answers.safe(codec.encode(judged))
    capture.save(found, _FILE)
    assert capture.load(_FILE) == found


KINDS: tuple[Callable[[bytes], None], ...] = (
    _whole(view.NodeView),
    _host,
    _capture,
    _whole(report.Report),
)

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

"""check --textfile: what was found, for the textfile collector of Prometheus.

The node exporter, and what works like it, reads the files ``*.prom`` of a
folder whenever it likes, so a file is there whole or not at all. A check that
fails leaves the file as it is: its age is in it, and the rules look at that.
"""

import argparse
from collections.abc import Iterable
import datetime
import os
import stat
import tempfile
import time

from osc_ha_router import errors
from osc_ha_router import text
from osc_ha_router.model import report
from osc_ha_router.model import view

OPTION = '--textfile'
#: whoever runs the node exporter has to be able to read it
_MODE = 0o644


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--textfile``."""
    parser.add_argument(
        OPTION,
        metavar='<file>',
        type=place,
        help='Also write what was found as metrics, for the textfile '
        'collector of Prometheus; a name that ends with .prom',
    )


def place(path: str) -> str:
    """Parse where to write: to a file, in a folder that is there."""
    shown = text.clean(path)
    if not path.endswith('.prom'):
        # it would be passed over without a word
        raise argparse.ArgumentTypeError(
            f'{shown!r} does not end with .prom, as the collector wants it'
        )
    # a symbolic link stays one
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(
            f'{text.clean(folder)!r} is no folder that you can write in'
        )
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise argparse.ArgumentTypeError(f'{shown!r} is not a file')
    return path


class Textfile:
    """One look that is to be written; make it before the look.

    :param path: by ``place``
    """

    def __init__(self, path: str) -> None:
        # brings prometheus_client, which costs time
        from osc_ha_router import metrics

        self._path = path
        self._found = metrics.Found()
        self._at, self._began = time.time(), time.monotonic()

    def add(self, item: report.Report) -> None:
        """Take in the report on one router."""
        self._found.router(item)

    def write(
        self, hosts: Iterable[view.HostView], taken_at: str | None
    ) -> None:
        """Write what was found, in the place of what was there.

        :param hosts: all that were looked at
        :param taken_at: when, UTC, ISO 8601; None: just now
        :raises Error: when it cannot be written
        :raises CaptureError: when ``taken_at`` is no time
        """
        for shown in hosts:
            self._found.node(shown)
        at = self._at
        if taken_at is not None:
            # a capture was taken long before
            at = min(at, _moment(taken_at))
        self._found.end(at)
        seconds = time.monotonic() - self._began
        page = self._found.metrics
        page.set('router_ha_check_success', 1)
        page.set('router_ha_last_check_timestamp_seconds', at)
        page.set('router_ha_check_duration_seconds', seconds)
        _replace(self._path, page.render())


def _moment(taken_at: str) -> float:
    try:
        taken = datetime.datetime.fromisoformat(taken_at)
        if taken.tzinfo is None:
            taken = taken.replace(tzinfo=datetime.UTC)
        return taken.timestamp()
    except (ValueError, OverflowError):
        raise errors.CaptureError(
            'The metrics cannot be written: the capture was taken at '
            f'{text.one_line(taken_at)!r}, which is no time'
        ) from None


def _replace(path: str, content: bytes) -> None:
    try:
        # the collector does not look at names that end otherwise
        handle, temporary = tempfile.mkstemp(
            prefix='.router-ha-', suffix='.tmp', dir=os.path.dirname(path)
        )
        try:
            with os.fdopen(handle, 'wb') as file:
                file.write(content)
                os.fchmod(file.fileno(), _MODE)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as exc:
        raise errors.Error(
            f'The metrics cannot be written to {text.clean(path)!r}: '
            f'{exc.strerror}'
        ) from None

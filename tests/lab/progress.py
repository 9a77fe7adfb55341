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

"""Progress lines on standard error, and waiting for something."""

from __future__ import annotations

from collections.abc import Callable
import sys
import time
from typing import TypeVar

from tests.lab.errors import LabError

T = TypeVar("T")
_began = time.monotonic()


def say(text: str) -> None:
    """Print one line with the seconds since this program started."""
    print(
        f"[{time.monotonic() - _began:6.1f} s] {text}",
        file=sys.stderr,
        flush=True,
    )


def until(
    what: str, look: Callable[[], T], timeout: float = 60, pause: float = 0.25
) -> T:
    """Call `look` until it returns something true, and return that.

    `what` says what is awaited; LabError repeats it together with the last
    error of `look`. An OSError or LabError from `look` counts as "not yet".
    """
    end = time.monotonic() + timeout
    trouble = ""
    while True:
        try:
            found = look()
        except (OSError, LabError) as error:
            trouble = f": {error}"
        else:
            if found:
                return found
            trouble = ""
        if time.monotonic() >= end:
            raise LabError(f"waited {timeout:g} s in vain for {what}{trouble}")
        time.sleep(pause)

"""Progress lines on standard error, and waiting for something to become true."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
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

    `what` says what is awaited; LabError repeats it together with the last error of `look`. An OSError or
    LabError from `look` counts as "not yet".
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

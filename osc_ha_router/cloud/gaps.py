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
"""Answers that Neutron owes: asked for twice, and then done without."""

from collections.abc import Callable
from collections.abc import Iterable
from concurrent import futures
import contextlib
import dataclasses
from typing import Any
from typing import TypeVar

from osc_ha_router.backends import base
from osc_ha_router.cloud import trouble

T = TypeVar('T')

FOREVER = base.Deadline(float('inf'))


@dataclasses.dataclass(frozen=True)
class Gap:
    """Stands for an answer that there is not."""

    why: str
    #: what was raised; None: it was only too late
    exc: Exception | None = None


_LATE = Gap('there was no time left for the answer')


def kept(call: Callable[..., T], *args: Any) -> T | Gap:
    """Call, once more after trouble, and return what comes of it."""
    with contextlib.suppress(*trouble.ERRORS):
        return call(*args)
    try:
        return call(*args)
    except trouble.ERRORS as exc:
        return Gap(trouble.explain(exc), exc)


def wait(
    asked: 'futures.Future[T | Gap]', until: base.Deadline = FOREVER
) -> T | Gap:
    """Return the answer, or that there is none in time."""
    left = until.left()
    try:
        return asked.result(None if left == float('inf') else left)
    except (futures.TimeoutError, futures.CancelledError):
        return _LATE


def whole(answers: Iterable[T | Gap]) -> list[T] | None:
    """Return the answers, None if one is missing."""
    told = []
    for answer in answers:
        if isinstance(answer, Gap):
            return None
        told.append(answer)
    return told


def check(answers: Iterable[T | Gap]) -> None:
    """Do without some answers, but not without all.

    :raises SDKException, ClientException: what came instead of all of them
    """
    every = list(answers)
    failed = [a.exc for a in every if isinstance(a, Gap) and a.exc]
    if failed and len(failed) == len(every):
        raise failed[0]

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

"""A saved look: what Neutron said and what the nodes showed.

A capture is JSON: ``format`` and ``version`` say what it is, ``taken_at``
when, ``claims`` and ``hosts`` are the model's dataclasses field by field.
It holds no credentials and no command lines beyond the known daemons, but
it does hold names and addresses of the cloud. Version 1 readers leave out
keys that they do not know; a change that they could misread gets version 2.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import datetime
import gc
import importlib.resources
import json
import os
import tempfile
from typing import Any

import msgspec

from osc_ha_router import codec
from osc_ha_router import errors
from osc_ha_router import packing
from osc_ha_router import text
from osc_ha_router.backends import base
from osc_ha_router.model import claim
from osc_ha_router.model import view

FORMAT = 'osc-ha-router capture'
VERSION = 1

#: how a shipped capture is named on the command line
EXAMPLE = 'example:'
#: a capture of 10,000 routers takes about 200 MB
_LARGEST = 512 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Capture:
    """One look at some routers."""

    claims: claim.Claims
    hosts: tuple[view.HostView, ...]
    #: UTC, ISO 8601
    taken_at: str
    #: what a reader should know of where it comes from
    note: str = ''


def now() -> str:
    """Return the time as captures have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


def place(path: str) -> None:
    """See that a capture can be written there, before there is one.

    :raises CaptureError: when it cannot
    """
    folder = os.path.dirname(path) or '.'
    why = None
    if not os.path.isdir(folder):
        why = 'there is no such folder'
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = 'you cannot write in that folder'
    elif os.path.exists(path):
        if not os.path.isfile(path):
            why = 'it is not a file'
        elif not os.access(path, os.W_OK):
            why = 'there is a file that you cannot write'
    if why is not None:
        raise _unwritten(path, why)


def save(capture: Capture, path: str) -> None:
    """Write a capture whole or not at all, readable to its owner only.

    It is never in memory as a whole, and of many routers next to nothing is
    unpacked for it.

    :raises CaptureError: when it cannot be written
    """
    folder = os.path.dirname(path) or '.'
    try:
        # mkstemp makes the file with mode 0600
        handle, temporary = tempfile.mkstemp(prefix='.capture-', dir=folder)
        try:
            with os.fdopen(handle, 'wb') as file:
                file.writelines(_pieces(capture))
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as exc:
        raise _unwritten(path, exc.strerror or str(exc)) from None


def _unwritten(path: str, why: str) -> errors.CaptureError:
    return errors.CaptureError(
        f'The capture cannot be written to {text.clean(path)!r}: {why}'
    )


def _pieces(capture: Capture) -> Iterator[bytes]:
    """Yield the content of the file, a line for each router or view."""
    claims = capture.claims
    routers = ([codec.dumps(router)] for router in claims.routers)
    hosts = (
        _object(_fields(shown, views=_list(_views(shown))))
        for shown in capture.hosts
    )
    yield from _object(
        {'format': [codec.dumps(FORMAT)], 'version': [codec.dumps(VERSION)]}
        | _fields(
            capture,
            claims=_object(_fields(claims, routers=_list(routers))),
            hosts=_list(hosts),
        )
    )
    yield b'\n'


def _views(shown: view.HostView) -> Iterator[Iterable[bytes]]:
    return ([content] for content in packing.texts(shown.views))


def _fields(
    value: Any, **pieces: Iterable[bytes]
) -> dict[str, Iterable[bytes]]:
    """Return field -> its JSON, in the pieces given or as a whole.

    :param value: a dataclass
    """
    return {
        # not before it is wanted
        field.name: pieces.get(
            field.name, map(codec.dumps, [getattr(value, field.name)])
        )
        for field in dataclasses.fields(value)
    }


def _object(fields: Mapping[str, Iterable[bytes]]) -> Iterator[bytes]:
    before = b'{'
    for name, pieces in fields.items():
        yield before + codec.dumps(name) + b': '
        yield from pieces
        before = b', '
    yield b'}'


def _list(items: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    before = b'['
    for pieces in items:
        yield before + b'\n'
        yield from pieces
        before = b','
    yield b']' if before == b',' else b'[]'


def load(path: str) -> Capture:
    """Read a capture.

    Of many routers, each view is read when it is used; what is wrong with
    one raises ``codec.DecodeError`` then.

    :param path: a file, or ``example:<name>`` for one that is shipped
    :raises CaptureError: when it cannot be read or is not a capture
    """
    shown = text.clean(path)
    try:
        if path.startswith(EXAMPLE):
            content = _example(path.removeprefix(EXAMPLE))
        else:
            with open(path, 'rb') as file:
                content = file.read(_LARGEST + 1)
    except OSError as exc:
        raise errors.CaptureError(
            f'The capture {shown!r} cannot be read: {exc.strerror}'
        ) from None
    if len(content) > _LARGEST:
        raise errors.CaptureError(f'The capture {shown!r} is too large')
    try:
        return _quickly(content) or _decode(json.loads(content))
    except (ValueError, RecursionError) as exc:
        raise errors.CaptureError(
            f'{shown!r} is not a capture: {text.one_line(str(exc))}'
        ) from None


def examples() -> dict[str, str]:
    """Return the shipped captures' names and what each shows."""
    return {name: load(EXAMPLE + name).note for name in _shipped()}


def _shipped() -> dict[str, Any]:
    """Return the files of the shipped captures by name."""
    folder = importlib.resources.files('osc_ha_router') / 'examples'
    return {
        file.name.removesuffix('.json'): file
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith('.json')
    }


def _example(name: str) -> bytes:
    files = _shipped()
    if name not in files:
        raise errors.CaptureError(
            f'No example is named {text.clean(name)!r}; there are '
            f'{", ".join(files)}'
        )
    content: bytes = files[name].read_bytes()
    return content


class _File(msgspec.Struct):
    """A capture with its views as they are in the file."""

    format: str
    version: int
    claims: claim.Claims
    hosts: list[packing.Unread]
    taken_at: str
    note: str = ''


def _quickly(content: bytes) -> Capture | None:
    """Read a right capture of many routers, in seconds and not in minutes.

    :return: None for one that ``_decode`` has something to say about
    """
    if not codec.plain(content):
        return None
    try:
        with keeping():
            found = msgspec.json.decode(content, type=_File)
            if (found.format, found.version) != (FORMAT, VERSION):
                return None
            return Capture(
                found.claims,
                tuple(unread.lazily() for unread in found.hosts),
                found.taken_at,
                found.note,
            )
    except msgspec.DecodeError:
        return None


@contextlib.contextmanager
def keeping(wanted: bool = True) -> Iterator[None]:
    """Look for no garbage: with a capture there is none to speak of.

    To go through hundreds of thousands of objects again and again, all of
    which are needed, takes a fifth of the time.
    """
    wanted = wanted and gc.isenabled()
    if wanted:
        gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


def _decode(data: Any) -> Capture:
    if not isinstance(data, dict) or data.get('format') != FORMAT:
        raise ValueError(f'its format is not {FORMAT!r}')
    version = data.get('version')
    if version != VERSION:
        raise ValueError(
            f'it has version {version!r}, this program reads {VERSION}'
        )
    return codec.decode(Capture, data)


class CapturedCloud:
    """A capture in the place of Neutron."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def claims(
        self,
        names: Sequence[str],
        *,
        project: str | None = None,
        host: str | None = None,
    ) -> claim.Claims:
        """Return the captured claims, filtered as Neutron would.

        :raises RouterNotFound, AmbiguousName: see ``errors``
        """
        routers = list(self._capture.claims.routers)
        if names:
            routers = [self._find(name, routers) for name in names]
        if project is not None:
            self._check_project(project)
            routers = [r for r in routers if r.project_id == project]
        if host is not None:
            self._check_host(host)
            routers = [
                router
                for router in routers
                if any(agent.host == host for agent in router.agents or ())
            ]
        unique = {router.id: router for router in routers}
        return dataclasses.replace(
            self._capture.claims, routers=tuple(unique.values())
        )

    def _check_project(self, project: str) -> None:
        known = {r.project_id for r in self._capture.claims.routers} - {None}
        if project not in known:
            raise errors.UsageError(
                'The capture has no router of a project with the ID '
                f'{text.clean(project)!r}, and no names of projects; there '
                f'are {", ".join(sorted(filter(None, known))) or "none"}'
            )

    def _check_host(self, host: str) -> None:
        known = {
            agent.host
            for router in self._capture.claims.routers
            for agent in router.agents or ()
        }
        known.update(self._capture.claims.hosts or ())
        if host not in known:
            raise errors.UsageError(
                f'The capture has no L3 agent on host {text.clean(host)!r}; '
                f'there is one on {", ".join(sorted(known)) or "no host"}'
            )

    def again(self, ids: Sequence[str]) -> tuple[claim.Router, ...]:
        """Return the same claims once more: a capture does not change."""
        return tuple(r for r in self._capture.claims.routers if r.id in ids)

    def _find(self, name: str, routers: list[claim.Router]) -> claim.Router:
        found = [router for router in routers if router.id == name] or [
            router for router in routers if router.name == name
        ]
        shown = text.clean(name)
        if not found:
            raise errors.RouterNotFound(
                f'The capture has no router with a name or ID of {shown!r}'
            )
        if len(found) > 1:
            ids = ', '.join(sorted(router.id for router in found))
            raise errors.AmbiguousName(
                f'Several routers of the capture are named {shown!r}: give '
                f'the ID, one of {ids}'
            )
        return found[0]


class CapturedNodes(base.Backend):
    """A capture in the place of the nodes."""

    def __init__(self, capture: Capture) -> None:
        self._hosts = {shown.host: shown for shown in capture.hosts}

    def probe(
        self, requests: Sequence[base.Request], deadline: base.Deadline
    ) -> Iterator[view.HostView]:
        """Yield what the capture has of each host; see ``base.Backend``.

        A host that it does not have yields an empty view: nobody looked.
        """
        for request in requests:
            yield self._hosts.get(request.host, view.HostView(request.host))

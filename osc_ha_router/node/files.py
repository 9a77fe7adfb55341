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

"""Files of untrusted size and kind, and the places of Neutron's files."""

import hashlib
import os
import re
import stat
import typing

from osc_ha_router.node import keepalived
from osc_ha_router.node import protocol

#: where ``ha_confs`` may be on a node
PLACES = (
    '/var/lib/neutron/ha_confs',
    '/var/lib/neutron/kolla/ha_confs',
    # Kolla's volume, which its containers see under the path above
    '/var/lib/docker/volumes/neutron_metadata_socket/_data/ha_confs',
    '/var/lib/containers/storage/volumes/neutron_metadata_socket/_data'
    '/ha_confs',
)

#: bytes; a router with ten thousand addresses has a file of half a megabyte
_CONF_LIMIT = 4 << 20
_STATE_LIMIT = 256
_STATE_LENGTH = 64
_PROC_LIMIT = 1 << 20
_VRID = re.compile(
    rb'^[ \t]*virtual_router_id[ \t]+([0-9]{1,3})\b', re.MULTILINE
)


class Unfit(Exception):
    """A file that is too large or no file at all."""


def read(path: str, limit: int) -> bytes:
    """The contents of a regular file.

    :param limit: bytes
    :raises Unfit: it is larger, or a device, a pipe, a folder
    :raises OSError: it cannot be read
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(path, flags)
    try:
        return drain(descriptor, path, limit)
    finally:
        os.close(descriptor)


def drain(descriptor: int, path: str, limit: int) -> bytes:
    """The contents of an open regular file.

    :param path: what to call it
    :param limit: bytes
    :raises Unfit: it is larger, or a device, a pipe, a folder
    :raises OSError: it cannot be read
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Unfit('%s is not a regular file' % path)
    parts = []  # type: typing.List[bytes]
    left = limit + 1
    while left > 0:
        part = os.read(descriptor, left)
        if not part:
            return b''.join(parts)
        parts.append(part)
        left -= len(part)
    raise Unfit('%s is larger than %d bytes' % (path, limit))


def read_proc(path: str) -> bytes:
    """The contents of a file in /proc.

    :raises OSError: it cannot be read
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        size = 0
        while size < _PROC_LIMIT:
            part = os.read(descriptor, 1 << 16)
            if not part:
                break
            parts.append(part)
            size += len(part)
        return b''.join(parts)
    finally:
        os.close(descriptor)


def places() -> typing.List[str]:
    """Those of the usual places that exist on this host."""
    return [place for place in PLACES if os.path.isdir(place)]


def folders(
    usual: typing.Sequence[str],
) -> typing.Dict[str, typing.List[str]]:
    """The routers' folders in the usual places, by router id."""
    found = {}  # type: typing.Dict[str, typing.List[str]]
    for place in usual:
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if protocol.is_uuid(entry.name) and entry.is_dir():
                        found.setdefault(entry.name, []).append(entry.path)
        except OSError:
            continue
    return found


def locate(
    router_id: str,
    running: typing.Sequence[typing.Tuple[int, str]],
    usual: typing.Sequence[str],
) -> typing.Optional[str]:
    """The path of a router's keepalived.conf, None if it has none.

    :param running: pid and configuration of its live keepalived processes,
        the one that matters first; a path is that of the process, which may
        live in a container
    :param usual: the places to look in when nothing runs
    """
    for pid, path in running:
        seen = '/proc/%d/root%s' % (pid, path)
        status = _status(seen)
        if status is None:
            continue
        # A name that also holds without the process is worth more: the
        # process may be gone when somebody looks.
        names = [path]
        names.extend(_conf(place, router_id) for place in usual)
        for name in names:
            other = _status(name)
            if other is not None and os.path.samestat(status, other):
                return name
        return seen
    newest = None
    for place in usual:
        name = _conf(place, router_id)
        status = _status(name)
        if status is not None and (
            newest is None or status.st_mtime > newest[0]
        ):
            newest = (status.st_mtime, name)
    return None if newest is None else newest[1]


def configuration(path: str) -> protocol.Json:
    """A keepalived.conf as ``KeepalivedConf``.

    :raises Unfit: it is too large or no file
    :raises blocks.ConfError: it is garbled
    :raises OSError: it cannot be read
    """
    raw = read(path, _CONF_LIMIT)
    conf = keepalived.parse(raw.decode('utf-8', 'replace'))
    conf['path'] = path
    conf['sha256'] = hashlib.sha256(raw).hexdigest()
    return conf


def state(path: str) -> protocol.Json:
    """A state file as ``StateFile``.

    :raises Unfit: it is too large or no file
    :raises OSError: it cannot be read
    """
    text = read(path, _STATE_LIMIT).decode('utf-8', 'replace').strip()
    return {'path': path, 'value': text[:_STATE_LENGTH]}


def beside(
    path: typing.Optional[str], router_id: str, usual: typing.Sequence[str]
) -> typing.Optional[protocol.Json]:
    """A router's state file as ``StateFile``, None if it has none.

    :param path: of its keepalived.conf, if there is one
    :raises Unfit: it is too large or no file
    :raises OSError: it cannot be read
    """
    names = ['%s/%s/state' % (place, router_id) for place in usual]
    if path is not None:
        names = [os.path.join(os.path.dirname(path), 'state')]
    for name in names:
        try:
            return state(name)
        except FileNotFoundError:
            continue
    return None


class Home:
    """What the agents of a host wrote for radvd and the metadata proxy.

    Remembers which files there are: one look serves all routers.
    """

    def __init__(self) -> None:
        self._names = {}  # type: typing.Dict[str, typing.FrozenSet[str]]

    def helpers(
        self, router_id: str, homes: typing.Sequence[str]
    ) -> typing.Tuple[typing.Optional[bool], typing.Optional[bool]]:
        """Whether radvd and the metadata proxy of a router are configured.

        :param homes: folders that may be the agent's ``state_path``, the
            likeliest first
        :returns: None twice if none of them exists
        """
        for home in homes:
            if self._listed(home):
                radvd = self._listed(home + '/ra')
                proxy = self._listed(home + '/ns-metadata-proxy')
                return (
                    router_id + '.radvd.conf' in radvd,
                    router_id + '.conf' in proxy,
                )
        return None, None

    def _listed(self, folder: str) -> typing.FrozenSet[str]:
        if folder not in self._names:
            try:
                names = frozenset(os.listdir(folder))
            except OSError:
                names = frozenset()
            self._names[folder] = names
        return self._names[folder]


def vrid(path: str) -> typing.Optional[int]:
    """Only the virtual_router_id of a keepalived.conf, None if not found."""
    try:
        match = _VRID.search(read(path, _CONF_LIMIT))
    except (OSError, Unfit):
        return None
    return int(match.group(1)) if match else None


def _conf(place: str, router_id: str) -> str:
    return '%s/%s/keepalived.conf' % (place, router_id)


def _status(path: str) -> typing.Optional[os.stat_result]:
    try:
        return os.stat(path)
    except OSError:
        return None

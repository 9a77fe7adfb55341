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

"""What was changed on this node for a while, written down beforehand.

And what only Neutron can undo: that is for whoever talks to it, and stays
until they say that it is done.

The journal lies beside keepalived.conf, so that it lasts as long as what it
is about, and goes with the router. It holds the file's original bytes, which
may include a password: it is root's alone, and nothing of them is printed.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import stat
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import folder as folders
from osc_ha_router.node import protocol

NAME = '.osc-ha-router.json'

_VERSION = 1
#: bytes; the largest keepalived.conf in base64, and a little more
_LIMIT = 8 << 20
_TEXT = 200
_SUM = re.compile('[0-9a-f]{64}')


class Garbled(Exception):
    """There is a journal, and it cannot be trusted or understood."""


class File:
    """The change of keepalived.conf."""

    def __init__(self, original: bytes, written: typing.Sequence[str]) -> None:
        self.original = original
        #: SHA-256 of each version that was written here, the last one last
        self.written = list(written)


class Journal:
    """The changes that an errand has made, or was about to make."""

    def __init__(
        self,
        router_id: str,
        namespace: str,
        by: str,
        since: str,
        token: str,
    ) -> None:
        self.router_id = router_id
        #: name of the one that holds the ha- device
        self.namespace = namespace
        self.by = by
        #: UTC, ISO 8601 with seconds
        self.since = since
        #: tells this errand from every other one
        self.token = token
        #: seconds after ``since`` by which all is undone
        self.seconds = 0.0
        self.file = None  # type: typing.Optional[File]
        #: whether there may be a rule of ip6tables
        self.quiet = False
        #: host to whose L3 agent Neutron has to give the router back
        self.owed = None  # type: typing.Optional[str]

    def empty(self) -> bool:
        """Whether there is nothing to undo."""
        return self.file is None and not self.quiet and self.owed is None


def digest(data: typing.Optional[bytes]) -> typing.Optional[str]:
    """SHA-256 of a file's bytes; None for no file."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def changed(
    before: typing.Optional[File], expected: bytes, data: bytes
) -> File:
    """What a journal says of keepalived.conf once it is changed again.

    :param before: what it has said; somebody else may have rewritten the
        file since, and then that is what is put back
    :param expected: what is in the file
    :param data: what will be
    """
    original, written = expected, []  # type: bytes, typing.List[str]
    if before is not None and digest(expected) in before.written:
        original, written = before.original, before.written
    return File(original, written + [digest(data) or ''])


def save(folder: folders.Folder, journal: Journal) -> None:
    """Writes the journal, or removes it if there is nothing to undo.

    :raises OSError: it cannot be written; then the old one is there
    """
    if journal.empty():
        folder.remove(NAME)
        return
    content = {
        'version': _VERSION,
        'router': journal.router_id,
        'namespace': journal.namespace,
        'by': journal.by,
        'since': journal.since,
        'seconds': journal.seconds,
        'token': journal.token,
        'file': None,
        'quiet': journal.quiet,
        'owed': journal.owed,
    }  # type: protocol.Json
    if journal.file is not None:
        content['file'] = {
            'original': base64.b64encode(journal.file.original).decode(),
            'written': journal.file.written,
        }
    folder.write(NAME, json.dumps(content).encode('ascii'))


def owe(
    folder: folders.Folder, journal: Journal, host: typing.Optional[str]
) -> None:
    """Writes down to whose L3 agent Neutron has to give the router back.

    :param host: None: to none any more
    :raises OSError: it cannot be written; then it is not owed either
    """
    before, journal.owed = journal.owed, host
    try:
        save(folder, journal)
    except OSError:
        journal.owed = before
        raise


def load(folder: folders.Folder, router_id: str) -> typing.Optional[Journal]:
    """The journal in a router's folder; None: there is none.

    :raises Garbled: it is not root's alone, or not a journal of this router
    """
    try:
        data, status = folder.read(NAME, _LIMIT)
    except FileNotFoundError:
        return None
    except (OSError, files.Unfit) as error:
        raise Garbled(str(error)) from None
    if (
        status.st_uid != os.geteuid()
        or stat.S_IMODE(status.st_mode) & 0o077
        or status.st_nlink > 1
    ):
        raise Garbled('others than root can have written it')
    try:
        return _decode(protocol.decode(data), router_id)
    except errors.BadRequest:
        # what it is said not to be may be a part of it
        raise Garbled('it is not JSON') from None
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled('it is no journal of this router') from error


def _decode(content: protocol.Json, router_id: str) -> Journal:
    """Everything is checked: ``KeyError``, ``TypeError``, ``ValueError``."""
    names = ['%s-%s' % (kind, router_id) for kind in ('qrouter', 'snat')]
    if (
        content['version'] != _VERSION
        or content['router'] != router_id
        or content['namespace'] not in names
        or not isinstance(content['quiet'], bool)
    ):
        raise ValueError
    journal = Journal(
        router_id,
        content['namespace'],
        _text(content['by']),
        _text(content['since']),
        _text(content['token']),
    )
    journal.seconds = float(content['seconds'])
    journal.quiet = content['quiet']
    owed = content.get('owed')
    journal.owed = None if owed is None else _text(owed)
    file = content['file']
    if file is not None:
        written = [_sum(each) for each in file['written']]
        if not written:
            raise ValueError
        journal.file = File(_bytes(file['original']), written)
    return journal


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _TEXT:
        raise ValueError
    return value


def _sum(value: object) -> str:
    if not isinstance(value, str) or _SUM.fullmatch(value) is None:
        raise ValueError
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError
    try:
        found = base64.b64decode(value.encode('ascii'), validate=True)
    except binascii.Error:
        raise ValueError from None
    if not found or len(found) > folders.CONF_LIMIT:
        raise ValueError
    return found

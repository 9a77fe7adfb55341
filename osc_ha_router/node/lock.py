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

"""One change of a router at a time on this node, whoever makes it.

The lock is flock's on a file under /run: it is held by the program and by
its guardian, and gone with the last of the two, however they end.
"""

import fcntl
import json
import os
import stat
import time
import typing

from osc_ha_router.node import errors
from osc_ha_router.node import files
from osc_ha_router.node import protocol

FOLDER = '/run/osc-ha-router'

_LIMIT = 4096
#: seconds; whoever only looks holds a lock for a moment, too
_PATIENCE = 0.5
_PAUSE = 0.02
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class Locked(Exception):
    """Somebody else has the lock."""

    def __init__(self, owner: protocol.Json) -> None:
        super().__init__()
        #: what they wrote into it
        self.owner = owner


class Lock:
    """The lock of a router, held from the beginning.

    :param owner: what others are told who want it
    :param patience: seconds to wait for it
    :raises Locked: somebody else has it
    :raises NoRights: the folder is not root's alone
    :raises OSError: the file cannot be made
    """

    def __init__(
        self,
        router_id: str,
        owner: protocol.Json,
        patience: float = _PATIENCE,
    ) -> None:
        _make_folder()
        self._path = _path(router_id)
        until = time.monotonic() + patience
        while True:
            self.descriptor = os.open(self._path, _FLAGS | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_there():
                    #: what whoever had it before wrote into it
                    self.before = _owner(self.descriptor)
                    content = json.dumps(owner).encode('ascii')
                    os.ftruncate(self.descriptor, 0)
                    os.pwrite(self.descriptor, content, 0)
                    return
            except BlockingIOError:
                if time.monotonic() > until:
                    found = _owner(self.descriptor)
                    os.close(self.descriptor)
                    raise Locked(found) from None
            except BaseException:
                os.close(self.descriptor)
                raise
            # held for a moment, or removed before it could be taken
            os.close(self.descriptor)
            time.sleep(_PAUSE)

    def remove(self) -> None:
        """Takes the file away; the lock is gone when nobody has it open."""
        if self._is_there():
            os.unlink(self._path)

    def close(self) -> None:
        """Leaves the lock to the other one who holds it, if there is one."""
        os.close(self.descriptor)

    def _is_there(self) -> bool:
        try:
            there = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self.descriptor))


def holder(router_id: str) -> typing.Optional[protocol.Json]:
    """What whoever has the lock wrote into it; None: nobody has it."""
    try:
        descriptor = os.open(_path(router_id), _FLAGS)
    except OSError:
        return None
    try:
        # shared: two who only look do not disturb each other
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def trace(router_id: str) -> typing.Optional[protocol.Json]:
    """What was written into the lock last, held or not; None: no file."""
    try:
        descriptor = os.open(_path(router_id), _FLAGS)
    except OSError:
        return None
    try:
        return _owner(descriptor)
    finally:
        os.close(descriptor)


def _path(router_id: str) -> str:
    return '%s/%s.lock' % (FOLDER, router_id)


def _owner(descriptor: int) -> protocol.Json:
    """Nothing where it cannot be read, or is just being written."""
    try:
        return protocol.decode(files.drain(descriptor, 'it', _LIMIT))
    except (OSError, files.Unfit, errors.BadRequest):
        return {}


def _make_folder() -> None:
    try:
        os.mkdir(FOLDER, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(FOLDER)
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.geteuid()
        or stat.S_IMODE(status.st_mode) & 0o022
    ):
        raise errors.NoRights(
            '%s is not a folder that only this user can write to' % FOLDER
        )

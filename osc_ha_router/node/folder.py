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

"""A router's folder, and files in it that are replaced as a whole.

The folder is held open: whatever becomes of its path, of the process through
whose eyes it was found, or of the router, it stays this one. Where it has
been deleted, everything in it counts as deleted, even if a new one has come
to its place. Its owner is Neutron's user, so nothing in it is trusted.
"""

import ctypes
import errno
import os
import stat
import typing

from osc_ha_router.node import files

CONF = 'keepalived.conf'
#: what is being written; a leftover of it means nothing
NEW = '.osc-ha-router.new'
#: bytes; a router with ten thousand addresses has a file of half a megabyte
CONF_LIMIT = 4 << 20

#: linux/fs.h
_RENAME_EXCHANGE = 2
#: where this cannot be done: by the kernel, by the file system
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


class Folder:
    """The folder of a router's keepalived.conf.

    :raises OSError: there is none
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
        )
        self.status = os.fstat(self.descriptor)

    def close(self) -> None:
        """Forgets it."""
        os.close(self.descriptor)

    def is_at(self, path: str) -> bool:
        """Whether this is the folder under a path."""
        try:
            return os.path.samestat(os.stat(path), self.status)
        except OSError:
            return False

    def read(
        self, name: str, limit: int
    ) -> typing.Tuple[bytes, os.stat_result]:
        """The contents of a regular file, and what is known of it.

        :raises FileNotFoundError: there is none, or no folder any more
        :raises Unfit: it is larger, or no regular file
        :raises OSError: it cannot be read
        """
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        try:
            descriptor = os.open(name, flags, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise files.Unfit('%s is a link' % name) from None
            raise
        try:
            status = os.fstat(descriptor)
            return files.drain(descriptor, name, limit), status
        finally:
            os.close(descriptor)

    def conf(self) -> typing.Optional[bytes]:
        """keepalived.conf; None: there is none.

        :raises Unfit: it is no file such as Neutron writes
        :raises OSError: it cannot be read
        """
        try:
            return self.read(CONF, CONF_LIMIT)[0]
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Puts a file of root's alone there, for good and at once.

        :raises OSError: it cannot be written; then the old one is there
        """
        self._prepare(data, None)
        os.rename(
            NEW,
            name,
            src_dir_fd=self.descriptor,
            dst_dir_fd=self.descriptor,
        )
        os.fsync(self.descriptor)

    def replace(self, expected: bytes, data: bytes) -> bool:
        """Replaces keepalived.conf, keeping its mode and its owner.

        :param expected: what is in it
        :returns: whether that was so; otherwise it is left alone
        :raises Unfit: it is no file such as Neutron writes
        :raises OSError: it cannot be written; then the old one is there
        """
        try:
            return self._replace(expected, data)
        except FileNotFoundError:
            # the router, or only the file, has just been deleted
            return False

    def remove(self, name: str) -> None:
        """Removes a file if it is there.

        :raises OSError: it cannot be removed
        """
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            pass

    def tidy(self) -> None:
        """Removes what was being written when somebody was killed.

        :raises OSError: it cannot be removed
        """
        self.remove(NEW)

    def _replace(self, expected: bytes, data: bytes) -> bool:
        found, status = self.read(CONF, CONF_LIMIT)
        if found != expected:
            return False
        self._prepare(data, status)
        # The second look leaves next to no time between looking and
        # replacing; where the two can change places, none at all.
        if self.read(CONF, CONF_LIMIT)[0] != expected:
            self.remove(NEW)
            return False
        taken = expected
        if self._exchange():
            taken = self.read(NEW, CONF_LIMIT)[0]
            if taken != expected:
                # somebody was faster by a hair; what they wrote goes back
                self._exchange()
            self.remove(NEW)
        else:
            os.rename(
                NEW,
                CONF,
                src_dir_fd=self.descriptor,
                dst_dir_fd=self.descriptor,
            )
        os.fsync(self.descriptor)
        return taken == expected

    def _prepare(
        self, data: bytes, like: typing.Optional[os.stat_result]
    ) -> None:
        self.remove(NEW)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(
            NEW, flags | os.O_NOFOLLOW, 0o600, dir_fd=self.descriptor
        )
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            if like is not None:
                # the owner first: changing it may clear bits of the mode
                os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _exchange(self) -> bool:
        """Lets the new file and keepalived.conf change places.

        :returns: whether this host can do that
        """
        if _RENAMEAT2 is None:
            return False
        here = self.descriptor
        result = _RENAMEAT2(
            here, NEW.encode(), here, CONF.encode(), _RENAME_EXCHANGE
        )
        if result == 0:
            return True
        number = ctypes.get_errno()
        if number in _CANNOT:
            return False
        raise OSError(number, os.strerror(number))


def _renameat2() -> typing.Any:
    """The function of that name; C libraries have it since 2018."""
    found = getattr(ctypes.CDLL(None, use_errno=True), 'renameat2', None)
    if found is not None:
        found.argtypes = [
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_uint,
        ]
        found.restype = ctypes.c_int
    return found


_RENAMEAT2 = _renameat2()

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

"""Network namespaces of routers: finding them, entering them, coming back."""

import contextlib
import ctypes
import errno
import os
import re
import typing

from osc_ha_router.node import errors

#: where iproute2 and Neutron keep names of namespaces
DIRECTORIES = ('/run/netns', '/var/run/netns')

_CLONE_NEWNET = 0x40000000
_NAME = re.compile(
    '(qrouter|snat)-'
    '([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'
)


class Stale(Exception):
    """A name under which there is no namespace (any more)."""


class Namespace(typing.NamedTuple):
    """A router's namespace that has a name on this host."""

    #: ``qrouter-UUID`` or ``snat-UUID``
    name: str
    router_id: str
    path: str
    #: of the namespace, as in /proc/PID/ns/net; None: the name is stale
    inode: typing.Optional[int]


def listing() -> typing.Dict[str, Namespace]:
    """Every router's namespace of the host, by its name.

    :raises OSError: a directory is there but cannot be read
    """
    device = os.stat(_own()).st_dev
    found = {}  # type: typing.Dict[str, Namespace]
    for directory in DIRECTORIES:
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        for name in names:
            match = _NAME.fullmatch(name)
            if match is None or name in found:
                continue
            path = directory + '/' + name
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            # An entry that lost its mount (a reboot with /run on a disk, a
            # mount that did not reach this mount namespace) is an ordinary
            # empty file of another file system.
            inode = status.st_ino if status.st_dev == device else None
            found[name] = Namespace(name, match.group(2), path, inode)
    return found


class Traveller:
    """Enters network namespaces and always comes back.

    A context manager: the namespace of the calling thread at its start is
    the one that each visit returns to.

    :raises NoRights: this process may not enter namespaces
    """

    def __init__(self) -> None:
        #: of the namespace that this process came from, open
        self.descriptor = os.open(_own(), os.O_RDONLY | os.O_CLOEXEC)
        try:
            #: its inode
            self.home = os.fstat(self.descriptor).st_ino
            # Going where one is changes nothing, yet needs the same rights:
            # it tells "may not look" from "there is nothing" once for all.
            _setns(self.descriptor)
        except OSError as error:
            os.close(self.descriptor)
            if error.errno in (errno.EPERM, errno.EACCES):
                raise errors.NoRights(
                    'this needs root: user id %d may not enter network '
                    'namespaces (%s)' % (os.geteuid(), error.strerror)
                ) from None
            raise
        except BaseException:
            os.close(self.descriptor)
            raise

    def __enter__(self) -> 'Traveller':
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    @contextlib.contextmanager
    def inside(self, namespace: Namespace) -> typing.Iterator[None]:
        """Runs its body inside a namespace.

        :raises Stale: the name holds no namespace
        :raises OSError: it cannot be opened or entered
        """
        try:
            target = os.open(
                namespace.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
            )
        except FileNotFoundError:
            raise Stale('%s has just gone' % namespace.name) from None
        try:
            _setns(target)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise Stale(
                    '%s is a file without a namespace behind it'
                    % namespace.path
                ) from None
            raise
        finally:
            os.close(target)
        try:
            yield
        finally:
            _setns(self.descriptor)


def current() -> int:
    """The inode of this thread's namespace."""
    return os.stat(_own()).st_ino


def _own() -> str:
    """This thread's namespace; kernels before 3.17 know processes only."""
    path = '/proc/thread-self/ns/net'
    return path if os.path.exists(path) else '/proc/self/ns/net'


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.setns.argtypes = [ctypes.c_int, ctypes.c_int]
_LIBC.setns.restype = ctypes.c_int

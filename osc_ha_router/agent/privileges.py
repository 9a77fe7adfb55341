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


"""Giving the rights of root away, for good."""

from collections.abc import Callable
import contextlib
import ctypes
import grp
import os
import pwd

#: from linux/prctl.h
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
#: from linux/capability.h
_CAPABILITY_VERSION = 0x20080522
#: CapBnd is what a program could gain that is started from here; with
#: no_new_privs none gains anything
_SETS = ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')


class Refused(Exception):
    """The rights were not given away; the reason in a sentence."""


def drop(user: str, group: str = '') -> None:
    """Become a user without any rights, with no way back.

    Only a process of one thread can do it: capabilities belong to threads.

    :param user: name or number of the user
    :param group: name or number; empty: the primary group of the user
    :raises Refused: rights are left, or this is not root
    """
    entry = _user(user)
    gid = _group(group) if group else entry.pw_gid
    groups = os.getgrouplist(entry.pw_name, gid)
    if entry.pw_uid == 0 or 0 in groups:
        raise Refused(
            f'user {user} is root or of its group: name one without rights'
        )
    if os.geteuid() != 0:
        raise Refused('only root can start the agent')
    if len(os.listdir('/proc/self/task')) != 1:
        raise Refused('other threads run already')
    try:
        _drop_bounds()
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as exc:
        raise Refused(f'rights cannot be given away: {exc}') from None
    with contextlib.suppress(PermissionError):
        # a filter of system calls may be in the way; what is left, if
        # anything is, is seen next
        _clear()
    verify(entry.pw_uid, gid, groups)
    # libraries look for files there
    os.environ.update(
        HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name
    )


def verify(uid: int, gid: int, groups: list[int]) -> None:
    """See for oneself that no rights are left.

    :raises Refused: some are
    """
    left = []
    if os.getresuid() != (uid,) * 3 or os.getresgid() != (gid,) * 3:
        left.append('user or group is another')
    if set(os.getgroups()) - set(groups):
        left.append('supplementary groups')
    status = _status()
    left += [name for name in _SETS if int(status.get(name, '0'), 16)]
    if status.get('NoNewPrivs') != '1':
        left.append('no_new_privs is off')
    if _can_return():
        left.append('the way back to root')
    if left:
        raise Refused(f'rights are left: {", ".join(left)}')


def _can_return() -> bool:
    attempts: tuple[Callable[[], None], ...] = (
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setresgid(0, 0, 0),
        lambda: os.setgroups([0]),
    )
    for attempt in attempts:
        try:
            attempt()
        except PermissionError:
            continue
        return True
    return False


def _user(name: str) -> pwd.struct_passwd:
    try:
        return (
            pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        )
    except KeyError:
        raise Refused(
            f'there is no user {name}: create one, or set user in [agent]'
        ) from None


def _group(name: str) -> int:
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise Refused(
            f'there is no group {name}: create it, or correct group in [agent]'
        ) from None


def _drop_bounds() -> None:
    """Take what no program started from here may ever gain."""
    with open('/proc/sys/kernel/cap_last_cap') as stream:
        last = int(stream.read())
    with contextlib.suppress(PermissionError):
        # a container may have left out the right to do it
        for number in range(last + 1):
            _prctl(_PR_CAPBSET_DROP, number)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def _clear() -> None:
    """Empty the three other sets; changing the user leaves one of them."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    if _LIBC.capset(header, sets) != 0:
        _fail()


def _status() -> dict[str, str]:
    with open('/proc/thread-self/status') as stream:
        pairs = (line.split(':', 1) for line in stream if ':' in line)
        return {name: value.strip() for name, value in pairs}


def _prctl(option: int, value: int) -> None:
    numbers = map(ctypes.c_ulong, (value, 0, 0, 0))
    if _LIBC.prctl(ctypes.c_int(option), *numbers) != 0:
        _fail()


def _fail() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


_LIBC = ctypes.CDLL(None, use_errno=True)

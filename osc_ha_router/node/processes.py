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

"""One look at all processes of the host (source: proc(5))."""

import os
import time
import typing

from osc_ha_router.node import arguments

_COMMAND_LIMIT = 1 << 14
_STAT_LIMIT = 1 << 12
_STATUS_LIMIT = 1 << 14
#: CLOCK_BOOTTIME; Python names it only since 3.7. The start times in /proc
#: count from there, while /proc/uptime may be that of a container.
_BOOT_CLOCK = 7
_TICKS = os.sysconf('SC_CLK_TCK')


class Found(typing.NamedTuple):
    """What /proc tells of one process."""

    pid: int
    ppid: int
    state: str
    #: the name of the executable, cut to 15 characters
    name: str
    #: seconds since its start
    age: float
    argv: typing.Tuple[str, ...]


class Census(typing.NamedTuple):
    """The processes that may belong to a router."""

    #: by inode of their network namespace, only of the namespaces asked for
    by_namespace: typing.Dict[int, typing.List[Found]]
    #: state-change monitors in the program's own namespace, by router id
    monitors: typing.Dict[str, typing.List[Found]]
    #: keepalived in namespaces that were not asked for, by router id
    astray: typing.Dict[str, typing.List[Found]]
    #: processes that ended and were not waited for, by their parent's pid
    zombies: typing.Dict[int, typing.List[Found]]
    #: command lines of those that may matter and could not be looked at
    hidden: typing.List[str]


def take(wanted: typing.Container[int], home: int) -> Census:
    """Looks once at every process of the host.

    :param wanted: inodes of the network namespaces to collect
    :param home: inode of the program's own network namespace
    :raises OSError: /proc cannot be listed
    """
    census = Census({}, {}, {}, {}, [])
    mounts = _link('self', 'mnt')
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        pid = int(entry)
        try:
            link = os.readlink('/proc/%d/ns/net' % pid)
        except PermissionError:
            # Command lines are shown to everybody: what no router has
            # anything to do with may stay hidden.
            argv = _argv(pid)
            if (
                arguments.program(argv) in arguments.CONFIG
                or arguments.monitored(argv) is not None
            ):
                census.hidden.append(' '.join(argv))
            continue
        except OSError:
            # gone, or a zombie, which has no namespaces any more
            _note_zombie(pid, census)
            continue
        inode = _inode(link)
        if inode in wanted:
            found = look(pid, _argv(pid))
            if found is not None:
                census.by_namespace.setdefault(inode, []).append(found)
        elif inode == home:
            _note_monitor(pid, census)
        else:
            _note_astray(pid, census, mounts)
    return census


def look(pid: int, argv: typing.Tuple[str, ...]) -> typing.Optional[Found]:
    """Adds to a command line what /proc/PID/stat says; None: it is gone."""
    stat = _read('/proc/%d/stat' % pid, _STAT_LIMIT)
    return parse(pid, stat, argv) if stat else None


def parse(
    pid: int, stat: bytes, argv: typing.Tuple[str, ...]
) -> typing.Optional[Found]:
    """Decodes /proc/PID/stat; None if it is not one."""
    # the name stands in parentheses and may hold some itself
    opening, closing = stat.find(b'('), stat.rfind(b')')
    fields = stat[closing + 1 :].split()
    if not 0 < opening < closing or len(fields) < 20:
        return None
    try:
        ppid, started = int(fields[1]), int(fields[19])
    except ValueError:
        return None
    age = now() - started / _TICKS
    return Found(
        pid=pid,
        ppid=ppid,
        state=fields[0].decode('ascii', 'replace'),
        name=stat[opening + 1 : closing].decode('utf-8', 'replace'),
        age=round(max(age, 0.0), 2),
        argv=argv,
    )


def now() -> float:
    """Seconds by the clock that processes' start times are of."""
    return time.clock_gettime(_BOOT_CLOCK)


def numbers(pid: int) -> typing.List[bytes]:
    """The process's pid here and in its own pid namespace."""
    found = [b'%d' % pid]
    status = _read('/proc/%d/status' % pid, _STATUS_LIMIT)
    for line in status.splitlines():
        if line.startswith(b'NSpid:'):
            found.extend(line.split()[-1:])
    return found


def _note_monitor(pid: int, census: Census) -> None:
    argv = _argv(pid)
    router_id = arguments.monitored(argv)
    if router_id is not None:
        found = look(pid, argv)
        if found is not None:
            census.monitors.setdefault(router_id, []).append(found)


def _note_astray(pid: int, census: Census, mounts: str) -> None:
    """Keeps a router's keepalived that runs in some other namespace.

    Whoever deletes a namespace deletes its name; what runs in it runs on.
    Processes of other containers, or of another node on the same machine,
    may be visible too: one is this node's if it sees the same files.
    """
    argv = _argv(pid)
    followed = arguments.followed(argv)
    if followed is None:
        return
    folder, router_id = followed
    if _link(pid, 'mnt') != mounts and not _same(
        folder, '/proc/%d/root%s' % (pid, folder)
    ):
        return
    found = look(pid, argv)
    if found is not None:
        census.astray.setdefault(router_id, []).append(found)


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _link(pid: typing.Union[int, str], kind: str) -> str:
    try:
        return os.readlink('/proc/%s/ns/%s' % (pid, kind))
    except OSError:
        return ''


def _note_zombie(pid: int, census: Census) -> None:
    found = look(pid, ())
    if found is not None and found.state == 'Z':
        census.zombies.setdefault(found.ppid, []).append(found)


def _argv(pid: int) -> typing.Tuple[str, ...]:
    raw = _read('/proc/%d/cmdline' % pid, _COMMAND_LIMIT).rstrip(b'\0')
    if not raw:
        return ()
    return tuple(word.decode('utf-8', 'replace') for word in raw.split(b'\0'))


def _inode(link: str) -> int:
    """The number in ``net:[4026531840]``."""
    number = link[5:-1]
    return int(number) if number.isdigit() else -1


def _read(path: str, limit: int) -> bytes:
    """Nothing for what is gone: processes end while they are looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b''
    try:
        return os.read(descriptor, limit)
    except OSError:
        return b''
    finally:
        os.close(descriptor)

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

"""Sockets that only keepalived's VRRP process has (source: proc(5))."""

import os

from osc_ha_router.node import files

#: the tables of a namespace that list sockets such as the VRRP process has
#: (to send, to receive, to announce addresses, to watch devices), and which
#: column holds the inode
_TABLES = (('raw', 9), ('raw6', 9), ('packet', 8), ('netlink', 9))

#: protocol numbers of VRRP and AH as /proc/net/raw writes them
_VRRP = (b':0070', b':0033')


def held(pid: int) -> bool:
    """Whether a process holds sockets as the VRRP process does."""
    inodes = set()
    for table, column in _TABLES:
        try:
            data = files.read_proc('/proc/%d/net/%s' % (pid, table))
        except OSError:
            continue
        for line in data.splitlines()[1:]:
            fields = line.split()
            if len(fields) > column:
                inodes.add(b'socket:[%s]' % fields[column])
    base = b'/proc/%d/fd/' % pid
    try:
        descriptors = os.listdir(base)
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            if os.readlink(base + descriptor) in inodes:
                return True
        except OSError:
            continue
    return False


def around() -> bool:
    """Whether anything holds a VRRP socket in this thread's namespace.

    :raises OSError: it cannot be told
    """
    for table in ('raw', 'raw6'):
        try:
            data = files.read_proc('/proc/thread-self/net/' + table)
        except FileNotFoundError:
            # no IPv6, or a kernel before 3.17
            continue
        for line in data.splitlines()[1:]:
            fields = line.split()
            if len(fields) > 1 and fields[1].endswith(_VRRP):
                return True
    return False

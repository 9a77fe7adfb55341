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

"""Sockets of the VRRP process, read off /proc as the kernel writes it."""

import os

import testtools

from osc_ha_router.node import files
from osc_ha_router.node import sockets

HEAD = b'  sl  local_address rem_address   st tx_queue rx_queue tr\n'
#: of /proc/net/raw: protocol 112 (0x70), inode 40001
VRRP = (
    b'  112: 00000000:0070 00000000:0000 07 00000000:00000000 00:00000000'
    b' 00000000     0        0 40001 2 0000000000000000 0\n'
)
#: protocol 1, ICMP
PING = VRRP.replace(b':0070', b':0001').replace(b'40001', b'40002')
#: of /proc/net/packet
PACKET = (
    b'sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n'
    b'00000000 3      3    0003   0     1 0      0      40003\n'
)


class SocketsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        #: by path
        self.tables = {}
        self.patch(files, 'read_proc', self._read)

    def _read(self, path):
        try:
            return self.tables[path]
        except KeyError:
            raise FileNotFoundError(2, 'No such file', path) from None


class AroundTest(SocketsTest):
    def table(self, name, *lines):
        path = f'/proc/thread-self/net/{name}'
        self.tables[path] = HEAD + b''.join(lines)

    def test_vrrp(self):
        self.table('raw', PING, VRRP)
        self.assertTrue(sockets.around())

    def test_vrrp_over_ipv6(self):
        self.table('raw', PING)
        self.table('raw6', VRRP)
        self.assertTrue(sockets.around())

    def test_authenticated(self):
        """AH, as older versions of VRRP have it."""
        self.table('raw', VRRP.replace(b':0070', b':0033'))
        self.assertTrue(sockets.around())

    def test_others(self):
        self.table('raw', PING)
        self.table('raw6', b'\n', b'garbage\n')
        self.assertFalse(sockets.around())

    def test_nothing_to_read(self):
        self.assertFalse(sockets.around())

    def test_may_not_read(self):
        """Then nobody knows, and that is not no."""

        def refuse(path):
            raise PermissionError(13, 'Permission denied', path)

        self.patch(files, 'read_proc', refuse)
        self.assertRaises(PermissionError, sockets.around)


class HeldTest(SocketsTest):
    def setUp(self):
        super().setUp()
        #: of the process, by number
        self.links = {}
        listdir, readlink = os.listdir, os.readlink

        def listed(path):
            if path != b'/proc/4711/fd/':
                return listdir(path)
            if self.links is None:
                raise PermissionError(13, 'Permission denied')
            return [str(number).encode() for number in self.links]

        def linked(path):
            if not path.startswith(b'/proc/4711/fd/'):
                return readlink(path)
            found = self.links[int(path.rpartition(b'/')[2])]
            if found is None:
                raise FileNotFoundError(2, 'No such file')
            return found

        self.patch(sockets.os, 'listdir', listed)
        self.patch(sockets.os, 'readlink', linked)

    def table(self, name, data):
        self.tables[f'/proc/4711/net/{name}'] = data

    def test_one_of_vrrp(self):
        self.table('raw', HEAD + VRRP)
        self.links = {0: b'/dev/null', 7: b'socket:[40001]'}
        self.assertTrue(sockets.held(4711))

    def test_one_to_announce_addresses(self):
        self.table('packet', PACKET)
        self.links = {3: b'socket:[40003]'}
        self.assertTrue(sockets.held(4711))

    def test_those_of_another_process(self):
        self.table('raw', HEAD + VRRP)
        self.links = {3: b'socket:[50000]', 4: b'pipe:[40001]'}
        self.assertFalse(sockets.held(4711))

    def test_descriptor_that_is_closed_meanwhile(self):
        self.table('raw', HEAD + VRRP)
        self.links = {3: None, 4: b'socket:[40001]'}
        self.assertTrue(sockets.held(4711))

    def test_process_that_has_gone(self):
        self.links = None
        self.assertFalse(sockets.held(4711))

    def test_lines_that_are_too_short(self):
        self.table('raw', HEAD + b'112: 0:0070\n\n')
        self.links = {3: b'socket:[40001]'}
        self.assertFalse(sockets.held(4711))

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

"""A network namespace for the thread that runs a test.

It has no name and no link to anything else, so nothing that a test does in
it reaches the machine's own network. Threads and processes that the test
starts are in it, too; it goes away with the last of them.
"""

import ctypes
import os
import subprocess

import fixtures

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Space(fixtures.Fixture):
    """The calling thread is in a network namespace of its own."""

    #: an address that never answers: packets to it go nowhere
    SILENT = '192.0.2.99'
    #: an address without a route
    LOST = '198.51.100.1'

    def _setUp(self) -> None:
        home = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        self.addCleanup(os.close, home)
        _check(_LIBC.unshare(_CLONE_NEWNET))
        self.addCleanup(lambda: _check(_LIBC.setns(home, _CLONE_NEWNET)))
        for words in (
            'link set lo up',
            # a cable at whose other end nobody takes the packets, and no
            # ARP that would tell so
            'link add silent type veth peer name nobody',
            'link set nobody up',
            'address add 192.0.2.1/24 dev silent',
            'link set silent up',
            f'neighbour add {self.SILENT} dev silent nud permanent '
            'lladdr 02:00:00:00:00:99',
        ):
            subprocess.run(['ip', *words.split()], check=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

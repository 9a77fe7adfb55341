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


"""Having the kernel fill in the checksums of what a device sends.

It leaves that to the device, for which a bridge and a veth pair count too.
Open vSwitch in user space takes the packets as they are, and a tap device at
the other end drops what has a wrong checksum: TCP and UDP, not ICMP.
"""

from __future__ import annotations

import ctypes
import fcntl
from pathlib import Path
import socket
import struct

from tests.lab.sockets import inside

# linux/sockios.h, linux/ethtool.h
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17


def fill_in(namespace: Path, device: str) -> None:
    """Turn a device's checksum offload off; OSError when that fails."""
    inside(namespace, lambda: _turn_off(device))


def _turn_off(device: str) -> None:
    value = ctypes.create_string_buffer(
        struct.pack("=II", _ETHTOOL_STXCSUM, 0)
    )
    # struct ifreq: a name, and a union of which the first word counts here
    request = struct.pack("16sP16x", device.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        fcntl.ioctl(link, _SIOCETHTOOL, request)

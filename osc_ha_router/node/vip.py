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

"""Whether this node holds a router's HA address, and waiting for a change."""

import contextlib

from osc_ha_router.node import errand as errands
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import rtnetlink

#: linux/rtnetlink.h: a change of an address wakes whoever waits
_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV6_IFADDR = 0x100


class Vip(contextlib.ExitStack):
    """The HA address of a router on this node.

    A context manager. Its sockets stay in the router's namespace.

    :param errand: of the router
    :raises ProgramError: ``absent``, ``unfit``
    :raises OSError: there is no such socket to be had
    """

    def __init__(self, errand: errands.Errand) -> None:
        super().__init__()
        wanted = errand.conf()['vips']
        if not wanted:
            raise errors.ProgramError(
                errors.UNFIT, 'there is no HA address in keepalived.conf'
            )
        self._wanted = {(vip['device'], vip['address']) for vip in wanted}
        with errand.inside():
            self._channel = self.enter_context(netlink.Socket())
            # subscribed before the first look: nothing is missed
            self._news = self.enter_context(
                netlink.News(_RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR)
            )

    @property
    def descriptor(self) -> int:
        """Can be read when an address has come or gone."""
        return self._news.fileno()

    def held(self) -> bool:
        """Whether the namespace holds it now.

        :raises NetlinkError: the kernel does not tell
        :raises OSError: the socket fails
        """
        self._news.drain()
        names = rtnetlink.names(self._channel)
        return any(
            (each['device'], each['address']) in self._wanted
            for each in rtnetlink.addresses(self._channel, names)
        )

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


"""The operation ``takeover``: waiting for the active role, and its care.

In the first seconds three things may still go wrong, and are kept from it
here: switches that have learnt the router's MAC elsewhere, a keepalived.conf
that stays changed, and an Open vSwitch agent that cuts off a port.
"""

import contextlib
import math
import time
import typing

from osc_ha_router.node import announce
from osc_ha_router.node import errand as errands_
from osc_ha_router.node import errors
from osc_ha_router.node import netlink
from osc_ha_router.node import ports
from osc_ha_router.node import protocol
from osc_ha_router.node import replies as replying

#: seconds that any of the durations may be
LONGEST = 900

_LINK, _IPV4_ADDRESS, _IPV6_ADDRESS = 0x1, 0x10, 0x100
#: seconds between announcements, at first and later
_OFTEN, _SELDOM, _FIRST = 0.025, 0.25, 2.0
#: seconds between looks at keepalived.conf
_FILE = 0.2


def run(
    fields: protocol.Json,
    replies: replying.Replies,
    errands: errands_.Errands,
) -> protocol.Json:
    """Waits for the VIP, announces, guards and puts the file back.

    Fields of the request, in seconds: ``timeout`` (to wait for the VIP),
    ``hold`` (from then on until keepalived.conf is put back) and ``stay``
    (from then on, to announce and to guard). Anything that the client says
    meanwhile ends it.

    :returns: ``active``, ``reason`` (why not), ``restored``, ``revived``,
        ``guarded``
    :raises BadRequest: a field is not what it must be
    :raises ProgramError: there is no such errand, or it cannot go on
    :raises Gone: the client has hung up
    """
    errand = errands.of(protocol.router(fields))
    timeout = protocol.seconds(fields, 'timeout', LONGEST)
    hold = protocol.seconds(fields, 'hold', LONGEST)
    stay = protocol.seconds(fields, 'stay', LONGEST)
    conf = errand.conf()
    with contextlib.ExitStack() as stack:
        # first of all: an agent may look at any time
        guard = stack.enter_context(
            ports.Guard(_devices(conf), _parent(errand))
        )
        try:
            with errand.inside():
                # subscribed before the first look: nothing is missed
                news = stack.enter_context(
                    netlink.News(_LINK | _IPV4_ADDRESS | _IPV6_ADDRESS)
                )
                announcer = stack.enter_context(announce.Announcer(conf))
            watch = _Watch(errand, replies, conf, guard, news, announcer)
            return watch.run(timeout, hold, stay)
        except (OSError, netlink.NetlinkError) as error:
            raise errors.ProgramError(
                errors.INTERNAL,
                'the namespace cannot be watched: %s' % error,
            ) from None


class _Watch:
    """One takeover."""

    def __init__(
        self,
        errand: errands_.Errand,
        replies: replying.Replies,
        conf: protocol.Json,
        guard: ports.Guard,
        news: netlink.News,
        announcer: announce.Announcer,
    ) -> None:
        self._errand = errand
        self._replies = replies
        self._vips = {
            (entry['device'], entry['address']) for entry in conf['vips']
        }
        self._guard = guard
        self._news = news
        self._announcer = announcer
        self._revived = []  # type: typing.List[protocol.Json]
        self._restored = None  # type: typing.Optional[str]

    def run(self, timeout: float, hold: float, stay: float) -> protocol.Json:
        reason = self._await(timeout)
        if reason is None:
            self._care(hold, stay)
        else:
            # no node may stay with a priority that is not its own
            self._restore()
        return {
            'active': reason is None,
            'reason': reason,
            'restored': self._restored == 'restored',
            'revived': self._revived,
            'guarded': self._guard.guarded,
        }

    def _await(self, timeout: float) -> typing.Optional[str]:
        """Waits until the VIP is here; returns why it is not."""
        deadline = time.monotonic() + timeout
        look = True
        file_due = 0.0
        while True:
            if look and self._active():
                return None
            now = time.monotonic()
            if now >= file_due:
                if not self._errand.unchanged():
                    return 'changed'
                file_due = now + _FILE
            if self._replies.asked():
                return 'stopped'
            if now >= deadline:
                return 'its HA address did not come within %g s' % timeout
            look = self._wait(min(file_due, deadline))

    def _care(self, hold: float, stay: float) -> None:
        """Looks after the router in its first seconds here."""
        began = time.monotonic()
        self._announcer.announce()
        self._replies({'event': 'active'})
        announce_due = began + _OFTEN
        while not self._replies.asked():
            now = time.monotonic()
            if now >= began + max(hold, stay):
                break
            if self._restored is None and now >= began + hold:
                self._restore()
            if now >= announce_due:
                if now >= began + _FIRST:
                    self._announcer.look()
                    announce_due = now + _SELDOM
                else:
                    announce_due = now + _OFTEN
                self._announcer.announce()
            due = min(announce_due, began + max(hold, stay))
            if self._restored is None:
                due = min(due, began + hold)
            if self._wait(due):
                self._catch_up()
        self._restore()

    def _active(self) -> bool:
        """Whether all of the VIPs are here."""
        return bool(self._vips) and self._vips <= self._announcer.look()

    def _catch_up(self) -> None:
        """Addresses came or went: new ones are announced at once."""
        before = self._announcer.devices()
        self._announcer.look()
        if self._announcer.devices() - before:
            self._announcer.announce()

    def _wait(self, until: float) -> bool:
        """Waits, and guards meanwhile.

        :param until: at the latest, by the monotonic clock
        :returns: whether addresses or devices changed
        """
        due = self._guard.due()
        left = min(until, math.inf if due is None else due) - time.monotonic()
        ready = self._replies.wait(
            max(left, 0.0),
            [self._news.fileno()] + self._guard.descriptors(),
        )
        for port in self._guard.look():
            self._revived.append(port)
            event = {'event': 'revived'}  # type: protocol.Json
            event.update(port)
            self._replies(event)
        return self._news.fileno() in ready and self._news.drain()

    def _restore(self) -> None:
        """Puts keepalived.conf back, once."""
        if self._restored is not None:
            return
        self._restored = self._errand.restore()
        if self._restored != 'nothing':
            self._replies(
                {'event': 'restored', 'kept': self._restored == 'kept'}
            )


def _devices(conf: protocol.Json) -> typing.Set[str]:
    found = {entry['device'] for entry in conf['vips'] + conf['excluded']} | {
        conf['interface']
    }
    return {device for device in found if device}


def _parent(errand: errands_.Errand) -> typing.Optional[int]:
    try:
        return errand.keepalived()[0]
    except errors.ProgramError:
        # the wait will show whether it comes back
        return None

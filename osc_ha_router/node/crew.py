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

"""Looking at very many routers on more than one processor.

A look at a router takes half a millisecond of computing. Hosts that have
hundreds of them have idle processors, too.
"""

import fcntl
import io
import os
import select
import typing

from osc_ha_router.node import look as looking
from osc_ha_router.node import replies as replying
from osc_ha_router.node import view

#: routers for which one more process pays off
_SHARE = 60
_MOST = 4
_F_SETPIPE_SZ = 1031
_PIPE = 1 << 20
_BUFFER = 1 << 16
#: views that are sent at once
_BATCH = 16

#: virtual_router_id by router id, None where there is none
Vrids = typing.Dict[str, typing.Optional[int]]


class Worker:
    """A forked process that builds the views of some routers.

    It writes two lines for each: the router's id and its vrid (0 for none),
    and the reply.
    """

    def __init__(
        self,
        look: looking.Look,
        routers: typing.Sequence[str],
        replies: replying.Replies,
        others: typing.Sequence['Worker'],
    ) -> None:
        self.descriptor, target = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self.descriptor)
            os.close(target)
            raise
        if self.pid == 0:
            # Whatever happens, this process must never return into the
            # conversation; what is missing its parent does itself.
            try:
                for worker in [self, *others]:
                    os.close(worker.descriptor)
                _work(look, routers, replies, target)
            finally:
                os._exit(0)
        os.close(target)
        self._rest = b''
        try:
            # lets it work on while the parent is busy
            fcntl.fcntl(self.descriptor, _F_SETPIPE_SZ, _PIPE)
        except OSError:
            pass

    def receive(self, vrids: Vrids) -> typing.Optional[bytes]:
        """The next replies, complete lines; None: there will be no more.

        :param vrids: is given those of the routers in the replies
        """
        data = os.read(self.descriptor, _PIPE)
        if not data:
            return None
        lines = (self._rest + data).split(b'\n')
        complete = (len(lines) - 1) // 2 * 2
        self._rest = b'\n'.join(lines[complete:])
        for head in lines[:complete:2]:
            router_id, vrid = head.decode('ascii').split()
            vrids[router_id] = int(vrid) or None
        return b''.join(line + b'\n' for line in lines[1:complete:2])

    def end(self) -> None:
        """Closes its pipe, which ends it, and waits for that."""
        os.close(self.descriptor)
        os.waitpid(self.pid, 0)


def send_views(
    look: looking.Look,
    routers: typing.Sequence[str],
    replies: replying.Replies,
) -> Vrids:
    """Builds and sends the view of each router.

    :returns: the vrid of each
    :raises Gone: nobody reads the replies
    """
    vrids = {}  # type: Vrids
    shares = _shares(routers)
    workers = []  # type: typing.List[Worker]
    try:
        for share in shares[1:]:
            try:
                workers.append(Worker(look, share, replies, workers))
            except OSError:
                # no more processes to be had
                break
        running = {worker.descriptor: worker for worker in workers}
        poll = select.poll()
        for descriptor in running:
            poll.register(descriptor, select.POLLIN)
        # Each write wakes the reader, who needs a processor for it. With
        # one process every view is sent as soon as it is known.
        batch = _BATCH if workers else 1
        for start in range(0, len(shares[0]), batch):
            own = shares[0][start : start + batch]
            replies.relay(
                b''.join(_line(look, each, replies, vrids) for each in own)
            )
            _relay(poll, running, 0, replies, vrids)
        while running:
            _relay(poll, running, None, replies, vrids)
    finally:
        for worker in workers:
            worker.end()
    for router_id in routers:
        if router_id not in vrids:
            replies.relay(_line(look, router_id, replies, vrids))
    return vrids


def _shares(
    routers: typing.Sequence[str],
) -> typing.List[typing.Sequence[str]]:
    """The routers in parts, one for each process; the first is our own."""
    processors = len(os.sched_getaffinity(0))
    count = max(1, min(processors, _MOST, len(routers) // _SHARE))
    return [routers[start::count] for start in range(count)]


def _line(
    look: looking.Look,
    router_id: str,
    replies: replying.Replies,
    vrids: Vrids,
) -> bytes:
    built = view.build(look, router_id)
    vrids[router_id] = view.vrid(built)
    return replies.line({'view': built})


def _relay(
    poll: 'select.poll',
    running: typing.Dict[int, Worker],
    timeout: typing.Optional[int],
    replies: replying.Replies,
    vrids: Vrids,
) -> None:
    """Passes on what workers have written.

    :param timeout: 0 does not wait, None waits for one of them
    """
    if not running:
        return
    for descriptor, _ in poll.poll(timeout):
        lines = running[descriptor].receive(vrids)
        if lines is None:
            poll.unregister(descriptor)
            del running[descriptor]
        elif lines:
            replies.relay(lines)


def _work(
    look: looking.Look,
    routers: typing.Sequence[str],
    replies: replying.Replies,
    target: int,
) -> None:
    vrids = {}  # type: Vrids
    with io.open(target, 'wb', buffering=_BUFFER) as stream:
        for router_id in routers:
            line = _line(look, router_id, replies, vrids)
            head = '%s %d\n' % (router_id, vrids[router_id] or 0)
            stream.write(head.encode('ascii') + line)

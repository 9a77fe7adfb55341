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


"""A web process without a web: it obeys JSON lines on standard input.

It starts the keeper as root, gives its rights away, and does then what the
agent does, or what an attacker would who has taken it over.
"""

from concurrent.futures import thread
import ctypes
import json
import os
import signal
import socket
import sys
import threading

from osc_ha_router import codec
from osc_ha_router import config
from osc_ha_router.agent import conversations
from osc_ha_router.agent import keeper
from osc_ha_router.agent import local
from osc_ha_router.agent import privileges
from osc_ha_router.backends import base

USER = 'nobody'
ME = 'me'
_CLONE_NEWNET = 0x40000000
_PTRACE_SEIZE = 0x4206


def main():
    """Obeys until the input ends, or for ever if it is killed."""
    started = keeper.start(12)
    privileges.drop(USER)
    here = local.Local('net1', started, config.Settings())
    web = Web(started, here, conversations.Conversations(here))
    say({'keeper': started.pid})
    for line in sys.stdin:
        name, arguments = json.loads(line)
        say(getattr(web, name)(*arguments))
    web.talks.close_all()
    say(started.wait(20))


def say(what):
    print(json.dumps(what), flush=True)


class Web:
    """Each method is a command."""

    def __init__(self, started, here, talks):
        self.keeper = started
        self.here = here
        self.talks = talks
        self.waiting = []

    def look(self, router_id, listen=0.0):
        seen = self.here.look(
            base.Request('net1', (router_id,), listen),
            base.Deadline.after(20),
            threading.Event(),
        )
        return codec.encode(seen)

    def storm(self, *router_ids):
        """Look at each of them at the same moment."""
        with thread.ThreadPoolExecutor(len(router_ids)) as pool:
            return list(pool.map(self.look, router_ids))

    def open(self):
        return self.talks.open(ME).id

    def ask(self, id_, op, fields):
        *_, last = self.talks.request(id_, ME, op, fields, 20)
        return last

    def wait(self, id_, op, fields):
        """Ask for what takes its time, and do not wait for the answer."""
        replies = self.talks.request(id_, ME, op, fields, 60)
        reader = threading.Thread(target=list, args=(replies,), daemon=True)
        reader.start()
        self.waiting.append(reader)

    def close(self, id_):
        self.talks.close(id_, ME)

    def status(self):
        with open('/proc/self/status') as stream:
            return dict(line.strip().split(':\t') for line in stream)

    def attack(self, namespace, secret, conf):
        """What came of each attempt: an error's name, or success."""
        return {
            'setuid': _outcome(os.setuid, 0),
            'seteuid': _outcome(os.seteuid, 0),
            'setreuid': _outcome(os.setreuid, 0, 0),
            'setgid': _outcome(os.setgid, 0),
            'setgroups': _outcome(os.setgroups, [0]),
            'setns': _outcome(_setns, namespace),
            'read': _outcome(open, secret),
            'write': _outcome(open, conf, 'w'),
            'lock': _outcome(os.listdir, '/run/osc-ha-router'),
            'kill': _outcome(os.kill, self.keeper.pid, signal.SIGKILL),
            'memory': _outcome(open, f'/proc/{self.keeper.pid}/mem', 'rb'),
            'files': _outcome(os.listdir, f'/proc/{self.keeper.pid}/fd'),
            'trace': _outcome(_trace, self.keeper.pid),
            'packets': _outcome(
                socket.socket, socket.AF_PACKET, socket.SOCK_RAW
            ),
            'chroot': _outcome(os.chroot, '/tmp'),
        }


def _outcome(attempt, *arguments):
    try:
        attempt(*arguments)
    except OSError as exc:
        return type(exc).__name__
    return 'success'


def _setns(path):
    with open(path) as stream:
        if _LIBC.setns(stream.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), path)


def _trace(pid):
    if _LIBC.ptrace(_PTRACE_SEIZE, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), 'ptrace')


_LIBC = ctypes.CDLL(None, use_errno=True)

if __name__ == '__main__':
    main()

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

"""Finding the processes of one failover, and no others, and killing them."""

from collections.abc import Callable
from collections.abc import Iterable
import contextlib
import dataclasses
import os
import pathlib
import signal

from tests.lab import processes
from tests.lab.cloud import ENTRY_NODE
from tests.lab.failovers import Failover
from tests.lab.lab import Lab

#: what the command line of the node program has, and of nothing else here
_MARKS = (
    'exec(zlib.decompress(sys.stdin.buffer.read(int(sys.argv[1]))))',
    'osc-ha-router-node',
    'osc_ha_router.agent.privileged',
)
_GUARDIAN, _KEEPER = 'osc-ha-guardian', 'osc-ha-keeper'


@dataclasses.dataclass(frozen=True)
class Victim:
    """A process, told from a later one with the same number."""

    what: str
    pid: int
    started: int

    def kill(self) -> bool:
        """Send SIGKILL; say whether it was still there."""
        if processes.started(self.pid) != self.started:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            return True
        return False


class Cast:
    """Who takes part in one failover.

    Make it before the failover begins: whoever is there by then, is not of
    it.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._others = {
            victim for name in lab.nodes for victim in self._on(name)
        }

    def client(self, failover: Failover) -> list[Victim]:
        """Return the client, if it lives."""
        return list(_victims('client', [failover.pid]))

    def ssh(self, failover: Failover, host: str) -> list[Victim]:
        """Return its ssh processes to a node."""
        return [
            victim
            for pid in processes.everyone()
            if processes.parent(pid) == failover.pid
            and (command := processes.command(pid))[:1] == ['ssh']
            and host in command
            for victim in _victims(f'ssh to {host}', [pid])
        ]

    def agent(self, host: str) -> list[Victim]:
        """Return the node agent on a node, without its children."""
        pids = self._lab.nodes[host].ha_agent_pids()[:1]
        return list(_victims(f'agent on {host}', pids))

    def program(self, host: str) -> list[Victim]:
        """Return the node program on a node, without its guardian."""
        return [v for v in self._new(host) if not v.what.startswith('guard')]

    def guarded(self, host: str) -> list[Victim]:
        """Return the node program and its guardian, if it has both.

        The guardian comes first: it would notice the end of the other.
        """
        found = sorted(self._new(host), key=lambda victim: victim.what)
        whole = len({victim.what for victim in found}) > 1
        return found if whole else []

    def _new(self, host: str) -> list[Victim]:
        return [v for v in self._on(host) if v not in self._others]

    def _on(self, host: str) -> list[Victim]:
        layout = self._lab.layout
        found: list[Victim] = []
        for pid in processes.inhabitants(layout.state, host):
            command = processes.command(pid)
            name = _name(pid)
            # the keeper starts node programs, and has nothing of a failover
            if not _is_program(command) or name == _KEEPER:
                continue
            kind = 'guardian' if name == _GUARDIAN else 'program'
            found += _victims(f'{kind} on {host}', [pid])
        return found


def _is_program(command: list[str]) -> bool:
    """Whether it is Python that runs our program, not who started that.

    sudo and the login shell have the same words in theirs.
    """
    if not command or 'python' not in os.path.basename(command[0]):
        return False
    return any(mark in word for word in command[1:] for mark in _MARKS)


def _name(pid: int) -> str:
    try:
        return pathlib.Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return ''


def _victims(what: str, pids: Iterable[int]) -> Iterable[Victim]:
    for pid in pids:
        started = processes.started(pid)
        if started is not None:
            yield Victim(what, pid, started)


#: who is killed, none as long as they are not all there:
#: (cast, failover, source, target) -> victims
Choice = Callable[[Cast, Failover, str, str], list[Victim]]

#: by name
_PLOTS: dict[str, Choice] = {
    'client': lambda cast, run, source, target: cast.client(run),
    'source': lambda cast, run, source, target: cast.program(source),
    'target': lambda cast, run, source, target: cast.program(target),
    'source, guardian': (
        lambda cast, run, source, target: cast.guarded(source)
    ),
    'target, guardian': (
        lambda cast, run, source, target: cast.guarded(target)
    ),
    'client, target': lambda cast, run, source, target: _both(
        cast.client(run), cast.program(target)
    ),
    'client, target, guardian': lambda cast, run, source, target: _both(
        cast.client(run), cast.guarded(target)
    ),
}
#: by backend and name
PLOTS: dict[str, dict[str, Choice]] = {
    'ssh': {
        'client': _PLOTS['client'],
        'ssh to source': (
            lambda cast, run, source, target: cast.ssh(run, source)
        ),
        'ssh to target': (
            lambda cast, run, source, target: cast.ssh(run, target)
        ),
        **_PLOTS,
    },
    'agent': {
        'client': _PLOTS['client'],
        'agent of source': (
            lambda cast, run, source, target: cast.agent(source)
        ),
        'agent of target': (
            lambda cast, run, source, target: cast.agent(target)
        ),
        'entry agent': (
            lambda cast, run, source, target: cast.agent(ENTRY_NODE)
        ),
        **_PLOTS,
    },
}


def _both(some: list[Victim], others: list[Victim]) -> list[Victim]:
    return some + others if some and others else []

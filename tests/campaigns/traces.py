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

"""What a failover could leave on the nodes, and whether it did."""

from collections.abc import Iterator
import dataclasses
import fcntl
import os

from tests.lab.lab import Lab

JOURNAL = '.osc-ha-router.json'
LOCKS = '/run/osc-ha-router'
COMMENT = 'osc-ha-router'


@dataclasses.dataclass(frozen=True)
class Line:
    """What one run came to."""

    #: in a line
    text: str
    #: what was not as it must be, a sentence each
    violations: list[str]


@dataclasses.dataclass(frozen=True)
class Traces:
    """What is on one node."""

    #: keepalived.conf, byte for byte; None if there is none
    conf: bytes | None
    #: pids of keepalived, the parent first
    keepalived: tuple[int, ...]
    journal: bool
    #: somebody holds the router's lock
    locked: bool
    #: rules of ours in the router's namespace
    rules: tuple[str, ...]


def take(lab: Lab, router_id: str) -> dict[str, Traces]:
    """Return what is on every node now."""
    return {name: _of(lab, router_id, name) for name in lab.nodes}


def _of(lab: Lab, router_id: str, name: str) -> Traces:
    node = lab.nodes[name]
    replica = node.router(router_id)
    folder = node.path(replica.folder)
    try:
        conf = folder.joinpath('keepalived.conf').read_bytes()
    except FileNotFoundError:
        conf = None
    rules = replica.run(['ip6tables', '-S'], check=False)
    return Traces(
        conf=conf,
        keepalived=tuple(replica.keepalived_pids()),
        journal=os.path.lexists(folder.joinpath(JOURNAL)),
        locked=_locked(str(node.path(f'{LOCKS}/{router_id}.lock'))),
        rules=tuple(
            line for line in rules.stdout.splitlines() if COMMENT in line
        ),
    )


def _locked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # shared, and for a moment: nobody is refused because of this look
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def left(
    before: dict[str, Traces], after: dict[str, Traces], restarted: bool = True
) -> Iterator[str]:
    """Say what is not as it was.

    :param restarted: whether another keepalived will do, if it lives
    """
    for name, was in before.items():
        now = after[name]
        if now.conf != was.conf:
            yield f'keepalived.conf on {name} is not what it was'
        if len(now.keepalived) < 2:
            yield f'keepalived does not live on {name}'
        elif not restarted and now.keepalived != was.keepalived:
            yield (
                f'keepalived on {name} is {now.keepalived}, not '
                f'{was.keepalived}'
            )
        if now.journal:
            yield f'the journal is left on {name}'
        if now.locked:
            yield f'the lock is held on {name}'
        if now.rules:
            yield f'a rule is left on {name}: {"; ".join(now.rules)}'

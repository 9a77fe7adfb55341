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

"""One move of r1's active role, with everything watched that tells of it."""

from collections.abc import Callable
import contextlib
import dataclasses
import os
import random
import signal
import time
from typing import Any

from tests.lab import holding
from tests.lab import pinging
from tests.lab import wiring
from tests.lab.errors import LabError
from tests.lab.failovers import Failover
from tests.lab.failovers import Said
from tests.lab.lab import Lab
from tests.lab.progress import until

INTERVAL = pinging.INTERVAL
GATEWAY, FLOATING = 'gateway', 'floating IP'
ADDRESSES = (GATEWAY, FLOATING)

#: seconds of pings before the move, and at least after the takeover: what
#: Neutron does to the ports comes some seconds later
BEFORE, AFTER = 1.0, 15.0
#: seconds without a lost ping that must have gone before
CALM = 3.0
#: seconds until somebody must have taken over
PATIENCE = 60.0
#: seconds after the takeover at which a device that was set down is set up
BACK = 8.0


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of one move; moments are on the monotonic clock."""

    method: str
    source: str
    #: None: the method does not choose
    target: str | None
    #: the other node that had the VRRP address in the end
    winner: str | None
    #: when the move was ordered
    began: float
    #: when the winner got the VRRP address to keep
    arrived: float | None
    #: of the command; None: there was none
    exit_code: int | None
    #: the longest time that two nodes held the VRRP address, in seconds
    two_holders: float
    #: by name of the address
    trails: dict[str, pinging.Trail]
    holders: list[holding.Change]
    tags: list[wiring.Change]
    said: list[Said]

    @property
    def landed(self) -> bool | None:
        """Whether it is where it was to go, None if nobody chose."""
        return None if self.target is None else self.winner == self.target

    @property
    def takeover(self) -> float | None:
        """Seconds from the order to the takeover."""
        return None if self.arrived is None else self.arrived - self.began

    def story(self) -> list[tuple[float, str]]:
        """What happened when, in seconds after the takeover.

        After the order if nobody took over.
        """
        zero = self.began if self.arrived is None else self.arrived
        found = [(self.began, f'{self.method} begins')]
        for name, trail in self.trails.items():
            for gap in trail.gaps():
                found.append((gap.start, f'{name}: last answered ping'))
                words = f'{name}: answers again after {gap.seconds:.3f} s'
                found.append((gap.end, words))
        for change in self.holders:
            verb = 'has' if change.holds else 'has lost'
            found.append((change.at, f'{change.node} {verb} the VRRP address'))
        for tag in self.tags:
            found.append(
                (
                    tag.at,
                    f'{tag.node}: tag of {tag.port} {tag.before} is now '
                    f'{tag.after}',
                )
            )
        found += [(said.at, f'says {said.line}') for said in self.said]
        return [(at - zero, words) for at, words in sorted(found)]

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts; times are relative to the takeover."""
        zero = self.began if self.arrived is None else self.arrived
        return {
            'method': self.method,
            'source': self.source,
            'target': self.target,
            'winner': self.winner,
            'exit_code': self.exit_code,
            'takeover': _rounded(self.takeover),
            'two_holders': _rounded(self.two_holders),
            'outage': {
                n: _rounded(t.outage()) for n, t in self.trails.items()
            },
            'slowest': {
                n: _rounded(t.slowest()) for n, t in self.trails.items()
            },
            'gaps': {
                n: [
                    [_rounded(g.start - zero), _rounded(g.end - zero)]
                    for g in t.gaps()
                ]
                for n, t in self.trails.items()
            },
        }


class Scene:
    """A move under way."""

    def __init__(
        self, lab: Lab, source: str, target: str, holders: holding.Holders
    ) -> None:
        self.lab = lab
        self.router = lab.facts['router']
        self.source = source
        self.target = target
        self.holders = holders
        self.began = time.monotonic()
        self.failover: Failover | None = None

    def arrival(self) -> holding.Change | None:
        """Return when another node got the VRRP address, if one has."""
        return self.holders.arrival(self.began, self.source)

    def rest(self, seconds: float) -> None:
        """Wait until so many seconds after the takeover.

        :raises LabError: nobody takes over
        """
        until('somebody to take over', self.arrival, PATIENCE, INTERVAL)
        change = self.arrival()
        assert change is not None
        time.sleep(max(0.0, change.at + seconds - time.monotonic()))


def _command(*arguments: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        words = [
            scene.target if word == 'TARGET' else word for word in arguments
        ]
        scene.failover = Failover(scene.lab, 'r1', words)
        scene.began = scene.failover.started
        if scene.failover.wait() and not scene.arrival():
            raise LabError('refused, or failed with nothing changed')

    return act


def _link_down(scene: Scene) -> None:
    """Do what people do: set the HA device down, and up when it is over."""
    replica = scene.lab.nodes[scene.source].router(scene.router)
    device = replica.ha_device()
    if device is None:
        raise LabError(f'{scene.source} has no HA device')
    link = ['ip', 'link', 'set', device]
    scene.began = time.monotonic()
    replica.run([*link, 'down'])
    try:
        scene.rest(BACK)
    finally:
        replica.run([*link, 'up'])


def _sigterm(scene: Scene) -> None:
    """Do what people do: end the active node's keepalived."""
    replica = scene.lab.nodes[scene.source].router(scene.router)
    parent = replica.keepalived_pids()[0]
    scene.began = time.monotonic()
    os.kill(parent, signal.SIGTERM)


#: the name of each method, whether it chooses, and how it is done
METHODS: dict[str, tuple[bool, Callable[[Scene], None]]] = {
    'promote': (True, _command('--method', 'promote', '--to', 'TARGET')),
    'handover': (True, _command('--method', 'handover', '--to', 'TARGET')),
    'release': (False, _command('--method', 'release')),
    'link down': (False, _link_down),
    'SIGTERM': (False, _sigterm),
}


def run(lab: Lab, method: str, chance: random.Random) -> Trial:
    """Move the role once, from a settled router.

    :raises LabError: the router cannot be brought to where it can begin
    """
    chooses, act = METHODS[method]
    source = lab.mend()
    target = chance.choice([name for name in lab.nodes if name != source])
    router = lab.facts['router']
    places = {
        GATEWAY: lab.gateway(router),
        FLOATING: lab.facts['floating_ip'],
    }
    until('no ping to be lost', lambda: _calm(lab, list(places.values())))
    with contextlib.ExitStack() as watched:
        holders = watched.enter_context(holding.Holders(lab, router))
        switches = [
            watched.enter_context(wiring.Tags(node))
            for node in lab.nodes.values()
        ]
        pings = watched.enter_context(
            pinging.Pings(lab.layout, list(places.values()))
        )
        time.sleep(BEFORE)
        scene = Scene(lab, source, target, holders)
        with contextlib.suppress(LabError):
            act(scene)
            scene.rest(AFTER)
    arrival = holders.settled(source)
    failover = scene.failover
    return Trial(
        method=method,
        source=source,
        target=target if chooses else None,
        winner=arrival.node if arrival else None,
        began=scene.began,
        arrived=arrival.at if arrival else None,
        exit_code=failover.wait() if failover else None,
        two_holders=holders.shared(),
        trails={name: pings.trails[a] for name, a in places.items()},
        holders=holders.changes(),
        tags=[change for each in switches for change in each.changes()],
        said=list(failover.said) if failover else [],
    )


def _calm(lab: Lab, addresses: list[str]) -> bool:
    """Whether no ping is lost for a while.

    What is lost after the last move is over is not of the next one.
    """
    with pinging.Pings(lab.layout, addresses) as pings:
        time.sleep(CALM)
    return not any(trail.gaps() for trail in pings.trails.values())


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)

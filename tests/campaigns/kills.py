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

"""Failovers in which something is killed outright at a random moment."""

from collections.abc import Callable
import json
import random
import time

from tests.campaigns import sampling
from tests.campaigns import traces
from tests.campaigns import victims
from tests.lab.errors import LabError
from tests.lab.failovers import Failover
from tests.lab.holding import Holders
from tests.lab.lab import Lab
from tests.lab.layout import VRRP_ADVERT_INTERVAL

#: seconds without an active node that plain VRRP would take: three
#: advertisements, at most a second of skew (RFC 5798, 6.1), and a sample
VACANT = 3 * VRRP_ADVERT_INTERVAL + 1 + sampling.INTERVAL
#: seconds in which a node undoes by itself what a killed client, ssh or
#: program leaves
BY_ITSELF = 15.0
#: seconds after a check
CHECKED = 10.0
#: seconds after which a node undoes everything whatever happens: the bound
#: of the command, and what it adds for the nodes
DEADLINE = 120 + 10 + 5.0
#: seconds for VRRP to settle who is active
ELECTION = 10.0
_PAUSE = 0.02
_ATTEMPTS = 4

#: seconds that an undisturbed failover takes here
_usual = 0.0


def run(lab: Lab, chance: random.Random, number: int) -> traces.Line:
    """Begin a failover of r1, kill, and see what becomes of it.

    When whoever is to be killed was not there any more, the run is begun
    once more: it would count for nothing.
    """
    _measure(lab)
    # in turn, so that each has its share
    names = list(victims.PLOTS[lab.settings['backend']])
    plot = names[(number - 1) % len(names)]
    for _ in range(_ATTEMPTS):
        line, done = _try(lab, chance, plot)
        if done or line.violations:
            break
    return line


def _try(
    lab: Lab, chance: random.Random, plot: str
) -> tuple[traces.Line, bool]:
    """Return what came of it, and whether somebody was killed."""
    router = lab.facts['router']
    source = lab.mend()
    target = chance.choice([name for name in lab.nodes if name != source])
    choose = victims.PLOTS[lab.settings['backend']][plot]
    moment = chance.random() * _usual
    before = traces.take(lab, router)
    wrong: list[str] = []
    with (
        Holders(lab, router) as holders,
        sampling.Sampler(holders, before) as sampler,
    ):
        cast = victims.Cast(lab)
        failover = Failover(lab, 'r1', ['--to', target])
        killed = _strike(
            lambda: choose(cast, failover, source, target),
            failover,
            moment,
        )
        for node in lab.nodes.values():
            # as systemd would
            node.start_ha_agent()
        try:
            status = failover.wait(DEADLINE)
        except LabError as error:
            status = None
            wrong.append(str(error))
        how, left = _cleaned(lab, router, before, failover.started)
        wrong += left
        wrong += _elected(lab, router)
    if sampler.longest > VACANT:
        wrong.append(f'no active node for {sampler.longest:.1f} s')
    if 'Traceback' in failover.errors():
        wrong.append(f'a traceback: {failover.errors()}')
    elif status and not killed:
        wrong.append(f'it fails undisturbed: {failover.errors()}')
    active = ' and '.join(lab.active_nodes(router))
    text = (
        f'{source} to {target}, {killed or f"{plot}: nobody there"}: exit '
        f'{status}, {how}, active {active}, none for '
        f'{holders.vacant():.2f} s, two for {holders.shared():.3f} s'
    )
    return traces.Line(text, wrong), bool(killed)


def _measure(lab: Lab) -> None:
    """See how long a failover takes that nobody disturbs, once."""
    global _usual
    if _usual:
        return
    lab.mend()
    failover = Failover(lab, 'r1')
    if failover.wait():
        raise LabError(f'an undisturbed failover fails: {failover.errors()}')
    _usual = time.monotonic() - failover.started
    print(f'an undisturbed failover takes {_usual:.1f} s', flush=True)


def _strike(
    find: Callable[[], list[victims.Victim]],
    failover: Failover,
    moment: float,
) -> str:
    """Kill those found at a moment, or as soon as they are all there.

    :param moment: in seconds after the start
    :return: who was killed when, in words; empty: nobody was there
    """
    time.sleep(max(0.0, failover.started + moment - time.monotonic()))
    while failover.running():
        found = find()
        now = time.monotonic() - failover.started
        dead = [victim for victim in found if victim.kill()]
        if dead:
            names = ', '.join(f'{v.what} ({v.pid})' for v in dead)
            phase = failover.said[-1].line if failover.said else 'beginning'
            return f'killed {names} at {now:.2f} s after "{phase}"'
        time.sleep(_PAUSE)
    return ''


def _cleaned(
    lab: Lab,
    router: str,
    before: dict[str, traces.Traces],
    started: float,
) -> tuple[str, list[str]]:
    """Wait until nothing is left of the failover.

    :return: what it took, in words, and what is left even so
    """
    began = time.monotonic()

    def wait(seconds: float) -> list[str]:
        end = time.monotonic() + seconds
        while left := list(traces.left(before, traces.take(lab, router))):
            if time.monotonic() > end:
                break
            time.sleep(sampling.INTERVAL)
        return left

    if not (left := wait(BY_ITSELF)):
        return f'clean after {time.monotonic() - began:.1f} s', []
    found = _check(lab)
    if not wait(CHECKED):
        return f'clean after a check ({found}), before: {"; ".join(left)}', []
    left = wait(started + DEADLINE - time.monotonic())
    if not left:
        return f'clean {time.monotonic() - started:.0f} s after the start', []
    _check(lab)
    left = wait(CHECKED)
    return 'not clean' if left else 'clean after the deadline', left


def _check(lab: Lab) -> str:
    """Look at the router with the command; return what it found."""
    done = lab.openstack('router', 'ha', 'check', 'r1', '-f', 'json')
    try:
        (row,) = json.loads(done.stdout)
    except ValueError:
        return f'exit {done.returncode}'
    codes = {finding['code'] for finding in row['Findings']}
    return ' '.join([f'exit {done.returncode}', *sorted(codes)])


def _elected(lab: Lab, router: str) -> list[str]:
    """Return what is wrong if there is not exactly one active node."""
    end = time.monotonic() + ELECTION
    while True:
        active, holders = lab.active_nodes(router), lab.vip_nodes(router)
        if len(active) == 1 and active == holders:
            return []
        if time.monotonic() > end:
            words = ' and '.join(holders) or 'nobody'
            return [f'{len(active)} are active, {words} has the address']
        time.sleep(sampling.INTERVAL)

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

"""Where each active role should be: as even as can be, by few moves.

Pure functions. This is a minimum-cost flow: every router is one unit that
goes from its host, over hosts that can take it, to one of them. The cost of
a host grows with the square of its number of routers, which is least when
they are spread evenly; a move costs less than any unevenness. Starting from
what is there, cycles of negative cost are cancelled until there is none,
which is the optimum (Klein 1967).
"""

import collections
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses

#: the node of the graph that stands for "anywhere"
_ANYWHERE = ''


@dataclasses.dataclass(frozen=True)
class Seat:
    """One active role, and where it could be."""

    router_id: str
    #: where it is now
    host: str
    #: other hosts that can take it
    ready: tuple[str, ...]
    #: whether it may stay where it is
    stays: bool = True


def even(seats: Iterable[Seat], fixed: Mapping[str, int]) -> dict[str, str]:
    """Return router id -> host, for the most even spread.

    Of all spreads that are as even, one that takes the fewest moves.

    :param seats: the roles that may move; one that may not stay needs a
        host that is ready
    :param fixed: host -> how many roles it has that do not move
    """
    flow = _Flow(seats, fixed)
    # the steep way first: it is quick, and leaves little to the thorough one
    while flow.descend():
        pass
    while flow.improve():
        pass
    return flow.where


class _Flow:
    """Who is where while it is being improved."""

    def __init__(
        self, seats: Iterable[Seat], fixed: Mapping[str, int]
    ) -> None:
        self._seats = {seat.router_id: seat for seat in seats}
        self._load = collections.Counter(fixed)
        self.where: dict[str, str] = {}
        #: (from, to) -> cost -> routers that can go that way, in order
        self._ways: dict[tuple[str, str], dict[int, dict[str, None]]] = (
            collections.defaultdict(dict)
        )
        #: more than all moves together
        self._uneven = len(self._seats) + 1
        for router_id, seat in sorted(self._seats.items()):
            for host in (seat.host, *seat.ready):
                self._load[host] += 0
            first = seat.host
            if not seat.stays:
                first = min(
                    seat.ready, key=lambda host: (self._load[host], host)
                )
            self._put(router_id, first)

    def descend(self) -> bool:
        """Move one router straight to a host with fewer, if there is one."""
        steps = [
            (self._load[end] - self._load[start], start, end)
            for (start, end), ways in self._ways.items()
            if ways and self._load[start] - self._load[end] > 1
        ]
        if not steps:
            return False
        _, start, end = min(steps)
        self._move(start, end)
        return True

    def improve(self) -> bool:
        """Cancel one cycle of negative cost; say whether there was one."""
        cycle = self._cycle()
        for start, end in cycle:
            if _ANYWHERE not in (start, end):
                self._move(start, end)
        return bool(cycle)

    def _move(self, start: str, end: str) -> None:
        ways = self._ways[start, end]
        router_id = next(iter(ways[min(ways)]))
        self._take(router_id)
        self._put(router_id, end)

    def _put(self, router_id: str, host: str) -> None:
        self.where[router_id] = host
        self._load[host] += 1
        for end, cost in self._options(router_id):
            way = self._ways[host, end].setdefault(cost, {})
            way[router_id] = None

    def _take(self, router_id: str) -> None:
        host = self.where.pop(router_id)
        self._load[host] -= 1
        seat = self._seats[router_id]
        here = seat.host != host
        for end in {seat.host, *seat.ready} - {host}:
            cost = (seat.host != end) - here
            ways = self._ways[host, end]
            if cost in ways:
                ways[cost].pop(router_id, None)
                if not ways[cost]:
                    del ways[cost]

    def _options(self, router_id: str) -> Iterator[tuple[str, int]]:
        """Yield where else a router can go, and how many moves more."""
        seat = self._seats[router_id]
        here = self.where[router_id]
        homes = (seat.host,) if seat.stays else ()
        for end in (*homes, *seat.ready):
            if end != here:
                yield end, (seat.host != end) - (seat.host != here)

    def _edges(self) -> list[tuple[str, str, int]]:
        """Return from, to and cost of what can be done next."""
        edges = [
            (start, end, min(ways))
            for (start, end), ways in sorted(self._ways.items())
            if ways
        ]
        for host, load in sorted(self._load.items()):
            # one more there, and one less
            edges.append((host, _ANYWHERE, self._uneven * (2 * load + 1)))
            edges.append((_ANYWHERE, host, self._uneven * (1 - 2 * load)))
        return edges

    def _cycle(self) -> list[tuple[str, str]]:
        """Return the edges of a cycle of negative cost, or none.

        By Bellman and Ford, from all nodes at once.
        """
        edges = self._edges()
        nodes = [*self._load, _ANYWHERE]
        cost = dict.fromkeys(nodes, 0)
        before: dict[str, str] = {}
        last = ''
        for _ in nodes:
            changed = False
            for start, end, weight in edges:
                if cost[start] + weight < cost[end]:
                    cost[end] = cost[start] + weight
                    before[end] = start
                    last, changed = end, True
            if not changed:
                return []
        # as many steps back as there are nodes end up in the cycle
        for _ in nodes:
            last = before[last]
        cycle, end = [], last
        while True:
            cycle.append((before[end], end))
            end = before[end]
            if end == last:
                return cycle[::-1]

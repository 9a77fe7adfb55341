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

"""The most even spread by the fewest moves, against every other spread."""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
import itertools

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router.fleet import balance

HOSTS = ('net1', 'net2', 'net3', 'net4')


@strategies.composite
def seats(draw) -> list[balance.Seat]:
    found = []
    for index in range(draw(strategies.integers(0, 5))):
        host = draw(strategies.sampled_from(HOSTS))
        others = [other for other in HOSTS if other != host]
        ready = draw(strategies.lists(strategies.sampled_from(others)))
        ready = tuple(dict.fromkeys(ready))
        stays = not ready or draw(strategies.booleans())
        found.append(balance.Seat(f'r{index}', host, ready, stays))
    return found


loads = strategies.dictionaries(
    strategies.sampled_from(HOSTS), strategies.integers(0, 4)
)


def cost(
    found: Sequence[balance.Seat],
    fixed: Mapping[str, int],
    where: Sequence[str],
) -> tuple[int, int]:
    """Return how uneven it is, and how many moves it takes."""
    load = collections.Counter(fixed)
    load.update(where)
    moves = sum(
        seat.host != host for seat, host in zip(found, where, strict=True)
    )
    return sum(number**2 for number in load.values()), moves


class BalanceTest(testtools.TestCase):
    @hypothesis.settings(deadline=None)
    @hypothesis.given(seats(), loads)
    def test_nothing_is_better(self, found, fixed):
        where = balance.even(found, fixed)
        options = [
            ((seat.host,) if seat.stays else ()) + seat.ready for seat in found
        ]
        for seat, hosts in zip(found, options, strict=True):
            self.assertIn(where[seat.router_id], hosts)
        best = min(
            cost(found, fixed, spread)
            for spread in itertools.product(*options)
        )
        mine = [where[seat.router_id] for seat in found]
        self.assertEqual(best, cost(found, fixed, mine))

    def test_twelve_routers(self):
        found = [
            balance.Seat(f'r{index:02}', host, others)
            for index in range(12)
            for host, others in [
                ('net2', ('net1', 'net3'))
                if index % 2
                else ('net3', ('net1', 'net2'))
            ]
        ]
        where = balance.even(found, {'net1': 0})
        load = collections.Counter(where.values())
        self.assertEqual({'net1': 4, 'net2': 4, 'net3': 4}, dict(load))
        moved = [s for s in found if where[s.router_id] != s.host]
        self.assertEqual(4, len(moved))
        self.assertEqual({'net1'}, {where[s.router_id] for s in moved})

    def test_over_a_third(self):
        """What is full sends its own on, to make room for others."""
        found = [
            balance.Seat('a', 'net1', ('net2',)),
            balance.Seat('b', 'net1', ('net2',)),
            balance.Seat('c', 'net1', ('net2',)),
            balance.Seat('d', 'net2', ('net3',)),
        ]
        load = collections.Counter(balance.even(found, {}).values())
        self.assertEqual([1, 1, 2], sorted(load.values()))

    def test_same_every_time(self):
        found = [
            balance.Seat(f'r{index}', 'net1', ('net2', 'net3'))
            for index in range(7)
        ]
        self.assertEqual(
            balance.even(found, {}), balance.even(found[::-1], {})
        )

    def test_large(self):
        """Thousands of routers are no matter of minutes."""
        found = [
            balance.Seat(f'r{index}', 'net1', ('net2', 'net3'))
            for index in range(3000)
        ]
        load = collections.Counter(balance.even(found, {}).values())
        self.assertEqual({1000}, set(load.values()))

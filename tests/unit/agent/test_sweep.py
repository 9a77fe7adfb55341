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

"""The thread that checks all routers, again and again."""

from collections.abc import Callable
from collections.abc import Sequence
import threading
import time
from unittest import mock

from oslo_log import log

from osc_ha_router import engine
from osc_ha_router import errors
from osc_ha_router import metrics
from osc_ha_router.agent import claims
from osc_ha_router.agent import sweep
from osc_ha_router.backends import base
from tests.unit import fakes
from tests.unit import quiet
from tests.unit.agent import parts
from tests.unit.scene import Scene
from tests.unit.test_engine import renamed
from tests.unit.test_metrics import parsed
from tests.unit.test_metrics import Samples

#: a router that Neutron does not have any more
LEFT = '00000000-0000-0000-0000-00000000004a'
#: bound for what should take no time at all
SOON = 20.0


class Down:
    """A Neutron that does not answer."""

    def claims(self, *args: object, **kwargs: object) -> None:
        raise errors.CloudUnreachable('Neutron does not answer')


class SweepTest(quiet.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.healthy = Scene.of('healthy')
        self.broken = Scene.of('no-active')

    def make(
        self,
        *looks: Sequence[Scene],
        source: object | None = None,
        **settings: object,
    ) -> sweep.Sweep:
        """Return a sweep that sees these looks."""
        self.backend = fakes.Backend(*looks)
        #: the probe timeouts that it was asked for
        self.bounds: list[float] = []

        def nodes(probe_timeout: float) -> base.Backend:
            self.bounds.append(probe_timeout)
            return self.backend

        # one that is never waited for unless a test says so
        settings = {'interval': 3600.0} | settings
        made = sweep.Sweep(
            source or fakes.Source(*looks), nodes, sweep.Settings(**settings)
        )
        self.addCleanup(made.stop)
        return made

    def said(self, made: sweep.Sweep) -> Samples:
        return parsed(made.page())

    def one(self, samples: Samples, name: str, **labels: str) -> float | None:
        return samples.get(name, {}).get(tuple(sorted(labels.items())))

    def wait(self, what: str, condition: Callable[[], object]) -> None:
        end = time.monotonic() + SOON
        while not condition():
            if time.monotonic() > end:
                self.fail(what)
            time.sleep(0.01)


class PageTest(SweepTest):
    def test_before_the_first_check(self):
        samples = self.said(self.make([self.healthy]))
        self.assertEqual(
            {
                'router_ha_check_interval_seconds': {(): 3600.0},
                'router_ha_checks_total': {
                    (('result', 'success'),): 0.0,
                    (('result', 'error'),): 0.0,
                },
            },
            samples,
        )

    def test_a_check(self):
        made = self.make([self.healthy], probe_timeout=3.0)
        began = time.time()
        made.check()
        samples = self.said(made)
        self.assertEqual([3.0], self.bounds)
        self.assertEqual(1, self.one(samples, 'router_ha_check_success'))
        self.assertEqual(
            1, self.one(samples, 'router_ha_checks_total', result='success')
        )
        self.assertEqual(
            1, self.one(samples, 'router_ha_routers', health='OK')
        )
        at = self.one(samples, 'router_ha_last_check_timestamp_seconds')
        # text has the digits that a float needs
        self.assertTrue(began - 0.001 <= at <= time.time(), at)
        for host in self.healthy.names:
            self.assertEqual(
                at,
                self.one(
                    samples,
                    'router_ha_last_look_timestamp_seconds',
                    host=host,
                ),
            )
        self.assertEqual(set(samples), set(samples) & set(metrics.FAMILIES))

    def test_all_routers_are_asked_for_and_each_host_once(self):
        source = fakes.Source([self.healthy])
        self.make([self.healthy], source=source).check()
        self.assertEqual([((), None, None)], source.asked)
        (asked,) = self.backend.requests
        self.assertEqual(
            self.healthy.names, sorted(request.host for request in asked)
        )
        self.assertEqual({None}, {request.routers for request in asked})

    def test_what_is_left_of_a_router_that_was_deleted(self):
        """Neutron has others, and knows that it has not this one."""
        left = parts.of_project(self.healthy, parts.THEIRS, LEFT)
        neutron = parts.Neutron(self.healthy)
        source = claims.Claims(neutron, ())
        made = self.make([self.healthy, left], source=source)
        # until the second look
        self.patch(made, '_pause', lambda seconds: None)
        made.check()
        found = [dict(item) for item in self.said(made)['router_ha_findings']]
        self.assertIn(
            ('RHA603', LEFT, self.healthy.reported),
            [(one['code'], one['router_id'], one['host']) for one in found],
        )

    def test_what_the_operator_ignores_does_not_count(self):
        scene = self.healthy.without_processes(
            self.healthy.reported, 'monitor'
        )
        made = self.make([scene], ignore=frozenset(('RHA305',)))
        made.check()
        samples = self.said(made)
        self.assertNotIn('router_ha_findings', samples)
        self.assertIn('router_ha_ignored_findings', samples)

    def test_a_router_that_is_deleted_is_not_said_any_more(self):
        made = self.make(
            [self.healthy, renamed(self.healthy, 2)], [self.healthy]
        )
        made.check()
        self.assertEqual(2, len(self.said(made)['router_ha_router_info']))
        made.check()
        self.assertEqual(1, len(self.said(made)['router_ha_router_info']))

    def test_the_last_look_at_a_node_outlives_the_next_check(self):
        host = self.healthy.standbys[0]
        made = self.make([self.healthy], [self.healthy.with_unreachable(host)])
        name = 'router_ha_last_look_timestamp_seconds'
        made.check()
        first = self.one(self.said(made), name, host=host)
        made.check()
        samples = self.said(made)
        self.assertEqual(first, self.one(samples, name, host=host))
        self.assertLess(
            first, self.one(samples, name, host=self.healthy.reported)
        )
        self.assertEqual(
            0, self.one(samples, 'router_ha_probe_success', host=host)
        )


class FailureTest(SweepTest):
    def test_neutron_down_is_said(self):
        made = self.make([self.healthy], source=Down())
        with self.assertLogs(sweep.LOG.logger, 'ERROR') as logs:
            made.check()
        # one line, for this is nobody's bug
        self.assertIn('Neutron does not answer', logs.output[0])
        self.assertNotIn('Traceback', logs.output[0])
        samples = self.said(made)
        self.assertEqual(0, self.one(samples, 'router_ha_check_success'))
        self.assertEqual(
            1, self.one(samples, 'router_ha_checks_total', result='error')
        )
        self.assertNotIn('router_ha_last_check_timestamp_seconds', samples)

    def test_a_bug_is_said_and_logged(self):
        made = self.make([self.healthy])
        self.backend.probe = mock.Mock(side_effect=RuntimeError('a bug'))
        with self.assertLogs(sweep.LOG.logger, 'ERROR') as logs:
            made.check()
        self.assertIn('Traceback', logs.output[0])
        samples = self.said(made)
        self.assertEqual(0, self.one(samples, 'router_ha_check_success'))

    def test_the_last_good_values_keep_their_age_and_then_go(self):
        made = self.make([self.healthy], interval=60.0)
        made.check()
        good = self.said(made)
        with (
            mock.patch.object(
                engine.Engine, 'sweep', side_effect=errors.CloudError('no')
            ),
            self.assertLogs(sweep.LOG.logger, 'ERROR'),
        ):
            made.check()
        at = 'router_ha_last_check_timestamp_seconds'
        later = self.said(made)
        self.assertEqual(0, self.one(later, 'router_ha_check_success'))
        self.assertEqual(good[at], later[at])
        self.assertEqual(good['router_ha_routers'], later['router_ha_routers'])
        old = time.monotonic() + sweep.lifetime(60.0)
        with mock.patch.object(sweep.time, 'monotonic', lambda: old):
            much_later = self.said(made)
        self.assertEqual(good[at], much_later[at])
        self.assertEqual(
            set(),
            {name for name in much_later if 'check' not in name},
        )

    def test_values_go_after_the_rules_have_told(self):
        for interval in (1.0, 60.0, 3600.0):
            # as in RouterHACheckStale
            told = 3 * interval + 300
            self.assertGreater(sweep.lifetime(interval), 1.5 * told)


class ThreadTest(SweepTest):
    def test_never(self):
        made = self.make([self.healthy], interval=0.0)
        made.start()
        self.assertEqual([], self.bounds)
        samples = self.said(made)
        self.assertEqual(
            {(): 0.0}, samples['router_ha_check_interval_seconds']
        )
        self.assertNotIn('router_ha_check_success', samples)

    def test_again_and_again_but_never_two(self):
        made = self.make([self.healthy], interval=0.05)
        under_way, most, count = 0, 0, 0
        lock = threading.Lock()
        check = made._check

        def watched() -> object:
            nonlocal under_way, most, count
            with lock:
                under_way += 1
                most = max(most, under_way)
            # longer than the interval
            time.sleep(0.08)
            found = check()
            with lock:
                under_way -= 1
                count += 1
            return found

        made._check = watched
        made.start()
        self.wait('no third check came', lambda: count >= 3)
        made.stop()
        self.assertEqual(1, most)
        done = count
        time.sleep(0.3)
        self.assertEqual(done, count)

    def test_an_error_is_not_the_end(self):
        made = self.make([self.healthy], interval=0.05)
        made._source = Down()
        log.getLogger(sweep.__name__).logger.setLevel('CRITICAL')
        self.addCleanup(
            log.getLogger(sweep.__name__).logger.setLevel, 'NOTSET'
        )
        made.start()
        name = 'router_ha_checks_total'
        self.wait(
            'no check failed',
            lambda: self.one(self.said(made), name, result='error') > 1,
        )
        made._source = fakes.Source([self.healthy])
        self.wait(
            'no check worked again',
            lambda: self.one(self.said(made), name, result='success') > 0,
        )
        self.assertEqual(
            1, self.one(self.said(made), 'router_ha_check_success')
        )

    def test_ends_in_the_middle_of_a_wait(self):
        made = self.make([self.broken], interval=0.05)
        # what may be a move under way is looked at again 10 seconds later
        made.start()
        self.wait('no look', lambda: self.backend.requests)
        began = time.monotonic()
        with self.assertNoLogs(sweep.LOG.logger, 'ERROR'):
            made.stop()
        self.assertLess(time.monotonic() - began, 5)
        self.assertFalse(made._thread.is_alive())

    def test_agents_do_not_check_in_step(self):
        waits = [self._waits() for _ in range(20)]
        for first, second in waits:
            self.assertTrue(0 <= first <= 30, first)
            self.assertTrue(89 < second < 110, second)
        self.assertGreater(len({round(first, 3) for first, _ in waits}), 10)
        self.assertGreater(len({round(second) for _, second in waits}), 5)

    def _waits(self) -> list[float]:
        """Return how long is waited for the first check and the second."""
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)

        made = self.make([self.healthy], interval=100.0)
        made._stop = mock.Mock(wait=wait, is_set=lambda: len(waits) > 1)
        made._run()
        return waits

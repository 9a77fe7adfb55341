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

"""Metrics: what is said, and that Prometheus can read it."""

import dataclasses
import math
from typing import Any
import unittest

import hypothesis
from hypothesis import strategies
from prometheus_client import parser

from osc_ha_router import metrics
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.unit.scene import Scene

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def parsed(page: bytes) -> Samples:
    """Return name -> labels -> value, as Prometheus reads it."""
    found: Samples = {}
    for family in parser.text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.get(sample.name, {}), sample
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def said(*scenes: Scene, ignore: tuple[str, ...] = ()) -> Samples:
    """Return the metrics of a check of these routers."""
    hosts = {shown.host: shown for scene in scenes for shown in scene.hosts}
    found = metrics.gather(
        (scene.judge(*ignore) for scene in scenes), hosts.values()
    )
    found.end(1000.0)
    return parsed(found.metrics.render())


class MetricsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.healthy = Scene.of('healthy')
        self.router_id = self.healthy.router.id
        self.active = self.healthy.reported
        self.standby, self.other = self.healthy.standbys

    def get(self, samples: Samples, name: str, /, **labels: str) -> Any:
        """Return a value, None where there is none."""
        if 'router_id' in metrics.FAMILIES[name].labels:
            labels.setdefault('router_id', self.router_id)
        return samples.get(name, {}).get(tuple(sorted(labels.items())))

    def counts(self, samples: Samples) -> dict[str, float]:
        """Return how many replicas were seen to be what."""
        return {
            dict(labels)['observed']: value
            for labels, value in samples['router_ha_router_replicas'].items()
        }


class RouterTest(MetricsTest):
    def test_healthy(self):
        samples = said(self.healthy)
        self.assertEqual(
            {'active': 1, 'standby': 2, 'unknown': 0}, self.counts(samples)
        )
        for host in self.healthy.names:
            self.assertEqual(
                host == self.active,
                self.get(samples, 'router_ha_replica_active', host=host),
            )
        self.assertEqual(
            1,
            self.get(
                samples,
                'router_ha_replica_state',
                host=self.active,
                observed='active',
                reported='active',
            ),
        )
        self.assertEqual(
            1, self.get(samples, 'router_ha_router_health', health='OK')
        )
        self.assertNotIn('router_ha_findings', samples)
        self.assertNotIn('router_ha_ignored_findings', samples)

    def test_none_is_a_sample_with_the_value_zero(self):
        scene = Scene.of('no-active')
        samples = said(scene)
        counts = self.counts(samples)
        self.assertEqual((0, 0), (counts['active'], counts['unknown']))
        self.assertEqual(
            {0.0}, set(samples['router_ha_replica_active'].values())
        )
        self.assertEqual(
            1,
            self.get(
                samples,
                'router_ha_findings',
                router_id=scene.router.id,
                host='',
                code='RHA107',
                name='no-active',
                severity='ERROR',
            ),
        )

    def test_not_looked_at_is_no_sample_and_not_standby(self):
        samples = said(self.healthy.with_unreachable(self.active))
        self.assertEqual(
            {'active': 0, 'standby': 2, 'unknown': 1}, self.counts(samples)
        )
        self.assertIsNone(
            self.get(samples, 'router_ha_replica_active', host=self.active)
        )
        self.assertEqual(
            1,
            self.get(
                samples,
                'router_ha_replica_state',
                host=self.active,
                observed='unknown',
                reported='active',
            ),
        )

    def test_of_what_is_not_to_be_active_nothing_is_counted(self):
        for changes in ({'admin_state_up': False}, {'deleted': True}):
            samples = said(self.healthy.with_router(**changes))
            self.assertNotIn('router_ha_router_replicas', samples)
            self.assertIn('router_ha_replica_state', samples)
            self.assertIn('router_ha_router_info', samples)

    def test_what_neutron_says(self):
        state = 'router_ha_replica_state'
        left = said(self.healthy.without_agents(self.standby))
        self.assertEqual(
            1,
            self.get(
                left,
                state,
                host=self.standby,
                observed='standby',
                reported='none',
            ),
        )
        silent = said(self.healthy.with_router(agents=None))
        self.assertEqual(
            {'unknown'},
            {dict(labels)['reported'] for labels in silent[state]},
        )
        unknown = said(self.healthy.with_agent(self.active, ha_state=None))
        self.assertEqual(
            1,
            self.get(
                unknown,
                state,
                host=self.active,
                observed='active',
                reported='unknown',
            ),
        )

    def test_a_finding_counts_or_is_ignored(self):
        scene = self.healthy.without_processes(self.standby, 'monitor')
        entry = catalogue.entries()['monitor-dead']
        labels = {
            'host': self.standby,
            'code': entry.code,
            'name': 'monitor-dead',
            'severity': 'WARNING',
        }
        samples = said(scene)
        self.assertEqual(1, self.get(samples, 'router_ha_findings', **labels))
        samples = said(scene, ignore=(entry.code,))
        self.assertNotIn('router_ha_findings', samples)
        self.assertEqual(
            1, self.get(samples, 'router_ha_ignored_findings', **labels)
        )
        self.assertEqual(
            1, self.get(samples, 'router_ha_router_health', health='OK')
        )

    def test_the_same_finding_twice_is_one_series(self):
        judged = self.healthy.judge()
        twice = (
            catalogue.finding('address-missing', self.active, address='a'),
            catalogue.finding('address-missing', self.active, address='b'),
        )
        found = metrics.gather([verdict.conclude(judged, twice)], ())
        samples = parsed(found.metrics.render())
        self.assertEqual([2.0], [*samples['router_ha_findings'].values()])

    def test_a_router_given_twice_counts_once(self):
        judged = self.healthy.judge()
        found = metrics.gather([judged, judged], ())
        found.end(0.0)
        samples = parsed(found.metrics.render())
        self.assertEqual(
            1, self.get(samples, 'router_ha_routers', health='OK')
        )
        self.assertEqual(1, self.counts(samples)['active'])

    def test_there_are_always_all_values_of_health(self):
        found = metrics.gather((), ())
        found.end(0.0)
        samples = parsed(found.metrics.render())
        self.assertEqual(
            {
                (('health', severity.value),): 0.0
                for severity in report.Severity
            },
            samples['router_ha_routers'],
        )


class HostTest(MetricsTest):
    def test_looked_at(self):
        scene = self.healthy.with_unreachable(self.other)
        samples = said(scene)
        for host in scene.names:
            reached = host != self.other
            self.assertEqual(
                reached,
                self.get(samples, 'router_ha_probe_success', host=host),
            )
            self.assertEqual(
                1000.0 if reached else None,
                self.get(
                    samples,
                    'router_ha_last_look_timestamp_seconds',
                    host=host,
                ),
            )
        (labels,) = samples['router_ha_probe_failed']
        self.assertEqual(self.other, dict(labels)['host'])
        self.assertTrue(dict(labels)['kind'])

    def test_the_last_look_with_success_is_remembered(self):
        found = metrics.Found()
        failure = view.Failure('refused', '', '')
        found.node(view.HostView('net1', seconds=0.25))
        found.node(view.HostView('net2', failure))
        found.node(view.HostView('net3', failure))
        last = found.end(1000.0, {'net2': 900.0, 'net4': 800.0})
        self.assertEqual({'net1': 1000.0, 'net2': 900.0}, last)
        samples = parsed(found.metrics.render())
        name = 'router_ha_last_look_timestamp_seconds'
        self.assertEqual(
            {(('host', host),): then for host, then in last.items()},
            samples[name],
        )
        self.assertEqual(
            {(('host', 'net1'),): 0.25},
            samples['router_ha_probe_duration_seconds'],
        )


class HygieneTest(MetricsTest):
    def test_a_hostile_name(self):
        name = 'web"} 1\nrouter_ha_routers{health="OK"} 9\\\x1b[2J\r\u202e'
        samples = said(self.healthy.with_router(name=name))
        (labels,) = samples['router_ha_router_info']
        shown = dict(labels)['router_name']
        self.assertTrue(shown.isprintable(), shown)
        self.assertIn('web"} 1', shown)
        self.assertEqual(
            1, self.get(samples, 'router_ha_routers', health='OK')
        )

    def test_a_name_without_end(self):
        samples = said(self.healthy.with_router(name='x' * 100_000))
        (labels,) = samples['router_ha_router_info']
        self.assertEqual('x' * 255, dict(labels)['router_name'])

    @hypothesis.given(
        strategies.lists(
            strategies.tuples(strategies.text(), strategies.text()),
            max_size=20,
        )
    )
    def test_any_text_is_one_series_each(self, pairs):
        found = metrics.Metrics()
        for host, kind in pairs:
            found.set('router_ha_probe_failed', 1, host, kind)
        page = found.render()
        samples = parsed(page).get('router_ha_probe_failed', {})
        self.assertLessEqual(len(samples), len(pairs))
        lines = page.decode().split('\n')
        self.assertEqual(
            len(samples), sum(not x.startswith('#') for x in lines if x)
        )

    def test_every_metric_says_what_it_is(self):
        for name, family in metrics.FAMILIES.items():
            self.assertTrue(name.startswith('router_ha_'))
            self.assertTrue(family.help.endswith('.'))
            self.assertEqual(
                family.type == 'counter', name.endswith('_total'), name
            )

    def test_labels_must_be_those_of_the_metric(self):
        found = metrics.Metrics()
        found.set('router_ha_probe_failed', 1, 'net1')
        with self.assertRaises(ValueError):
            found.render()


class CardinalityTest(MetricsTest):
    def test_series_of_a_router(self):
        """What the documentation says: five, and two for each replica."""
        one = sum(len(found) for found in said(self.healthy).values())
        others = [self._other(number) for number in range(1, 11)]
        eleven = sum(
            len(found) for found in said(self.healthy, *others).values()
        )
        self.assertEqual(10 * (5 + 2 * 3), eleven - one)

    def _other(self, number: int) -> Scene:
        """Return the same router under another id."""
        id_ = f'00000000-0000-0000-0000-{number:012}'
        hosts = tuple(
            dataclasses.replace(
                shown,
                views=tuple(
                    dataclasses.replace(v, router_id=id_) for v in shown.views
                ),
            )
            for shown in self.healthy.hosts
        )
        return dataclasses.replace(self.healthy, hosts=hosts).with_router(
            id=id_
        )


class ValueTest(unittest.TestCase):
    def test_values_are_numbers(self):
        found = metrics.Metrics()
        found.set('router_ha_check_success', True)
        found.set('router_ha_check_duration_seconds', math.nan)
        page = found.render().decode()
        self.assertIn('\nrouter_ha_check_success 1.0\n', page)
        self.assertIn('\nrouter_ha_check_duration_seconds NaN\n', page)

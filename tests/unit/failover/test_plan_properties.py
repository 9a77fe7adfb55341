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

"""What holds for every plan, whatever was found and is wished for."""

import dataclasses

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import errors
from osc_ha_router.diagnosis import catalogue
from osc_ha_router.diagnosis import verdict
from osc_ha_router.failover import plan
from osc_ha_router.model import report
from tests.unit import strategies as model
from tests.unit.failover import base
from tests.unit.scene import Scene

ENTRIES = catalogue.entries()
CODES = sorted(entry.code for entry in ENTRIES.values())

hosts = strategies.none() | strategies.sampled_from((*model.HOSTS, 'other'))
ignored = strategies.frozensets(strategies.sampled_from(CODES), max_size=60)
wishes = strategies.builds(
    plan.Wish,
    to=hosts,
    from_=hosts,
    method=strategies.none()
    | strategies.sampled_from((*plan.METHODS, 'other')),
    ignore=ignored | strategies.just(frozenset(CODES)),
)


@strategies.composite
def near(draw):
    """Return a router that could be moved, with a few values spoilt."""
    scene = Scene.of('healthy')
    scene = base.listened(scene, scene.reported)
    router, looks = scene.router, scene.hosts
    for _ in range(draw(strategies.integers(0, 3))):
        if draw(strategies.booleans()):
            router = model._spoil(draw, router)
        else:
            index = draw(strategies.integers(0, len(looks) - 1))
            looks = (
                *looks[:index],
                model._spoil(draw, looks[index]),
                *looks[index + 1 :],
            )
    router = dataclasses.replace(router, id=scene.router.id)
    return router, tuple({shown.host: shown for shown in looks}.values())


cases = strategies.one_of(near(), near(), model.cases)


def made(case, wish: plan.Wish) -> plan.Plan | None:
    """Return the plan, None if it is refused."""
    try:
        return plan.make(verdict.judge(*case, wish.ignore), wish)
    except errors.Refused as refusal:
        lines = str(refusal).split('\n')
        assert len(lines) >= 3 and all(lines), lines
        return None


class AnyPlanTest(testtools.TestCase):
    @hypothesis.given(cases, wishes)
    def test_a_plan_or_a_refusal(self, case, wish):
        planned = made(case, wish)
        if planned is None:
            return
        replicas = {r.host: r for r in planned.report.replicas}
        source = replicas[planned.source]
        self.assertEqual(report.Observed.ACTIVE, source.observed)
        self.assertEqual([planned.source], planned.report.active_hosts)
        self.assertIn(wish.from_, (None, planned.source))
        self.assertEqual(
            sorted(replicas),
            sorted([planned.source, *(c.host for c in planned.candidates)]),
        )
        met = {c.host: c.obstacles for c in planned.candidates}
        readiness = [bool(c.obstacles) for c in planned.candidates]
        self.assertEqual(sorted(readiness), readiness)
        self.assertGreater(planned.advert_int, 0)
        if planned.done:
            self.assertEqual(wish.to, planned.source)
            self.assertEqual(planned.source, planned.target)
            self.assertEqual('', planned.method)
            return
        self.assertIn(wish.method, (None, planned.method))
        if planned.method == 'release':
            self.assertIsNone(planned.target)
            self.assertIn((), met.values())
            return
        self.assertIn(wish.to, (None, planned.target))
        self.assertEqual((), met[planned.target])
        self.assertLessEqual(
            {planned.source, planned.target}, set(planned.hosts)
        )
        target = replicas[planned.target]
        self.assertEqual(report.Observed.STANDBY, target.observed)
        self.assertTrue(target.agent.alive and target.agent.admin_state_up)
        self.assertTrue(target.keepalived)
        self.assertTrue(target.view.listening.adverts)

    @hypothesis.given(cases, wishes)
    def test_nothing_that_counts_is_passed_over(self, case, wish):
        planned = made(case, wish)
        if planned is None or planned.done:
            return
        for finding in planned.report.findings:
            bars = ENTRIES[finding.name].bars
            self.assertNotEqual(catalogue.Bars.ALWAYS, bars, finding)
            if bars == catalogue.Bars.ENDS:
                self.assertNotEqual(planned.source, finding.host)
            if finding.severity.rank >= report.Severity.UNKNOWN.rank:
                self.assertIn(finding.code, wish.ignore)
                self.assertIn(
                    finding.code, ' '.join(planned.warnings), finding
                )

    @hypothesis.given(cases, wishes, ignored)
    def test_ignoring_more_refuses_no_more(self, case, wish, more):
        wider = dataclasses.replace(wish, ignore=wish.ignore | more)
        if made(case, wish) is not None:
            self.assertIsNotNone(made(case, wider))

    @hypothesis.given(cases, wishes)
    def test_an_ignored_code_changes_nothing_else(self, case, wish):
        """Neither who takes over nor how."""
        all_codes = dataclasses.replace(wish, ignore=frozenset(CODES))
        planned, other = made(case, wish), made(case, all_codes)
        if planned is not None and other is not None:
            for field in ('source', 'target', 'method', 'candidates'):
                self.assertEqual(
                    getattr(planned, field), getattr(other, field)
                )

    @hypothesis.given(cases, wishes)
    def test_order_of_hosts_does_not_matter(self, case, wish):
        router, looks = case
        self.assertEqual(made(case, wish), made((router, looks[::-1]), wish))


class PlansAreMadeTest(testtools.TestCase):
    """The properties above are not true of nothing."""

    def test_near_ones_can_be_moved(self):
        moved = []

        @hypothesis.settings(max_examples=50, database=None)
        @hypothesis.given(near())
        def collect(case):
            planned = made(case, plan.Wish(ignore=frozenset(CODES)))
            moved.append(planned is not None)

        collect()
        self.assertGreater(sum(moved), 5)

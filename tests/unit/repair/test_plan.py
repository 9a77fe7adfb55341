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

"""What holds for every plan, whatever was found."""

import pathlib

import hypothesis
from hypothesis import strategies
import testtools

from osc_ha_router import errors
from osc_ha_router.diagnosis import evidence
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import report
from osc_ha_router.model import view
from osc_ha_router.repair import action
from osc_ha_router.repair import plan
from tests.unit.failover import test_plan_properties as near
from tests.unit.repair import base
from tests.unit.scene import Scene

Op = action.Op
CAPTURES = pathlib.Path(__file__).parents[2] / 'captures'
#: what each capture of an incident on the lab leads to
EXPECTED = {
    'agent-disabled': set(),
    'floating-ip-missing': {Op.ADD, Op.ANNOUNCE},
    'ha-network-cut': set(),
    'healthy': set(),
    'hidden-active': set(),
    'incident': {Op.CLEAN, Op.ANNOUNCE},
    'keepalived-dead-on-standby': {Op.PROVOKE},
    'keepalived-hung': {Op.END, Op.CLEAN, Op.ANNOUNCE, Op.PROVOKE},
    'leftover-replica': {Op.EVICT, Op.ANNOUNCE},
    'monitor-dead': {Op.WAIT},
    'namespace-absent': {Op.END, Op.RESEAT},
    'sshd-stopped': set(),
    'stale-vip-beside-backup': {Op.CLEAN, Op.ANNOUNCE},
}

keeps = (
    strategies.none()
    | strategies.none()
    | strategies.sampled_from((*near.model.HOSTS, 'other'))
)
tried = strategies.dictionaries(
    strategies.tuples(
        strategies.sampled_from(tuple(Op)),
        strategies.none() | strategies.sampled_from(near.model.HOSTS),
    ),
    strategies.booleans(),
    max_size=4,
)


class CaptureTest(testtools.TestCase):
    """Incidents as they were on the lab."""

    def test_each(self):
        for name, expected in EXPECTED.items():
            made = base.make(Scene.of(name))
            ops = {each.op for each in made.actions}
            self.assertLessEqual(expected, ops, name)
            # what Neutron has to be told depends on when it was captured
            rest = {Op.REPORT, Op.END, Op.FORWARD} if expected else set()
            self.assertLessEqual(ops - expected, rest, name)

    def test_all_are_planned(self):
        paths = sorted(CAPTURES.glob('*.json'))
        self.assertGreater(len(paths), 12)
        for path in paths:
            made = base.make(Scene.of(path.stem))
            self.assertTrue(
                made.healthy or made.actions or made.refusals, path
            )


class LockTest(base.PlanTest):
    def test_somebody_else_is_at_it(self):
        scene = self.healthy.with_view(
            self.standby,
            errand=view.Errand('anna', '2026-01-01', 'under-way', 'x'),
        )
        locked = self.assertRaises(errors.Locked, base.make, scene)
        self.assertIn('anna', str(locked))
        self.assertIn(self.standby, str(locked))

    def test_what_the_look_has_undone(self):
        scene = self.healthy.with_view(
            self.standby,
            errand=view.Errand('anna', None, 'undone', 'it was put back'),
        )
        made = base.make(scene)
        self.assertTrue(made.healthy)
        (note,) = plan.notes(made.report)
        self.assertIn('it was put back', note)


class AnyPlanTest(testtools.TestCase):
    """Nothing that serves is touched, whatever is found."""

    @hypothesis.given(near.cases, keeps, tried)
    def test_any(self, case, keep, done):
        found = verdict.judge(*case)
        try:
            made = plan.make(found, plan.Wish(keep=keep), done)
        except errors.Refused:
            return
        self.assertEqual(made.healthy, not plan.counted(found))
        if made.healthy:
            self.assertEqual(((), ()), (made.actions, made.refusals))
        else:
            self.assertTrue(made.actions or made.refusals)
        replicas = {each.host: each for each in found.replicas}
        active = {
            each.host
            for each in found.replicas
            if each.observed == report.Observed.ACTIVE and each.agent
        }
        for each in made.actions:
            self.assertTrue(each.what)
            if each.host is None:
                continue
            if each.op == Op.GIVE:
                # to a host that has nothing of the router, perhaps
                self.assertIn(each.fields['noted'], replicas)
                continue
            self._check(each, replicas[each.host], active, made)
        if len(active) > 1:
            # nobody is picked
            self.assertEqual((), made.actions)

    def _check(
        self,
        each: action.Action,
        replica: report.Replica,
        active: set[str],
        made: plan.Plan,
    ) -> None:
        if each.op in (Op.CLEAN, Op.EVICT, Op.RESEAT):
            self.assertNotIn(each.host, active)
        if each.op in (Op.ADD, Op.ANNOUNCE, Op.REBIND):
            self.assertEqual({each.host}, active)
            self.assertEqual(made.serving, each.host)
        if each.op == Op.RESEAT:
            self.assertTrue(active - {each.host})
        if each.op == Op.EVICT:
            self.assertIsNone(replica.agent)
        if each.op in (Op.CLEAN, Op.ADD):
            shown = replica.view
            assert shown is not None and shown.keepalived_conf is not None
            conf = shown.keepalived_conf
            named = {
                (entry.device, evidence.normal(entry.address))
                for entry in (*conf.vips, *conf.excluded)
            }
            for place in each.fields['addresses']:
                self.assertIn(
                    (place['device'], evidence.normal(place['address'])),
                    named,
                )
        if each.op == Op.END and each.host in active:
            # only what has lost its parent, and its failover is announced
            self.assertTrue(
                each.risks
                or 'RHA302' in each.codes
                or ('RHA313' in each.codes)
            )

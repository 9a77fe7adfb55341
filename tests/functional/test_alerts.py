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

"""The alert rules with promtool, and what captures make of them."""

import json
import pathlib
import subprocess
from typing import Any

import fixtures
from prometheus_client import parser
import testtools
import yaml

from osc_ha_router import capture
from osc_ha_router import engine
from osc_ha_router import metrics

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / 'etc' / 'prometheus' / 'router-ha-alerts.yaml'
DASHBOARD = ROOT / 'etc' / 'grafana' / 'router-ha.json'
CAPTURES = ROOT / 'tests' / 'captures'

#: capture -> alerts that it raises
RAISED = {
    'agent-disabled': {'RouterHAWarning'},
    'debian': set(),
    'debian-incident': {'RouterHASplitBrain', 'RouterHAWarning'},
    'dvr': {'RouterHAWarning'},
    'dvr-compute': set(),
    'floating-ip-missing': {'RouterHAError'},
    'ha-network-cut': {'RouterHASplitBrain'},
    'healthy': set(),
    'hidden-active': {'RouterHAHiddenActive', 'RouterHAWarning'},
    'incident': {'RouterHASplitBrain', 'RouterHAWarning'},
    'internal-device-down': {'RouterHAError'},
    'keepalived-dead-on-standby': {'RouterHAWarning'},
    'keepalived-hung': {'RouterHAError', 'RouterHASplitBrain'},
    'leftover-replica': {'RouterHAWarning'},
    'monitor-dead': {'RouterHAWarning'},
    'namespace-absent': {'RouterHAError', 'RouterHAWarning'},
    'no-active': {'RouterHANoActive', 'RouterHAWarning'},
    'sshd-stopped': {'RouterHAHostUnreachable', 'RouterHAUnknown'},
    'stale-vip-beside-backup': {'RouterHASplitBrain'},
}


def promtool(
    *arguments: str, cwd: str | None = None, input: bytes | None = None
) -> 'subprocess.CompletedProcess[str]':
    """Run promtool, which the Debian package prometheus brings."""
    done = subprocess.run(
        ['promtool', *arguments], cwd=cwd, input=input, capture_output=True
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def page(name: str, at: float = 0.0) -> bytes:
    """Return what an exporter says of a capture."""
    captured = capture.load(str(CAPTURES / f'{name}.json'))
    answer = engine.Engine(
        capture.CapturedCloud(captured), capture.CapturedNodes(captured)
    ).check(engine.Question(), recheck=False)
    found = metrics.gather(answer.reports, answer.look.hosts)
    found.end(at)
    found.metrics.set('router_ha_check_success', 1)
    found.metrics.set('router_ha_check_duration_seconds', 1.5)
    return found.metrics.render()


class TestAlerts(testtools.TestCase):
    """Rules, their tests, and pages as Prometheus sees them."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path

    def assert_passed(
        self, done: 'subprocess.CompletedProcess[str]', *, silent: bool = False
    ) -> None:
        said = done.stdout + done.stderr
        self.assertEqual(0, done.returncode, said)
        if silent:
            self.assertEqual('', said)

    def _written(self, name: str, content: Any) -> str:
        path = pathlib.Path(self.folder, name)
        path.write_text(yaml.safe_dump(content), 'utf-8')
        return str(path)

    def test_rules_are_valid(self) -> None:
        self.assert_passed(promtool('check', 'rules', str(RULES)))

    def test_rules_do_what_their_tests_say(self) -> None:
        tests = sorted((ROOT / 'tests' / 'alerts').glob('*.yaml'))
        self.assertGreaterEqual(len(tests), 2)
        for path in tests:
            self.assert_passed(promtool('test', 'rules', str(path)))

    def test_expressions_of_the_dashboard_are_valid(self) -> None:
        panels = json.loads(DASHBOARD.read_text('utf-8'))['panels']
        found = [t['expr'] for p in panels for t in p['targets']]
        self.assertGreater(len(found), 10)
        records = [
            {'record': f'panel:{index}', 'expr': expression}
            for index, expression in enumerate(found)
        ]
        path = self._written(
            'panels.yaml', {'groups': [{'name': 'panels', 'rules': records}]}
        )
        self.assert_passed(promtool('check', 'rules', path))

    def test_pages_are_as_prometheus_likes_them(self) -> None:
        """Names, units, types and help texts, by its own lint."""
        for name in ('incident', 'healthy', 'sshd-stopped'):
            done = promtool('check', 'metrics', input=page(name))
            self.assert_passed(done, silent=True)

    def test_alerts_of_captures(self) -> None:
        """What the exporter says is what the rules look for."""
        self.assertEqual(sorted(p.stem for p in CAPTURES.iterdir()), [*RAISED])
        for name, alerts in RAISED.items():
            series = [
                {
                    'series': _series(sample.name, sample.labels),
                    'values': f'{sample.value:g}x60',
                }
                for family in parser.text_string_to_metric_families(
                    page(name).decode()
                )
                for sample in family.samples
            ]
            series.append(
                {
                    'series': 'router_ha_last_check_timestamp_seconds',
                    'values': '0+60x60',
                }
            )
            test = {
                'rule_files': [str(RULES)],
                'evaluation_interval': '1m',
                'tests': [
                    {
                        'name': name,
                        'interval': '1m',
                        'input_series': series,
                        'promql_expr_test': [
                            {
                                'expr': 'count by (alertname) (ALERTS'
                                '{alertstate="firing"}) > bool 0',
                                'eval_time': '30m',
                                'exp_samples': [
                                    {
                                        'labels': f'{{alertname="{alert}"}}',
                                        'value': 1,
                                    }
                                    for alert in sorted(alerts)
                                ],
                            }
                        ],
                    }
                ],
            }
            path = self._written(f'{name}.yaml', test)
            self.assert_passed(promtool('test', 'rules', path))


def _series(name: str, labels: dict[str, str]) -> str:
    matchers = ', '.join(
        f'{key}={json.dumps(value)}' for key, value in labels.items()
    )
    return f'{name}{{{matchers}}}'

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

"""Agents that check all routers, and a real Prometheus that reads them."""

import configparser
import json
import os
import pathlib
import re
import signal
import subprocess
from typing import Any

import fixtures
import yaml

from tests.functional.agent import base
from tests.lab import settings
from tests.lab.lab import Lab
from tests.lab.layout import HA_AGENT_PORT
from tests.lab.layout import NODES

RULES = (
    pathlib.Path(__file__).resolve().parents[3]
    / 'etc'
    / 'prometheus'
    / 'router-ha-alerts.yaml'
)
#: seconds from one check to the next
INTERVAL = 4
#: seconds in which whatever happens is an alert, or no longer one
BOUND = 60.0
_CONF = 'etc/osc-ha-router/agent.conf'
_PORT = 19090


class Prometheus(fixtures.Fixture):
    """A Prometheus on the network of the cloud, with our rules.

    :param targets: names of the nodes whose agents it reads
    """

    def __init__(self, lab: Lab, targets: tuple[str, ...]) -> None:
        super().__init__()
        self._lab = lab
        self._targets = targets

    def _setUp(self) -> None:
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        # whoever has the port must be the one that is started here
        (folder / 'token').write_text(settings.METRICS_TOKEN)
        # an alert after minutes is no less one after seconds
        rules = re.sub(r'for: \d+m', 'for: 2s', RULES.read_text('utf-8'))
        (folder / 'rules.yaml').write_text(rules)
        (folder / 'prometheus.yml').write_text(
            yaml.safe_dump(self._configuration(folder))
        )
        log = self.useFixture(fixtures.TempDir()).join('log')
        with open(log, 'wb') as output:
            process = subprocess.Popen(
                self._lab.enter(
                    [
                        'prometheus',
                        f'--config.file={folder}/prometheus.yml',
                        f'--storage.tsdb.path={folder}/data',
                        f'--web.listen-address=127.0.0.1:{_PORT}',
                    ]
                ),
                stdout=output,
                stderr=output,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def _configuration(self, folder: pathlib.Path) -> dict[str, Any]:
        return {
            'global': {'scrape_interval': '1s', 'evaluation_interval': '1s'},
            'rule_files': [f'{folder}/rules.yaml'],
            'scrape_configs': [
                {
                    'job_name': 'router-ha',
                    'scheme': 'https',
                    'authorization': {'credentials_file': f'{folder}/token'},
                    'tls_config': {'ca_file': str(self._lab.layout.ca)},
                    'static_configs': [
                        {
                            'targets': [
                                f'{NODES[name]}:{HA_AGENT_PORT}'
                                for name in self._targets
                            ]
                        }
                    ],
                }
            ],
        }

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series; none while it starts."""
        done = self._lab.ctl(
            [
                'curl',
                '--silent',
                # while it starts, it says so with 503
                '--fail',
                '--get',
                f'http://127.0.0.1:{_PORT}/api/v1/query',
                '--data-urlencode',
                f'query={expression}',
            ],
            check=False,
        )
        if done.returncode:
            return []
        answer = json.loads(done.stdout)
        if answer['status'] != 'success':
            raise AssertionError(answer)
        return [
            (item['metric'], float(item['value'][1]))
            for item in answer['data']['result']
        ]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {labels['alertname'] for labels, _ in found}


class MetricsTest(base.AgentTest):
    """Two of the three agents check all routers."""

    def setUp(self) -> None:
        super().setUp()
        self.active, self.standbys = self.settled()
        self.checking = tuple(self.standbys)
        for name in self.checking:
            self._let_check(name)
        self.prometheus = self.useFixture(Prometheus(self.lab, self.checking))

    def _let_check(self, name: str) -> None:
        node = self.lab.nodes[name]
        path = self.lab.layout.node(name) / _CONF
        before = path.read_text()
        conf = configparser.ConfigParser(interpolation=None)
        conf.read_string(before)
        conf['metrics']['interval'] = str(INTERVAL)
        conf['metrics']['timeout'] = '20'

        def restore() -> None:
            node.stop_ha_agent()
            path.write_text(before)
            node.start_ha_agent()

        self.addCleanup(restore)
        node.stop_ha_agent()
        with open(path, 'w') as file:
            conf.write(file)
        node.start_ha_agent()

    def wait_for(self, *alerts: str) -> None:
        """Wait until these alerts fire, or if there are none, nothing."""

        def come() -> bool:
            firing = self.prometheus.firing()
            if not alerts:
                return self.all_check() and not firing
            return firing >= set(alerts)

        self.wait(f'{alerts or "silence"}', come, BOUND)

    def all_check(self) -> bool:
        """Return whether Prometheus has read of a check of each agent."""
        found = self.prometheus.query('router_ha_check_success == 1')
        return len(found) == len(self.checking)

    def value(self, expression: str) -> float:
        """Return the one value of an expression."""
        ((_, value),) = self.prometheus.query(expression)
        return value


class PageTest(MetricsTest):
    def test_page(self) -> None:
        """The page of one agent, by the rules of Prometheus and the lab's."""
        token = {'Authorization': f'Bearer {settings.METRICS_TOKEN}'}

        def ask() -> bytes:
            answer = self.ask(
                'GET', '/metrics', node=self.checking[0], headers=token
            )
            self.assertEqual(200, answer.status, answer.body)
            self.assertEqual(
                'text/plain; version=0.0.4; charset=utf-8',
                answer.headers['content-type'],
            )
            return bytes(answer.body)

        # the last of the agents was started after this one
        self.wait(
            'a check of all nodes',
            lambda: b'\nrouter_ha_routers{health="OK"} 1.0\n' in ask(),
            BOUND,
        )
        page = ask()
        done = subprocess.run(
            ['promtool', 'check', 'metrics'], input=page, capture_output=True
        )
        self.assertEqual((0, b'', b''), (
            done.returncode, done.stdout, done.stderr
        ))  # fmt: skip
        for name in self.lab.nodes:
            line = (
                f'router_ha_replica_active{{host="{name}",router_id='
                f'"{self.router}"}} {float(name == self.active)}'
            )
            self.assertIn(line, page.decode().splitlines())

    def test_an_agent_that_checks_nothing_says_so(self) -> None:
        token = {'Authorization': f'Bearer {settings.METRICS_TOKEN}'}
        answer = self.ask('GET', '/metrics', node=self.active, headers=token)
        self.assertEqual(200, answer.status)
        page = answer.body.decode()
        self.assertIn('\nrouter_ha_check_interval_seconds 0.0\n', page)
        self.assertNotIn('router_ha_check_success', page)
        self.assertNotIn('router_ha_last_check', page)


class AlertTest(MetricsTest):
    """What happens on the lab is what Prometheus calls somebody for."""

    def test_healthy_then_split_brain_then_healthy(self) -> None:
        self.wait_for()
        self.assertEqual(1, self.value('max(router_ha_routers{health="OK"})'))
        self.assertLess(
            self.value('time() - max(router_ha_last_check_timestamp_seconds)'),
            4 * INTERVAL,
        )
        node = self.lab.nodes[self.active]
        node.kill_l3_agent()
        for pid in node.keepalived_pids(self.router):
            os.kill(pid, signal.SIGKILL)
        self.wait_for('RouterHASplitBrain')
        ((labels, _),) = self.prometheus.query(
            'ALERTS{alertname="RouterHASplitBrain"}'
        )
        self.assertEqual(self.router, labels['router_id'])
        self.assertNotIn('instance', labels)
        self.lab.mend()
        self.wait_for()

    def test_a_node_that_cannot_be_looked_at(self) -> None:
        self.wait_for()
        self.lab.nodes[self.active].stop_ha_agent()
        self.addCleanup(self.lab.nodes[self.active].start_ha_agent)
        self.wait_for('RouterHAHostUnreachable', 'RouterHAUnknown')
        found = self.prometheus.query('router_ha_probe_success == 0')
        self.assertEqual(
            {self.active}, {labels['host'] for labels, _ in found}
        )

    def test_neutron_down(self) -> None:
        """Nothing is well, nothing is wrong: nobody knows."""
        self.wait_for()
        with self.lab.control.without('neutron'):
            self.wait_for('RouterHAUnknown')
            self.assertTrue(self.all_check())
            self.assertEqual({'RouterHAUnknown'}, self.prometheus.firing())
        self.wait_for()

    def test_what_is_left_of_a_router_that_was_deleted(self) -> None:
        """Its node has missed it, and no router of Neutron leads there."""
        self.wait_for()
        host = self.checking[0]
        node = self.lab.nodes[host]
        made = self.lab.create_router('leftover')
        self.addCleanup(self.lab.delete_router, made)
        node.signal_l3_agent(signal.SIGSTOP)
        self.addCleanup(node.signal_l3_agent, signal.SIGCONT)
        self.lab.delete_router(made, wait=False)
        left = (
            f'router_ha_findings{{router_id="{made}",host="{host}",'
            'code=~"RHA60[23]"}'
        )
        self.wait(
            'the leftover to be told',
            lambda: bool(self.prometheus.query(left)),
            BOUND,
        )
        answer = self.ask(
            'POST',
            '/v1/check',
            {'routers': None, 'recheck': 0},
            token=self.lab.admin.token(),
        )
        deleted = {
            report['router']['id']: report['router']['deleted']
            for report in answer.json()['reports']
        }
        self.assertEqual({made: True, self.router: False}, deleted)
        node.signal_l3_agent(signal.SIGCONT)
        self.wait(
            'the leftover to be gone',
            lambda: not self.prometheus.query(left),
            2 * BOUND,
        )

    def test_silence_is_told(self) -> None:
        self.wait_for()
        for name in self.checking:
            self.lab.nodes[name].stop_ha_agent()
            self.addCleanup(self.lab.nodes[name].start_ha_agent)
        self.wait_for('RouterHANobodyChecks')

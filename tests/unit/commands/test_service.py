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

"""Who may not see where routers are gets the reports of the node agents."""

import json
import os
import threading
from typing import Any

from requests import exceptions as requests_exceptions

from osc_ha_router import codec
from osc_ha_router.model import report
from osc_ha_router.model import view
from tests.unit import neutron
from tests.unit.commands import base
from tests.unit.commands import test_sweep
from tests.unit.scene import Scene

AGENTS = 'https://agents.invalid:6689'


class ServiceTest(base.CloudTest):
    """A tenant, and a cloud with node agents."""

    admin = False

    def setUp(self):
        super().setUp()
        self.neutron.admin = self.admin
        self.neutron.agents_url = AGENTS
        #: what the service knows, as it tells this caller
        self.known: dict[str, report.Report] = {}
        #: what it answers instead: status, error, headers; or an exception
        self.instead: Any = None
        #: bodies of the questions it was asked
        self.asked: list[Any] = []
        self.neutron.mock.post(f'{AGENTS}/v1/check', text=self.answer)
        self.healthy = Scene.of('healthy')
        self.standby, _ = self.healthy.standbys
        self.broken = self.healthy.without_processes(self.standby, 'monitor')
        self.backend = self.nodes(self.healthy)

    def answer(self, request: Any, context: Any) -> str:
        assert request.headers['X-Auth-Token'] == 'a-token'
        self.asked.append(request.json())
        if isinstance(self.instead, Exception):
            raise self.instead
        context.headers['Content-Type'] = 'application/json'
        if self.instead is not None:
            context.status_code, message, headers = self.instead
            context.headers.update(headers)
            error = {'message': message, 'request_id': 'req-7'}
            return json.dumps({'error': error})
        wanted = self.asked[-1]['routers']
        found = [
            item
            for id_, item in self.known.items()
            if wanted is None or id_ in wanted
        ]
        return json.dumps({'reports': codec.encode(found)})

    def serve(self, scene: Scene) -> None:
        """Let Neutron and the service know a router."""
        self.add(scene)
        self.known[scene.router.id] = scene.judge()

    def codes(self, result: base.Result) -> dict[str, str]:
        """Return name -> code of the only router's findings."""
        (row,) = result.rows
        return {f['name']: f['code'] for f in row['Findings']}


class TenantTest(ServiceTest):
    def test_by_name_and_nothing_else(self):
        self.serve(self.healthy)
        result = self.ran('check', 'r1', '-f', 'json')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        (row,) = result.rows
        self.assertEqual('OK', row['Health'])
        self.assertEqual([self.healthy.reported], row['Active Hosts'])
        self.assertEqual(3, len(row['Replicas']))
        (asked,) = self.asked
        self.assertEqual([self.healthy.router.id], asked['routers'])
        # no node is looked at from here
        self.assertEqual([[]], self.backend.requests)

    def test_findings_and_exit_code(self):
        self.serve(self.broken)
        result = self.ran('check', 'r1', '-f', 'json')
        self.assertEqual(4, result.exit_code)
        self.assertIn('monitor-dead', self.codes(result))

    def test_options_reach_the_service(self):
        self.serve(self.healthy)
        self.ran(
            *('check', 'r1', '--listen', '2', '--recheck', '3'),
            *('--ignore', 'agent-dead', '--timeout', '50'),
            *('--probe-timeout', '4'),
        )
        (asked,) = self.asked
        self.assertEqual(
            (2.0, 3.0, 4.0, ['RHA203']),
            (
                asked['listen'],
                asked['recheck'],
                asked['probe_timeout'],
                asked['ignore'],
            ),
        )
        self.assertTrue(40 < asked['timeout'] < 50, asked)

    def test_all_routers(self):
        self.serve(self.healthy)
        result = self.ran('check', '-f', 'json')
        self.assertEqual(['r1'], [row['Name'] for row in result.rows])
        self.assertIsNone(self.asked[0]['routers'])

    def test_all_routers_although_neutron_names_none(self):
        """A router without ports: Neutron does not say that it is HA."""
        self.known[self.healthy.router.id] = self.healthy.judge()
        result = self.ran('check', '-f', 'json')
        self.assertEqual(['r1'], [row['Name'] for row in result.rows])

    def test_show(self):
        self.serve(self.healthy)
        result = self.ran('show', 'r1', '-f', 'json')
        self.assertEqual((0, ''), (result.exit_code, result.stderr))
        self.assertEqual('OK', json.loads(result.stdout)['Health'])

    def test_chosen_backend(self):
        self.serve(self.healthy)
        self.assertEqual(
            0, self.ran('check', 'r1', '--backend', 'agent').exit_code
        )
        # whoever wants ssh gets ssh
        result = self.ran('check', 'r1', '--backend', 'ssh', '-f', 'json')
        self.assertEqual(3, result.exit_code)
        self.assertEqual(['claim-unknown'], list(self.codes(result)))
        self.assertEqual(1, len(self.asked))

    def test_save(self):
        self.serve(self.healthy)
        path = self.path('saved.json')
        self.assert_refused(
            self.ran('check', 'r1', '--save', path), 1, '-f json'
        )
        self.assertFalse(os.path.exists(path))
        self.assertEqual([], self.asked)

    def test_host_list_needs_hosts(self):
        self.serve(self.healthy)
        self.assert_refused(self.ran('host', 'list'), 1, 'no L3 agent')
        self.assertEqual([], self.asked)

    def test_no_such_router(self):
        self.assert_refused(self.ran('check', 'r9'), 1, "'r9'")
        self.assertEqual([], self.asked)


class InterruptedTest(ServiceTest, test_sweep.Interrupting):
    """Nobody waits for the service any more."""

    def test_while_it_is_silent(self):
        self.serve(self.healthy)
        for names in ((), ('r1',)):
            hold = threading.Event()
            self.addCleanup(hold.set)

            def silent(request: Any, context: Any) -> str:
                hold.wait(30)  # noqa: B023
                return self.answer(request, context)

            self.neutron.mock.post(f'{AGENTS}/v1/check', text=silent)
            result = self.interrupted(*names, '-f', 'json', after=1.5)
            # nothing else is asked of the mock meanwhile
            hold.set()
            self.assertEqual(3, result.exit_code)
            self.assertIn('Interrupted', result.stderr)
            self.assertIn('service-unavailable', self.codes(result))
            self.assertEqual('UNKNOWN', result.rows[0]['Health'])


class AdministratorTest(ServiceTest):
    admin = True

    def test_looks_itself(self):
        self.serve(self.healthy)
        self.assertEqual(0, self.ran('check', 'r1').exit_code)
        self.assertEqual([], self.asked)
        self.assertEqual(3, len(self.backend.requests[0]))

    def test_neutron_down_and_the_id(self):
        scene = self.healthy.with_router(
            agents=None, ports=None, gaps=('anything',)
        )
        self.known[scene.router.id] = scene.judge()
        for instead in (
            requests_exceptions.ConnectionError('refused'),
            requests_exceptions.ReadTimeout('slow'),
            (503, {}),
        ):
            self.neutron.instead['routers'] = instead
            result = self.ran('check', scene.router.id, '-f', 'json')
            self.assertEqual(3, result.exit_code, result.stderr)
            (row,) = result.rows
            self.assertEqual('UNKNOWN', row['Health'])
            self.assertEqual([self.healthy.reported], row['Active Hosts'])
            (asked,) = self.asked
            self.assertEqual([scene.router.id], asked['routers'])
            self.asked.clear()

    def test_neutron_that_hangs_leaves_time(self):
        self.serve(self.healthy)
        for name, seconds in (('r1', 40), (self.healthy.router.id, 10)):
            before = len(self.neutron.mock.request_history)
            self.ran('check', name, '--timeout', '40')
            timeouts = {
                r.timeout
                for r in self.neutron.mock.request_history[before:]
                if r.url.startswith(f'{neutron.NEUTRON}/v2.0/routers')
            }
            self.assertEqual({seconds}, timeouts, name)

    def test_neutron_down_and_a_name(self):
        self.neutron.instead['routers'] = (503, {})
        self.assert_lines(self.ran('check', 'r1'), 'by ID')
        self.assert_lines(
            self.ran('check', neutron.new_id(1), '--host', 'x'), '--host'
        )
        self.assertEqual([], self.asked)

    def test_neutron_down_and_no_service(self):
        self.neutron.instead['routers'] = (503, {})
        self.neutron.agents_url = None
        self.assert_lines(
            self.ran('check', neutron.new_id(1)), '503', 'router-ha'
        )

    def test_neutron_down_and_ssh(self):
        self.neutron.instead['routers'] = (503, {})
        self.assert_refused(
            self.ran('check', neutron.new_id(1), '--backend', 'ssh'), 1, '503'
        )
        self.assertEqual([], self.asked)

    def test_neutron_refuses(self):
        """Not allowed is not down."""
        self.neutron.instead['routers'] = (
            403,
            neutron.error('PolicyNotAuthorized', 'no'),
        )
        self.assert_refused(self.ran('check', neutron.new_id(1)), 1, 'refuses')
        self.assertEqual([], self.asked)

    def assert_lines(self, result: base.Result, *words: str) -> None:
        self.assertEqual((1, ''), (result.exit_code, result.stdout))
        for word in words:
            self.assertIn(word, result.stderr)


class UnavailableTest(ServiceTest):
    """What is missing, and whom to ask; never a traceback."""

    def finding(self, *options: str) -> Any:
        result = self.ran('check', 'r1', '-f', 'json', *options)
        self.assertEqual((3, ''), (result.exit_code, result.stderr))
        (row,) = result.rows
        self.assertEqual('UNKNOWN', row['Health'])
        found = {f['name']: f for f in row['Findings']}
        self.assertIn('get_l3-agents', found['claim-unknown']['summary'])
        shown = self.ran('check', 'r1', *options)
        for text in str(found), shown.stdout + shown.stderr:
            self.assertNotIn('a-token', text)
        return found['service-unavailable']

    def setUp(self):
        super().setUp()
        self.serve(self.healthy)

    def test_not_in_the_catalogue(self):
        self.neutron.agents_url = None
        found = self.finding()
        self.assertIn('no service router-ha', found['summary'])
        self.assertIn('Ask the operator of the cloud', found['hint'])
        # the same to whoever asks for it by name
        self.assertEqual(found, self.finding('--backend', 'agent'))

    def test_not_reached(self):
        self.instead = requests_exceptions.ConnectionError('refused')
        found = self.finding()
        self.assertIn(f'{AGENTS} cannot be reached', found['summary'])

    def test_certificate(self):
        self.instead = requests_exceptions.SSLError('self-signed certificate')
        found = self.finding()
        self.assertIn('certificate', found['summary'])
        self.assertIn('OS_CACERT', found['hint'])

    def test_refused(self):
        self.instead = 403, 'Ask for the role reader.', {}
        found = self.finding()
        self.assertIn('Ask for the role reader (req-7)', found['summary'])

    def test_unknown_to_the_service(self):
        self.instead = 404, 'There is no such router.', {}
        self.assertIn('no such router', self.finding()['summary'])

    def test_busy(self):
        self.instead = 503, 'Busy.', {'Retry-After': '1'}
        found = self.finding('--timeout', '1')
        self.assertIn('cannot do it now: Busy', found['summary'])

    def test_something_else(self):
        self.neutron.mock.post(f'{AGENTS}/v1/check', text='<html>\x1b[2J')
        found = self.finding()
        self.assertIn('not understood', found['summary'])
        self.assertTrue(found['summary'].isprintable())

    def test_reports_of_others(self):
        other = self.healthy.with_router(id=neutron.new_id(77)).judge()
        self.neutron.mock.post(
            f'{AGENTS}/v1/check',
            text=json.dumps({'reports': codec.encode([other])}),
        )
        self.assertIn('nobody asked for', self.finding()['summary'])

    def test_all_routers(self):
        self.neutron.agents_url = None
        self.assertIn('router-ha', self.finding_of_all()['summary'])

    def finding_of_all(self) -> Any:
        result = self.ran('check', '-f', 'json')
        (row,) = result.rows
        return next(
            f for f in row['Findings'] if f['name'] == 'service-unavailable'
        )


class EndpointTest(ServiceTest):
    """Which agent is asked."""

    #: of the cloud's entry, beside router_ha
    def use(self, url: str) -> None:
        self.neutron.mock.post(f'{url}/v1/check', text=self.answer)

    def setUp(self):
        super().setUp()
        self.serve(self.healthy)

    def ok(self, *options: str) -> None:
        result = self.ran(*options, 'check', 'r1')
        self.assertEqual(0, result.exit_code, result)

    def ran(self, *arguments: str) -> base.Result:
        found = list(arguments)
        index = found.index('check')
        result = base.openstack(*found[:index], 'router', 'ha', *found[index:])
        self.assertNotIn('Traceback', result.stderr)
        return result

    def test_setting(self):
        self.neutron.agents_url = None
        self.use('https://net1.invalid:6689')
        self.ok('--os-router-ha-agent-endpoint', 'https://net1.invalid:6689')

    def test_setting_that_is_no_url(self):
        for value in ('net1', 'net1:6689', 'ftp://net1', 'https://'):
            result = self.ran(
                '--os-router-ha-agent-endpoint', value, 'check', 'r1'
            )
            self.assert_refused(result, 1, 'agent_endpoint', value)

    def test_the_sdk_s_own_setting(self):
        self.neutron.agents_url = None
        self.use('https://net2.invalid:6689')
        self.cloud_entry['router_ha_endpoint_override'] = (
            'https://net2.invalid:6689'
        )
        self.clouds({'test': self.cloud_entry})
        self.ok()

    def test_interface(self):
        self.use('https://internal.invalid:6689')
        self.neutron.mock.post(f'{AGENTS}/v1/check', status_code=500)
        self.ok('--os-interface', 'internal')
        self.cloud_entry['interface'] = 'internal'
        self.clouds({'test': self.cloud_entry})
        self.ok()

    def test_region(self):
        result = self.ran(
            *('--os-router-ha-backend', 'agent'), 'check', 'r1', '-f', 'json'
        )
        self.assertEqual(0, result.exit_code, result)
        self.cloud_entry['region_name'] = 'RegionTwo'
        self.cloud_entry['network_endpoint_override'] = neutron.NEUTRON
        self.clouds({'test': self.cloud_entry})
        result = self.ran('check', 'r1', '-f', 'json')
        self.assertIn('in region RegionTwo', result.stdout)

    def test_one_token(self):
        self.ok()
        issued = [
            r
            for r in self.neutron.mock.request_history
            if r.path.endswith('/auth/tokens')
        ]
        self.assertEqual(1, len(issued))


class NodeViewTest(ServiceTest):
    """What an older client does not know of a newer report it leaves out."""

    def test_newer_service(self):
        self.serve(self.healthy)
        data = codec.encode([self.healthy.judge()])
        data[0]['newer'] = {'x': 1}
        self.neutron.mock.post(
            f'{AGENTS}/v1/check', text=json.dumps({'reports': data})
        )
        self.assertEqual(0, self.ran('check', 'r1').exit_code)

    def test_severity_that_there_is_not(self):
        self.serve(self.healthy)
        data = codec.encode([self.healthy.judge()])
        data[0]['health'] = 'GOOD'
        self.neutron.mock.post(
            f'{AGENTS}/v1/check', text=json.dumps({'reports': data})
        )
        self.assertEqual(3, self.ran('check', 'r1').exit_code)
        self.assertIsInstance(self.healthy.hosts[0], view.HostView)

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

"""The layer of tokens in front of a Keystone that answers, and one that not."""

import threading
import time
import uuid

import fixtures
from keystoneauth1 import fixture
from keystoneauth1 import loading
from oslo_config import cfg
from werkzeug import test as werkzeug

from osc_ha_router.agent import asking
from osc_ha_router.agent import identity
from osc_ha_router.agent import options
from osc_ha_router.agent import tokens
from tests.unit import quiet
from tests.unit.backends import agents

#: seconds that it may take to answer
TIMEOUT = 1
THREADS = 32


class Keystone:
    """Knows some tokens; says nothing at all while it is frozen."""

    def __init__(self):
        self.url = ''
        self.good = {}
        self.frozen = False

    def token(self):
        """Return a new token, which is good."""
        id_ = uuid.uuid4().hex
        found = fixture.V3Token(user_id='u', project_id='p')
        found.set_project_scope()
        found.add_role(name='reader')
        self.good[id_] = found
        return id_

    def __call__(self, asked, line):
        if self.frozen:
            line.rest(20)
        elif asked.path.endswith('/auth/tokens'):
            self._tokens(asked, line)
        else:
            line.json({'version': fixture.V3Discovery(f'{self.url}/v3')})

    def _tokens(self, asked, line):
        if asked.method == 'POST':
            own = fixture.V3Token(project_id='service')
            service = own.add_service('identity')
            service.add_standard_endpoints(internal=f'{self.url}/v3')
            line.json(own, '201 Created', 'X-Subject-Token: own')
            return
        found = self.good.get(asked.headers['x-subject-token'])
        if found is None:
            line.error(404, 'No such token.')
        else:
            line.json(found)


class TokensTest(quiet.TestCase):
    #: of [keystone_authtoken]
    options = {}

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        # each of them waits for the agent's own token, after the others
        self.patch(tokens, '_AT_ONCE', 2)
        self.keystone = Keystone()
        served = self.useFixture(agents.Agent(self.keystone))
        self.served = served
        self.keystone.url = served.url
        conf = cfg.ConfigOpts()
        options.register(conf)
        tokens.register(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.register_opts(
            loading.get_auth_plugin_conf_options('password'), tokens.SECTION
        )
        conf.set_override('threads', THREADS, options.AGENT)
        for name, value in {
            'auth_type': 'password',
            'auth_url': f'{served.url}/v3',
            'username': 'agent',
            'password': 'secret',
            'http_connect_timeout': TIMEOUT,
            'www_authenticate_uri': 'https://keystone/v3',
            **self.options,
        }.items():
            conf.set_override(name, value, tokens.SECTION)
        self.client = werkzeug.Client(
            identity.Identity(tokens.guard(self.inside, conf, ['/public']))
        )

    def inside(self, environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [b'inside']

    def ask(self, token=None, path='/x', **headers):
        if token is not None:
            headers['X-Auth-Token'] = token
        return self.client.get(path, headers=headers)


class AnsweringTest(TokensTest):
    def test_good_and_bad_ones(self):
        self.assertEqual(200, self.ask(self.keystone.token()).status_code)
        for token in ('wrong', '', None):
            self.assertEqual(401, self.ask(token).status_code)
        self.assertEqual(200, self.ask(self.keystone.token()).status_code)

    def test_no_wait_without_a_bound(self):
        conf = cfg.ConfigOpts()
        tokens.register(conf)
        section = conf[tokens.SECTION]
        self.assertEqual(5, section.http_connect_timeout)
        self.assertEqual(0, section.http_request_max_retries)

    def test_the_operator_may_say_otherwise(self):
        conf = cfg.ConfigOpts()
        tokens.register(conf)
        folder = self.useFixture(fixtures.TempDir())
        with open(folder.join('x.conf'), 'w') as stream:
            stream.write('[keystone_authtoken]\nhttp_connect_timeout = 30\n')
        conf(['--config-file', folder.join('x.conf')], default_config_dirs=[])
        self.assertEqual(30, conf[tokens.SECTION].http_connect_timeout)


class FrozenTest(TokensTest):
    """Keystone takes connections, and never answers."""

    def refused(self, response):
        self.assertEqual(503, response.status_code)
        self.assertEqual('5', response.headers['Retry-After'])
        self.assertIn('Keystone', response.json['error']['message'])

    def test_it_is_not_waited_for_for_ever(self):
        self.keystone.frozen = True
        with agents.within(4 * TIMEOUT):
            self.refused(self.ask(self.keystone.token()))

    def test_in_the_middle_of_its_work(self):
        known = self.keystone.token()
        self.ask(known)
        self.keystone.frozen = True
        with agents.within(2 * TIMEOUT):
            self.refused(self.ask(self.keystone.token()))
        with agents.within(0.5):
            self.assertEqual(200, self.ask(known).status_code)
            self.assertEqual(200, self.ask(path='/public').status_code)

    def test_a_crowd_does_not_wait_after_each_other(self):
        """Not even if the agent's own token has to be got first."""
        self.keystone.frozen = True
        found = []
        crowd = [
            threading.Thread(target=lambda: found.append(self.ask('x')))
            for _ in range(2 * THREADS)
        ]
        for thread in crowd:
            thread.start()
        time.sleep(0.5)
        # who finds no room is told so at once
        self.assertTrue(len(found) >= THREADS, len(found))
        for thread in crowd:
            thread.join(30)
        self.assertEqual(2 * THREADS, len(found))
        for response in found:
            self.refused(response)

    def test_one_at_a_time_tries_again(self):
        self.keystone.frozen = True
        self.refused(self.ask('x'))
        trying = threading.Thread(target=self.ask, args=('x',))
        trying.start()
        self.addCleanup(trying.join)
        time.sleep(0.2)
        with agents.within(0.5):
            self.refused(self.ask('x'))

    def test_it_is_back(self):
        self.keystone.frozen = True
        self.refused(self.ask('x'))
        self.keystone.frozen = False
        for _ in range(3):
            token = self.keystone.token()
            self.assertEqual(200, self.ask(token).status_code)


class DelayedTest(TokensTest):
    """The operator lets the middleware let everybody through."""

    options = {'delay_auth_decision': True}

    def test_nobody_comes_through_without_a_good_token(self):
        forged = {'X-Identity-Status': 'Confirmed', 'X-Roles': 'admin'}
        for token in ('wrong', '', None):
            response = self.ask(token, **forged)
            self.assertEqual(401, response.status_code)
            self.assertIn('error', response.json)
        self.keystone.frozen = True
        self.assertIn(self.ask('x').status_code, (401, 503))

    def test_a_good_one(self):
        self.assertEqual(200, self.ask(self.keystone.token()).status_code)


class AskingTest(quiet.TestCase):
    def setUp(self):
        super().setUp()
        self.patch(asking, '_SOON', 0.0)
        self.asking = asking.Asking('It', 1, 3, 0.2)

    def ask(self, fail=None):
        with self.asking.turn(lambda exc: isinstance(exc, OSError)):
            if fail is not None:
                raise fail

    def test_wait_for_a_turn_is_bounded(self):
        with self.asking.turn(bool), agents.within(1):
            self.assertRaises(asking.Silent, self.ask)
        self.ask()

    def test_bad_answers_are_answers(self):
        for _ in range(5):
            self.assertRaises(KeyError, self.ask, KeyError())
        with self.asking.turn(bool):
            began = time.monotonic()
            self.assertRaises(asking.Silent, self.ask)
            # waited for a turn
            self.assertTrue(time.monotonic() - began > 0.1)

    def test_what_is_refused_soon_holds_nobody_up(self):
        """Whoever sends what is odd does not shut others out."""
        self.patch(asking, '_SOON', 1.0)
        self.asking = asking.Asking('It', 2, 9, 5)
        self.assertRaises(OSError, self.ask, OSError())
        with self.asking.turn(bool):
            self.ask()

    def test_no_room(self):
        self.asking = asking.Asking('It', 2, 2, 5)
        with self.asking.turn(bool), self.asking.turn(bool):
            with agents.within(0.5):
                self.assertRaises(asking.Silent, self.ask)

    def test_after_silence_nobody_waits(self):
        self.asking = asking.Asking('It', 2, 9, 5)
        self.assertRaises(OSError, self.ask, OSError())
        with self.asking.turn(bool), agents.within(0.5):
            self.assertRaises(asking.Silent, self.ask)
        with self.asking.turn(bool), self.asking.turn(bool):
            pass

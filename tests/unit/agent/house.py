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

"""The whole application, with fakes for what does the work."""

import dataclasses
import uuid

import fixtures
from keystonemiddleware import fixture as middleware
from oslo_config import cfg
from werkzeug import test as werkzeug

from osc_ha_router.agent import application
from osc_ha_router.agent import conversations
from osc_ha_router.agent import options
from osc_ha_router.agent import policies
from osc_ha_router.agent import services
from osc_ha_router.agent import tokens
from osc_ha_router.backends import base
from osc_ha_router.model import view
from tests.unit import quiet

HOST = 'net1'
OTHER = 'net2'
ID = 'abcdef01-1111-4111-8111-111111111111'
ROUTER = 'abcdef02-2222-4222-8222-222222222222'
CREDENTIALS = b'a-long-random-word'


@dataclasses.dataclass(frozen=True)
class Opened:
    id: str
    hostname: str
    lease: float


class Conversations:
    """Keeps what it was asked; answers from a list."""

    def __init__(self, host):
        self.host = host
        self.asked = []
        self.replies = [{'event': 'x'}, {'end': {}}]
        self.raises = None
        self.closed = 0

    def _note(self, *what):
        self.asked.append(what)
        if self.raises is not None:
            raise self.raises

    def open(self, owner):
        self._note('open', owner)
        return Opened(ID, self.host, 10.0)

    def request(self, id, owner, op, fields, timeout):
        self._note('request', id, owner, op, fields, timeout)
        return self._yield()

    def _yield(self):
        try:
            for reply in self.replies:
                if isinstance(reply, Exception):
                    raise reply
                yield reply
        finally:
            self.closed += 1

    def stop(self, id, owner):
        self._note('stop', id, owner)

    def renew(self, id, owner):
        self._note('renew', id, owner)

    def close(self, id, owner):
        self._note('close', id, owner)


class Nodes:
    """Shows every host as one that has nothing."""

    def __init__(self, house, probe_timeout):
        self.house = house
        self.probe_timeout = probe_timeout

    def probe(self, requests, deadline):
        self.house.looked.append((requests, self.probe_timeout, deadline))
        for request in requests:
            if self.house.nodes_raise is not None:
                raise self.house.nodes_raise
            yield view.HostView(request.host, hostname=request.host)


class Relay:
    """Leads to one other host."""

    def __init__(self, far):
        self.far = far
        self.asked = []

    def conversations(self, host, who):
        self.asked.append((host, who))
        return self.far


class Checker:
    """Returns what it is told to, or raises it."""

    def __init__(self):
        self.asked = []
        self.answer = ()

    def check(self, who, asked):
        self.asked.append((who, asked))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class HouseTestCase(quiet.TestCase):
    """Has the application, a client for it, and tokens."""

    #: of [agent]
    options: dict[str, int] = {}

    def setUp(self):
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())
        self.keystone = self.useFixture(middleware.AuthTokenFixture())
        self.conf = cfg.ConfigOpts()
        options.register(self.conf)
        tokens.register(self.conf)
        self.conf([], default_config_files=[], default_config_dirs=[])
        for name, value in self.options.items():
            self.conf.set_override(name, value, options.AGENT)
        self.conf.set_override(
            'www_authenticate_uri', 'https://keystone/v3', tokens.SECTION
        )
        self.near = Conversations(HOST)
        self.far = Conversations(OTHER)
        self.relay = Relay(self.far)
        self.checker = Checker()
        self.looked = []
        self.nodes_raise = None
        self.alive = True
        #: hosts that are none of the nodes
        self.strangers = {'evil'}
        self.client = werkzeug.Client(self.build())
        self.admin = self.token('admin')
        self.reader = self.token('reader')

    def build(self, credentials=CREDENTIALS):
        """Return the application."""
        return application.build(
            services.Services(
                host=HOST,
                knows=lambda host: host not in self.strangers,
                conversations=self.near,
                nodes=lambda seconds: Nodes(self, seconds),
                relay=self.relay,
                checker=self.checker,
                alive=lambda: self.alive,
                metrics=lambda: b'up 1\n',
                credentials=credentials,
            ),
            self.conf,
            policies.enforcer(self.conf),
        )

    def token(self, *roles, **kwargs):
        """Return a token of a user of one project with these roles."""
        id_ = uuid.uuid4().hex
        self.keystone.add_token_data(
            token_id=id_,
            user_id=f'user-{roles[0]}',
            user_name=f'{roles[0]}',
            user_domain_id='default',
            project_id='project',
            project_domain_id='default',
            role_list=list(roles),
            **kwargs,
        )
        return id_

    def ask(self, method, path, token=None, headers=(), **kwargs):
        """Send a request and return the response."""
        found = dict(headers)
        if token is not None:
            found['X-Auth-Token'] = token
        return self.client.open(path, method=method, headers=found, **kwargs)

    def post(self, path, body, token=None, **kwargs):
        """Send JSON, by default as an administrator."""
        return self.ask('POST', path, token or self.admin, json=body, **kwargs)

    def assertProblem(self, code, response):
        """Check that a refusal has the one form, and return its message."""
        self.assertEqual(code, response.status_code, response.data[:300])
        self.assertEqual('application/json', response.mimetype)
        error = response.json['error']
        self.assertEqual(
            {'code', 'title', 'message', 'request_id'}, set(error)
        )
        self.assertEqual(code, error['code'])
        self.assertRegex(error['message'], r'^[A-Z].*[^.]\.$')
        self.assertEqual(
            error['request_id'], response.headers['X-Openstack-Request-Id']
        )
        self.assertEqual(code == 503, 'Retry-After' in response.headers)
        return error['message']


BUSY = conversations.Busy('16 conversations are open')
UNKNOWN = conversations.Unknown('there is no such conversation')
TROUBLE = base.Trouble(
    view.Failure('agent-unreachable', 'It cannot be reached', 'See to it.'),
    None,
)

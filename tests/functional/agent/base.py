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

"""What the tests of the node agents on the lab have in common."""

from collections.abc import Mapping
import re
from typing import Any
import uuid

from tests.functional import base
from tests.lab import https
from tests.lab import serving
from tests.lab.cloud import ENTRY_NODE

REQUEST_ID = 'x-openstack-request-id'
_ID = 'req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'


class AgentTest(base.LabTest):
    """A test of the API as it is on the wire."""

    def setUp(self) -> None:
        super().setUp()
        self.assertTrue(serving.possible(), 'the extra agent is missing')

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        node: str = ENTRY_NODE,
        **options: Any,
    ) -> https.Answer:
        """Send one request to a node's agent, see ``https.ask``."""
        return https.ask(self.lab.layout, node, method, path, body, **options)

    def refused(self, answer: https.Answer, *codes: int) -> str:
        """See that an answer is a refusal in the promised form.

        :return: its message
        """
        self.assertIn(answer.status, codes, answer.body)
        self.assertEqual('application/json', answer.headers['content-type'])
        self.assertEqual(['error'], list(answer.json()))
        error = answer.json()['error']
        self.assertEqual(
            {'code', 'title', 'message', 'request_id'}, set(error)
        )
        self.assertEqual(answer.status, error['code'])
        self.assertTrue(error['title'])
        self.assertRegex(error['request_id'], f'^{_ID}$')
        self.assertEqual(answer.headers[REQUEST_ID], error['request_id'])
        # one sentence or two, and nothing of the inside
        self.assertRegex(error['message'], r'^[A-Z].*\.$')
        for word in ('Traceback', 'File "', '/root', 'lab-secret', '0x'):
            self.assertNotIn(word, answer.body.decode())
        return str(error['message'])

    def missing(self) -> str:
        """Return the id of a router that does not exist."""
        return str(uuid.uuid4())

    def foreign(self, ha: bool = False) -> str:
        """Return the id of another project's router, made for the test.

        One that is not HA is on no node, and takes no time.
        """
        if ha:
            made = self.lab.create_router(
                'foreign', gateway=False, wait=False, owner=self.lab.other
            )
            self.addCleanup(self.lab.delete_router, made)
            return made
        found = self.lab.admin.create(
            'router',
            name='foreign',
            ha=False,
            project_id=self.lab.facts['project other'],
        )
        path = f'/routers/{found["id"]}'
        self.addCleanup(self.lab.admin.neutron, 'DELETE', path)
        return str(found['id'])


def alike(answer: https.Answer) -> tuple[int, Mapping[str, str], str]:
    """Return what tells answers apart, without ids of requests and times."""
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ('date', REQUEST_ID)
    }
    return answer.status, headers, re.sub(_ID, '', answer.body.decode())

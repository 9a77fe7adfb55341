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

"""How much of a request there has to be before it gets a thread."""

from osc_ha_router.agent import parsing
from tests.unit import quiet

HEAD = b'POST /x HTTP/1.1\r\nHost: localhost\r\n'


class TestNeeded(quiet.TestCase):
    """How much of a request there has to be before it gets a thread."""

    def needed(self, data, start=0):
        return parsing.needed(bytearray(data), start)

    def test_head(self):
        for end in (b'\r\n\r\n', b'\n\n', b'\n\r\n'):
            head = b'GET / HTTP/1.1' + end
            self.assertEqual(len(head), self.needed(head + b'GET'))
            for cut in range(len(head)):
                self.assertIsNone(self.needed(head[:cut]))
                # what was looked at before need not be looked at again
                self.assertEqual(len(head), self.needed(head, cut))

    def test_body(self):
        for line in (b'Content-Length: 9', b'content-length:9 '):
            head = HEAD + line + b'\r\nX: y\r\n\r\n'
            self.assertEqual(len(head) + 9, self.needed(head))

    def test_body_that_a_thread_waits_for(self):
        for line in (
            b'Transfer-Encoding: chunked',
            b'Content-Length: 9\r\nExpect: 100-continue',
            b'Content-Length: 65537',
            b'Content-Length: x',
            b'X-Content-Length: 9',
        ):
            head = HEAD + line + b'\r\n\r\n'
            self.assertEqual(len(head), self.needed(head))

    def test_never_more_than_is_taken(self):
        long = b'X: ' + b'y' * parsing.HEADERS
        for data in (
            long,
            long + b'\r\n\r\n',
            long + b'\r\nContent-Length: 65536\r\n\r\n',
            HEAD + b'Content-Length: 65536\r\n\r\n',
        ):
            found = self.needed(data)
            self.assertTrue(found <= max(len(data), parsing.AHEAD))

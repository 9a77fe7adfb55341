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

"""The web server against clients that do not behave."""

import contextlib
import json
import socket
import ssl
import threading
import time
import warnings

from testtools import matchers

from osc_ha_router.agent import server
from osc_ha_router.agent import slow
from tests.unit.agent import serving

HEAD = b'POST /x HTTP/1.1\r\nHost: localhost\r\n'
GET = b'GET /x HTTP/1.1\r\nHost: localhost\r\n'


class TestRequests(serving.ServerTestCase):
    """What can be read as a request, and what cannot."""

    def refused(self, status, *parts, connection=None):
        response = self.ask(*parts, connection=connection)
        self.assertEqual(status, response.status, response.data[:200])
        error = response.error()
        self.assertEqual(status, error['code'])
        self.assertEqual('application/json', response.headers['content-type'])
        self.assertEqual(
            error['request_id'], response.headers['x-openstack-request-id']
        )
        self.assertEqual('close', response.headers['connection'])
        self.assertEqual([], self.application.seen)
        return error

    def test_good_ones(self):
        response = self.get('/hello')
        self.assertEqual(200, response.status)
        self.assertEqual('/hello', json.loads(response.body)['path'])

    def test_several_on_one_connection(self):
        connection = self.secure()
        for _ in range(3):
            connection.sendall(GET + b'\r\n')
            data = b''
            while b'"GET"}' not in data:
                data += connection.recv(65536)
        self.assertEqual(200, self.get(connection=connection).status)
        self.assertEqual(4, len(self.application.seen))

    def test_two_at_once_on_one_connection(self):
        connection = self.secure()
        connection.sendall((GET + b'\r\n') * 2)
        response = self.get(connection=connection)
        self.assertEqual(3, response.data.count(b'HTTP/1.1 200 OK'))

    def test_two_at_once_that_fill_more_than_a_buffer(self):
        # the second one is decrypted already, and nothing comes any more
        connection = self.secure()
        body = b'x' * 9000
        one = HEAD + b'Content-Length: 9000\r\n\r\n' + body
        connection.sendall(one + GET + b'Connection: close\r\n\r\n')
        response = serving.Response(serving.rest(connection))
        self.assertEqual(2, response.data.count(b'HTTP/1.1 200 OK'))

    def test_body_of_known_length(self):
        response = self.ask(
            HEAD,
            b'Connection: close\r\nContent-Length: 5\r\n\r\n',
            b'hello',
        )
        self.assertEqual(5, json.loads(response.body)['size'])

    def test_body_in_chunks(self):
        response = self.ask(
            HEAD,
            b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n',
            b'3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
        )
        self.assertEqual(5, json.loads(response.body)['size'])
        self.assertEqual('5', self.application.seen[0]['CONTENT_LENGTH'])
        self.assertNotIn('HTTP_TRANSFER_ENCODING', self.application.seen[0])

    def test_expectation_is_met(self):
        connection = self.secure()
        connection.sendall(
            HEAD + b'Connection: close\r\nContent-Length: 2\r\n'
            b'Expect: 100-continue\r\n\r\n'
        )
        self.assertIn(b'100 Continue', connection.recv(1024))
        response = self.ask(b'ab', connection=connection)
        self.assertEqual(200, response.status)

    def test_garbage(self):
        self.refused(400, b'\x00\xff\x13garbage\r\n\r\n')

    def test_no_http(self):
        self.refused(400, b'HELO localhost\r\n\r\n')

    def test_other_version(self):
        self.refused(505, b'GET / HTTP/2.0\r\n\r\n')

    def test_addresses_that_are_none(self):
        for uri in (b'//[', b'http://[::1', b'*', b'x', b'/#a'):
            with self.subTest(uri=uri):
                self.refused(400, b'GET ' + uri + b' HTTP/1.1\r\n\r\n')

    def test_address_of_another(self):
        self.refused(400, b'GET http://example.org/ HTTP/1.1\r\n\r\n')

    def test_header_without_name(self):
        self.refused(400, GET, b': x\r\n\r\n')

    def test_header_with_space_before_the_colon(self):
        self.refused(400, HEAD, b'Content-Length : 5\r\n\r\nabcde')

    def test_lengths_that_are_none(self):
        for length in (b'-1', b'+5', b'0x5', b'1_0', b'', b'5, 5', b'9' * 40):
            with self.subTest(length=length):
                self.refused(
                    400, HEAD, b'Content-Length: ' + length + b'\r\n\r\n'
                )

    def test_two_lengths(self):
        self.refused(
            400,
            HEAD,
            b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde',
        )

    def test_length_and_chunks(self):
        for order in (1, -1):
            lines = [
                b'Content-Length: 5\r\n',
                b'Transfer-Encoding: chunked\r\n',
            ]
            with self.subTest(order=order):
                self.refused(400, HEAD, *lines[::order], b'\r\nabcde')

    def test_chunks_that_are_none(self):
        for chunk in (b'xyz\r\n', b'3\r\nabcdefg\r\n', b'\r\n'):
            with self.subTest(chunk=chunk):
                self.refused(
                    400, HEAD, b'Transfer-Encoding: chunked\r\n\r\n', chunk
                )

    def test_headers_with_underscores_are_left_out(self):
        self.ask(
            GET,
            b'X_Roles: admin\r\nX-Roles: reader\r\nConnection: close\r\n\r\n',
        )
        self.assertEqual('reader', self.application.seen[0]['HTTP_X_ROLES'])

    def test_long_address(self):
        self.refused(414, b'GET /' + b'x' * 70000 + b' HTTP/1.1\r\n\r\n')

    def test_long_headers(self):
        self.refused(431, GET + b'X-A: ' + b'x' * 70000 + b'\r\n\r\n')

    def test_headers_without_end(self):
        error = self.refused(431, GET, b'X-A: b\r\n' * (1 << 17))
        self.assertIn('headers', error['message'])

    def test_long_body(self):
        self.refused(413, HEAD, b'Content-Length: 1048577\r\n\r\n')

    def test_long_chunks(self):
        chunk = b'10000\r\n' + b'x' * 0x10000 + b'\r\n'
        self.refused(
            413, HEAD, b'Transfer-Encoding: chunked\r\n\r\n', chunk * 32
        )

    def test_length_of_chunk_without_end(self):
        self.refused(
            413,
            HEAD,
            b'Transfer-Encoding: chunked\r\n\r\n',
            b'0' * (4 << 20),
        )

    def test_what_fails_tells_nothing(self):
        response = self.get('/raise')
        self.assertEqual(500, response.status)
        self.assertNotIn(b'secret', response.data)
        self.assertEqual(500, response.error()['code'])

    def test_response_that_breaks_off_is_no_whole_one(self):
        connection = self.secure()
        connection.sendall(b'GET /beats HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertIn(b'chunked', connection.recv(1024))
        connection.close()
        self.assertTrue(self.application.closed.wait(5))


class TestRequestsInTheClear(TestRequests):
    """The same without TLS."""

    tls = False

    def test_half_a_body(self):
        connection = self.plain()
        connection.sendall(HEAD + b'Content-Length: 100\r\n\r\nhalf')
        connection.shutdown(socket.SHUT_WR)
        self.refused(400, connection=connection)


class TestTLS(serving.ServerTestCase):
    """TLS, and clients that do not speak it."""

    def test_plain_http_is_told_in_plain_words(self):
        response = self.get(connection=self.plain())
        self.assertEqual(400, response.status)
        self.assertIn('HTTPS', response.error()['message'])
        self.assertEqual([], self.application.seen)

    def test_long_plain_http_is_told_too(self):
        response = self.ask(
            HEAD,
            b'Content-Length: 500000\r\n\r\n',
            b'x' * 500000,
            connection=self.plain(),
        )
        self.assertEqual(400, response.status)

    def test_garbage(self):
        response = self.ask(
            b'\x16\x03\x01garbage' * 10, connection=self.plain()
        )
        self.assertEqual([], self.application.seen)
        self.assertNotIn(b'HTTP', response.data)
        self.assertEqual(200, self.get().status)

    def test_old_versions_are_refused(self):
        context = ssl.create_default_context(cafile=self.certificate)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers('ALL:@SECLEVEL=0')
        self.assertRaises(
            (ssl.SSLError, ConnectionError),
            context.wrap_socket,
            self.plain(),
            server_hostname='localhost',
        )

    def test_client_that_goes_away_in_the_handshake(self):
        for _ in range(20):
            self.plain().close()
        self.assertEqual(200, self.get().status)


class TestTime(serving.ServerTestCase):
    """Clients that take their time."""

    #: seconds beyond the server's patience
    margin = 3.0

    def assertEnds(self, seconds):
        self.assertThat(
            seconds, matchers.LessThan(serving.PATIENCE + self.margin)
        )

    def late(self, *parts, pace):
        connection = self.secure()
        for part in parts:
            connection.sendall(part)
        seconds = serving.drip(connection, pace)
        response = self.ask(connection=connection)
        self.assertEnds(seconds)
        self.assertEqual(408, response.status)
        self.assertEqual(408, response.error()['code'])
        self.assertEqual([], self.application.seen)

    def test_request_line_that_drips(self):
        self.late(pace=b'GET /' + b'x' * 1000)

    def test_headers_that_drip(self):
        self.late(GET, pace=b'X-A: b\r\n' * 200)

    def test_body_that_drips(self):
        self.late(HEAD, b'Content-Length: 1000\r\n\r\n', pace=b'x' * 999)

    def test_chunks_that_drip(self):
        self.late(
            HEAD,
            b'Transfer-Encoding: chunked\r\n\r\n',
            pace=b'1\r\nx\r\n' * 300,
        )

    def test_request_that_is_not_gone_on_with(self):
        began = time.monotonic()
        response = self.ask(GET)
        self.assertEqual(408, response.status)
        self.assertEnds(time.monotonic() - began)

    def test_handshake_that_drips(self):
        hello = self.hello()
        seconds = serving.drip(self.plain(), hello)
        self.assertEnds(seconds)

    def hello(self):
        """Return what a client says first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context()
        client = context.wrap_bio(incoming, outgoing, server_hostname='a')
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        found = outgoing.read()
        self.assertThat(len(found), matchers.GreaterThan(200))
        return found

    def test_silent_connection_is_closed(self):
        for connection in (self.plain(), self.secure()):
            began = time.monotonic()
            self.assertEqual(b'', serving.rest(connection))
            self.assertEnds(time.monotonic() - began)

    def test_client_that_does_not_read(self):
        connection = self.plain()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        secure = self.secure(connection)
        secure.sendall(b'GET /flood HTTP/1.1\r\nHost: a\r\n\r\n')
        began = time.monotonic()
        self.assertTrue(self.application.closed.wait(10))
        self.assertEnds(time.monotonic() - began)

    def test_client_that_goes_away_ends_what_it_asked_for(self):
        connection = self.secure()
        connection.sendall(b'GET /beats HTTP/1.1\r\nHost: a\r\n\r\n')
        connection.recv(1024)
        connection.close()
        self.assertTrue(self.application.closed.wait(5))


class TestCrowd(serving.ServerTestCase):
    """Many who do not behave, and one who does."""

    threads = 4

    def assertAnswers(self):
        began = time.monotonic()
        self.assertEqual(200, self.get().status)
        self.assertThat(time.monotonic() - began, matchers.LessThan(1.0))

    def test_silent_connections_take_no_thread(self):
        crowd = [self.plain() for _ in range(50)]
        for _ in range(5):
            self.assertAnswers()
        self.assertEqual(50, len(crowd))

    def test_silence_after_the_handshake_takes_no_thread(self):
        crowd = [self.secure() for _ in range(20)]
        self.assertAnswers()
        self.assertEqual(20, len(crowd))

    def test_more_connections_than_may_be(self):
        crowd = [self.plain() for _ in range(3 * serving.LIMIT)]
        self.assertAnswers()
        self.assertEqual(3 * serving.LIMIT, len(crowd))
        self.assertThat(
            len(self.server._open), matchers.LessThan(serving.LIMIT + 1)
        )

    def dripping(self, links, data):
        """Send to all of them byte by byte, for as long as the test takes."""
        over = threading.Event()

        def work():
            for byte in data:
                for link in links:
                    with contextlib.suppress(OSError):
                        link.send(bytes([byte]))
                if over.wait(0.02):
                    return

        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def test_clients_that_drip_take_no_thread(self):
        many = 4 * self.threads
        heads = [self.secure() for _ in range(many)]
        bodies = [self.secure() for _ in range(many)]
        for link in bodies:
            link.sendall(HEAD + b'Content-Length: 60000\r\n\r\n')
        hello = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(99)
        self.dripping([self.plain() for _ in range(many)], hello)
        self.dripping(heads, GET * 99)
        self.dripping(bodies, b'x' * 999)
        until = time.monotonic() + serving.PATIENCE + 1.0
        while time.monotonic() < until:
            self.assertAnswers()
            time.sleep(0.1)

    def slow_ones(self, seconds):
        """See that threads are held for a moment, and few for longer."""
        began = time.monotonic()
        self.assertEqual(200, self.get().status)
        self.assertThat(time.monotonic() - began, matchers.LessThan(seconds))

    def test_bodies_in_chunks_that_drip(self):
        links = [self.secure() for _ in range(4 * self.threads)]
        for link in links:
            link.sendall(HEAD + b'Transfer-Encoding: chunked\r\n\r\n')
        self.dripping(links, b'1\r\nx\r\n' * 300)
        # of four threads three are free again after half a second
        self.slow_ones(6 * slow.GRACE + 1.0)

    def test_answers_that_nobody_reads(self):
        for _ in range(4 * self.threads):
            link = self.plain()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.secure(link).sendall(
                b'GET /flood HTTP/1.1\r\nHost: a\r\n\r\n'
            )
        self.slow_ones(6 * slow.GRACE + 1.0)

    def test_room_is_made_by_who_has_most(self):
        """Another address keeps what it has."""
        other = socket.create_connection(
            self.address, timeout=10, source_address=('127.0.0.2', 0)
        )
        self.addCleanup(other.close)
        self.assertAnswers()
        crowd = [self.plain() for _ in range(2 * serving.LIMIT)]
        self.assertAnswers()
        self.assertEqual(2 * serving.LIMIT, len(crowd))
        self.assertEqual(200, self.get(connection=self.secure(other)).status)

    def test_half_requests_take_a_thread_for_no_longer_than_they_may(self):
        for _ in range(self.threads * 2):
            self.secure().sendall(GET)
        began = time.monotonic()
        self.assertEqual(200, self.get().status)
        self.assertThat(
            time.monotonic() - began, matchers.LessThan(3 * serving.PATIENCE)
        )

    def test_more_requests_than_threads_wait(self):
        results = []

        def ask():
            results.append(self.get('/hold').status)

        waiting = [
            threading.Thread(target=ask) for _ in range(self.threads * 3)
        ]
        for thread in waiting:
            thread.start()
        time.sleep(0.3)
        self.application.hold.set()
        for thread in waiting:
            thread.join(10)
        self.assertEqual([200] * len(waiting), results)


class TestEnd(serving.ServerTestCase):
    """The end of the server."""

    def test_what_is_under_way_is_finished(self):
        found = []
        asking = threading.Thread(
            target=lambda: found.append(self.get('/hold').status)
        )
        asking.start()
        while not self.application.seen:
            time.sleep(0.01)
        threading.Timer(0.3, self.application.hold.set).start()
        self.assertTrue(self.server.drain(5))
        asking.join()
        self.assertEqual([200], found)
        self.assertRaises(ConnectionRefusedError, self.plain)

    def test_what_takes_too_long_is_not_waited_for(self):
        connection = self.secure()
        connection.sendall(b'GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')
        while not self.application.seen:
            time.sleep(0.01)
        began = time.monotonic()
        self.assertFalse(self.server.drain(0.2))
        self.assertThat(time.monotonic() - began, matchers.LessThan(2.0))


class TestLimits(serving.ServerTestCase):
    """What the server promises."""

    def test_environment(self):
        self.get('/%2e%2e/x?y=1')
        environ = self.application.seen[0]
        self.assertEqual('https', environ['wsgi.url_scheme'])
        self.assertEqual('/../x', environ['PATH_INFO'])
        self.assertEqual('y=1', environ['QUERY_STRING'])

    def test_version_of_cheroot_is_not_told(self):
        self.assertNotIn('Cheroot', str(self.get().headers))

    def test_type(self):
        self.assertIsInstance(self.server, server.Server)

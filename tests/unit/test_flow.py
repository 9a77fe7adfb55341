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
"""All routers at once, asked over HTTP."""

from concurrent import futures
import threading
import time
import types
from urllib import parse

import fixtures
from keystoneauth1 import noauth
from keystoneauth1 import session as ksa_session
import requests
from requests import exceptions as requests_exceptions

from osc_ha_router import cloud
from osc_ha_router import errors
from osc_ha_router.backends import base
from osc_ha_router.cloud import caller
from osc_ha_router.cloud import workers
from tests.unit import neutron
from tests.unit import test_cloud

FOREVER = base.Deadline.after(600)

BROKEN = (500, neutron.error('HTTPInternalServerError', 'broken'))


class FlowTest(test_cloud.CloudTest):
    def setUp(self):
        super().setUp()
        self.ids = [self.add_router(f'r{number}') for number in range(5)]

    def all(self, until=FOREVER, **filters):
        """Return name -> router of those that are ours."""
        with self.cloud.flow(**filters) as found:
            routers = [found.router(id_, until) for id_ in found.ids]
        return {r.name: r for r in routers if r is not None}

    def paths(self):
        return [call.partition('?')[0] for call in self.neutron.calls]


class RoutersTest(FlowTest):
    def test_the_same_as_one_by_one(self):
        for name, router in self.all().items():
            (alone,) = self.cloud.claims([name]).routers
            self.assertEqual(alone, router)

    def test_the_same_as_all(self):
        self.assertEqual(
            self.cloud.claims(()).routers, tuple(self.all().values())
        )

    def test_by_name(self):
        self.add_router('a')
        self.add_router('')
        with self.cloud.flow() as found:
            names = [found.router(id_, FOREVER).name for id_ in found.ids]
        self.assertEqual(['', 'a', 'r0', 'r1', 'r2', 'r3', 'r4'], names)

    def test_what_there_is_besides(self):
        legacy = self.add_router('legacy', ha=False)
        with self.cloud.flow() as found:
            self.assertEqual(tuple(self.ids), found.ids)
            self.assertEqual({*self.ids, legacy}, found.known)
            self.assertEqual(('net1', 'net2', 'net3'), found.hosts)
            self.assertEqual(('net1', 'net2', 'net3'), found.alive)
            self.assertFalse(found.blind)

    def test_gone_in_between(self):
        self.neutron.instead[f'routers/{self.ids[2]}/l3-agents'] = (
            404,
            neutron.error('RouterNotFound', 'Router could not be found'),
        )
        self.assertEqual(['r0', 'r1', 'r3', 'r4'], list(self.all()))

    def test_none(self):
        del self.neutron.routers[:]
        self.assertEqual({}, self.all())

    def test_ovn_is_noticed_after_one(self):
        del self.neutron.agents[:]
        for id_ in self.ids:
            self.neutron.instead[f'routers/{id_}/l3-agents'] = (
                404,
                neutron.error('HTTPNotFound', 'No such resource'),
            )
        self.assertEqual({}, self.all())
        asked = [p for p in self.paths() if p.endswith('/l3-agents')]
        # the mock now and then loses a call, which is then made again
        self.assertLess(len(asked), 3)

    def test_of_a_host(self):
        """Routers elsewhere are peers all the same."""
        self.neutron.host(self.ids[0], {self.agents['net1']: 'active'})
        found = self.all(host='net2')
        self.assertEqual(['r1', 'r2', 'r3', 'r4'], list(found))
        self.assertIn(
            (self.ids[0], 3),
            [(p.router_id, p.replicas) for p in found['r1'].peers],
        )

    def test_of_a_project(self):
        other = 'b' * 32
        self.neutron.add_project(other, 'other')
        theirs = self.add_router('theirs', project_id=other)
        with self.cloud.flow(project='other') as found:
            self.assertEqual((theirs,), found.ids)
            self.assertIsNone(found.known)

    def test_on_a_host_are_never_all(self):
        """Of the others its nodes show nothing that could be judged."""
        with self.cloud.flow(host='net2') as found:
            self.assertIsNone(found.known)


class KnownTest(FlowTest):
    """Whether a router that is not listed is one that there is not."""

    def known(self, *roles):
        self.neutron.roles = roles
        with cloud.Cloud(self.neutron.connect()).flow() as found:
            return found.known

    def test_by_an_administrator(self):
        self.assertEqual({*self.ids}, self.known('reader', 'Admin'))

    def test_by_whoever_sees_agents_and_the_own_project(self):
        """A policy of this cloud; others have routers as well."""
        self.assertIsNone(self.known('reader'))
        # Neutron's policy of routers does not have it
        self.assertIsNone(self.known('service'))

    def test_by_whoever_sees_those_of_another_project(self):
        theirs = self.add_router('theirs', project_id='b' * 32)
        self.assertEqual({*self.ids, theirs}, self.known('auditor'))

    def test_by_nobody_that_keystone_knows(self):
        """Of one project it could be the own one, of two not both."""
        nobody = caller.Caller()
        mine, other = {'project_id': 'a'}, {'project_id': 'b'}
        for listed, whole in (
            ([], False),
            ([mine], False),
            ([mine, {'project_id': ''}, {}], False),
            ([mine, other], True),
        ):
            self.assertIs(whole, nobody.sees_all(listed))

    def test_without_keystone(self):
        self.assertEqual(
            caller.Caller(),
            caller.of(ksa_session.Session(auth=noauth.NoAuth())),
        )


class GapTest(FlowTest):
    """What Neutron does not tell costs the router that it is about."""

    def test_agents_of_one(self):
        self.neutron.instead[f'routers/{self.ids[2]}/l3-agents'] = BROKEN
        found = self.all()
        self.assertEqual(5, len(found))
        router = found.pop('r2')
        self.assertIsNone(router.agents)
        (gap,) = router.gaps
        self.assertIn('which L3 agents host it: The API call failed', gap)
        for other in found.values():
            self.assertEqual((), other.gaps)
            self.assertEqual(3, len(other.agents))

    def test_trouble_that_passes(self):
        """A connection that breaks off is not the end of it."""
        path = f'routers/{self.ids[2]}/l3-agents'
        answer = self.neutron._hosting
        failed = []

        def once(id_):
            if id_ == self.ids[2] and not failed:
                failed.append(id_)
                raise requests_exceptions.ConnectionError('reset')
            return answer(id_)

        self.useFixture(
            fixtures.MonkeyPatch(
                'tests.unit.neutron.Neutron._hosting',
                lambda fake, id_: once(id_),
            )
        )
        self.assertEqual((), self.all()['r2'].gaps)
        self.assertEqual(2, self.paths().count(path))

    def test_nothing_in_bulk(self):
        """That is no trouble with one router."""
        for path in ('ports', 'floatingips'):
            self.neutron.instead = {path: BROKEN}
            self.assertRaises(errors.CloudUnreachable, self.all)

    def broken_for(self, path, id_):
        """Let a bulk call fail when it is about one router."""
        answer = self.neutron._body

        def body(asked, query):
            if asked == path and id_ in [i for v in query.values() for i in v]:
                return BROKEN
            return answer(asked, query)

        self.useFixture(
            fixtures.MonkeyPatch(
                'tests.unit.neutron.Neutron._body',
                lambda fake, asked, query: body(asked, query),
            )
        )

    def test_part_of_the_ports(self):
        for number in range(200):
            self.neutron.add_router(f's{number}')
        self.broken_for('ports', self.ids[0])
        found = self.all()
        for router in found.values():
            self.assertIsNone(router.peers)
        for name in ('r0', 'r4', 's0'):
            self.assertIsNone(found[name].ports)
            (gap,) = found[name].gaps
            self.assertIn('its ports', gap)
        self.assertEqual((), found['s99'].ports)
        self.assertEqual((), found['s99'].gaps)

    def test_part_of_the_floating_ips(self):
        for number in range(200):
            self.neutron.add_router(f's{number}')
        self.broken_for('floatingips', self.ids[0])
        found = self.all()
        self.assertIsNone(found['r0'].floating_ips)
        self.assertEqual(5, len(found['r0'].ports))
        self.assertEqual((), found['s99'].floating_ips)

    def test_no_time(self):
        # one call after the other, which the mock makes of them anyway
        self.cloud = cloud.Cloud(self.neutron.connect(), concurrency=1)
        slow = threading.Event()
        self.addCleanup(slow.set)
        answer = self.neutron._hosting

        def wait(id_):
            if id_ == self.ids[4]:
                slow.wait(30)
            return answer(id_)

        self.useFixture(
            fixtures.MonkeyPatch(
                'tests.unit.neutron.Neutron._hosting',
                lambda fake, id_: wait(id_),
            )
        )
        began = time.monotonic()
        found = self.all(base.Deadline.after(1))
        self.assertLess(time.monotonic() - began, 5)
        self.assertIsNone(found['r4'].agents)
        self.assertIn('no time', found['r4'].gaps[0])
        self.assertEqual((), found['r3'].gaps)

    def test_all_of_it_at_once_has_failed(self):
        for id_ in self.ids:
            self.neutron.instead[f'routers/{id_}/l3-agents'] = BROKEN
        self.assertRaises(errors.CloudUnreachable, self.cloud.claims, ())
        self.assertEqual(5, len(self.all()))

    def test_trouble_at_the_beginning(self):
        for path in ('routers', 'agents'):
            self.neutron.instead = {path: BROKEN}
            self.assertRaises(errors.CloudUnreachable, self.all)

    def test_garbled(self):
        for body in ({}, {'routers': None}, {'routers': 'many'}):
            self.neutron.instead = {'routers': (200, body)}
            self.assertRaises(errors.CloudError, self.all)


class CallsTest(FlowTest):
    def test_one_for_each_router_and_a_constant(self):
        self.all()
        few = len(self.neutron.calls)
        for number in range(100, 130):
            self.add_router(f'r{number}')
        del self.neutron.calls[:]
        self.all()
        self.assertEqual(30, len(self.neutron.calls) - few)
        self.assertLessEqual(few, 5 + 4)

    def test_bulk_in_few_parts(self):
        for number in range(400):
            self.neutron.add_router(f'x{number}')
        self.all()
        bulk = [p for p in self.paths() if not p.endswith('/l3-agents')]
        # 405 routers: three parts each of ports and of floating IPs
        self.assertEqual(2 + 3 + 3, len(bulk))
        self.assertLess(max(map(len, self.neutron.calls)), 8000)

    def test_asks_for_what_is_used(self):
        self.all()
        for call in self.neutron.calls:
            path, _, query = call.partition('?')
            if path in ('ports', 'routers', 'floatingips', 'agents'):
                self.assertIn('fields', parse.parse_qs(query), call)

    def test_tells_how_far_it_is(self):
        told = []
        self.all(tell=lambda done, total: told.append((done, total)))
        # an answer is handed over before it is counted
        for _ in range(100):
            if len(told) == 7:
                break
            time.sleep(0.01)
        self.assertEqual([(n, 7) for n in range(1, 8)], sorted(told))

    def test_calls_end_with_the_block(self):
        hold = threading.Event()
        self.addCleanup(hold.set)
        answer = self.neutron._hosting
        asked = []

        def wait(id_):
            asked.append(id_)
            if id_ != self.ids[0]:
                hold.wait(30)
            return answer(id_)

        self.useFixture(
            fixtures.MonkeyPatch(
                'tests.unit.neutron.Neutron._hosting',
                lambda fake, id_: wait(id_),
            )
        )
        began = time.monotonic()
        with cloud.Cloud(self.neutron.connect(), concurrency=1).flow():
            pass
        self.assertLess(time.monotonic() - began, 5)
        hold.set()
        time.sleep(0.1)
        self.assertLessEqual(len(asked), 2)


class TenantTest(FlowTest):
    admin = False

    def test_refusal_is_noticed_after_one(self):
        with self.cloud.flow() as found:
            self.assertTrue(found.blind)
            self.assertIsNone(found.known)
            for id_ in found.ids:
                self.assertIsNone(found.router(id_, FOREVER).agents)
        asked = [p for p in self.paths() if p.endswith('/l3-agents')]
        # the mock now and then loses a call, which is then made again
        self.assertLess(len(asked), 3)


class PagesTest(FlowTest):
    def test_all_pages(self):
        """A server may give no more than so many at once."""
        answer = self.neutron._body

        def paged(path, query):
            marker = query.pop('marker', None)
            status, body = answer(path, query)
            if path != 'routers':
                return status, body
            ids = [router['id'] for router in body['routers']]
            start = ids.index(marker[0]) + 1 if marker else 0
            page = body['routers'][start : start + 2]
            fields = '&'.join(f'fields={field}' for field in query['fields'])
            link = f'https://hidden.invalid/v2.0/routers?{fields}'
            links = [{'rel': 'previous', 'href': link}]
            if start + 2 < len(ids):
                href = f'{link}&marker={page[-1]["id"]}'
                links.append({'rel': 'next', 'href': href})
            return 200, {'routers': page, 'routers_links': links}

        self.useFixture(
            fixtures.MonkeyPatch(
                'tests.unit.neutron.Neutron._body',
                lambda fake, path, query: paged(path, query),
            )
        )
        self.neutron.routers.reverse()
        with self.cloud.flow() as found:
            self.assertEqual(tuple(self.ids), found.ids)
        self.assertEqual(3, self.paths().count('routers'))


class PoolTest(FlowTest):
    def test_as_many_connections_as_calls(self):
        connection = self.neutron.connect()
        with cloud.Cloud(connection, concurrency=40).flow():
            pass
        adapter = connection.session.session.get_adapter('https://neutron')
        self.assertEqual(40, adapter._pool_maxsize)

    def test_what_somebody_chose_stays(self):
        connection = self.neutron.connect()
        connection.network.get('/routers')
        http = connection.session.session
        chosen = type('Chosen', (type(http.get_adapter('https://x')),), {})()
        http.mount('https://', chosen)
        with cloud.Cloud(connection, concurrency=40).flow():
            pass
        self.assertIs(chosen, http.get_adapter('https://x'))


class TurnsTest(test_cloud.testtools.TestCase):
    def test_all_that_ask_share_the_calls(self):
        network = Slow()
        asked = cloud.Cloud(
            types.SimpleNamespace(network=network), concurrency=3
        )

        def look():
            with asked._api() as api:
                calls = [
                    api.submit(api.list, '/routers', 'routers')
                    for _ in range(6)
                ]
                # this thread makes calls of its own as well
                self.assertEqual([], api.list('/agents', 'routers'))
                return [call.result() for call in calls]

        with futures.ThreadPoolExecutor(4) as pool:
            looks = [pool.submit(look) for _ in range(4)]
            self.assertEqual([[[]] * 6] * 4, [one.result() for one in looks])
        self.assertEqual(4 * 7, network.calls)
        self.assertEqual(3, network.most)


class Slow:
    """Counts how many ask it at the same time."""

    session = types.SimpleNamespace(session=None)

    def __init__(self):
        self._lock = threading.Lock()
        self._now = self.most = self.calls = 0

    def get(self, path, params):
        with self._lock:
            self.calls += 1
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        with self._lock:
            self._now -= 1
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b'{"routers": []}'
        return answer


class WorkersTest(test_cloud.testtools.TestCase):
    def test_results_and_exceptions(self):
        with workers.Workers(2) as pool:
            good = [pool.submit(pow, 2, n) for n in range(20)]
            bad = pool.submit(int, 'x')
            self.assertEqual(
                [2**n for n in range(20)], [f.result() for f in good]
            )
            self.assertRaises(ValueError, bad.result)

    def test_no_more_at_once_than_allowed(self):
        lock, now, most = threading.Lock(), 0, 0

        def work():
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1

        with workers.Workers(3) as pool:
            for future in [pool.submit(work) for _ in range(20)]:
                future.result()
        self.assertEqual(3, most)

    def test_in_the_order_asked_for(self):
        order = []
        with workers.Workers(1) as pool:
            for future in [pool.submit(order.append, n) for n in range(20)]:
                future.result()
        self.assertEqual(list(range(20)), order)

    def test_end_waits_for_nobody(self):
        hold, begun = threading.Event(), threading.Event()
        self.addCleanup(hold.set)

        def work():
            begun.set()
            hold.wait(30)
            return 'late'

        began = time.monotonic()
        with workers.Workers(1) as pool:
            running, waiting = pool.submit(work), pool.submit(work)
            begun.wait(10)
        self.assertLess(time.monotonic() - began, 5)
        self.assertTrue(waiting.cancelled())
        hold.set()
        self.assertEqual('late', running.result(10))
        self.assertTrue(pool.submit(work).cancelled())

    def test_threads_do_not_keep_the_program_alive(self):
        names = []
        with workers.Workers(1) as pool:
            pool.submit(
                lambda: names.append(threading.current_thread().daemon)
            ).result()
        self.assertEqual([True], names)

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
"""A stand-in for Keystone and Neutron that takes a known time for each call.

It answers as the real ones of the lab did (``recorded.json``), for a fleet of
any size: ``python -m benchmarks.standin --routers 1000 --hosts 3``. It takes
as many calls at the same time as it is given. ``GET /count`` tells how many
there were, how many at most at the same time, and over how many connections.
"""

import argparse
import asyncio
import collections
from collections.abc import Callable
import json
import re
import sys
from typing import Any
from urllib import parse

from benchmarks import fleet
from benchmarks import recording

Json = dict[str, Any]
Query = dict[str, list[str]]

HA_PORT = 'network:router_ha_interface'


class Neutron:
    """What is asked and what is answered, without the network."""

    def __init__(self, all_of: fleet.Fleet, url: str) -> None:
        recorded = recording.FILE.read_text()
        # whatever address the lab had
        recorded = re.sub(r'http://[^/"]*(:5000|:9696)', url, recorded)
        self._recorded: Json = json.loads(recorded)
        # that of the lab ends after a day
        token = self._recorded['token']['token']
        token['expires_at'] = '2999-01-01T00:00:00.000000Z'
        self._fleet = all_of
        self._numbers = {id_: n for n, id_ in enumerate(all_of.routers)}
        self._projects = collections.defaultdict(list)
        for number in range(len(all_of.routers)):
            self._projects[number // fleet.PER_PROJECT].append(number)

    def answer(self, path: str, query: Query) -> tuple[int, Any]:
        """Return status and body."""
        kind, _, rest = path.partition('/')
        if path == 'agents':
            return 200, {'agents': [self._agent(h) for h in self._fleet.hosts]}
        if rest.endswith('/l3-agents'):
            return self._hosting(rest.partition('/')[0])
        if rest.endswith('/l3-routers'):
            return 200, {'routers': self._hosted(rest.partition('/')[0])}
        listings: dict[str, Callable[[Query], list[Json]]] = {
            'routers': self._routers,
            'ports': self._ports,
            'floatingips': self._floating_ips,
        }
        if kind not in listings or rest:
            return 404, {'NeutronError': {'message': f'no {path}'}}
        found = listings[kind](query)
        fields = query.get('fields')
        if fields:
            found = [{key: item[key] for key in fields} for item in found]
        return 200, {kind: found}

    def keystone(self, path: str) -> tuple[int, Any]:
        """Return status and body of what is not Neutron's."""
        if path.endswith('/auth/tokens'):
            return 201, self._recorded['token']
        return 200, self._recorded['version']

    def _like(self, kind: str) -> Json:
        found: list[Json] = self._recorded[kind][
            'agents' if kind == 'l3-agents' else kind
        ]
        return found[0]

    def _agent(self, host: str) -> Json:
        named = {'id': self._fleet.agent(host), 'host': host}
        return self._like('agents') | named

    def _router(self, number: int) -> Json:
        said = self._fleet.claim(number)
        return self._like('routers') | {
            key: said[key]
            for key in ('id', 'name', 'project_id', 'status', 'distributed')
        }

    def _routers(self, query: Query) -> list[Json]:
        numbers = range(len(self._fleet.routers))
        if 'id' in query:
            numbers = [self._numbers[i] for i in query['id']]
        found = map(self._router, numbers)
        names = query.get('name')
        return [r for r in found if names is None or r['name'] in names]

    def _hosting(self, router: str) -> tuple[int, Any]:
        if router not in self._numbers:
            return 404, {'NeutronError': {'type': 'RouterNotFound'}}
        places = self._fleet.places(self._numbers[router])
        return 200, {
            'agents': [
                self._like('l3-agents')
                | self._agent(host)
                | {'ha_state': 'standby' if place else 'active'}
                for place, host in enumerate(places)
            ]
        }

    def _hosted(self, agent: str) -> list[Json]:
        (host,) = (
            h for h in self._fleet.hosts if self._fleet.agent(h) == agent
        )
        return [self._router(number) for number in self._fleet.on(host)]

    def _ports(self, query: Query) -> list[Json]:
        if 'device_id' in query:
            numbers = [self._numbers[i] for i in query['device_id']]
        else:
            wanted = set(query['network_id'])
            numbers = [
                number
                for project, members in self._projects.items()
                if self._network(members[0]) in wanted
                for number in members
            ]
        owners = query.get('device_owner')
        return [
            port
            for number in numbers
            for port in self._ports_of(number)
            if owners is None or port['device_owner'] in owners
        ]

    def _network(self, number: int) -> str:
        return next(
            str(port['network_id'])
            for port in self._ports_of(number)
            if port['device_owner'] == HA_PORT
        )

    def _ports_of(self, number: int) -> list[Json]:
        return [
            self._like('ports')
            | {
                'id': port['id'],
                'device_id': self._fleet.routers[number],
                'device_owner': port['owner'],
                'network_id': port['network_id'],
                'mac_address': port['mac'],
                'fixed_ips': [
                    {'subnet_id': port['network_id'], 'ip_address': address}
                    for address in port['addresses']
                ],
                'status': port['status'],
                'binding:host_id': port['host'],
                'binding:vif_type': port['vif_type'],
            }
            for port in self._fleet.claim(number)['ports']
        ]

    def _floating_ips(self, query: Query) -> list[Json]:
        return [
            self._like('floatingips')
            | {
                'id': ip['id'],
                'router_id': router,
                'floating_ip_address': ip['address'],
                'fixed_ip_address': ip['fixed_address'],
                'status': ip['status'],
            }
            for router in query['router_id']
            for ip in self._fleet.claim(self._numbers[router])['floating_ips']
        ]


class Counts:
    """How the API was used."""

    def __init__(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.connections = 0

    def as_json(self) -> Json:
        return {
            'calls': sum(self.calls.values()),
            'kinds': dict(self.calls),
            'at_once': self.most_at_once,
            'connections': self.connections,
        }


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request after the other."""

    def __init__(
        self, neutron: Neutron, counts: Counts, latency: float
    ) -> None:
        self._neutron = neutron
        self._counts = counts
        self._latency = latency
        self._received = b''

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b'\r\n\r\n')
        length = re.search(rb'(?i)content-length: (\d+)', head)
        body = int(length[1]) if length else 0
        if not end or len(rest) < body:
            return
        self._received = rest[body:]
        path = parse.urlsplit(head.split()[1].decode())
        if path.path == '/count':
            self._send(200, self._counts.as_json())
            return
        counts = self._counts
        if not hasattr(self, '_counted'):
            self._counted = True
            counts.connections += 1
        counts.at_once += 1
        counts.most_at_once = max(counts.most_at_once, counts.at_once)
        asyncio.get_running_loop().call_later(
            self._latency, self._answer, path.path, path.query
        )

    def _answer(self, path: str, query: str) -> None:
        self._counts.at_once -= 1
        if not path.startswith('/v2.0/'):
            self._send(*self._neutron.keystone(path))
            return
        path = path.removeprefix('/v2.0/')
        kind = re.sub('/[0-9a-f-]{36}/', '/ID/', path)
        self._counts.calls[kind] += 1
        self._send(*self._neutron.answer(path, parse.parse_qs(query)))

    def _send(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self._transport.write(
            f'HTTP/1.1 {status} \r\n'
            'Content-Type: application/json\r\n'
            'X-Subject-Token: a-token\r\n'
            f'Content-Length: {len(data)}\r\n\r\n'.encode()
            + data
        )


async def serve(options: argparse.Namespace) -> None:
    """Answer until it is ended; say the port on standard output."""
    all_of = fleet.Fleet(options.routers, options.hosts)
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(neutron, counts, options.latency),
        options.address,
        options.port,
    )
    port = server.sockets[0].getsockname()[1]
    neutron = Neutron(all_of, f'http://{options.address}:{port}')
    print(port, flush=True)
    await server.serve_forever()


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.standin')
    parser.add_argument('--routers', type=int, default=1000)
    parser.add_argument('--hosts', type=int, default=3)
    parser.add_argument('--latency', type=float, default=0.02)
    parser.add_argument('--address', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=0)
    try:
        asyncio.run(serve(parser.parse_args()))
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == '__main__':
    sys.exit(main())

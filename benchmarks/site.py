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
"""Network nodes of a benchmark on this machine, and the way to them.

Each is a process of ``benchmarks.host`` with an sshd on an address of its
own, 127.77.0.0/16. Root only; whatever happens, the kernel takes away what
was made when the block ends.
"""

from collections.abc import Iterator
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

from benchmarks import fleet

ROOT = pathlib.Path(__file__).resolve().parent.parent

_CLIENT = """\
Host *
  User root
  IdentityFile {folder}/user
  IdentityAgent none
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


def address(number: int) -> str:
    """Return the address of a host."""
    return f'127.77.{number >> 8}.{number & 255}'


@contextlib.contextmanager
def folder() -> Iterator[pathlib.Path]:
    """Yield a folder with the keys of all, and a client's configuration."""
    with tempfile.TemporaryDirectory(prefix='bench-') as name:
        place = pathlib.Path(name)
        for key in ('host', 'user'):
            subprocess.run(
                ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '']
                + ['-f', str(place / key)],
                check=True,
            )
        public = (place / 'host.pub').read_text()
        (place / 'known_hosts').write_text(f'* {public}')
        (place / 'ssh_config').write_text(_CLIENT.format(folder=place))
        yield place


@contextlib.contextmanager
def hosts(every: fleet.Fleet, place: pathlib.Path) -> Iterator[list[int]]:
    """Make the hosts of a fleet, with all that is on them.

    Yields the pid of each sshd.
    """
    with contextlib.ExitStack() as running:
        processes = []
        for number, name in enumerate(every.hosts, 1):
            with (place / 'ssh_config').open('a') as config:
                config.write(f'Host {name}\n  HostName {address(number)}\n')
            processes.append(
                subprocess.Popen(
                    [
                        *('unshare', '--mount', '--propagation', 'private'),
                        *('--uts', '--pid', '--fork', '--mount-proc'),
                        *('--kill-child', sys.executable, '-m'),
                        *('benchmarks.host', name, address(number)),
                        *(str(place), '--routers', str(len(every.routers))),
                        *('--hosts', str(len(every.hosts))),
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            running.callback(_end, processes[-1])
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != 'ready\n':
                raise SystemExit('a host of the benchmark is not ready')
        yield [_sshd(process.pid) for process in processes]


def _sshd(unshared: int) -> int:
    """Return the pid of the sshd of a host.

    :param unshared: pid of what made the namespaces
    """
    (node,) = _children(unshared)
    for pid in _children(node):
        if pathlib.Path(f'/proc/{pid}/comm').read_text() == 'sshd\n':
            return pid
    raise SystemExit('a host of the benchmark has no sshd')


def _children(pid: int) -> list[int]:
    path = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
    return [int(child) for child in path.read_text().split()]


def _end(process: 'subprocess.Popen[str]') -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)


@contextlib.contextmanager
def api(
    every: fleet.Fleet, latency: float, place: pathlib.Path
) -> Iterator[str]:
    """Run the stand-in API, and yield its address.

    Writes clouds.yaml into the folder, with the cloud ``bench``.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, '-m', 'benchmarks.standin'),
            *('--routers', str(len(every.routers))),
            *('--hosts', str(len(every.hosts))),
            *('--latency', str(latency)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        url = f'http://127.0.0.1:{process.stdout.readline().strip()}'
        auth = {
            'auth_url': f'{url}/v3',
            'username': 'admin',
            'password': 'secret',
            'project_name': 'admin',
            'user_domain_id': 'default',
            'project_domain_id': 'default',
        }
        entry = {
            'auth': auth,
            'region_name': 'RegionOne',
            'router_ha': {
                'backend': 'ssh',
                'ssh_config': str(place / 'ssh_config'),
                'become': '',
            },
        }
        # JSON is YAML
        (place / 'clouds.yaml').write_text(
            json.dumps({'clouds': {'bench': entry}})
        )
        yield url
    finally:
        process.terminate()
        process.wait(10)

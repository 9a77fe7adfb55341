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

"""The real command, run to its end: how long it took, and how much."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

#: beside the Python that runs the benchmark
OPENSTACK = str(pathlib.Path(sys.prefix, 'bin', 'openstack'))

#: starts the command, waits for it, and says what it has used. What starts a
#: process has to be small itself: the kernel counts the memory that a process
#: had before it became another program.
_WAITER = """\
import json, os, sys
told = int(sys.argv[1])
pid = os.posix_spawnp(
    sys.argv[2],
    sys.argv[2:],
    os.environ,
    file_actions=[(os.POSIX_SPAWN_CLOSE, told)],
)
_, status, used = os.wait4(pid, 0)
processor, memory = used.ru_utime + used.ru_stime, used.ru_maxrss
with open(told, 'w') as stream:
    json.dump(
        {'status': status, 'processor': processor, 'memory': memory}, stream
    )
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run came to."""

    exit_code: int
    stdout: str
    stderr: str
    #: from its start to its end
    seconds: float
    #: of the processor, of it and of what it has started and waited for
    processor: float
    #: MiB, the most that it had at any time
    memory: float


def run(argv: Sequence[str], env: Mapping[str, str] | None = None) -> Run:
    """Run a command.

    :param env: in the place of the environment
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        reading, writing = os.pipe()
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, '-I', '-S', '-c', _WAITER, str(writing), *argv],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=(writing,),
        )
        os.close(writing)
        with open(reading) as told:
            used = json.load(told)
        seconds = time.monotonic() - began
        process.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors='replace'))
    return Run(
        os.waitstatus_to_exitcode(used['status']),
        *texts,
        seconds,
        used['processor'],
        used['memory'] / 1024,
    )


def cloud(folder: pathlib.Path) -> dict[str, str]:
    """Return the environment for the cloud whose clouds.yaml is there."""
    return {
        **os.environ,
        'OS_CLIENT_CONFIG_FILE': str(folder / 'clouds.yaml'),
        'OS_CLOUD': 'bench',
    }

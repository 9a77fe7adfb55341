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

"""Two hundred checks at the same moment, all of one node agent."""

from concurrent import futures
import dataclasses
import http.client
import os
import pathlib
import random
import statistics
import threading
import time
from types import TracebackType

from tests.campaigns import traces
from tests.lab import https
from tests.lab.api import Api
from tests.lab.cloud import ENTRY_NODE
from tests.lab.errors import LabError
from tests.lab.lab import Lab

CHECKS = 200
#: seconds after which a check counts as lost: the bound of the command
PATIENCE = 120.0
#: MiB by which the agent may be larger in the middle of it, and after it
PEAK, LEFT = 300.0, 100.0
#: seconds that the agent has to come to rest
REST = 5.0
_SAMPLE = 0.05


@dataclasses.dataclass(frozen=True)
class Check:
    """What came of one."""

    seconds: float
    #: how many times the agent had too much to do
    again: int
    #: empty: it was answered as it must be
    wrong: str


def run(lab: Lab, chance: random.Random, number: int) -> traces.Line:
    """Check r1 for all of them at once; see that nobody is forgotten."""
    lab.wait_settled(lab.facts['router'])
    callers = [lab.admin, lab.demo, lab.reader]
    tokens = {api: api.token() for api in callers}
    pid = lab.nodes[ENTRY_NODE].ha_agent_pids()[0]
    start = threading.Barrier(CHECKS)
    with Memory(pid) as memory, futures.ThreadPoolExecutor(CHECKS) as pool:
        began = time.monotonic()
        found = list(
            pool.map(
                lambda api: _check(lab, api, tokens[api], start),
                chance.choices(callers, k=CHECKS),
            )
        )
        seconds = time.monotonic() - began
    time.sleep(REST)
    after = memory.now()
    wrong = sorted({check.wrong for check in found if check.wrong})
    lost = sum(bool(check.wrong) for check in found)
    if lost:
        wrong.insert(0, f'{lost} of {CHECKS} checks are lost')
    if memory.peak - memory.before > PEAK:
        wrong.append('the agent takes too much memory')
    if after - memory.before > LEFT:
        wrong.append('the agent keeps memory')
    times = sorted(check.seconds for check in found)
    text = (
        f'{CHECKS} checks in {seconds:.1f} s, {lost} lost; median '
        f'{statistics.median(times):.1f} s, 95 % within '
        f'{statistics.quantiles(times, n=20)[-1]:.1f} s, worst '
        f'{times[-1]:.1f} s; {sum(check.again for check in found)} times '
        f'503; memory {memory.before:.0f} MiB before, {memory.peak:.0f} at '
        f'most, {after:.0f} after'
    )
    return traces.Line(text, wrong)


def _check(lab: Lab, api: Api, token: str, start: threading.Barrier) -> Check:
    """Check once, and come again as the client does when told to."""
    start.wait()
    began = time.monotonic()
    again = 0
    wrong = ''
    body = {'routers': [lab.facts['router']]}
    while True:
        left = began + PATIENCE - time.monotonic()
        if left <= 0:
            wrong = f'no answer in {PATIENCE:g} s'
            break
        try:
            answer = https.ask(
                lab.layout,
                ENTRY_NODE,
                'POST',
                '/v1/check',
                {**body, 'timeout': left},
                token=token,
                timeout=left,
            )
        except (OSError, http.client.HTTPException) as error:
            wrong = f'no answer: {error}'
            break
        if answer.status == 503 and 'retry-after' in answer.headers:
            again += 1
            time.sleep(float(answer.headers['retry-after']))
            continue
        wrong = _wrong(answer, lab.facts['router'], api is lab.admin)
        break
    return Check(time.monotonic() - began, again, wrong)


def _wrong(answer: https.Answer, router: str, names: bool) -> str:
    """Say what is wrong with an answer, if anything."""
    if answer.status != 200:
        return f'status {answer.status}: {answer.body.decode()[:200]}'
    (report,) = answer.json()['reports']
    if report['router']['id'] != router or report['health'] != 'OK':
        codes = [finding['code'] for finding in report['findings']]
        return f'the report says {report["health"]}: {" ".join(codes)}'
    if (ENTRY_NODE in answer.body.decode()) is not names:
        return 'the wrong caller sees names of nodes'
    return ''


class Memory:
    """How much of it a process has, while the context is open, in MiB."""

    def __init__(self, pid: int) -> None:
        self._path = pathlib.Path(f'/proc/{pid}/statm')
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.peak = self.now()

    def now(self) -> float:
        """What it has at this moment.

        :raises LabError: it is gone
        """
        try:
            pages = int(self._path.read_text().split()[1])
        except OSError as error:
            raise LabError('the node agent has ended') from error
        return pages * os.sysconf('SC_PAGE_SIZE') / (1 << 20)

    def __enter__(self) -> 'Memory':
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE):
            self.peak = max(self.peak, self.now())

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


"""The command under test, started and watched, and not merely run."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
import json
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any
from typing import TYPE_CHECKING

from tests.lab.errors import LabError

if TYPE_CHECKING:
    from tests.lab.lab import Lab


@dataclasses.dataclass(frozen=True)
class Said:
    """A line on standard error; when, is on the monotonic clock."""

    at: float
    line: str


class Failover:
    """One `openstack router ha failover` that runs.

    It is its own process and no child of it: `pid` is the client.
    """

    def __init__(
        self, lab: Lab, router: str, arguments: Sequence[str] = ()
    ) -> None:
        program = Path(sys.prefix, "bin", "openstack")
        if not program.exists():
            raise LabError(f"{program} is missing: install openstackclient")
        words = ["router", "ha", "failover", router, *arguments]
        always = ["--auto-approve", "-f", "json"]
        # A file takes any amount while nobody reads it.
        self._output = tempfile.TemporaryFile("w+")
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            lab.enter([str(program), *words, *always]),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=lab.environment(),
        )
        self.said: list[Said] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Of the client."""
        return self._process.pid

    def running(self) -> bool:
        """Whether the client is still at it."""
        return self._process.poll() is None

    def wait(self, timeout: float = 180) -> int:
        """Wait for its end; the exit code, negative after a signal.

        It is killed when it takes longer.
        """
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise LabError(
                f"the failover did not end in {timeout:g} s"
            ) from error
        self._thread.join(5)
        return self._process.returncode

    def end(self) -> None:
        """Kill it if it still runs, and close what it wrote to."""
        if self.running():
            self._process.kill()
        self._process.wait()
        self._thread.join(5)
        self._output.close()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def row(self) -> dict[str, Any]:
        """The row that it printed; empty when it printed none."""
        self._output.seek(0)
        text = self._output.read()
        try:
            rows: list[dict[str, Any]] = json.loads(text or "[]")
        except ValueError as error:
            raise LabError(f"no JSON: {text[:500]}") from error
        return rows[0] if rows else {}

    def errors(self) -> str:
        """What it said on standard error."""
        return "\n".join(said.line for said in self.said)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said.append(Said(time.monotonic(), line.rstrip("\n")))

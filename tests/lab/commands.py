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

"""Running commands: always an argument list, never a shell."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
import subprocess

from tests.lab.errors import LabError

#: What a daemon or a tool of the lab sees of the caller's environment:
#: nothing.
CLEAN = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
}


def run(
    argv: Sequence[str],
    *,
    input: str | None = None,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    timeout: float | None = 120,
    cwd: str = "/",
) -> subprocess.CompletedProcess[str]:
    """Run a command and return it with what it printed (text).

    `env` adds to a clean environment. With `check`, an exit code other than 0
    is a LabError that shows what the command printed.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env={**CLEAN, **(env or {})},
            timeout=timeout,
            cwd=cwd,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"no end after {timeout:g} s: {' '.join(argv)}"
        ) from error
    return judged(done, check)


def judged(
    done: subprocess.CompletedProcess[str], check: bool
) -> subprocess.CompletedProcess[str]:
    """A command that ended, or with `check` LabError if it failed."""
    if check and done.returncode:
        printed = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(
            f"exit {done.returncode} from {' '.join(done.args)}\n{printed}"
        )
    return done

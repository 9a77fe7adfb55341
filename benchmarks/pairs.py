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

"""Two commands in turn, A B A B ..., and the ratio pair by pair.

A machine's speed drifts; the two commands of a pair run close together, so
their ratio holds when their times do not.
"""

from collections.abc import Sequence
import json
import statistics
import subprocess
import time


def wall(argv: Sequence[str], env: dict[str, str] | None) -> float:
    """Run a command, which must end with exit code 0; return its seconds."""
    start = time.monotonic()
    done = subprocess.run(argv, env=env, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f'{" ".join(argv)}: {done.stderr or done.stdout}')
    return seconds


def compare(
    title: str,
    ours: tuple[str, Sequence[str]],
    theirs: tuple[str, Sequence[str]],
    *,
    runs: int,
    env: dict[str, str] | None = None,
) -> tuple[list[float], list[float]]:
    """Time both commands and print a table.

    :param ours, theirs: what to call it, and the argument list
    :param runs: counted pairs, after one that is not
    :return: the seconds of each run of ours and of theirs
    """
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        pair = [wall(ours[1], env), wall(theirs[1], env)]
        if number:
            for kept, seconds in zip(times, pair, strict=True):
                kept.append(seconds)
    print(f'\n{title}, {runs} pairs, seconds')
    print(f'{"":44}{"min":>8}{"median":>8}{"max":>8}')
    for (name, _), seconds in zip((ours, theirs), times, strict=True):
        row(name, seconds)
    row('ratio, pair by pair', ratios(times))
    return times


def ratios(times: tuple[list[float], list[float]]) -> list[float]:
    """Return ours / theirs for each pair."""
    return [a / b for a, b in zip(*times, strict=True)]


def row(name: str, values: list[float]) -> None:
    """Print one row of the table."""
    low, high = min(values), max(values)
    middle = statistics.median(values)
    print(f'{name:44}{low:8.3f}{middle:8.3f}{high:8.3f}')


def verdict(name: str, value: float, bound: float) -> int:
    """Print the result as one line of JSON; return the exit code."""
    print(
        json.dumps(
            {
                'benchmark': name,
                'value': round(value, 4),
                'bound': bound,
                'met': value <= bound,
            }
        )
    )
    return 0 if value <= bound else 1

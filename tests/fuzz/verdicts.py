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

"""The rules: whatever a capture may hold, there is a report.

The bytes are choices among the shapes of ``tests.unit.strategies``.
"""

import json
from typing import Any

import hypothesis

from osc_ha_router import codec
from osc_ha_router.commands import columns
from osc_ha_router.diagnosis import verdict
from osc_ha_router.model import report
from tests.fuzz import answers
from tests.unit import strategies


@hypothesis.given(strategies.cases)
@hypothesis.settings(
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def judge(case: Any) -> None:
    """Judge it, write it, and read it again."""
    router, hosts = case
    found = verdict.judge(router, hosts)
    assert verdict.judge(router, hosts) == found
    assert codec.loads(report.Report, codec.dumps(found)) == found
    answers.safe(codec.encode(found))
    for finding in found.findings:
        json.dumps(columns.finding(finding), allow_nan=False)


def check(data: bytes) -> None:
    """Make a case of it, and judge that."""
    inner: Any = judge
    inner.hypothesis.fuzz_one_input(data)

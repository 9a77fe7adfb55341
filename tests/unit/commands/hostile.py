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

"""Names and words of which somebody else decides, and a look at all output.

Nothing printed does anything to a terminal, or passes for a line of our own,
wherever it comes from.
"""

from typing import Any

from osc_ha_router import text
from tests.unit.commands import base

#: ESC, bell, C1, right to left, separators, and the end of the line
ESCAPES = '\x1b]0;x\x07\x1b[2J\x9b31m\u202e\u2066\u2028\x85\r\nFORGED'
#: what would be an option, or something to a shell
WORDS = (
    '-oProxyCommand=touch FORGED',
    '--help',
    '$(touch FORGED)',
    '`touch FORGED`',
    "'; touch FORGED; '",
    'a b',
    'a@b',
    'a/../b',
    'a%h',
    '{host}',
)


def poisoned(value: Any, keep: frozenset[str], key: str = '') -> Any:
    """Return JSON with something bad behind each of its texts.

    :param keep: keys of texts that stay as they are
    """
    if isinstance(value, dict):
        return {k: poisoned(v, keep, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(item, keep, key) for item in value]
    return (
        value + ESCAPES
        if isinstance(value, str) and key not in keep
        else value
    )


class Watching:
    """Looks at all of what was printed."""

    def assert_harmless(self, *printed: str) -> None:
        for part in printed:
            for line in part.split('\n'):
                self.assertEqual(text.clean(line), line)
                self.assertFalse(line.startswith('FORGED'), part)

    def ran(self, *arguments: str) -> base.Result:
        result = super().ran(*arguments)
        self.assert_harmless(result.stdout, result.stderr)
        return result

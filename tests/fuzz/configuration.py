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

"""keepalived.conf: it is read or refused, and edited as it was meant.

The first byte is the priority of the edit.
"""

import re

from osc_ha_router.node import blocks
from osc_ha_router.node import conf
from osc_ha_router.node import keepalived

_SECRET = re.compile(r'(?<!\S)(auth_pass[ \t]+)\S+')
_PLANTED = 'Pl4nted'


def check(data: bytes) -> None:
    """Read it, and promote it."""
    priority, raw = max(1, (data[:1] or b'\0')[0] % 255), data[1:]
    text = raw.decode('utf-8', 'replace')
    try:
        found = keepalived.parse(text)
    except blocks.ConfError as error:
        assert str(error).isprintable(), str(error)
        found = None
    _keep_secret(text)
    for preempt in (False, True):
        try:
            made = conf.promoted(raw, priority, preempt)
        except blocks.ConfError:
            continue
        # what cannot be read is not edited
        assert found is not None
        after = keepalived.parse(made.decode('utf-8', 'replace'))
        wanted = dict(found, priority=priority)
        if preempt:
            wanted['nopreempt'] = False
        assert after == wanted, (after, wanted)
        # nothing else is touched, and the same edit again changes nothing
        lines, others = raw.split(b'\n'), made.split(b'\n')
        assert len(lines) - len(others) <= raw.count(b'nopreempt') * preempt
        assert preempt or all(
            line == other or b'priority' in line
            for line, other in zip(lines, others, strict=True)
        )
        assert conf.promoted(made, priority, preempt) == made


def _keep_secret(text: str) -> None:
    """See that a password leaves the node in no way."""
    try:
        told = str(keepalived.parse(_SECRET.sub(rf'\1{_PLANTED}', text)))
    except blocks.ConfError as error:
        told = str(error)
    assert _PLANTED not in told or _PLANTED in text, told

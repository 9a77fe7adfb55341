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

"""Editing keepalived.conf: every byte that is not meant stays as it is."""

import re
import typing

from osc_ha_router.node import blocks
from osc_ha_router.node import keepalived

_PRIORITY = re.compile(r'(\s*priority\s+)[0-9]+')


class _Instance:
    """Where in the file a vrrp_instance says what."""

    def __init__(self) -> None:
        self.interface = ''
        #: numbers of lines
        self.priority = []  # type: typing.List[int]
        self.nopreempt = []  # type: typing.List[int]


def promoted(raw: bytes, priority: int, preempt: bool) -> bytes:
    """The file with another priority.

    :param raw: the file as it is
    :param priority: 1 to 254
    :param preempt: whether to leave ``nopreempt`` out as well
    :raises ConfError: it is not as Neutron writes it
    """
    # one character for each byte, whatever the encoding
    lines = raw.decode('latin-1').split('\n')
    instance = _find(lines)
    if not instance.priority:
        raise blocks.ConfError('there is no priority in it')
    for number in instance.priority:
        lines[number] = _PRIORITY.sub(
            r'\g<1>%d' % priority, lines[number], count=1
        )
    if preempt:
        for number in reversed(instance.nopreempt):
            del lines[number]
    made = '\n'.join(lines).encode('latin-1')
    _check(raw, made, priority, preempt)
    return made


def _check(raw: bytes, made: bytes, priority: int, preempt: bool) -> None:
    """Makes sure that the edit says what it is to say, and no more."""
    before = keepalived.parse(raw.decode('utf-8', 'replace'))
    after = keepalived.parse(made.decode('utf-8', 'replace'))
    before['priority'] = priority
    if preempt:
        before['nopreempt'] = False
    if before != after:
        raise blocks.ConfError('it is not as Neutron writes it')


def _find(lines: typing.Sequence[str]) -> _Instance:
    """The instance on the ha- device."""
    found = []  # type: typing.List[_Instance]
    # what each open block is called
    stack = []  # type: typing.List[str]
    # what a brace on the next line would belong to
    head = ''
    for number, line in enumerate(lines):
        words = list(blocks.words(line))
        statement = [word for word in words if word not in '{}']
        if words == statement:
            if stack == ['vrrp_instance'] and words:
                _note(found[-1], words, number)
            head = words[0] if words else head
            continue
        for word in words:
            if word == '{':
                stack.append(head)
                if stack == ['vrrp_instance']:
                    found.append(_Instance())
                head = ''
            elif word == '}':
                if stack:
                    stack.pop()
                head = ''
            else:
                head = head or word
    for instance in found:
        if instance.interface.startswith('ha-'):
            return instance
    raise blocks.ConfError('there is no vrrp_instance on an ha- device in it')


def _note(
    instance: _Instance, words: typing.Sequence[str], number: int
) -> None:
    if words[0] == 'interface' and len(words) > 1:
        instance.interface = words[1]
    elif words[0] == 'priority' and len(words) == 2:
        instance.priority.append(number)
    elif words[0] == 'nopreempt':
        instance.nopreempt.append(number)

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

"""The grammar of keepalived.conf: statements, blocks, comments."""

import re
import typing

#: the words of a statement, and the statements of its block if it has one
Statement = typing.Tuple[
    typing.List[str], typing.Optional[typing.List[typing.Any]]
]

#: what makes a line more than its words
_SPECIAL = re.compile('[{}#!]|auth_pass')
#: what makes a line more than its words and the braces among them
_ODD = re.compile(r'[#!]|auth_pass|[{}]\S|\S[{}]')


class ConfError(Exception):
    """The file is not a keepalived.conf that can be understood."""


def parse(text: str) -> typing.List[Statement]:
    """The statements of the file, blocks within blocks."""
    top = []  # type: typing.List[Statement]
    current = top
    stack = []  # type: typing.List[typing.List[Statement]]
    # the statement that a brace on the next line would belong to
    last = None  # type: typing.Optional[typing.List[str]]
    for number, line in enumerate(text.split('\n'), 1):
        if _SPECIAL.search(line) is None:
            statement = line.split()
            if statement:
                current.append((statement, None))
                last = statement
            continue
        statement = []
        odd = _ODD.search(line) is not None
        for word in words(line) if odd else line.split():
            if word == '{':
                if not statement and last is None:
                    raise ConfError('line %d: a block without name' % number)
                if statement:
                    current.append((statement, None))
                head = current.pop()[0]
                block = []  # type: typing.List[Statement]
                current.append((head, block))
                stack.append(current)
                current, statement, last = block, [], None
            elif word == '}':
                if not stack:
                    raise ConfError('line %d: "}" without "{"' % number)
                if statement:
                    current.append((statement, None))
                current, statement, last = stack.pop(), [], None
            else:
                statement.append(word)
        if statement:
            current.append((statement, None))
            last = statement
    if stack:
        raise ConfError('the file ends within a block')
    return top


def words(line: str) -> typing.Iterator[str]:
    """The words of a line without its comment, braces as words."""
    secret = False
    for word in line.split():
        if secret:
            # may hold braces or signs of a comment
            return
        if word[0] in '#!':
            return
        if word == 'auth_pass':
            secret = True
        while len(word) > 1 and word[0] in '{}':
            yield word[0]
            word = word[1:]
        tail = len(word)
        while tail > 1 and word[tail - 1] in '{}':
            tail -= 1
        yield word[:tail]
        for brace in word[tail:]:
            yield brace

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

"""Text from outside, made safe to print.

Host names, router names and error messages come from the API and from the
nodes. A control character in them could move the cursor, retitle or
reprogram the terminal of whoever looks, so they pass through ``clean``
where they enter the program, and nothing inside has to think of it again.
"""

import unicodedata

#: Cc: control, Cf: invisible formatting such as right-to-left override,
#: Cs: lone surrogates, Zl/Zp: line and paragraph separators
_UNSAFE = frozenset(('Cc', 'Cf', 'Cs', 'Zl', 'Zp'))


def clean(text: str) -> str:
    """Return the text with every unsafe character shown as its escape.

    :param text: anything
    :return: the same, with for example ESC as the four characters ``\\x1b``
    """
    if text.isascii() and text.isprintable():
        return text
    return ''.join(
        _escape(char) if unicodedata.category(char) in _UNSAFE else char
        for char in text
    )


def _escape(char: str) -> str:
    return char.encode('unicode_escape').decode('ascii')


def one_line(text: str, limit: int = 200) -> str:
    """Return the text as one safe line of at most ``limit`` characters."""
    line = clean(' '.join(text.split()))
    return line if len(line) <= limit else line[: limit - 3] + '...'

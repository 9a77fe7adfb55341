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

"""A page for each finding, written from the catalogue when a build begins.

The pages are ``findings/<code>.rst``; the tool links to them by this name.
Next to them goes ``table.inc``, which the hand-written index includes. All
are in .gitignore. Keys that an entry of the catalogue does not have are left
out of its page.
"""

from collections.abc import Iterable
import pathlib
import re
from typing import Any

from osc_ha_router.diagnosis import catalogue
from osc_ha_router.repair import remedies
from pages import markup

FOLDER = 'findings'
#: commands, programs and devices: not capitalised at the start of a sentence
_NAMES = re.compile(
    r'(?:docker|haproxy|ip|keepalived|kill|openstack|podman|radvd|sudo'
    r'|sysctl|systemctl|tcpdump|ha-|q[gr]-|sg-|\S*[_/=.]\S)\b'
)
#: a hint that is made anew each time says nothing here
_FIELD_ONLY = re.compile(r'\{[a-z_]+\}')
#: the hundreds of a code, in words
FAMILIES = {
    '1': 'Who is active',
    '2': 'What Neutron claims',
    '3': 'Processes and their state',
    '4': 'Devices',
    '5': 'Addresses and routes',
    '6': 'Leftovers and configuration',
    '9': 'What could not be looked at',
}
#: what each severity means, see osc_ha_router.diagnosis.catalogue
SEVERITIES = {
    'ERROR': 'traffic suffers or will suffer',
    'WARNING': "redundancy or Neutron's knowledge suffers",
    'UNKNOWN': 'something could not be looked at',
    'INFO': 'worth knowing; does not change the exit code',
}
#: where a finding bars a failover, see osc_ha_router.diagnosis.catalogue
BARS = {
    catalogue.Bars.NEVER: 'only if it is ignored',
    catalogue.Bars.TARGET: 'not to this node; otherwise only if it is ignored',
    catalogue.Bars.ENDS: (
        'neither to this node nor away from it; otherwise only if it is '
        'ignored'
    ),
    catalogue.Bars.ALWAYS: 'refused, and it cannot be ignored',
}


def generate(app: Any) -> None:
    """Write the pages; one whose text is the same keeps its time stamp."""
    folder = pathlib.Path(app.srcdir) / FOLDER
    entries = list(catalogue.entries().values())
    wanted = {f'{entry.code}.rst': page(entry) for entry in entries}
    wanted['table.inc'] = table(entries)
    for old in folder.glob('RHA*.rst'):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text('utf-8') != text:
            path.write_text(text, 'utf-8')


def table(entries: Iterable[Any]) -> str:
    """Return the tables of the index, one for each family."""
    lines: list[str] = []
    family = ''
    for entry in entries:
        if entry.code[3] != family:
            family = entry.code[3]
            title = FAMILIES.get(family, 'Others')
            lines += ['', *markup.heading(f'{title} (RHA{family}xx)', '-')]
            lines += [
                '.. list-table::',
                '   :header-rows: 1',
                '   :widths: 12 25 13 50',
                '',
                '   * - Code',
                '     - Name',
                '     - Severity',
                '     - Summary',
            ]
        lines += [
            f'   * - :doc:`{entry.code} </{FOLDER}/{entry.code}>`',
            f'     - {entry.name}',
            f'     - {entry.severity.value}',
            f'     - {markup.prose(entry.summary)}',
        ]
    return '\n'.join(lines) + '\n'


def page(entry: Any) -> str:
    """Return the text of a finding's page."""
    severity = entry.severity.value
    repair = markup.prose(remedies.told(entry.name)) or 'Nothing to mend.'
    settles = (
        'yes: it may be a move under way, so the tool looks again first'
        if entry.settles
        else 'no'
    )
    moves = BARS[entry.bars]
    if severity == 'INFO' and entry.bars == catalogue.Bars.NEVER:
        moves = 'does not matter'
    lines = [
        '.. Written from osc_ha_router/diagnosis/catalogue: change that.',
        '',
        *markup.heading(f'{entry.code}: {entry.name}', '='),
        f':Code: ``{entry.code}``',
        f':Name: ``{entry.name}``',
        f':Severity: {severity}: {SEVERITIES.get(severity, "")}',
        f':Rechecked: {settles}',
        f':Failover: {moves}: :doc:`/user/failover`',
        f':Repair: {repair} See :doc:`/user/repair`.',
        '',
        'The line in the report:',
        '',
        f'    {markup.prose(entry.summary)}',
        '',
    ]
    explanation = _get(entry, 'explanation')
    if explanation:
        lines += [*markup.heading('What it means', '-')]
        lines += _paragraphs(explanation)
    lines += _confirm(_get(entry, 'confirm') or ())
    lines += [*markup.heading('What to do', '-')]
    if not _FIELD_ONLY.fullmatch(entry.hint):
        lines += [markup.prose(_sentence(entry.hint)), '']
    lines += _steps(_get(entry, 'fix') or ())
    lines += _lookalikes(_get(entry, 'lookalikes') or ())
    lines += _bugs(_get(entry, 'bugs') or ())
    lines += [
        *markup.heading('On the command line', '-'),
        '.. code-block:: console',
        '',
        f'   $ openstack router ha finding show {entry.code}',
        f'   $ openstack router ha check --ignore {entry.code}',
        '',
        'The second one shows the finding but does not count it.',
    ]
    return '\n'.join(lines) + '\n'


def _confirm(steps: Iterable[Any]) -> list[str]:
    lines: list[str] = []
    for step in steps:
        if not lines:
            lines += [*markup.heading('Confirm it by hand', '-')]
        lines += ['.. code-block:: console', '']
        lines += [f'   $ {markup.fields(_get(step, "run"))}', '']
        lines += [markup.prose(_sentence(_get(step, 'expect'))), '']
    return lines


def _steps(steps: Iterable[str]) -> list[str]:
    lines = []
    for step in steps:
        lines += [f'#. {markup.prose(_sentence(step))}', '']
    return lines


def _lookalikes(items: Iterable[Any]) -> list[str]:
    lines: list[str] = []
    known = {entry.code: entry for entry in catalogue.entries().values()}
    for item in items:
        if not lines:
            lines += [*markup.heading('What looks like it', '-')]
        code, how = _get(item, 'code'), _get(item, 'how')
        if code in known:
            shown = f':doc:`{code} {known[code].name} </{FOLDER}/{code}>`'
        else:
            shown = markup.prose(code)
        lines += [shown, f'    {markup.prose(_sentence(how))}', '']
    return lines


def _bugs(items: Iterable[Any]) -> list[str]:
    lines: list[str] = []
    for item in items:
        if not lines:
            lines += [*markup.heading('Known bugs', '-')]
        line = f'* `{_get(item, "id")} <{_get(item, "url")}>`__: '
        line += markup.prose(_get(item, 'title'))
        releases = _get(item, 'releases')
        if releases:
            line += f' ({markup.prose(releases)})'
        lines += [line]
    return [*lines, ''] if lines else []


def _get(item: Any, key: str) -> Any:
    """Return a key of an entry, or of a part of one, None without it."""
    return getattr(item, key, None)


def _paragraphs(text: str) -> list[str]:
    lines = []
    for paragraph in text.split('\n\n'):
        if paragraph.strip():
            lines += [markup.prose(' '.join(paragraph.split())), '']
    return lines


def _sentence(text: str) -> str:
    if not text:
        return ''
    name = _NAMES.match(text)
    first = text if name else text[0].upper() + text[1:]
    # a command at the end is clearer without a full stop
    return first if text.endswith(('.', '>', '}')) else f'{first}.'


def setup(app: Any) -> None:
    """Write the pages when a build begins, before Sphinx lists them."""
    app.connect('builder-inited', generate)

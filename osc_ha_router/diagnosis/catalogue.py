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

"""The finding catalogue, read from its data file when first needed."""

import dataclasses
import functools
import importlib.resources
from typing import Any

import yaml

from osc_ha_router.model import report

#: where the documentation has a page for each finding
DOCUMENTATION = 'https://docs.openstack.org/osc-ha-router/latest/findings/'


@dataclasses.dataclass(frozen=True)
class Entry:
    """One kind of finding."""

    code: str
    name: str
    severity: report.Severity
    #: may be a move under way, so look again before reporting it
    settles: bool
    #: one line each; {fields} are filled in by the rule
    summary: str
    hint: str

    @property
    def documentation_url(self) -> str:
        """Return the address of the finding's page."""
        return f'{DOCUMENTATION}{self.code}.html'


@functools.cache
def entries() -> dict[str, Entry]:
    """Return the catalogue by name, in the order of the codes."""
    found = [
        Entry(**item | {'severity': report.Severity(item['severity'])})
        for item in _load()
    ]
    return {entry.name: entry for entry in sorted(found, key=_code)}


def by_code(code: str) -> Entry | None:
    """Return the entry with this code or name, in any case."""
    wanted = code.lower()
    for entry in entries().values():
        if wanted in (entry.code.lower(), entry.name):
            return entry
    return None


def finding(name: str, host: str | None, **fields: Any) -> report.Finding:
    """Make a finding of the catalogue's entry.

    :param name: of the entry
    :param host: the node it is about, None for the router as a whole
    :param fields: what summary and hint name in braces
    """
    entry = entries()[name]
    fields['host'] = host
    return report.Finding(
        code=entry.code,
        name=entry.name,
        severity=entry.severity,
        host=host,
        summary=entry.summary.format(**fields),
        hint=entry.hint.format(**fields),
        documentation_url=entry.documentation_url,
    )


def _code(entry: Entry) -> str:
    return entry.code


def _load() -> list[dict[str, Any]]:
    data = importlib.resources.files(__package__) / 'catalogue.yaml'
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    # both are safe loaders; the one in C is ten times as fast
    loaded: list[dict[str, Any]] = yaml.load(data.read_bytes(), loader)  # noqa: S506
    return loaded

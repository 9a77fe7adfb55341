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

"""Sphinx extension: the pages and tables that follow from the code.

``findings`` writes a page for each finding of the catalogue; ``settings``,
``failures``, ``fields``, ``operations``, ``failover`` and ``repairs`` are
directives that take what they show from the code and warn about what the text
around them has forgotten. A warning fails the build, so the documentation
cannot fall behind.
"""

from typing import Any

from pages import failover
from pages import failures
from pages import fields
from pages import findings
from pages import operations
from pages import repairs
from pages import settings


def setup(app: Any) -> dict[str, Any]:
    """Register everything with Sphinx."""
    findings.setup(app)
    settings.setup(app)
    failover.setup(app)
    failures.setup(app)
    fields.setup(app)
    operations.setup(app)
    repairs.setup(app)
    return {'parallel_read_safe': False, 'parallel_write_safe': True}

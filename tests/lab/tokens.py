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

"""Tokens that nobody gets by asking."""

from __future__ import annotations

import datetime
import subprocess
from typing import TYPE_CHECKING

from tests.lab.errors import LabError

if TYPE_CHECKING:
    from tests.lab.lab import Lab

#: Run by the Python that has Keystone, on the machine that has its keys.
_PROGRAM = """\
import sys
import keystone.conf
from keystone.token import token_formatters
keystone.conf.configure()
keystone.conf.CONF(['--config-file', sys.argv[1]], project='keystone')
formatter = token_formatters.TokenFormatter()
found = formatter.validate_token(sys.stdin.read())
user, methods, audits, system, domain, project = found[:6]
print(formatter.create_token(
    user,
    sys.argv[2],
    audits,
    token_formatters.ProjectScopedPayload,
    methods=methods,
    project_id=project,
))
"""


def expired(lab: Lab, token: str) -> str:
    """A token like this one, but one that expired an hour ago.

    Made with Keystone's own code and keys, so that its age is all that is
    wrong with it.
    """
    control = lab.control
    config = str(lab.layout.config / "keystone.conf")
    # Recent enough for whoever may use expired tokens, as services do.
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    when = past.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    argv = [control.tool("python"), "-c", _PROGRAM, config, when]
    done: subprocess.CompletedProcess[str] = control.run(argv, input=token)
    made = done.stdout.strip()
    if not made or made == token:
        raise LabError(f"no token was made: {done.stderr}")
    return made

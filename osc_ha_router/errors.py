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

"""What can go wrong with the command itself, not with a router.

    Error                 exit code 1
    |-- UsageError        what was asked for makes no sense; exit code 2
    |-- RouterNotFound    no such router, or not visible to the caller
    |-- AmbiguousName     several routers have this name
    |-- NotSupported      a router that this tool is not for
    |-- CloudError        the API refused or could not be reached
    |   |-- CloudUnreachable  it answers nobody, whoever asks
    |   `-- Halfway       what was asked for may have been done all the same
    |-- CaptureError      a capture that cannot be read or written
    |-- ConfigError       a setting that cannot be used
    |-- Interrupted       ended by the user half-way; exit code 3
    `-- Refused           not done, and why; nothing was changed
        `-- Locked        somebody else is moving the router

What goes wrong on one node is not an error: it becomes a ``Failure`` in
that node's view, so that the other nodes' results are kept.
"""

from typing import ClassVar


class Error(Exception):
    """Ends the command with one clear message."""

    exit_code: ClassVar[int] = 1


class UsageError(Error):
    """What was asked for makes no sense."""

    exit_code = 2


class RouterNotFound(Error):
    """No such router, or none that the caller may see."""


class AmbiguousName(Error):
    """Several routers have this name."""


class NotSupported(Error):
    """A router that keepalived does not run: not HA, or OVN."""


class CloudError(Error):
    """The API refused, or could not be reached."""


class CloudUnreachable(CloudError):
    """The API was not reached, not in time, or failed by its own fault."""


class Halfway(CloudError):
    """It went wrong after something was changed, or may have been."""


class CaptureError(Error):
    """A capture that cannot be read, or cannot be written."""


class ConfigError(Error):
    """A setting that cannot be used."""


class Interrupted(Error):
    """Ended by the user while something was under way."""

    exit_code = 3


class Refused(Error):
    """Not done, and why; nothing was changed."""


class Locked(Refused):
    """Somebody else is moving the router right now."""

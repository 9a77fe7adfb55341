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
"""What can go wrong with the API, as the engine is told of it."""

from collections.abc import Iterator
import contextlib

from keystoneauth1 import exceptions as ksa_exceptions
from openstack import exceptions as sdk_exceptions

from osc_ha_router import errors
from osc_ha_router import text

#: what the SDK and keystoneauth raise
ERRORS = (sdk_exceptions.SDKException, ksa_exceptions.ClientException)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what they raise into our own errors.

    :raises CloudError: the API refuses or does not answer
    """
    try:
        yield
    except ERRORS as exc:
        if _down(exc):
            raise errors.CloudUnreachable(explain(exc)) from None
        raise errors.CloudError(explain(exc)) from None


def explain(exc: Exception) -> str:
    """Return what went wrong in one line that is safe to print."""
    message = text.one_line(str(exc), 400)
    if isinstance(exc, sdk_exceptions.ForbiddenException):
        return f'Neutron refuses this to you: {message}'
    if isinstance(exc, ksa_exceptions.ConnectFailure):
        return f'The API cannot be reached: {message}'
    if isinstance(exc, ksa_exceptions.ConnectTimeout):
        return f'The API did not answer in time: {message}'
    return f'The API call failed: {message}'


def _down(exc: Exception) -> bool:
    """Return whether this is no matter of what was asked, and by whom."""
    if isinstance(exc, sdk_exceptions.HttpException):
        # of Neutron without its database, or of a proxy without Neutron
        return (exc.status_code or 0) >= 500
    return isinstance(
        exc, (ksa_exceptions.ConnectFailure, ksa_exceptions.ConnectTimeout)
    )

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

"""The errors that the program answers with."""

#: the request is not what the protocol describes
BAD_REQUEST = 'bad-request'
#: the request asks for an operation that this program does not have
UNKNOWN_OP = 'unknown-op'
#: the operating system refuses what the operation needs
NO_RIGHTS = 'no-rights'
#: somebody else has a change of this router under way
LOCKED = 'locked'
#: this host has no namespace or no keepalived.conf of the router
ABSENT = 'absent'
#: keepalived.conf is not the one that the request means
CHANGED = 'changed'
#: keepalived.conf cannot be understood
UNFIT = 'unfit'
#: no live keepalived with a VRRP process
NO_KEEPALIVED = 'no-keepalived'
#: the operation belongs to a change that has not begun
NO_ERRAND = 'no-errand'
#: what somebody before has left cannot be undone, or removed
LEFT = 'left'
#: it would touch what serves the router, or may serve it
UNSAFE = 'unsafe'
#: a mistake in this program
INTERNAL = 'internal'


class ProgramError(Exception):
    """A request that cannot be served, as a kind and a sentence."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        #: one of the constants of this module
        self.kind = kind
        self.message = message


class BadRequest(ProgramError):
    """The request is malformed."""

    def __init__(self, message: str) -> None:
        super().__init__(BAD_REQUEST, message)


class NoRights(ProgramError):
    """The program lacks the rights that it needs."""

    def __init__(self, message: str) -> None:
        super().__init__(NO_RIGHTS, message)

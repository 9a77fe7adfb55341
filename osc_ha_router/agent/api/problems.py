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

"""Answers that say what went wrong, all of one form.

{"error": {"code": 404, "title": "Not Found", "message": "...",
           "request_id": "req-..."}}
"""

from collections.abc import Mapping
import http
import json

MEDIA_TYPE = 'application/json'


class Problem(Exception):
    """Ends a request with a status above 399 and a sentence.

    :param code: HTTP status
    :param message: a sentence that says what to do
    :param headers: such as Retry-After
    """

    def __init__(
        self,
        code: int,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def title(code: int) -> str:
    """Return the name of a status."""
    try:
        return http.HTTPStatus(code).phrase
    except ValueError:
        return 'Error'


def body(code: int, message: str, request_id: str) -> bytes:
    """Return the JSON of an answer that says what went wrong.

    :param message: becomes a sentence, if it is none yet
    """
    error = {
        'code': code,
        'title': title(code),
        'message': f'{message[:1].upper()}{message[1:].rstrip(".")}.',
        'request_id': request_id,
    }
    return json.dumps({'error': error}).encode('ascii')


def busy(message: str, seconds: int = 1) -> Problem:
    """Return the problem that will go away by itself.

    :param seconds: after which to try again
    """
    return Problem(503, message, {'Retry-After': str(seconds)})


def not_found(what: str) -> Problem:
    """Return the problem of something that is not there."""
    return Problem(404, f'There is no such {what}; nothing was done.')

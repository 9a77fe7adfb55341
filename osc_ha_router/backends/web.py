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

"""HTTP with a bound on every wait.

Libraries bound the time from one byte to the next, so a server that drips
holds a client for ever. Here whoever waits has a ``Guard``, which is asked
several times a second and ends the wait by raising: at the deadline, when
the caller wants to stop, when nothing was heard for too long.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import contextvars
import io
import socket
import threading
import time
from typing import Any

from keystoneauth1 import adapter as ksa_adapter
from keystoneauth1 import session as ksa_session
import requests
from urllib3 import connection
from urllib3 import connectionpool

from osc_ha_router.backends import base
from osc_ha_router.backends import failures

#: seconds from one question to a guard to the next
_TICK = 0.1
#: connections to one agent that are kept for the next requests
_POOL = 32
#: agents to which connections are kept
_HOSTS = 10


class Guard:
    """Ends a wait by raising.

    :param until: bound for it
    :param stop: ends it when it is set
    :param silence: seconds without a byte after which it is over
    :param also: asked as well; may raise
    """

    def __init__(
        self,
        until: base.Deadline,
        stop: threading.Event | None = None,
        silence: float | None = None,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self.until = until
        self._stop = stop
        self.silence = silence
        self._also = also
        self._heard = time.monotonic()

    def __call__(self) -> None:
        """Return if there is more to wait for.

        :raises Broken: interrupted, timeout
        """
        if self._stop is not None and self._stop.is_set():
            raise failures.Broken('agent-interrupted')
        if not self.until.left():
            raise failures.Broken('agent-timeout')
        if self.silence is not None:
            silent = time.monotonic() - self._heard
            if silent > self.silence:
                raise failures.Broken(
                    'agent-timeout', f'no sign of life for {silent:.0f} s'
                )
        self._also()

    def heard(self) -> None:
        """Note that something came."""
        self._heard = time.monotonic()

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Let this guard all that this thread waits for in the block."""
        before = _guard.set(self)
        try:
            yield
        finally:
            _guard.reset(before)


_guard: contextvars.ContextVar[Guard | None] = contextvars.ContextVar(
    'guard', default=None
)


@contextlib.contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock that others may hold for as long as they please.

    It is waited for as for anything else, under the guard of this thread.
    """
    guard = _guard.get()
    if guard is None:
        lock.acquire()
    else:
        while not lock.acquire(timeout=_TICK):
            guard()
    try:
        yield
    finally:
        lock.release()


class _Reader(io.RawIOBase):
    """Reads from a socket under the guard of whoever reads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # a closed socket lives on as long as somebody reads from it
        self._hold = sock.makefile('rb', buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        guard = _guard.get()
        if guard is None:
            return self._sock.recv_into(buffer)
        patience = self._sock.gettimeout()
        self._sock.settimeout(_TICK)
        try:
            while True:
                guard()
                with contextlib.suppress(TimeoutError):
                    count = self._sock.recv_into(buffer)
                    guard.heard()
                    return count
        finally:
            self._sock.settimeout(patience)

    def close(self) -> None:
        self._hold.close()
        super().close()


class _Socket:
    """A socket whose readers are guarded; the rest is the socket's own."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str, *args: Any, **kwargs: Any) -> Any:
        guard = _guard.get()
        if guard is not None:
            # connected, and the request is sent
            guard.heard()
        if mode == 'rb':
            return io.BufferedReader(_Reader(self._sock))
        make: Any = self._sock.makefile
        return make(mode, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Guarded:
    """A connection whose readers are guarded."""

    sock: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock = _Socket(self.sock)


class _Plain(_Guarded, connection.HTTPConnection):
    pass


class _Secure(_Guarded, connection.HTTPSConnection):
    pass


class _PlainPool(connectionpool.HTTPConnectionPool):
    ConnectionCls: Any = _Plain


class _SecurePool(connectionpool.HTTPSConnectionPool):
    ConnectionCls: Any = _Secure


_POOLS = {'http': _PlainPool, 'https': _SecurePool}


class _Transport(ksa_session.TCPKeepAliveAdapter):
    """What opens the connections of a session."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def bounded(adapter: ksa_adapter.Adapter) -> ksa_adapter.Adapter:
    """Return the same adapter with a session whose waits are guarded.

    One that has such a session already is returned as it is, so that
    several can share its connections. The credentials, the catalogue and
    what is known of certificates are those of the old session.
    """
    given = adapter.session
    transport = given.session.adapters.get('https://')
    if isinstance(transport, _Transport):
        return adapter
    return ksa_adapter.Adapter(
        session=session(
            auth=given.auth,
            verify=given.verify,
            cert=given.cert,
            app_name=given.app_name,
            app_version=given.app_version,
        ),
        client_name='osc-ha-router',
        **{
            name: getattr(adapter, name)
            for name in (
                'auth',
                'endpoint_override',
                'global_request_id',
                'interface',
                'region_name',
                'service_name',
                'service_type',
            )
        },
    )


def session(
    pool: int = _POOL, hosts: int = _HOSTS, **kwargs: Any
) -> ksa_session.Session:
    """Return a session of keystoneauth1 whose waits are guarded.

    :param pool: how many connections to one host are kept for the next
        requests
    :param hosts: of how many hosts any are kept
    :param kwargs: of the session: auth, verify, cert, ...
    """
    own = requests.Session()
    transport = _Transport(pool_connections=hosts, pool_maxsize=pool)
    for scheme in ('http://', 'https://'):
        own.mount(scheme, transport)
    return ksa_session.Session(session=own, **kwargs)

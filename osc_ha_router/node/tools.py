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


"""Programs of the node, run by argument list and never by a shell.

What a child is started in it inherits: one that is run inside
``errand.inside()`` works on the router's network namespace.
"""

import os
import selectors
import subprocess
import time
import typing

#: no look at PATH: it is that of whoever called
FOLDERS = (
    '/usr/sbin',
    '/sbin',
    '/usr/bin',
    '/bin',
    '/usr/local/sbin',
    '/usr/local/bin',
)
#: bytes of each output
_OUTPUT = 4 << 20
#: seconds for a child to end that has closed its outputs
_PATIENCE = 1.0
_ENVIRONMENT = {'LC_ALL': 'C', 'PATH': ':'.join(FOLDERS)}


class Tool(typing.NamedTuple):
    """A program and how to get at it."""

    path: str
    #: whose mount namespace it lives in; None: that of this process
    pid: typing.Optional[int]
    #: what goes before its arguments
    argv: typing.Tuple[str, ...]


class Result(typing.NamedTuple):
    """What became of a child."""

    #: its exit code, negative for a signal
    code: int
    stdout: bytes
    stderr: bytes


class Failed(Exception):
    """A program that did not do what it was to; a sentence says why."""


def find(name: str, pid: typing.Optional[int] = None) -> typing.Optional[Tool]:
    """Looks for a program on the host, then beside a process.

    :param name: of the program, without folders
    :param pid: of a process that may live in a container: its files are
        looked at if the host has none
    :returns: None if it is in neither
    """
    path = _among(name, '')
    if path is not None:
        return Tool(path, None, (path,))
    if pid is None:
        return None
    entering = _among('nsenter', '')
    path = _among(name, '/proc/%d/root' % pid)
    if entering is None or path is None:
        return None
    return Tool(path, pid, (entering, '-t', str(pid), '-m', '--', path))


def run(
    tool: Tool,
    arguments: typing.Sequence[str],
    stdin: bytes = b'',
    timeout: float = 5.0,
) -> Result:
    """Runs a program to its end.

    :param timeout: seconds; then it is killed
    :raises Failed: it cannot be started, takes too long, or says too much
    """
    name = os.path.basename(tool.path)
    try:
        # its own session: a signal to this program's group is not for it
        child = subprocess.Popen(  # noqa: S603
            tool.argv + tuple(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd='/',
            start_new_session=True,
        )
    except OSError as error:
        raise Failed('%s: %s' % (name, error.strerror)) from None
    # leaving the block closes the pipes and waits
    with child:
        try:
            stdout, stderr = _exchange(child, stdin, timeout)
            child.wait(_PATIENCE)
        except (subprocess.TimeoutExpired, _Enough) as error:
            child.kill()
            raise Failed(
                '%s did not end within %g s' % (name, timeout)
                if isinstance(error, subprocess.TimeoutExpired)
                else '%s says more than %d bytes' % (name, _OUTPUT)
            ) from None
        except BaseException:
            child.kill()
            raise
    return Result(child.returncode, stdout, stderr)


def must(
    tool: Tool,
    arguments: typing.Sequence[str],
    stdin: bytes = b'',
    timeout: float = 5.0,
) -> bytes:
    """Runs a program that has to succeed, and returns its output.

    :raises Failed: as ``run``, or with what it said last
    """
    result = run(tool, arguments, stdin, timeout)
    if result.code != 0:
        said = result.stderr.decode('utf-8', 'replace').strip()
        raise Failed(
            '%s: %s'
            % (
                os.path.basename(tool.path),
                said.splitlines()[-1][:200] if said else result.code,
            )
        )
    return result.stdout


class _Enough(Exception):
    """The child says more than anybody wants to know."""


def _exchange(
    child: 'subprocess.Popen[bytes]', stdin: bytes, timeout: float
) -> typing.Tuple[bytes, bytes]:
    """Feeds a child and collects what it says, as far as it is bearable."""
    deadline = time.monotonic() + timeout
    assert child.stdin and child.stdout and child.stderr  # noqa: S101
    said = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in said:
            selector.register(stream, selectors.EVENT_READ)
        os.set_blocking(child.stdin.fileno(), False)
        selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(child.args, timeout)
            for key, _ in selector.select(left):
                if key.fileobj is child.stdin:
                    stdin = _feed(key.fd, stdin)
                    if not stdin:
                        selector.unregister(child.stdin)
                        child.stdin.close()
                    continue
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                kept = said[key.fileobj]  # type: ignore[index]
                kept += data
                if len(kept) > _OUTPUT:
                    raise _Enough()
    return bytes(said[child.stdout]), bytes(said[child.stderr])


def _feed(descriptor: int, data: bytes) -> bytes:
    """Writes what fits, and returns the rest."""
    try:
        return data[os.write(descriptor, data[: 1 << 16]) :]
    except BlockingIOError:
        return data
    except OSError:
        # it does not read what it is told
        return b''


def _among(name: str, root: str) -> typing.Optional[str]:
    for folder in FOLDERS:
        path = '%s/%s' % (folder, name)
        if _executable(root, path):
            return path
    return None


def _executable(root: str, path: str) -> bool:
    if not root:
        return os.access(path, os.X_OK) and os.path.isfile(path)
    # A link in a container may be absolute; it would be followed on the
    # host. That it is there is enough.
    try:
        status = os.lstat(root + path)
    except OSError:
        return False
    return bool(status.st_mode & 0o111)

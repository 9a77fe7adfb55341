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

"""Take the sample output that the documentation shows, once more.

    python doc/samples.py             run what needs no cloud and rewrite it
    python doc/samples.py --check     only say which samples are out of date
    python doc/samples.py NAME ...    these only, also those of the lab

A sample is a file of ``doc/source/samples``: a line ``$ command``, what the
command prints on a terminal of 80 columns, and, where the command does not
end with 0, the lines of ``$ echo $?``. Samples of routers that are not
shipped as examples need the lab or a capture: name them, and run this where
the command works. README.rst holds a copy
of one sample.
"""

import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAMPLES = ROOT / 'doc' / 'source' / 'samples'
#: the sample that README.rst has a copy of, indented by this
README = 'check-split-brain'
INDENT = '    '


def run(command: str) -> str:
    """Run a command on a terminal and return the sample."""
    reader, terminal = pty.openpty()
    size = struct.pack('HHHH', 24, 80, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    # the openstack command of the Python that runs this; no bars, which would
    # leave their control sequences in the sample
    path = f'{pathlib.Path(sys.executable).parent}:{os.environ["PATH"]}'
    process = subprocess.Popen(
        ['/bin/sh', '-c', command],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, 'PATH': path, 'TERM': 'dumb'},
    )
    os.close(terminal)
    output = b''
    while True:
        try:
            part = os.read(reader, 1 << 16)
        except OSError:
            # Linux reports the end of a terminal as an error
            break
        if not part:
            break
        output += part
    os.close(reader)
    code = process.wait()
    text = output.decode().replace('\r\n', '\n').rstrip('\n')
    # where a bar would have been is an empty line
    above, table, rest = text.partition('+--')
    if table:
        text = re.sub(r'^\n|\n(?=\n)', '', above) + table + rest
    lines = [f'$ {command}', *(line.rstrip() for line in text.split('\n'))]
    if code:
        lines += ['$ echo $?', str(code)]
    return '\n'.join(lines) + '\n'


def command_of(sample: pathlib.Path) -> str:
    """Return the command whose output a sample holds."""
    first, _, _ = sample.read_text('utf-8').partition('\n')
    return first.removeprefix('$ ')


def readme() -> tuple[pathlib.Path, str, str]:
    """Return README.rst, its text, and what it should be."""
    path = ROOT / 'README.rst'
    text = path.read_text('utf-8')
    sample = (SAMPLES / f'{README}.txt').read_text('utf-8')
    _, *lines, _, _ = sample.splitlines()
    copy = '\n'.join(f'{INDENT}{x}' if x else '' for x in lines)
    start = text.index(f'{INDENT}+--')
    end = text.index('\n\n.. end of sample', start)
    return path, text, text[:start] + copy + text[end:]


def main() -> int:
    """Do what the command line says; returns the exit code."""
    names = [word for word in sys.argv[1:] if word != '--check']
    changed = []
    for sample in sorted(SAMPLES.glob('*.txt')):
        command = command_of(sample)
        alone = 'example:' in command or ' finding ' in command
        if sample.stem not in names and (names or not alone):
            continue
        text = run(command)
        if text != sample.read_text('utf-8'):
            changed.append(sample.name)
            if '--check' not in sys.argv:
                sample.write_text(text, 'utf-8')
    path, old, new = readme()
    if old != new:
        changed.append(path.name)
        if '--check' not in sys.argv:
            path.write_text(new, 'utf-8')
    for name in changed:
        print(name)
    return 1 if changed and '--check' in sys.argv else 0


if __name__ == '__main__':
    sys.exit(main())

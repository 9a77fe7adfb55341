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

"""Plots for the documentation, as SVG."""

from collections.abc import Callable
import pathlib
from typing import Any

FOLDER = pathlib.Path(__file__).parents[1] / 'doc/source/images'


def draw(name: str, size: tuple[float, float], paint: Callable[[Any], None]):
    """Write ``<name>.svg`` to where the documentation shows it.

    :param size: inches
    :param paint: is given the figure
    """
    import matplotlib

    matplotlib.use('svg')
    from matplotlib import pyplot

    # the same file for the same figures
    pyplot.rcParams['svg.hashsalt'] = name
    figure = pyplot.figure(figsize=size, layout='constrained')
    paint(figure)
    path = FOLDER / f'{name}.svg'
    figure.savefig(path, metadata={'Date': None})
    # as pre-commit wants them
    lines = path.read_text('utf-8').splitlines()
    path.write_text(''.join(f'{line.rstrip()}\n' for line in lines), 'utf-8')
    print(f'plot: {path}')

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

"""Samples, and the page that they make."""

from collections.abc import Iterable
from collections.abc import Iterator

from prometheus_client import core
from prometheus_client import exposition

from osc_ha_router import text
from osc_ha_router.metrics import families

#: Content-Type of ``Metrics.render``
CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
#: of values that come from outside; Neutron's own limit for names
_LONGEST = 255


class Metrics:
    """Samples that come one by one, in the order of the families at the end.

    A series that is given twice is one, for Prometheus refuses a page that
    has it twice.
    """

    def __init__(self) -> None:
        self._samples: dict[str, dict[families.Labels, float]] = {
            name: {} for name in families.FAMILIES
        }

    def set(self, name: str, value: float, *labels: str) -> None:
        """Take a value, in the place of the one that was there."""
        self._samples[name][_labels(labels)] = value

    def add(self, name: str, *labels: str) -> None:
        """Count one more."""
        samples = self._samples[name]
        key = _labels(labels)
        samples[key] = samples.get(key, 0) + 1

    def collect(self) -> Iterator[core.Metric]:
        """Yield what there is; for ``CollectorRegistry`` as well."""
        for name, family in families.FAMILIES.items():
            samples = self._samples[name]
            if not samples:
                continue
            metric = core.Metric(
                name.removesuffix('_total'), family.help, family.type
            )
            for labels, value in samples.items():
                metric.add_sample(
                    name, dict(zip(family.labels, labels, strict=True)), value
                )
            yield metric

    def render(self) -> bytes:
        """Return the text that Prometheus reads, in UTF-8."""
        # it wants no more of a registry than ``collect``
        page: bytes = exposition.generate_latest(self)
        return page


def _labels(values: Iterable[str]) -> families.Labels:
    return tuple(text.clean(str(value))[:_LONGEST] for value in values)

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

"""A certificate authority, and the certificates that it gives."""

from __future__ import annotations

from pathlib import Path

from tests.lab.commands import run

_DAYS = "3650"
_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A CA of its own: a key, and a certificate that it gave itself."""

    def __init__(self, certificate: Path, key: Path) -> None:
        #: the file (PEM) that others check its certificates with
        self.certificate = certificate
        self._key = key

    @classmethod
    def make(cls, certificate: Path, key: Path, name: str) -> Authority:
        """Make one, in these two files."""
        run(
            [
                "openssl", "req", "-x509", *_CURVE, "-days", _DAYS,
                "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                "-keyout", str(key), "-out", str(certificate),
            ]
        )  # fmt: skip
        key.chmod(0o600)
        return cls(certificate, key)

    def certify(self, certificate: Path, key: Path, *names: str) -> None:
        """Make a key and a certificate for a server, in these two files.

        `names` are what it is reached by, such as DNS:net1; the first one is
        its common name too.
        """
        request = certificate.with_suffix(".csr")
        subject = names[0].partition(":")[2]
        run(
            [
                "openssl", "req", "-new", *_CURVE, "-subj", f"/CN={subject}",
                "-addext", f"subjectAltName={','.join(names)}",
                "-addext", "extendedKeyUsage=serverAuth",
                "-keyout", str(key), "-out", str(request),
            ]
        )  # fmt: skip
        run(
            [
                "openssl", "x509", "-req", "-days", _DAYS,
                "-in", str(request), "-copy_extensions", "copyall",
                "-CA", str(self.certificate), "-CAkey", str(self._key),
                "-out", str(certificate),
            ]
        )  # fmt: skip
        request.unlink()
        key.chmod(0o600)

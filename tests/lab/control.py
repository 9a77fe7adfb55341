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

"""The control plane in `ctl`: database, broker, Keystone and Neutron."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import contextlib
import http.client
import shutil
import signal

from tests.lab import processes
from tests.lab import settings
from tests.lab.daemons import end
from tests.lab.daemons import send
from tests.lab.layout import CONTROL
from tests.lab.layout import CONTROL_ADDRESS
from tests.lab.layout import EXTERNAL_GATEWAY
from tests.lab.layout import KEYSTONE_PORT
from tests.lab.layout import KEYSTONE_URL
from tests.lab.layout import Layout
from tests.lab.layout import MANAGEMENT_PREFIX
from tests.lab.layout import NEUTRON_PORT
from tests.lab.layout import PASSWORD
from tests.lab.layout import REGION
from tests.lab.progress import say
from tests.lab.progress import until
from tests.lab.sockets import connect
from tests.lab.spaces import Space

#: Everything that has to live for the cloud to answer.
DAEMONS = (
    "anchor",
    "database",
    "epmd",
    "broker",
    "keystone",
    "neutron",
    "neutron-rpc",
)


class Control(Space):
    """The machine `ctl`."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, CONTROL)

    def build(self) -> None:
        """Make the machine and start everything on it, from nothing."""
        self.create()
        for bridge, address in (
            ("br-mgmt", f"{CONTROL_ADDRESS}/{MANAGEMENT_PREFIX}"),
            ("br-data", f"{EXTERNAL_GATEWAY}/24"),
        ):
            self.run(["ip", "link", "add", bridge, "type", "bridge"])
            self.run(["ip", "link", "set", bridge, "up"])
            self.run(["ip", "address", "add", address, "dev", bridge])

    def serve(self) -> None:
        """Start the servers; returns when both APIs answer."""
        self._write()
        with ThreadPoolExecutor() as pool:
            broker = pool.submit(self._broker)
            self._database()
            say("database is up; making its tables")
            neutron = pool.submit(self._neutron_tables)
            keystone = pool.submit(self._keystone)
            broker.result()
            neutron.result()
            say("tables of Neutron are made")
            keystone.result()
            say("Keystone answers")
        self._neutron()

    def tool(self, name: str) -> str:
        """The path of a program in the lab's venv."""
        return str(self.layout.venv / "bin" / name)

    def _program(self, name: str) -> str:
        """The path of a program of Neutron."""
        return str(self.layout.programs / name)

    def _write(self) -> None:
        config = self.layout.config
        config.mkdir(parents=True)
        for name, text in {
            "keystone.conf": settings.keystone(self.layout),
            "keystone.py": settings.keystone_server(),
            "neutron.conf": settings.neutron(self.layout),
            "ml2.ini": settings.ml2(),
            "policy.yaml": settings.neutron_policy(self.layout),
            "neutron.py": settings.neutron_server(),
        }.items():
            (config / name).write_text(text)
        for name in ("fernet", "credential"):
            (config / name).mkdir(mode=0o700)

    def _database(self) -> None:
        folder = self.layout.run / "database"
        folder.mkdir(mode=0o700)
        shutil.chown(folder, "mysql", "mysql")
        self.run(["chown", "mysql:mysql", "/run/lab"])
        self.run(
            [
                "mariadb-install-db", "--no-defaults", "--user=mysql",
                f"--datadir={folder}", "--skip-test-db",
                "--auth-root-authentication-method=socket",
                "--auth-root-socket-user=root",
            ]
        )  # fmt: skip
        self.start("database", ["mariadbd", *settings.database(self.layout)])
        client = [
            "mariadb",
            "--no-defaults",
            f"--socket={settings.DATABASE_SOCKET}",
        ]
        until(
            "the database",
            lambda: (
                self.daemons.must_live("ctl.database")
                and self.run(
                    [*client, "-e", "select 1"], check=False
                ).returncode
                == 0
            ),
        )
        statements = "".join(
            f"create database {name} character set utf8mb3;"
            f"grant all on {name}.* to '{name}'@'localhost' "
            f"identified by '{PASSWORD}';"
            for name in ("keystone", "neutron")
        )
        self.run(client, input=statements)

    def _broker(self) -> None:
        folder = self.layout.run / "broker"
        (folder / "mnesia").mkdir(parents=True)
        (folder / "log").mkdir()
        (folder / "rabbitmq.conf").write_text(settings.broker_file())
        (folder / "enabled_plugins").write_text("[].\n")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "rabbitmq", "rabbitmq")
        self._start_broker()

    def _start_broker(self) -> None:
        environment = settings.broker(self.layout)
        become = [
            "setpriv",
            "--reuid=rabbitmq",
            "--regid=rabbitmq",
            "--init-groups",
            "--",
        ]
        # Started by us, or the broker would start one as a daemon that nobody
        # has a record of.
        if not self.daemons.alive("ctl.epmd"):
            self.start(
                "epmd", [*become, "epmd", "-address", "127.0.0.1"], environment
            )
        self.start(
            "broker",
            [*become, "/usr/lib/rabbitmq/bin/rabbitmq-server"],
            environment,
        )
        until(
            "the message broker",
            lambda: self.daemons.must_live("ctl.broker") and self._amqp(),
            120,
        )

    def _amqp(self) -> bool:
        """Whether the broker talks; its port alone is open earlier."""
        with connect(
            self.layout.namespace_path(CONTROL), CONTROL_ADDRESS, 5672
        ) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return link.recv(1) == b"\x01"

    def _keystone(self) -> None:
        config = self.layout.config
        file = str(config / "keystone.conf")
        manage = [self.tool("keystone-manage"), "--config-file", file]
        self.run([*manage, "db_sync"], timeout=300)
        for keys in ("fernet_setup", "credential_setup"):
            self.run(
                [
                    *manage,
                    keys,
                    "--keystone-user",
                    "root",
                    "--keystone-group",
                    "root",
                ]
            )
        self.run(
            [
                *manage, "bootstrap",
                "--bootstrap-password", PASSWORD,
                "--bootstrap-region-id", REGION,
                "--bootstrap-admin-url", KEYSTONE_URL,
                "--bootstrap-internal-url", KEYSTONE_URL,
                "--bootstrap-public-url", KEYSTONE_URL,
            ]
        )  # fmt: skip
        self._start_keystone()

    def _start_keystone(self) -> None:
        config = self.layout.config
        self.start(
            "keystone",
            [self.tool("gunicorn")],
            {
                "GUNICORN_CMD_ARGS": f"--config {config}/keystone.py",
                "OS_KEYSTONE_CONFIG_FILES": str(config / "keystone.conf"),
            },
        )
        until(
            "Keystone",
            lambda: (
                self.daemons.must_live("ctl.keystone")
                and self._answers(KEYSTONE_PORT, "/v3")
            ),
        )

    def _neutron_tables(self) -> None:
        self.run(
            [
                self._program("neutron-db-manage"),
                *self._neutron_files(),
                "upgrade",
                "heads",
            ],
            timeout=600,
        )

    def _neutron_files(self) -> list[str]:
        return [
            f"--config-file={self.layout.config / name}"
            for name in ("neutron.conf", "ml2.ini")
        ]

    def _neutron(self) -> None:
        self.start(
            "neutron-rpc",
            [self._program("neutron-rpc-server"), *self._neutron_files()],
        )
        self._start_neutron()

    def _start_neutron(self) -> None:
        config = self.layout.config
        server = [self.tool("gunicorn")]
        if self.layout.packaged:
            server = settings.packaged_server()
        self.start(
            "neutron",
            server,
            {
                "GUNICORN_CMD_ARGS": f"--config {config}/neutron.py",
                "OS_NEUTRON_CONFIG_DIR": str(config),
                "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2.ini",
            },
        )
        until(
            "Neutron",
            lambda: (
                self.daemons.must_live("ctl.neutron", "ctl.neutron-rpc")
                and self._answers(NEUTRON_PORT, "/")
            ),
            120,
        )

    @contextlib.contextmanager
    def without(self, daemon: str) -> Iterator[None]:
        """End keystone, neutron or the broker, and start it again after."""
        starts = {
            "keystone": self._start_keystone,
            "neutron": self._start_neutron,
            "broker": self._start_broker,
        }
        end(self._family(daemon), 0)
        try:
            yield
        finally:
            starts[daemon]()

    @contextlib.contextmanager
    def frozen(self, daemon: str) -> Iterator[None]:
        """Stop one of them: it takes connections, and never answers."""
        family = self._family(daemon)
        send(family, signal.SIGSTOP)
        try:
            yield
        finally:
            send(family, signal.SIGCONT)

    def _family(self, daemon: str) -> list[int]:
        """Pids of all of a daemon's processes."""
        record = self.daemons.find(f"{self.name}.{daemon}")
        if record is None:
            return []
        return [
            pid
            for pid in processes.inhabitants(self.layout.state, self.name)
            if processes.session(pid) == record.pid
        ]

    def _answers(self, port: int, path: str) -> bool:
        link = http.client.HTTPConnection(CONTROL_ADDRESS, port, timeout=30)
        link.sock = connect(
            self.layout.namespace_path(CONTROL), CONTROL_ADDRESS, port
        )
        try:
            link.request("GET", path)
            return link.getresponse().status < 400
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            link.close()

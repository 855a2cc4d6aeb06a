"""Debian's docker-registry as a peer: plain, or with passwords, tokens, TLS, a storage that
only reads. What it was asked is in its access log, and so in requests()."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

REQUEST = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" (\d{3}) ')


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, log=None):
    """Until somebody listens; the log tells why nobody ever will."""
    for _ in range(1000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise AssertionError(f"{process.args[0]} does not listen: "
                         + (log.read_text() if log else ""))


def stop_process(process):
    """By its id, and also if it is asleep."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Registry:
    """A docker-registry with a data directory of its own, below `directory`.

    users: {name: password}, kept with bcrypt; token: a TokenServer; tls: (certificate, key),
    client_ca: the authority of those who may connect; readonly: nothing can be pushed; port:
    a certain one, where something stands before the registry that knows it.
    """

    def __init__(self, directory, *, users=None, token=None, tls=None, client_ca=None,
                 readonly=False, port=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "data"
        self.users, self.token, self.tls = users, token, tls
        self.client_ca, self.readonly = client_ca, readonly
        self.port = port or free_port()
        self.process = None
        self.passed_over = 0

    @property
    def host(self):
        return f"localhost:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        config = self.directory / "config.yml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        with open(self._access_log, "ab") as access, open(self._errors, "ab") as errors:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(config)], stdin=subprocess.DEVNULL,
                stdout=access, stderr=errors, cwd=self.directory,
                env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"})
        wait_for_port(self.port, self.process, self._errors)
        return self

    def stop(self):
        stop_process(self.process)
        self.process = None

    def kill(self):
        """As if the machine had lost its power."""
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def requests(self):
        """["METHOD /path?query STATUS"] in the order of the answers."""
        text = self._access_log.read_text() if self._access_log.exists() else ""
        return [" ".join(found) for found in REQUEST.findall(text)][self.passed_over:]

    def forget(self):
        """Later requests() leave out what was asked until now."""
        self.passed_over += len(self.requests())

    def log(self):
        return self._errors.read_text()

    @property
    def url(self):
        return f"http://{self.host}"

    def tags(self, repository):
        """What is on its disk."""
        tags = (self.data / "docker/registry/v2/repositories" / repository
                / "_manifests/tags")
        return sorted(p.name for p in tags.iterdir()) if tags.exists() else []

    def blob(self, digest):
        """Where it keeps a blob: tests damage it there."""
        name = digest.split(":")[1]
        return self.data / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"

    def size(self):
        """Bytes of all its blobs."""
        return sum(p.stat().st_size
                   for p in (self.data / "docker/registry/v2/blobs").rglob("data"))

    @property
    def _access_log(self):
        return self.directory / "access.log"

    @property
    def _errors(self):
        return self.directory / "errors.log"

    def _config(self):
        storage = {"filesystem": {"rootdirectory": str(self.data)},
                   "delete": {"enabled": True}}
        if self.readonly:
            storage["maintenance"] = {"readonly": {"enabled": True}}
        http = {"addr": f"127.0.0.1:{self.port}", "secret": "one for all restarts"}
        if self.tls:
            http["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1])}
            if self.client_ca:
                http["tls"]["clientcas"] = [str(self.client_ca)]
        config = {"version": 0.1, "log": {"level": "warn"}, "storage": storage, "http": http}
        if self.users:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self._passwords())}}
        if self.token:
            config["auth"] = {"token": self.token.registry_config()}
        return config

    def _passwords(self):
        lines = [subprocess.run(["htpasswd", "-niBC", "4", name], input=password, text=True,
                                stdout=subprocess.PIPE, check=True).stdout.strip()
                 for name, password in self.users.items()]
        path = self.directory / "passwords"
        path.write_text("\n".join(lines) + "\n")
        return path

"""What stands beside and before a registry: a token server, an authority for certificates,
nginx, a proxy that cuts connections."""
import base64
import hashlib
import http.server
import json
import pathlib
import random
import socket
import subprocess
import threading
import time
import urllib.parse

from registry import free_port, stop_process, wait_for_port


def openssl(*args, **kwargs):
    return subprocess.run(["openssl", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True, **kwargs).stdout


class Authority:
    """A private certificate authority: `certificate` is the file others may trust."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "ca.crt"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "30000", "-subj", "/CN=scenario authority",
                "-keyout", self._key, "-out", self.certificate)

    @property
    def _key(self):
        return self.directory / "ca.key"

    def issue(self, name, *, names="DNS:localhost,IP:127.0.0.1"):
        """(certificate, key) for a server or a client."""
        paths = [self.directory / f"{name}.{end}" for end in ("crt", "key", "csr", "ext")]
        certificate, key, request, extensions = paths
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey",
                self._key, "-CAcreateserial", "-days", "30000", "-extfile", extensions,
                "-out", certificate)
        return certificate, key


def url_safe(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """Gives tokens as docker's own does: RS256, with a key that the registry knows and that
    stays in `directory`.

    users: {name: password}; `identity` is a refresh token that may do as much; strangers
    may pull, and nobody gets anything of the repositories `forbidden`. `realm_host`: what
    the registry calls this machine. `asked` lists what was wanted, as {"user", "password",
    "service", "scopes"}.
    """

    ISSUER, SERVICE = "scenario issuer", "scenario registry"

    def __init__(self, directory, users, *, lifetime=300, forbidden=(),
                 realm_host="localhost", identity=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.users, self.lifetime, self.forbidden = users, lifetime, forbidden
        self.realm_host, self.identity = realm_host, identity
        self.asked = []
        self.key = self.directory / "token.key"
        self.certificate = self.directory / "token.crt"
        if not self.key.exists():
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30000",
                    "-subj", "/CN=scenario tokens", "-keyout", self.key,
                    "-out", self.certificate)
        self.key_id = self._key_id()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self):
        return f"{self.realm_host}:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def registry_config(self):
        return {"realm": f"http://{self.host}/token", "service": self.SERVICE,
                "issuer": self.ISSUER, "rootcertbundle": str(self.certificate)}

    def token(self, user, scopes):
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = [action for action in actions.split(",")
                       if name not in self.forbidden and (user or action == "pull")]
            access.append({"type": kind, "name": name, "actions": allowed})
        head = {"typ": "JWT", "alg": "RS256", "kid": self.key_id}
        claims = {"iss": self.ISSUER, "sub": user, "aud": self.SERVICE, "iat": now,
                  "nbf": now - 10, "exp": now + self.lifetime, "jti": str(len(self.asked)),
                  "access": access}
        signed = ".".join(url_safe(json.dumps(part).encode()) for part in (head, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.key, input=signed.encode())
        return f"{signed}.{url_safe(signature)}"

    def _key_id(self):
        """libtrust's: the first 240 bits of the public key's digest, in groups of four."""
        public = openssl("rsa", "-in", self.key, "-pubout", "-outform", "DER")
        text = base64.b32encode(hashlib.sha256(public).digest()[:30]).decode()
        return ":".join(text[i:i + 4] for i in range(0, len(text), 4))

    def _handler(self):
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                user, password = self._credentials()
                scopes = [scope for text in query.get("scope", []) for scope in text.split()]
                tokens.asked.append({"user": user, "password": password,
                                     "service": query.get("service", [""])[0],
                                     "scopes": scopes})
                if user and tokens.users.get(user) != password:
                    return self._answer(401, {"errors": [{
                        "code": "UNAUTHORIZED", "message": "no such user or password"}]})
                return self._answer(200, {"token": tokens.token(user, scopes),
                                          "expires_in": tokens.lifetime})

            def do_POST(self):
                size = int(self.headers.get("Content-Length", 0))
                form = urllib.parse.parse_qs(self.rfile.read(size).decode())
                scopes = form.get("scope", [""])[0].split()
                refresh = form.get("refresh_token", [""])[0]
                tokens.asked.append({"user": "", "password": refresh,
                                     "service": form.get("service", [""])[0],
                                     "scopes": scopes})
                if form.get("grant_type") != ["refresh_token"] or \
                        refresh != tokens.identity:
                    return self._answer(401, {"errors": [{
                        "code": "UNAUTHORIZED", "message": "no such identity"}]})
                return self._answer(200, {"access_token": tokens.token("somebody", scopes),
                                          "expires_in": tokens.lifetime})

            def _credentials(self):
                kind, _, value = self.headers.get("Authorization", "").partition(" ")
                if kind != "Basic":
                    return "", ""
                user, _, password = base64.b64decode(value).decode().partition(":")
                return user, password

            def _answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


class Nginx:
    """A reverse proxy that limits bodies, in the foreground and with its own files."""

    def __init__(self, directory, registry, limit):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None
        temporary = "".join(
            f"  {kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.config = self.directory / "nginx.conf"
        self.config.write_text(
            f"daemon off;\nmaster_process off;\npid {self.directory}/pid;\n"
            f"error_log {self.directory}/error.log;\nevents {{}}\nhttp {{\n{temporary}"
            f"  access_log {self.directory}/access.log;\n"
            f"  server {{\n    listen 127.0.0.1:{self.port};\n"
            f"    client_max_body_size {limit};\n    location / {{\n"
            f"      proxy_pass http://127.0.0.1:{registry.port};\n"
            "      proxy_set_header Host $http_host;\n    }\n  }\n}\n")

    @property
    def host(self):
        return f"localhost:{self.port}"

    def start(self):
        log = self.directory / "error.log"
        self.process = subprocess.Popen(
            ["nginx", "-e", str(log), "-p", str(self.directory), "-c", str(self.config)],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process, log)
        return self

    def stop(self):
        stop_process(self.process)


class Proxy:
    """Passes bytes on: not faster than `rate` bytes per second towards the registry, and
    with a `share` of the connections cut somewhere before their first `most` bytes.

    Chance is seeded: a run that fails can be had again.
    """

    def __init__(self, registry, *, rate=None, share=0.0, seed=0, most=2_000_000):
        self.target, self.rate, self.share, self.most = registry.port, rate, share, most
        self.chance = random.Random(seed)
        self.cut = 0
        self.passed = 0  # bytes towards the registry
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self):
        return f"localhost:{self.port}"

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            allowed = [None]
            if self.chance.random() < self.share:
                allowed = [self.chance.randrange(self.most)]
                self.cut += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(one, other, allowed, client),
                                 daemon=True).start()

    def _pass(self, one, other, allowed, client):
        """Both directions spend from one allowance, and end together."""
        try:
            while data := one.recv(65536):
                if allowed[0] is not None:
                    data = data[:allowed[0]]
                    allowed[0] -= len(data)
                other.sendall(data)
                if one is client:
                    self.passed += len(data)
                    if self.rate:
                        time.sleep(len(data) / self.rate)
                if allowed[0] == 0:
                    break
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

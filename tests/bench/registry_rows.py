"""The table `registry`: pushes to and pulls from a docker-registry on the loopback interface.

Two images: 20 layers of 50 MB that no compression makes smaller, and 1,000 layers of a few
kB. Every push goes to a repository that is new, so that every blob travels; the registry
keeps its files on the disk of --work and uses the same processors as its clients.
"""
import atexit
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request

LARGE = (20, 50_000_000)  # layers, bytes of each
SMALL = (1000, 4_000)


def put_blob(layout, content):
    digest = hashlib.sha256(content).hexdigest()
    path = layout / "blobs/sha256" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def layer_of(number, size):
    """A tar with one file of random bytes, the same every time."""
    text = random.Random(number * 1_000_003 + size).randbytes(size)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(f"data/{number}")
        member.size = size
        tar.addfile(member, io.BytesIO(text))
    return out.getvalue()


def make_layout(layout, layers, size):
    if (layout / "index.json").exists():
        return
    blobs = []
    for number in range(layers):
        blob = put_blob(layout, layer_of(number, size))
        blobs.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob})
    config = put_blob(layout, json.dumps({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [blob["digest"] for blob in blobs]},
        "history": [{"created_by": "bench"}] * layers}).encode())
    manifest = put_blob(layout, json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": blobs}).encode())
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest,
        "annotations": {"org.opencontainers.image.ref.name": "t"}}]}))


def start_registry(folder):
    """Returns host:port of a server that ends with this program."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n")
    server = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(server.kill)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://localhost:{port}/v2/").close()
            break
        except OSError:
            time.sleep(0.05)
    return f"localhost:{port}"


def pushes(row, lithify, host, layout, name):
    """Rows of pushes to new repositories, ours first."""
    counter = itertools.count()
    made = []
    for title, command, needs in (
            ("lithify copy", f"{lithify} copy -q oci:{layout}:t $TARGET", []),
            ("skopeo copy", f"skopeo copy -q --dest-tls-verify=false oci:{layout}:t "
             "docker://$TARGET", ["skopeo"]),
            ("crane push", f"crane push --insecure {layout} $TARGET", ["crane"])):
        target = row(f"push {name}: {title}", command, needs=needs)
        target.prepare = lambda target=target: target.env.update(
            TARGET=f"{host}/push{next(counter)}/{name}:t")
        made.append(target)
    return made


def again(row, lithify, host, layout, name):
    target = f"{host}/again/{name}:t"
    subprocess.run(f"{lithify} copy -q oci:{layout}:t {target}", shell=True, check=True,
                   stdout=subprocess.DEVNULL)
    return [
        row(f"push {name}, unchanged: lithify copy",
            f"{lithify} copy -q oci:{layout}:t {target}"),
        row(f"push {name}, unchanged: skopeo copy",
            f"skopeo copy -q --dest-tls-verify=false oci:{layout}:t docker://{target}",
            needs=["skopeo"]),
        row(f"push {name}, unchanged: crane push", f"crane push --insecure {layout} {target}",
            needs=["crane"]),
    ]


def pulls(row, lithify, host, name, out):
    source = f"{host}/again/{name}:t"
    clean = lambda: shutil.rmtree(out, ignore_errors=True)  # noqa: E731
    return [
        row(f"pull {name}: lithify copy", f"{lithify} copy -q {source} oci:{out}:t", clean),
        row(f"pull {name}: skopeo copy",
            f"skopeo copy -q --src-tls-verify=false docker://{source} oci:{out}:t", clean,
            ["skopeo"]),
        row(f"pull {name}: crane pull", f"crane pull --insecure --format=oci {source} {out}",
            clean, ["crane"]),
    ]


def registry_rows(row, lithify, work):
    os.environ["LITHIFY_STORE"] = str(work / "registry-store")
    host = start_registry(work / "registry")
    rows = []
    for name, (layers, size) in (("1gb", LARGE), ("1000", SMALL)):
        layout = pathlib.Path(work) / f"layout-{name}"
        # In another process: our own size would count as that of what is started later.
        maker = multiprocessing.Process(target=make_layout, args=(layout, layers, size))
        maker.start()
        maker.join()
        rows += pushes(row, lithify, host, layout, name)
        rows += again(row, lithify, host, layout, name)
        rows += pulls(row, lithify, host, name, work / "pulled")
    return rows

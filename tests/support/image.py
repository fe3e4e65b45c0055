"""Dockerfile.arm64 built and run on an emulated processor: ``make image``.

Needs root and buildah. What it shows is that the image's steps and commands work, never how fast.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from image_base import base_name, provide, store
from image_buildah import Buildah, missing
from image_pip import pip_settings
from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.runtime.errors import BenchError

SOURCES = Path(__file__).resolve().parents[2]
DOCKERFILE = SOURCES / "Dockerfile.arm64"
USER = 1000
"""Whom the image runs as."""
MAX_IMAGES = 150
"""Of which a build has some 30, and one after a change in the sources adds 10."""


def build(buildah: Buildah, target: str = "bench", output: int | None = subprocess.PIPE) -> str:
    """Build `target`, as far as it is not built, and return the image's name."""
    name = f"localhost/shufflenet-{target}"
    provide(buildah, base_name(DOCKERFILE))
    pip = pip_settings()
    with locked(buildah.folder), tempfile.NamedTemporaryFile("w", suffix=".conf") as secret:
        secret.write(pip.text)
        secret.flush()
        options = ["--arch", "arm64", "--pull-never", "--isolation", "chroot", "--network", "host"]
        options += ["--layers", "--target", target, "--tag", name]
        options += ["--secret", f"id=pip.conf,src={secret.name}"]
        for path in pip.paths:
            options += ["--volume", f"{path}:{path}:ro"]
        done = buildah.call("build", *options, "--file", DOCKERFILE, SOURCES, output=output)
        if done.code:
            raise RuntimeError(f"{DOCKERFILE.name} cannot be built:\n{done.stderr[-3000:]}")
        # The steps of earlier builds are images too, and what makes the next one quick.
        if len(list(buildah.folder.glob("images/*-images/*"))) > MAX_IMAGES:
            buildah.call("rmi", "--prune")
    return name


def hand_over(folder: Path, user: int = USER) -> None:
    """Give `folder`, and all that is in it, to the image's user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


def main() -> int:
    """Build the image, and let it measure one small network of each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("bench", "export"), default="bench")
    options = parser.parse_args()
    reason = missing()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    try:
        buildah = Buildah.open(store())
        name = build(buildah, options.target, output=None)
    except (BenchError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, buildah.container(name) as container:
        exporting = ["-m", "shufflenet_deploy.export", "--scale", "0.25", "--input-size", "32"]
        subprocess.run(
            [sys.executable, *exporting, "--out", folder], check=True, stdout=subprocess.DEVNULL
        )
        hand_over(Path(folder))
        files = sorted(path.name for path in Path(folder).iterdir() if path.suffix != ".json")
        command = buildah.configuration(name)["Entrypoint"]
        brief = ["--rounds", "1", "--processes", "1"]
        done = buildah.run(container, [*command, *files, *brief], mounted={Path(folder): "/work"})
        if done.code:
            print(done.stderr, file=sys.stderr)
            return 1
        # Not the table: emulated times are no latencies, which the command in there cannot know.
        for model in json.loads((Path(folder) / "results.json").read_text())["models"]:
            print(f"{name} runs {model['name']}, off by {model['probe']['difference']:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

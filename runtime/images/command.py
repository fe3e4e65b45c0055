"""``shufflenet-classify``: what the network takes images for.

Only what the options need is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from shufflenet_deploy.runtime import MAX_THREADS
from shufflenet_deploy.runtime.command_line import Version, neighbours, run
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.errors import InferenceError

if TYPE_CHECKING:
    from shufflenet_deploy.runtime.images.classify import Classifier, Guess

app = typer.Typer()


@app.command(epilog=neighbours("shufflenet-classify"))
def classify(
    artifact: Annotated[
        Path,
        typer.Argument(
            metavar="ARTIFACT", help="A file of shufflenet-export, its manifest beside it."
        ),
    ],
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="[IMAGE]...", help="Files of images.")
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="/dev/video0|FOLDER|-",
            help="Label a camera's frames without end, instead of images: its own, those in a "
            "folder, or Motion JPEG from a pipe.",
        ),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Of a camera: end after so many.", show_default="all")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many labels for each image.")] = 5,
    threads: Annotated[
        int, typer.Option(min=1, max=MAX_THREADS, help="Threads of the engine.")
    ] = 1,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(ENGINES),
            show_default="the first that runs the file",
            help="What runs the network.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; of a camera one each frame.")
    ] = False,
    version: Version = False,
) -> None:
    """Say what a trained network takes images for: the best labels and their probabilities.

    An image that cannot be read is told of, and the others are classified all the same.
    """
    from shufflenet_deploy.runtime.images.classify import Classifier

    if (camera is None) == (not images):
        raise InferenceError("give each IMAGE, or --camera, and not both", usage=True)
    if camera is not None:
        _watch(artifact, camera, threads, engine, top, frames, as_json)
        return
    if frames is not None:
        raise InferenceError("--frames goes with --camera", usage=True)
    images = images or []
    for path in images:  # before the network is loaded
        if not path.exists():
            raise InferenceError(f"no image {path}", usage=True)
    classifier = Classifier(artifact, threads, engine)
    guesses, failures = _classify(classifier, images, top)
    if not guesses and len(failures) == 1:
        raise next(iter(failures.values()))
    if as_json:
        _print_json(classifier, guesses, failures)
    else:
        _print_text(guesses)
    for error in failures.values():
        sys.stderr.write(f"not classified: {error}\n")
    if failures:
        raise InferenceError(f"{len(failures)} of {len(failures) + len(guesses)} not classified")


def _watch(
    artifact: Path, source: str, threads: int, engine: str | None, top: int, limit: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    from shufflenet_deploy.runtime.images.camera import camera
    from shufflenet_deploy.runtime.images.classify import Classifier
    from shufflenet_deploy.runtime.images.live import Lines, json_line, summary, watch

    with camera(source) as frames:
        classifier = Classifier(artifact, threads, engine)
        start = time.perf_counter()
        tell = json_line if as_json else Lines().tell
        done = watch(classifier, frames, tell, top=top, limit=limit)
    sys.stderr.write(summary(done, time.perf_counter() - start) + "\n")


def main() -> NoReturn:
    """Exit codes: 0 done, 1 failed (also for one image of many), 2 wrong usage."""
    run(app)


_Guesses = dict[Path, "list[Guess]"]
_Failures = dict[Path, InferenceError]


def _classify(
    classifier: Classifier, images: Sequence[Path], top: int
) -> tuple[_Guesses, _Failures]:
    guesses: _Guesses = {}
    failures: _Failures = {}
    for path in dict.fromkeys(images):
        try:
            guesses[path] = classifier.classify(path, top)
        except InferenceError as error:
            failures[path] = error
    return guesses, failures


def _print_json(classifier: Classifier, guesses: _Guesses, failures: _Failures) -> None:
    import msgspec

    document = {
        "artifact": str(classifier.artifact.path),
        "sha256": classifier.artifact.manifest.sha256,
        "images": [{"path": str(path), "guesses": best} for path, best in guesses.items()],
        "failed": [{"path": str(path), "error": str(error)} for path, error in failures.items()],
    }
    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")


def _print_text(guesses: _Guesses) -> None:
    for path, best in guesses.items():
        typer.echo(str(path))
        for guess in best:
            typer.echo(f"  {guess.probability:6.1%}  {guess.label}")


if __name__ == "__main__":
    main()

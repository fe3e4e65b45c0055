"""Which engines measure which files: those that ``--engine`` names, or the first of each format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shufflenet_deploy.runtime.engines import ENGINES, engines_of
from shufflenet_deploy.runtime.errors import BenchError, InferenceError
from shufflenet_deploy.runtime.formats import FORMATS, Format, format_of, suffixes


def model_format(path: Path) -> Format:
    """The format of the file at `path`. Raises `BenchError` where no engine runs such files."""
    try:
        return format_of(path)
    except InferenceError:
        raise BenchError(f"{path} is no model: {suffixes(' and ')} files are", usage=True) from None


def engines_by_format(
    paths: Sequence[Path], formats: Sequence[str], names: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Format -> the engines that measure its files, of those at `paths` and others of `formats`.

    `names` are the engines that were asked for; none takes the first of each format. A format of
    `formats` that none of them runs is left out. Raises `BenchError` for a name that is no
    engine's, for an engine that runs none of it all, and for a file that none of `names` runs.
    """
    for name in names:
        if name not in ENGINES:
            raise BenchError(f"--engine {name!r}: choose from {', '.join(ENGINES)}", usage=True)
    of_paths = {path: model_format(path) for path in paths}
    rows = dict.fromkeys([*of_paths.values(), *(FORMATS[name] for name in formats)])
    chosen = {row.name: tuple(engine.name for engine in engines_of(row, names)) for row in rows}
    for name in names:
        if not any(name in engines for engines in chosen.values()):
            known = ", ".join(row.files[0] for row in FORMATS.values() if name in row.engines)
            raise BenchError(
                f"--engine {name}: it runs {known or 'nothing'} files, and there are none here",
                usage=True,
            )
    for path, row in of_paths.items():
        if not chosen[row.name]:
            raise BenchError(
                f"--engine: none of those named runs {path}; {' and '.join(row.engines)} "
                f"{'does' if len(row.engines) == 1 else 'do'}",
                usage=True,
            )
    return {name: engines for name, engines in chosen.items() if engines}

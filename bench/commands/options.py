"""Values of options that Typer has no type for."""

from __future__ import annotations

from shufflenet_deploy.bench import BenchError


def numbers(option: str, text: str, least: int, most: int) -> tuple[int, ...]:
    """Numbers separated by commas, each once and in the order given."""
    try:
        given = tuple(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        raise BenchError(
            f"{option} {text!r}: give numbers such as 1 or 1,2,4", usage=True
        ) from None
    for number in given:
        if not least <= number <= most:
            raise BenchError(f"{option}: {number} is not between {least} and {most}", usage=True)
    return given

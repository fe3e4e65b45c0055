"""What a hostile device runs instead of the agent: ``hostile_agent.py MODE ANSWER MARKS``.

ANSWER is an honest worker's, which the modes in `ANSWERS` make dishonest; those in `FIRST` do not
get as far as being asked. In the folder MARKS a file ``started`` and one ``asked`` say how far it
got. It ends with its standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

ESCAPES = "\x1b]0;pwn\x07\x1b[2J"
DEEP = "[" * 100_000
READY = {"type": "Ready", "version": 1, "notes": []}
Answer = dict[str, Any]


def say(message: dict[str, Any] | str) -> None:
    """A line for the host."""
    text = message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ended(answer: Answer | str, code: int = 0) -> None:
    """Say that the worker has ended."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    say({"type": "Ended", "code": code, "answer": text})


def garbage() -> None:
    sys.stdout.buffer.write(bytes(range(256)) * 400)
    sys.stdout.flush()
    sys.exit(0)


def escapes_and_exit() -> None:
    sys.stderr.write(f"{ESCAPES}dead\n")
    sys.exit(3)


def endless_line() -> NoReturn:
    while True:
        sys.stdout.write("y" * 65536)


def endless_lines() -> NoReturn:
    while True:
        sys.stdout.write("y\n" * 32768)


FIRST: dict[str, Callable[[], None]] = {
    "garbage": garbage,
    "escapes and exit": escapes_and_exit,
    "said first": lambda: say({"type": "Said", "line": "x"}),
    "deep first": lambda: say(f'{{"type":"Ready","x":{DEEP}'),
    "busy with escapes": lambda: say({"type": "Busy", "holder": f"{ESCAPES}[/x]"}),
    "silent": lambda: None,
    "endless line": endless_line,
    "endless lines": endless_lines,
}
"""Mode -> what is done instead of taking the device."""


def said_escapes() -> None:
    say({"type": "Said", "line": f"error: {ESCAPES}"})
    ended("", 1)


def died_with_escapes() -> None:
    say({"type": "Said", "line": ESCAPES})
    ended("", -11)


WORK: dict[str, Callable[[], None]] = {
    "ready again": lambda: say(READY),
    "said escapes": said_escapes,
    "died with escapes": died_with_escapes,
    "huge code": lambda: ended("", -(10**30)),
    "deep answer": lambda: ended(f'{{"version":2,"x":{DEEP}'),
    "deep end": lambda: say(f'{{"type":"Ended","code":0,"answer":"{{}}","z":{DEEP}'),
    "another version": lambda: ended('{"version":99}'),
}
"""Mode -> what is said instead of an answer."""


def progress(stage: str, done: int, total: int) -> Callable[[Answer], None]:
    return lambda answer: say(
        {"type": "Said", "line": json.dumps({"stage": stage, "done": done, "total": total})}
    )


def samples(value: int, count: int = 3) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        for model in answer["models"]:
            for burst in model["bursts"]:
                burst["samples_ns"] = [value] * count

    return change


def negative(answer: Answer) -> None:
    samples(-5)(answer)
    for model in answer["models"]:
        model |= {"first_run_ns": -5, "load_ns": -5, "warm_up_ns": [-1, -1, -1]}


def of_models(**values: object) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        for model in answer["models"]:
            model |= values

    return change


def twice(answer: Answer) -> None:
    answer["models"] *= 2


def canary(value: list[int]) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        if answer["canary"]:
            answer["canary"] = {"start_ns": value, "end_ns": value}

    return change


def skipped(answer: Answer) -> None:
    one = {"artifact": ESCAPES, "needed_bytes": -(10**30), "available_bytes": 10**30}
    answer |= {"skipped": [one], "models": []}


def board(answer: Answer) -> None:
    answer["environment"] |= {"board": f"{ESCAPES}[/x]", "processor": f"{ESCAPES}[/x]"}


ANSWERS: dict[str, Callable[[Answer], None]] = {
    "honest": lambda answer: None,
    "no models": lambda answer: answer.update(models=[]),
    "two models": twice,
    "negative": negative,
    "zero": samples(0),
    "no samples": samples(0, count=0),
    "huge": samples(10**400),
    "other hash": of_models(sha256="0" * 64),
    "no warm-up": of_models(warm_up_ns=[]),
    "engine with escapes": of_models(engine=f"{ESCAPES}[/x]", engine_version=ESCAPES),
    "canary zero": canary([0]),
    "canary empty": canary([]),
    "skipped with escapes": skipped,
    "board with escapes": board,
    "no states": lambda answer: answer.update(states=[]),
    "progress with markup": progress("[/x][bold", -5, 0),
    "progress with escapes": progress(ESCAPES, 1, 1),
    "huge progress": progress("round", 10**18, -(10**18)),
}
"""Mode -> what is done to an honest answer to models that were measured."""


def answer_to(spec: dict[str, Any], honest: Answer, mode: str) -> Answer:
    """An answer that fits `spec`, but for what the mode does to it."""
    answer: Answer = json.loads(json.dumps(honest))
    if not spec.get("peak"):
        answer["peak_multiply_adds_per_second"] = None
    if not spec.get("artifacts"):
        return answer | {"models": [], "canary": None, "states": answer["states"][:1]}
    if spec.get("rounds") == 0:
        answer["canary"] = None
        of_models(bursts=[])(answer)
    ANSWERS[mode](answer)
    return answer


def main(mode: str, honest: Answer, marks: Path) -> None:
    """Serve the host until it goes."""
    (marks / "started").touch()
    if mode in FIRST:
        FIRST[mode]()
    else:
        say(READY)
    for line in sys.stdin:
        try:
            message = json.loads(line)
        except ValueError:  # what start.sh left
            continue
        if not isinstance(message, dict) or message.get("type") != "Work":
            continue
        (marks / "asked").touch()
        if mode in WORK:
            WORK[mode]()
        else:
            ended(answer_to(message["spec"], honest, mode))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), Path(sys.argv[3]))

"""Wait until the machine is as cool as it was, or as fast."""

from __future__ import annotations

import math
from statistics import median

from shufflenet_deploy.runtime.machine.state import hottest_c
from shufflenet_deploy.runtime.worker.instruments import Instruments
from shufflenet_deploy.runtime.worker.spec import CoolDown, Progress

_STEP_SECONDS = 1.0


def cool_down(goal: CoolDown, instruments: Instruments) -> None:
    """Sleep until `goal` is reached, at most for `goal.seconds`; progress is in seconds."""
    began = instruments.clock()
    while True:
        waited = (instruments.clock() - began) / 1e9
        done, total = int(waited), math.ceil(goal.seconds)
        instruments.report(Progress(stage="cool down", done=min(done, total), total=total))
        if waited >= goal.seconds or _is_reached(goal, instruments):
            return
        instruments.sleep(min(_STEP_SECONDS, goal.seconds - waited))


def _is_reached(goal: CoolDown, instruments: Instruments) -> bool:
    """By the temperature where there is one, else by the canary; without both there is no wait."""
    if goal.temperature_c is not None:
        temperature = hottest_c(instruments.state())
        if temperature is not None:
            return temperature <= goal.temperature_c
    return goal.canary_ns is None or median(instruments.canary()) <= goal.canary_ns

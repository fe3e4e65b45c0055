"""What hears of a worker's progress."""

from __future__ import annotations

from collections.abc import Callable

from shufflenet_deploy.runtime.worker.spec import Progress

Report = Callable[[Progress], None]

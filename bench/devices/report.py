"""What hears of a worker's progress: for devices the same as for whoever starts a worker here."""

from __future__ import annotations

from shufflenet_deploy.runtime.worker.protocol import Report

__all__ = ["Report"]

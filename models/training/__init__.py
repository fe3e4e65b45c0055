"""Training: `shufflenet-train`. `run` is the way through.

This is the one part of `models` that uses `runtime`: training, calibration, evaluation and the
device must share one preprocessing, or a network is trained on other images than it will see.
"""

"""How far the training is, on stderr, and TensorBoard's files where they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shufflenet_deploy.models.training.events import Epoch, Report, Step
from shufflenet_deploy.models.training.recipe import TrainingError


@contextmanager
def shown(console: Console, epochs: int) -> Iterator[Report]:
    """Yield what shows each epoch as a line and, on a terminal, each step on a bar below."""
    with ExitStack() as stack:
        bar = None
        if console.is_terminal:
            bar = stack.enter_context(
                Progress(
                    TextColumn("{task.description}"),
                    BarColumn(bar_width=20),
                    MofNCompleteColumn(),
                    TimeElapsedColumn(),
                    console=console,
                    transient=True,
                )
            )
            task = bar.add_task("starting", total=None)

        def report(event: Step | Epoch) -> None:
            if isinstance(event, Epoch):
                # Through the console, which keeps the bar below the lines.
                console.print(line(event, epochs), markup=False, highlight=False, soft_wrap=True)
            elif bar is not None:
                text = f"epoch {event.epoch}/{event.epochs}, loss {event.loss:.3f}"
                bar.update(task, description=text, completed=event.step, total=event.steps)

        yield report


@contextmanager
def tensorboard(folder: Path | None, done: int) -> Iterator[Report]:
    """Yield what writes each epoch to TensorBoard's files in `folder`, if that is not None.

    What a run that was interrupted wrote after its `done` epochs is taken back.
    """
    if folder is None:
        yield lambda event: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            f"--log needs {error.name}: pip install 'shufflenet-deploy[train]'"
        ) from None
    writer = SummaryWriter(str(folder), purge_step=done + 1)

    def report(event: Step | Epoch) -> None:
        if isinstance(event, Epoch):
            for name, value in (
                ("training/loss", event.training_loss),
                ("training/learning_rate", event.learning_rate),
                ("training/images_per_s", event.images_per_s),
                ("held_out/loss", event.held_out_loss),
                ("held_out/top1", event.top1),
            ):
                writer.add_scalar(name, value, event.epoch)
            writer.flush()

    try:
        yield report
    finally:
        writer.close()


def line(epoch: Epoch, epochs: int) -> str:
    """An epoch as a line of a log."""
    return (
        f"epoch {epoch.epoch}/{epochs}: training loss {epoch.training_loss:.3f}, "
        f"top-1 {epoch.top1:.2%} of {epoch.held_out}, learning rate {epoch.learning_rate:.2g}, "
        f"{epoch.images_per_s:.0f} images/s, {epoch.time_s:.1f} s"
    )

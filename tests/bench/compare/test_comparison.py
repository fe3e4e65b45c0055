from __future__ import annotations

import io
import math
import random
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console
from scipy import stats

from shufflenet_deploy.bench.compare.comparison import (
    Comparison,
    Ratio,
    compare,
    failures,
    parse_percent,
)
from shufflenet_deploy.bench.compare.differences import Difference
from shufflenet_deploy.bench.compare.effects import Process, absolute, change, relative
from shufflenet_deploy.bench.compare.table import show
from shufflenet_deploy.bench.results import (
    Block,
    Checked,
    Model,
    Parameters,
    Results,
    Target,
    Timed,
    TimedModel,
)
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.options import Options
from shufflenet_deploy.runtime.worker.spec import Burst, Canary

NAMES = ("half", "one", "two", "alexnet", "mobilenet")
BASE_MS = (3.0, 7.0, 18.0, 40.0, 16.0)
Run = tuple[str, Mapping[int, float]]
"""Block, milliseconds of each member: one process."""


def model(number: int) -> Model:
    return Model(
        name=f"{NAMES[number]}.onnx",
        path=f"/a/{NAMES[number]}.onnx",
        sha256=str(number),
        format="onnx",
        engine="onnxruntime",
        options=None,
        multiply_adds=None,
    )


def timed(process: int, run: Run, canary_ns: int) -> Timed:
    state = State(
        seconds=0,
        governors={0: "ondemand"},
        frequencies_mhz={},
        temperatures_c={},
        throttled=None,
        load_average=None,
        available_memory_bytes=None,
        busy_seconds=None,
        own_seconds=0,
    )
    return Timed(
        block=run[0],
        process=process,
        start_seconds=0,
        stopped="rounds",
        states=(state,),
        canary=Canary(start_ns=(canary_ns,), end_ns=()) if canary_ns else None,
        models=tuple(
            TimedModel(
                member=member,
                warm_up_ns=(),
                stable=True,
                bursts=(Burst(round=0, position=0, cold_ns=None, samples_ns=(round(ms * 1e6),)),),
            )
            for member, ms in run[1].items()
        ),
    )


def measured(*runs: Run, canary_ns: int = 1000, threads: Mapping[str, int] = {}) -> Results:
    members = {block: tuple(sorted(times)) for block, times in runs}
    return Results(
        created="2026-01-02T03:04:05+00:00",
        target=Target(
            board="rpi4",
            kind="ssh",
            expected=(),
            latency=True,
            published_peak_gflops=None,
            published_peak_source=None,
        ),
        environment=Environment(
            board="Raspberry Pi 4",
            processor="Cortex-A72",
            architecture="aarch64",
            cores=4,
            kernel="6.12.0",
            total_memory_bytes=None,
            maximum_mhz={0: 1800.0, 1: 1800.0},
            python_version="3.11.9",
            package_versions={"onnxruntime": "1.32.0", "tflite-runtime": None},
        ),
        parameters=Parameters(),
        suite=None,
        models=tuple(model(number) for number in range(len(NAMES))),
        blocks=tuple(
            Block(id=block, claim=None, members=of_it, threads=threads.get(block, 1))
            for block, of_it in members.items()
        ),
        runs=tuple(timed(number, run, canary_ns) for number, run in enumerate(runs)),
        ended="done",
    )


def noisy(
    seed: int,
    factors: Mapping[int, float] | None = None,
    blocks: Sequence[Sequence[int]] = (range(5),),
    processes: int = 5,
    drift: float = 0.0,
    noise: float = 0.005,
) -> list[Run]:
    """Processes of blocks; each slower as a whole by `drift`, each model in it by `noise`."""
    chance = random.Random(seed)
    runs: list[Run] = []
    for _ in range(processes):
        for block in blocks:
            whole = math.exp(chance.gauss(0, drift))
            times = {
                member: BASE_MS[member]
                * (factors or {}).get(member, 1.0)
                * whole
                * math.exp(chance.gauss(0, noise))
                for member in block
            }
            runs.append((" ".join(NAMES[member] for member in block), times))
    return runs


def text_of(comparison: Comparison, width: int = 200) -> str:
    stream = io.StringIO()
    show(comparison, Console(file=stream, width=width))
    return stream.getvalue()


def outcomes(comparison: Comparison) -> dict[str, str]:
    return {one.model: one.absolute.outcome for one in comparison.changes}


def test_a_file_compared_with_itself_has_not_changed() -> None:
    results = measured(*noisy(0))
    comparison = compare(results, results)
    for one in comparison.changes:
        assert one.absolute.value == 1
        assert one.absolute.outcome == "no change beyond noise"
        assert one.relative
        assert one.relative.value == 1
        assert one.same_file
    assert comparison.mean.value == 1
    assert comparison.canary == 1
    assert not comparison.drifted
    assert comparison.differences == ()
    assert comparison.only_a == comparison.only_b == ()
    assert failures(comparison, 0) == ()


def test_what_became_slower_and_what_faster_is_told_from_noise() -> None:
    a, b = measured(*noisy(0)), measured(*noisy(1, {0: 1.1, 3: 0.9}))
    comparison = compare(a, b)
    assert outcomes(comparison) == {
        "half.onnx": "slower",
        "one.onnx": "no change beyond noise",
        "two.onnx": "no change beyond noise",
        "alexnet.onnx": "faster",
        "mobilenet.onnx": "no change beyond noise",
    }
    half = comparison.changes[0]
    assert half.a_ms == pytest.approx(3.0, rel=0.01)
    assert half.b_ms == pytest.approx(3.3, rel=0.01)
    assert half.absolute.value == pytest.approx(half.b_ms / half.a_ms)
    assert failures(comparison, 5) == (
        f"half.onnx is {100 * (half.absolute.value - 1):.1f}% slower",
    )
    assert failures(comparison, 12) == ()


def test_the_interval_is_welchs() -> None:
    a, b = measured(*noisy(0, noise=0.01)), measured(*noisy(1, noise=0.03, processes=8))
    found = compare(a, b).changes[1].absolute
    logs = [
        [math.log(run.models[1].bursts[0].samples_ns[0]) for run in one.runs if type(run) is Timed]
        for one in (b, a)
    ]
    expected = stats.ttest_ind(*logs, equal_var=False).confidence_interval(0.95)
    assert found.low == pytest.approx(math.exp(expected.low))
    assert found.high == pytest.approx(math.exp(expected.high))


def test_the_relative_interval_of_one_block_is_welchs_within_processes() -> None:
    block = ((0, 1, 2),)
    a = measured(*noisy(0, blocks=block, drift=0.3))
    b = measured(*noisy(1, {0: 2.0, 2: 0.5}, blocks=block, drift=0.3))
    changes = compare(a, b).changes
    assert changes[1].relative == Ratio(value=1, low=1, high=1, outcome="no change beyond noise")
    found = changes[0].relative
    assert found
    logs = []
    for one in (b, a):
        runs = [run for run in one.runs if isinstance(run, Timed)]
        table = np.log([[each.bursts[0].samples_ns[0] for each in run.models] for run in runs])
        logs.append(table[:, 0] - table[:, 1])
    expected = stats.ttest_ind(*logs, equal_var=False).confidence_interval(0.95)
    assert found.low == pytest.approx(math.exp(expected.low))
    assert found.high == pytest.approx(math.exp(expected.high))


LINKED = ((0, 1, 2), (3, 0), (2, 4))
"""As the quick suite has them: AlexNet meets MobileNet only through two others."""


@settings(max_examples=25)
@given(st.integers(0), st.floats(0.5, 2))
def test_drift_of_the_machine_leaves_what_is_relative(seed: int, factor: float) -> None:
    a = measured(*noisy(seed, blocks=LINKED, drift=0.3, noise=0))
    b = measured(*noisy(seed + 1, {4: factor}, blocks=LINKED, drift=0.3, noise=0))
    for one in compare(a, b).changes:
        assert one.relative
        expected = factor if one.model == "mobilenet.onnx" else 1
        assert one.relative.value == pytest.approx(expected, rel=1e-5)


def test_a_machine_that_became_slower_fails_absolutely_not_relatively() -> None:
    slower = dict.fromkeys(range(5), 1.3)
    a = measured(*noisy(0, blocks=LINKED))
    b = measured(*noisy(1, slower, blocks=LINKED), canary_ns=1300)
    comparison = compare(a, b)
    assert comparison.drifted
    assert comparison.canary == pytest.approx(1.3)
    assert len(failures(comparison, 5)) == len(NAMES) + 1
    assert failures(comparison, 5)[-1].startswith("the geometric mean is ")
    assert failures(comparison, 5, relative=True) == ()
    assert "warning: the machine itself was slower in B" in text_of(comparison)


def test_a_model_that_became_slower_on_a_drifting_machine_fails_relatively() -> None:
    a = measured(*noisy(0, blocks=LINKED, drift=0.3))
    b = measured(*noisy(1, {3: 1.2}, blocks=LINKED, drift=0.3))
    comparison = compare(a, b)
    (failure,) = failures(comparison, 5, relative=True)
    assert failure.startswith("alexnet.onnx is ")
    assert failure.endswith("% slower, relative to the others")


def test_an_improvement_fails_no_other_model() -> None:
    a = measured(*noisy(0, blocks=LINKED, drift=0.3))
    b = measured(*noisy(1, {3: 0.6, 4: 0.7}, blocks=LINKED, drift=0.3))
    comparison = compare(a, b)
    assert failures(comparison, 5, relative=True) == ()
    relatives = [one.relative.value for one in comparison.changes if one.relative]
    assert relatives == pytest.approx([1, 1, 1, 0.6, 0.7], rel=0.03)
    assert 1 in relatives


def test_models_of_separate_blocks_are_not_related() -> None:
    separate = ((0, 1), (3, 4), (2,))
    a = measured(*noisy(0, blocks=separate))
    b = measured(*noisy(1, {0: 1.1}, blocks=separate))
    changes = {one.model: one.relative for one in compare(a, b).changes}
    assert changes["two.onnx"] is None
    assert changes["alexnet.onnx"]
    assert changes["alexnet.onnx"].value == pytest.approx(1, abs=0.02)
    assert changes["half.onnx"]
    assert changes["half.onnx"].value == pytest.approx(math.sqrt(1.1), rel=0.02)


def test_only_what_both_files_relate_is_related() -> None:
    a = measured(*noisy(0))
    b = measured(*noisy(1, blocks=((0, 1), (2, 3), (4,)), drift=0.3))
    for one in compare(a, b).changes:
        if one.model == "mobilenet.onnx":
            assert one.relative is None
        else:
            assert one.relative
            assert one.relative.value == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("count", [3, 5])
def test_intervals_of_linked_blocks_cover_the_truth(count: int) -> None:
    chance = np.random.default_rng(count)
    trials, covered = 400, {"one": 0, "mean": 0, "relative": 0}
    mean, own = np.full(5, 0.2), np.eye(5)[2]

    def processes() -> list[Process]:
        return [
            Process(str(block), {model: chance.normal(0, 0.01) for model in block})
            for block in LINKED
            for _ in range(count)
        ]

    for _ in range(trials):
        a, b = processes(), processes()
        absolutes, relatives = (
            (absolute(a, 5), absolute(b, 5)),
            (relative(a, 5)[0], relative(b, 5)[0]),
        )
        found = {
            "one": change(*absolutes, own, own > 0),
            "mean": change(*absolutes, mean, mean > 0),
            "relative": change(*relatives, own - mean, mean > 0),
        }
        for name, interval in found.items():
            assert interval.low
            assert interval.high
            covered[name] += interval.low <= 1 <= interval.high
    # The fewest processes set the degrees of freedom, so that a mean covers rather more than 95%.
    assert min(covered.values()) >= 0.92 * trials


def test_one_process_tells_nothing_of_noise() -> None:
    comparison = compare(measured(*noisy(0)), measured(*noisy(1, {0: 2.0}, processes=1)))
    assert set(outcomes(comparison).values()) == {comparison.mean.outcome} == {"unknown"}
    assert comparison.changes[0].absolute.value == pytest.approx(2, rel=0.05)
    assert "unknown: measured in one process" in text_of(comparison)
    for gate, what in ((False, "a model, in"), (True, "two models together, in")):
        with pytest.raises(BenchError, match=f"nothing tells what is noise.*{what}"):
            failures(comparison, 5, relative=gate)


def test_a_relative_gate_that_sees_nothing_is_refused() -> None:
    results = measured(*noisy(0, blocks=((0,), (1,))))
    with pytest.raises(BenchError, match="two models together"):
        failures(compare(results, results), 5, relative=True)


def test_models_that_one_file_lacks_are_named() -> None:
    a, b = measured(*noisy(0, blocks=((0, 1, 2),))), measured(*noisy(1, blocks=((1, 2, 4),)))
    comparison = compare(a, b)
    assert [one.model for one in comparison.changes] == ["one.onnx", "two.onnx"]
    assert comparison.only_a == ("half.onnx",)
    assert comparison.only_b == ("mobilenet.onnx",)
    text = text_of(comparison)
    assert "only in A: half.onnx" in text
    assert "only in B: mobilenet.onnx" in text


def test_files_without_a_common_model_are_refused() -> None:
    a, b = measured(*noisy(0, blocks=((0,),))), measured(*noisy(1, blocks=((1,),)))
    with pytest.raises(BenchError, match="no model in common"):
        compare(a, b)


def test_numbers_of_threads_are_compared_with_their_like() -> None:
    runs = noisy(0, blocks=((0, 1), (1, 0)))
    b = [
        (block, {key: ms * (2 if "one half" in block else 1) for key, ms in times.items()})
        for block, times in runs
    ]
    threads = {"one half": 4}
    comparison = compare(measured(*runs, threads=threads), measured(*b, threads=threads))
    assert {one.model: round(one.absolute.value, 6) for one in comparison.changes} == {
        "half.onnx, 1 thread": 1,
        "one.onnx, 1 thread": 1,
        "half.onnx, 4 threads": 2,
        "one.onnx, 4 threads": 2,
    }
    with_one = compare(measured(*runs, threads=threads), measured(*noisy(0, blocks=((0, 1),))))
    assert with_one.only_a == ("half.onnx, 4 threads", "one.onnx, 4 threads")


def test_models_are_matched_by_their_options_wherever_they_lie() -> None:
    options = Options(network="alexnet", groups=None, scale=None, input_size=(9, 9), format="onnx")
    a, b = measured(*noisy(0, blocks=((0, 1),))), measured(*noisy(1, blocks=((0, 1),)))
    a = replace(a, models=(replace(a.models[0], options=options), *a.models[1:]))
    retrained = replace(options, weights="0123abcd")  # which does not enter the time
    renamed = replace(model(3), options=retrained, sha256="rebuilt")
    b = replace(b, models=(a.models[1], renamed, *b.models[2:]))
    comparison = compare(a, b)
    assert [one.model for one in comparison.changes] == ["half.onnx", "one.onnx"]
    # In B it is the second, so that the times of both have changed places.
    assert comparison.changes[0].absolute.value == pytest.approx(7 / 3, rel=0.02)
    assert [one.same_file for one in comparison.changes] == [False, True]
    assert "another file in B than in A: half.onnx" in text_of(comparison)


def test_two_builds_of_one_name_are_compared_in_their_order() -> None:
    a, b = measured(*noisy(0, blocks=((0, 1),))), measured(*noisy(1, blocks=((0, 1),)))
    a, b = (replace(one, models=(model(0), model(0))) for one in (a, b))
    values = [one.absolute.value for one in compare(a, b).changes]
    assert values == pytest.approx([1, 1], abs=0.02)


def test_emulated_results_are_refused() -> None:
    a = measured(*noisy(0))
    emulated = replace(
        a,
        target=replace(a.target, board="emulated", latency=False),
        runs=(Checked(block="x", process=0, models=()),),
    )
    for pair, name in (((a, emulated), "B"), ((emulated, a), "A")):
        with pytest.raises(BenchError, match=f"^{name} was measured on emulated.*no latency"):
            compare(*pair)


def test_differences_of_machine_software_and_parameters_are_told() -> None:
    a = measured(*noisy(0))
    b = replace(
        a,
        target=replace(a.target, board="rpi5"),
        environment=replace(
            a.environment,
            processor="Cortex-A76",
            maximum_mhz={},
            package_versions={"onnxruntime": "1.33.0", "tflite-runtime": None},
        ),
        parameters=Parameters(cores=(1, 2), cool_down=True),
    )
    assert compare(a, b).differences == (
        Difference(what="device", a="rpi4", b="rpi5"),
        Difference(what="processor", a="Cortex-A72", b="Cortex-A76"),
        Difference(what="highest frequency", a="1800 MHz", b="-"),
        Difference(what="onnxruntime", a="1.32.0", b="1.33.0"),
        Difference(what="parameter cores", a="-", b="1, 2"),
        Difference(what="parameter cool_down", a="False", b="True"),
    )
    lines = text_of(compare(a, b)).splitlines()
    assert any(line.split() == ["onnxruntime", "1.32.0", "1.33.0"] for line in lines)


def test_without_a_canary_the_machine_is_unknown() -> None:
    a, b = measured(*noisy(0), canary_ns=0), measured(*noisy(1))
    comparison = compare(a, b)
    assert comparison.canary is None
    assert not comparison.drifted
    assert "without a canary in both" in text_of(comparison)


def test_the_tables_fit_a_terminal_of_80_columns() -> None:
    a, b = measured(*noisy(0)), measured(*noisy(1, {0: 1.1}))
    assert max(map(len, text_of(compare(a, b), width=80).splitlines())) <= 80


def test_each_model_is_a_line_to_grep() -> None:
    a, b = measured(*noisy(0)), measured(*noisy(0, {0: 1.1}))
    lines = [line.split() for line in text_of(compare(a, b)).splitlines()]
    line = next(words for words in lines if words[:1] == ["half.onnx"])
    assert line[3] == "1.100"
    assert line[-1] == "slower"
    mean = next(words for words in lines if words[:2] == ["geometric", "mean"])
    assert mean[2] == "1.019"


def test_a_comparison_is_a_json_document() -> None:
    comparison = compare(measured(*noisy(0)), measured(*noisy(1)))
    document = msgspec.json.encode(comparison)
    assert msgspec.json.decode(document, type=Comparison) == comparison
    assert Ratio.__struct_fields__ == tuple(msgspec.json.decode(document)["mean"])


@pytest.mark.parametrize(("text", "percent"), [("5%", 5), ("5", 5), (" 2.5 % ", 2.5), ("0", 0)])
def test_percentages(text: str, percent: float) -> None:
    assert parse_percent(text) == percent


@pytest.mark.parametrize("text", ["", "%", "five", "-1%", "nan", "inf", "5%%"])
def test_what_is_no_percentage_is_wrong_usage(text: str) -> None:
    with pytest.raises(BenchError, match="give a percentage such as 5%") as caught:
        parse_percent(text)
    assert caught.value.usage

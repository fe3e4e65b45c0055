from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shufflenet_deploy.bench.measure.plan import LARGEST, plan
from shufflenet_deploy.bench.paper.claims import load_paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.results import Block, Model
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.options import Options

PAPER = load_paper()
NETWORKS = sorted(
    {network for claim in PAPER.claims for network in claim.networks}
    | {Network(name="resnet"), Network(name="shufflenet-v1", groups=8, scale=0.25)},
    key=lambda network: network.label,
)
MakeModel = Callable[..., Model]

# Few of each, so that claims are often complete and settings often differ.
options = st.builds(
    lambda network, **others: Options(
        network=network.name, groups=network.groups, scale=network.scale, **others
    ),
    network=st.sampled_from(NETWORKS),
    input_size=st.sampled_from([(224, 224), (480, 640), (32, 32)]),
    format=st.sampled_from(["onnx", "tflite"]),
    precision=st.sampled_from(["fp32", "int8"]),
    lowering=st.sampled_from(["fast", "plain"]),
    io=st.sampled_from(["float32", "uint8"]),
    weights=st.sampled_from(["random", "abcdef01"]),
)
whole_claims = st.builds(
    lambda claim, format_, lowering: [
        Options(
            network=network.name,
            groups=network.groups,
            scale=network.scale,
            input_size=(224, 224),
            format=format_,
            lowering=lowering,
        )
        for network in claim.networks
    ],
    st.sampled_from(PAPER.claims),
    st.sampled_from(["onnx", "tflite"]),
    st.sampled_from(["fast", "plain"]),
)
foreign = st.sampled_from(["onnx", "tflite"])


def a_model(made_of: Options | str, number: int) -> Model:
    known = made_of if isinstance(made_of, Options) else None
    format_ = known.format if known else str(made_of)
    name = f"{number}.{format_}"
    return Model(
        name=name,
        path=name,
        sha256=name,
        format=format_,
        engine=FORMATS[format_].engines[0],
        options=known,
        multiply_adds=None,
    )


def a_list(single: Sequence[Options | str], whole: Sequence[Sequence[Options]]) -> list[Model]:
    return [a_model(one, index) for index, one in enumerate([*single, *chain(*whole)])]


models = st.builds(
    a_list, st.lists(options | foreign, max_size=16), st.lists(whole_claims, max_size=3)
)
threads = st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True)
cases = st.tuples(models, threads, st.integers(0, 8)).map(
    lambda case: (case[0], case[1], min(case[2], len(case[0])))
)
Case = tuple[list[Model], list[int], int]


@given(cases)
def test_every_model_is_measured_with_every_number_of_threads(case: Case) -> None:
    models, threads, named = case
    blocks = plan(models, PAPER, threads, named)
    measured = {(member, block.threads) for block in blocks for member in block.members}
    assert measured == {(index, count) for index in range(len(models)) for count in threads}


@given(cases)
def test_no_block_has_a_model_twice_or_too_many(case: Case) -> None:
    for block in plan(case[0], PAPER, *case[1:]):
        assert 0 < len(set(block.members)) == len(block.members) <= LARGEST


@given(cases)
def test_blocks_have_ids_of_their_own(case: Case) -> None:
    ids = Counter(block.id for block in plan(case[0], PAPER, *case[1:]))
    assert set(ids.values()) <= {1}


@given(cases)
def test_a_claim_s_block_is_its_networks_in_their_order_and_one_setting(case: Case) -> None:
    models, threads, named = case
    for block in plan(models, PAPER, threads, named):
        if block.claim:
            chosen = [made for index in block.members if (made := models[index].options)]
            claim = PAPER.claim(block.claim)
            assert tuple(Network.of(one) for one in chosen) == claim.networks
            assert chosen[0].input_size in claim.input_sizes
            settings = {
                replace(one, network="", groups=None, scale=None, weights="") for one in chosen
            }
            assert len(settings) == 1


@given(cases)
def test_every_number_of_threads_has_the_same_blocks(case: Case) -> None:
    models, threads, named = case
    blocks = plan(models, PAPER, threads, named)
    each = [[b.members for b in blocks if b.threads == count] for count in threads]
    assert all(one == each[0] for one in each)


@given(cases)
def test_a_model_is_alone_in_others_only_where_it_is_in_no_other_block(case: Case) -> None:
    models, _, named = case
    blocks = plan(models, PAPER, (1,), named)
    wanted = {
        m for block in blocks if block.claim or block.id.startswith("named") for m in block.members
    }
    rest = [
        m
        for block in blocks
        if not (block.claim or block.id.startswith("named"))
        for m in block.members
    ]
    assert len(rest) == len(set(rest))
    assert not wanted & set(rest)


def titles(blocks: Sequence[Block]) -> list[tuple[str, tuple[int, ...]]]:
    return [(block.id, block.members) for block in blocks]


def test_the_quick_suite_s_claims_are_its_blocks(make_model: MakeModel) -> None:
    models = [
        make_model("shufflenet-v1", 0.5),
        make_model("shufflenet-v1", 1.0),
        make_model("shufflenet-v1", 2.0),
        make_model("alexnet"),
        make_model("mobilenet-v1", 1.0),
    ]
    assert titles(plan(models, PAPER, (1,), 0)) == [
        ("fourfold: onnx, 224x224 fp32, 1 thread", (0, 1, 2)),
        ("alexnet: onnx, 224x224 fp32, 1 thread", (3, 0)),
        ("mobilenet: onnx, 224x224 fp32, 1 thread", (2, 4)),
    ]


def test_what_was_named_is_compared_whatever_it_is(make_model: MakeModel) -> None:
    models = [
        make_model("resnet"),
        replace(make_model("resnet", format="tflite"), options=None),
        make_model("shufflenet-v1", 0.5, input_size=(480, 640)),
    ]
    assert titles(plan(models, PAPER, (2,), 3)) == [("named, 2 threads", (0, 1, 2))]


def test_named_models_that_are_a_claim_already_are_no_second_block(make_model: MakeModel) -> None:
    models = [make_model("shufflenet-v1", 0.5), make_model("alexnet")]
    assert titles(plan(models, PAPER, (1,), 2)) == [
        ("alexnet: onnx, 224x224 fp32, 1 thread", (1, 0))
    ]


def test_of_two_builds_the_first_stands_for_the_network(make_model: MakeModel) -> None:
    models = [
        make_model("alexnet"),
        make_model("shufflenet-v1", 0.5, weights="abcdef01"),
        make_model("shufflenet-v1", 0.5),
    ]
    assert titles(plan(models, PAPER, (1,), 0)) == [
        ("alexnet: onnx, 224x224 fp32, 1 thread", (0, 1)),
        ("in turns: onnx, 224x224 fp32, 1 thread", (2,)),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"format": "tflite"},
        {"input_size": (480, 640)},
        {"precision": "int8"},
        {"lowering": "plain"},
        {"io": "uint8"},
        {"target": "x86-64"},
    ],
    ids=str,
)
def test_a_claim_is_not_held_against_two_settings(
    make_model: MakeModel, other: dict[str, object]
) -> None:
    models = [make_model("shufflenet-v1", 0.5), make_model("alexnet", **other)]
    assert [block.claim for block in plan(models, PAPER, (1,), 0)] == [None, None]


def test_many_others_are_split_into_numbered_blocks(make_model: MakeModel) -> None:
    models = [make_model("mobilenet-v1", scale / 10) for scale in range(1, 9)]
    assert titles(plan(models, PAPER, (1,), 0)) == [
        ("in turns: onnx, 224x224 fp32 (1), 1 thread", (0, 1, 2, 3, 4, 5)),
        ("in turns: onnx, 224x224 fp32 (2), 1 thread", (6, 7)),
    ]


def test_nothing_has_no_blocks() -> None:
    assert plan([], PAPER, (1, 2), 0) == []

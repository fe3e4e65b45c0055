"""A TFLite flatbuffer in the making: tensors, weights and operators, through LiteRT's schema.

Reference: tensorflow/lite/schema/schema.fbs. What a graph's operators become is `emit`'s
subject, not this file's.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from shufflenet_deploy.export.formats.emitter import PRODUCER

SIGNATURE = "serving_default"
IDENTIFIER = b"TFL3"

REDUCED_PRECISION = ("reduced_precision_support", b"fp16accfp16")
"""The metadata by which a model allows XNNPACK to compute and add up in float16 where the processor
can: tensorflow/compiler/mlir/lite/tools/optimize/reduced_precision_metadata.h. Without it float16
weights are widened, and nothing is won but space."""


class TFLiteBuilder:
    """Collects a model of one subgraph. A tensor is known by its index, an int.

    Activations have the batch in front, 1 until the input is resized and -1 in the signature.
    """

    def __init__(self, half: bool = False) -> None:
        self._half = half
        self._tensors: list[schema.TensorT] = []
        self._buffers: list[schema.BufferT] = [schema.BufferT()]  # the first one must be empty
        self._operators: list[schema.OperatorT] = []
        self._codes: dict[int, int] = {}

    def activation(
        self, name: str, shape: tuple[int, ...], type_: int = schema.TensorType.FLOAT32
    ) -> int:
        """A tensor of `shape`, whose first dimension follows the batch."""
        tensor = _tensor(name, shape, buffer=0)
        tensor.type = type_
        tensor.shapeSignature = [-1, *shape[1:]]
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def constant(self, name: str, array: NDArray[Any]) -> int:
        """Weights, rounded to float32, or int32 arguments such as axes.

        With half precision weights are rounded to float16 and widened by a DEQUANTIZE, which
        XNNPACK does once, when it packs them, or not at all where it computes in float16.
        """
        if array.dtype == np.int32:
            return self._constant(name, array, schema.TensorType.INT32)
        if not self._half:
            return self._constant(name, array.astype(np.float32), schema.TensorType.FLOAT32)
        half = self._constant(f"{name}.half", array.astype(np.float16), schema.TensorType.FLOAT16)
        widened = self.operator(
            schema.BuiltinOperator.DEQUANTIZE,
            [half],
            name,
            array.shape,
            schema.DequantizeOptionsT(),
        )
        self._tensors[widened].shapeSignature = None  # weights do not follow the batch
        return widened

    def _constant(self, name: str, array: NDArray[Any], type_: int) -> int:
        buffer = _AlignedBuffer()
        buffer.data = np.ascontiguousarray(array).tobytes()
        self._buffers.append(buffer)
        tensor = _tensor(name, array.shape, len(self._buffers) - 1)
        tensor.type = type_
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operator(
        self,
        code: int,
        inputs: list[int],
        name: str,
        shape: tuple[int, ...],
        options: Any = None,
    ) -> int:
        """An operator with one output, which is returned: an activation of `shape`."""
        output = self.activation(name, shape)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = inputs, [output]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self._operators.append(operator)
        return output

    def _metadata(self, name: str, content: bytes) -> schema.MetadataT:
        buffer = _AlignedBuffer()
        buffer.data = content
        self._buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(self._buffers) - 1
        return entry

    def finish(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        """The model, with a signature of these public names."""
        for name, tensor in (inputs | outputs).items():
            self._tensors[tensor].name = name
        subgraph = schema.SubGraphT()
        subgraph.name = "main"
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        subgraph.inputs, subgraph.outputs = list(inputs.values()), list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey = SIGNATURE
        signature.inputs = [_tensor_map(*item) for item in inputs.items()]
        signature.outputs = [_tensor_map(*item) for item in outputs.items()]

        model = schema.ModelT()
        model.version = 3
        model.description = PRODUCER
        model.operatorCodes = [_operator_code(code) for code in self._codes]
        model.subgraphs, model.buffers = [subgraph], self._buffers
        if self._half:
            model.metadata = [self._metadata(*REDUCED_PRECISION)]
        model.signatureDefs = [signature]
        return _packed(model)


def take_uint8(data: bytes) -> bytes:
    """A quantised model whose int8 input stands for 0 to 255, with an input of uint8 instead.

    One QUANTIZE in front moves the numbers by 128, which is exact.
    """
    model = schema.ModelT.InitFromPackedBuf(data)
    for index, buffer in enumerate(model.buffers):
        # The quantiser puts weights behind the flatbuffer, where an offset finds them.
        content = (
            data[buffer.offset : buffer.offset + buffer.size] if buffer.offset else buffer.data
        )
        if content is not None:
            model.buffers[index] = _AlignedBuffer()
            model.buffers[index].data = bytes(content)
    (subgraph,) = model.subgraphs
    (inside,) = subgraph.inputs
    before = subgraph.tensors[inside]
    pixels = _tensor(before.name, tuple(before.shape), buffer=0)
    pixels.shapeSignature = before.shapeSignature
    pixels.type = schema.TensorType.UINT8
    pixels.quantization = schema.QuantizationParametersT()
    pixels.quantization.scale, pixels.quantization.zeroPoint = [1.0], [0]
    before.name = bytes(before.name) + b"_int8"
    subgraph.tensors.append(pixels)
    outside = len(subgraph.tensors) - 1
    codes = [code.builtinCode for code in model.operatorCodes]
    if schema.BuiltinOperator.QUANTIZE not in codes:
        model.operatorCodes.append(_operator_code(schema.BuiltinOperator.QUANTIZE))
        codes.append(schema.BuiltinOperator.QUANTIZE)
    move = schema.OperatorT()
    move.opcodeIndex = codes.index(schema.BuiltinOperator.QUANTIZE)
    move.inputs, move.outputs = [outside], [inside]
    subgraph.operators.insert(0, move)
    subgraph.inputs = [outside]
    for entry in model.signatureDefs[0].inputs:
        entry.tensorIndex = outside
    return _packed(model)


def _packed(model: schema.ModelT) -> bytes:
    flatbuffer = flatbuffers.Builder(1024)
    flatbuffer.Finish(model.Pack(flatbuffer), IDENTIFIER)
    return bytes(flatbuffer.Output())


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """The schema asks for data at multiples of 16 bytes; its generated Python forgets that."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        size = len(self.data)
        builder.StartVector(1, size, 16)
        builder.head = builder.head - size
        builder.Bytes[builder.head : builder.head + size] = self.data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def _tensor(name: str, shape: tuple[int, ...], buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor


def _tensor_map(name: str, tensor: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def _operator_code(code: int) -> schema.OperatorCodeT:
    entry = schema.OperatorCodeT()
    # Readers older than the wider field look at the deprecated one (schema.fbs, OperatorCode).
    entry.deprecatedBuiltinCode = min(code, 127)
    entry.builtinCode = code
    entry.version = 1
    return entry

"""A network in LiteRT's C library, whose profiler the Python package does not offer.

The wheel of ai-edge-litert ships ``libLiteRt.so``, on x86-64 and on aarch64 alike, and what it
exports includes the profiler and the "compiled model" that runs with it. XNNPACK tells that
profiler of each operator inside its partition.

A C function that is called with other arguments than it takes ends the process, and these have
changed between versions: so no version is called that this was not tried with. What it fills in is
held to the size of the structures here before any of it is believed.
"""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from ctypes import byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from importlib.metadata import files, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shufflenet_deploy.runtime.errors import InferenceError

DISTRIBUTION = "ai-edge-litert"
TRIED = ("2.3.",)
"""Beginnings of the versions whose C interface is known to be the one below."""

_Handle = ctypes.c_void_p
_CPU = 1
_ERRORS_ONLY = 3
_INTEGER = 2  # kLiteRtAnyTypeInt
_ACCELERATORS, _LOGGER_SEVERITY = 24, 25  # tags of an environment's options
_FOR_WRITING = 1
_UNWRITTEN = 0xA5
"""A byte that memory holds before the library writes there."""


class _EnvironmentOption(ctypes.Structure):
    # The type and the value are a structure of their own, aligned to 8 bytes.
    _fields_ = (("tag", c_int), ("_", c_int), ("type", c_int), ("__", c_int), ("value", c_int64))


class _TensorType(ctypes.Structure):
    _fields_ = (
        ("element", c_int),
        ("rank", c_uint32),  # of which the highest bit says whether there are strides
        ("dimensions", c_int32 * 8),
        ("strides", c_uint32 * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_size_t * 6),  # three figures before, three after
        ("metadata", c_int64 * 2),
        ("source", c_int),
    )


class Event(NamedTuple):
    """One thing that the profiler saw."""

    tag: str
    """The kernel's name, such as ``Convolution (NHWC, F32) IGEMM``."""
    type: int
    """What kind of event it is, as a bit of TFLite's EventType."""
    elapsed_us: int


class CompiledModel:
    """A network that runs on the processor under the profiler, for inputs of its own shape."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._library = _library()
        with ExitStack() as stack:
            self._load(stack, threads)
            self._stack = stack.pop_all()

    def _load(self, stack: ExitStack, threads: int) -> None:
        environment, model, options = _Handle(), _Handle(), _Handle()
        settings = (_EnvironmentOption * 2)(
            _EnvironmentOption(tag=_ACCELERATORS, type=_INTEGER, value=_CPU),
            _EnvironmentOption(tag=_LOGGER_SEVERITY, type=_INTEGER, value=_ERRORS_ONLY),
        )
        self._call("LiteRtCreateEnvironment", len(settings), settings, byref(environment))
        stack.callback(self._library.LiteRtDestroyEnvironment, environment)
        file = c_char_p(bytes(self._path))
        self._call("LiteRtCreateModelFromFile", environment, file, byref(model))
        stack.callback(self._library.LiteRtDestroyModel, model)
        self._call("LiteRtCreateOptions", byref(options))
        stack.callback(self._library.LiteRtDestroyOptions, options)
        self._call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        self._add(options, b"xnnpack", f"num_threads = {threads}\n")
        self._add(options, b"runtime_options_string", "enable_profiling = true\n")
        self._model, self._profiler = _Handle(), _Handle()
        self._call("LiteRtCreateCompiledModel", environment, model, options, byref(self._model))
        stack.callback(self._library.LiteRtDestroyCompiledModel, self._model)
        self._call("LiteRtCompiledModelGetProfiler", self._model, byref(self._profiler))
        graph = _Handle()
        self._call("LiteRtGetModelSubgraph", model, c_size_t(0), byref(graph))
        self._input, type_ = self._buffer(stack, environment, graph, "Input")
        self._shape = tuple(type_.dimensions[: type_.rank & 0x7FFFFFFF])
        self._output, _ = self._buffer(stack, environment, graph, "Output")
        size = c_size_t()
        self._call("LiteRtGetTensorBufferPackedSize", self._input, byref(size))
        self._bytes = size.value

    def _add(self, options: _Handle, name: bytes, toml: str) -> None:
        """Add options that LiteRT reads as TOML; the text has to live as long as they do."""
        text = ctypes.create_string_buffer(toml.encode())
        self._texts = [*getattr(self, "_texts", []), text]
        opaque = _Handle()
        self._call("LiteRtCreateOpaqueOptions", c_char_p(name), text, _KEEP, byref(opaque))
        self._call("LiteRtAddOpaqueOptions", options, opaque)

    def _buffer(
        self, stack: ExitStack, environment: _Handle, graph: _Handle, which: str
    ) -> tuple[_Handle, _TensorType]:
        tensor, needs, buffer = _Handle(), _Handle(), _Handle()
        first = c_size_t(0)
        self._call(f"LiteRtGetSubgraph{which}", graph, first, byref(tensor))
        types = self._filled_in(_TensorType, 1, "LiteRtGetRankedTensorType", tensor)
        type_ = types[0]
        self._call(
            f"LiteRtGetCompiledModel{which}BufferRequirements",
            self._model, first, first, byref(needs),
        )  # fmt: skip
        self._call(
            "LiteRtCreateManagedTensorBufferFromRequirements",
            environment, byref(type_), needs, byref(buffer),
        )  # fmt: skip
        stack.callback(self._library.LiteRtDestroyTensorBuffer, buffer)
        return buffer, type_

    def fill(self, images: NDArray[Any]) -> None:
        """Set the input. Raises `InferenceError` where it is not of the network's own shape."""
        if images.shape != self._shape or images.nbytes != self._bytes:
            raise InferenceError(
                f"{self._path} takes {self._shape} in {self._bytes} bytes under the profiler, not "
                f"{images.shape} in {images.nbytes}: profile it with one input of that shape"
            )
        address = _Handle()
        self._call("LiteRtLockTensorBuffer", self._input, byref(address), _FOR_WRITING)
        ctypes.memmove(address, np.ascontiguousarray(images).ctypes.data, self._bytes)
        self._call("LiteRtUnlockTensorBuffer", self._input)

    def run(self) -> None:
        """Run once, with what was filled in, and record it."""
        count = c_size_t(1)
        inputs, outputs = (_Handle * 1)(self._input), (_Handle * 1)(self._output)
        self._call("LiteRtResetProfiler", self._profiler)
        self._call("LiteRtStartProfiler", self._profiler)
        self._call(
            "LiteRtRunCompiledModel", self._model, c_size_t(0), count, inputs, count, outputs
        )
        self._call("LiteRtStopProfiler", self._profiler)

    def events(self) -> list[Event]:
        """What was recorded of the last run."""
        count = c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        events = self._filled_in(
            _Event, count.value, "LiteRtGetProfilerEvents", self._profiler, count
        )
        # Of the same size, but not of the same fields: no text is read at an address that is none.
        if any(event.type.bit_count() != 1 or not event.tag for event in events):
            raise self._differs(_Event)
        return [
            Event((event.tag or b"").decode(errors="replace"), event.type, event.elapsed_us)
            for event in events
        ]

    def _filled_in(
        self, structure: type[Any], count: int, function: str, *arguments: Any
    ) -> ctypes.Array[Any]:
        """`count` structures that `function` fills in, whose last argument is where they begin.

        Raises `InferenceError` where what it writes ends elsewhere than they do.
        """
        size = ctypes.sizeof(structure)
        memory = (ctypes.c_ubyte * (size * (2 * count + 1)))()
        ctypes.memset(memory, _UNWRITTEN, len(memory))
        self._call(function, *arguments, memory)
        written = len(bytes(memory).rstrip(bytes([_UNWRITTEN])))
        if not size * (count - 1) < written <= size * count and count:
            raise self._differs(structure)
        structures: ctypes.Array[Any] = (structure * count).from_buffer(memory)
        return structures

    def _differs(self, structure: type[Any]) -> InferenceError:
        name = structure.__name__.removeprefix("_")
        return InferenceError(
            f"LiteRT does not profile {self._path}: the {name} of {DISTRIBUTION} "
            f"{version(DISTRIBUTION)} is another than this was tried with: pip install "
            f"'{DISTRIBUTION}==2.3.0' for profiling"
        )

    def close(self) -> None:
        """Free everything, the last first."""
        self._stack.close()

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            raise InferenceError(
                f"LiteRT does not profile {self._path}: {function} answers {status}"
            )


_KEEP = ctypes.CFUNCTYPE(None, _Handle)(lambda text: None)
"""A function that does nothing, for LiteRT to free an option's text with: the text is Python's."""


def _library() -> ctypes.CDLL:
    """Load the C library. Raises `InferenceError` where it is of another version, or missing."""
    installed = version(DISTRIBUTION)
    paths = [file for file in files(DISTRIBUTION) or () if file.name == "libLiteRt.so"]
    if not installed.startswith(TRIED):
        raise InferenceError(
            f"{DISTRIBUTION} {installed} has a C interface that this was not tried with: "
            f"pip install '{DISTRIBUTION}=={TRIED[-1]}*' for profiling"
        )
    if not paths:
        raise InferenceError(f"{DISTRIBUTION} {installed} ships no libLiteRt.so: cannot profile")
    try:
        return ctypes.CDLL(str(paths[0].locate()))
    except OSError as error:
        raise InferenceError(f"cannot load LiteRT's C library: {error}") from None

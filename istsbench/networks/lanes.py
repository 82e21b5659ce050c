"""Vectors of 16 float32 for functions that numba compiles, and a product of small matrices.

numba makes vectors of a loop only where it sees that no arrays overlap; with 36 places of one
array in use it does not. Here a vector is a value: `vector_at` reads one from a flat array, `put`
writes one. The compiler takes a register of 512 bits for it, or two or four smaller ones.
"""

# mypy: disable-error-code="untyped-decorator,misc,no-untyped-call"
from __future__ import annotations

from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16
_F32, _I32 = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_F32, LANES)
_ZERO = ir.Constant(_VECTOR, [0.0] * LANES)


def _rows() -> int:
    """So many sums fit the registers: 32 of 16 numbers, or in older processors 16 of 8."""
    try:
        return 12 if get_host_cpu_features().get("avx512f") else 6
    except RuntimeError:  # LLVM does not know the features of this processor
        return 6


ROWS = _rows()  # of a product


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__("lanes")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """The address of 16 numbers of a flat array."""
    first = builder.gep(context.make_array(kind)(context, builder, array).data, [index])
    return builder.bitcast(first, _VECTOR.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    """A vector of one number."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, _I32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_I32, LANES), None))


@intrinsic
def vector_at(context: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature.args[0], *arguments), align=4)

    return _lanes(array, types.intp), generate


@intrinsic
def put(context: Any, array: Any, index: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *place, vector = arguments
        builder.store(vector, _place(context, builder, signature.args[0], *place), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _lanes), generate


@intrinsic
def add(context: Any, one: Any, other: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments, flags=("contract",))

    return _lanes(_lanes, _lanes), generate


@intrinsic
def sub(context: Any, one: Any, other: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments, flags=("contract",))

    return _lanes(_lanes, _lanes), generate


@intrinsic
def times(context: Any, vector: Any, number: Any) -> Any:
    """A vector times a number, float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, number = arguments
        return builder.fmul(vector, _spread(builder, number), flags=("contract",))

    return _lanes(_lanes, types.float32), generate


@intrinsic
def larger(context: Any, one: Any, other: Any) -> Any:
    """The larger one of each two numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return _lanes(_lanes, _lanes), generate


@intrinsic
def product(
    context: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, depth: Any, width: Any
) -> Any:
    """c = a b for ROWS rows of a, (ROWS, depth), and b, (depth, 16); a row of c is `width` long.

    All three are flat arrays with the place of the first number.
    Each sum runs over the depth from first to last: a row of c does not depend on the others.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a0, b, b0, c, c0, depth, width = arguments
        kinds, size = signature.args, depth.type
        fuse = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), "llvm.fmuladd.v16f32"
        )
        sums = [cgutils.alloca_once_value(builder, _ZERO) for _ in range(ROWS)]
        numbers = context.make_array(kinds[0])(context, builder, a).data
        places = [
            builder.gep(numbers, [builder.add(a0, builder.mul(depth, size(row)))])
            for row in range(ROWS)
        ]
        with cgutils.for_range(builder, depth) as loop:
            start = builder.add(b0, builder.mul(loop.index, size(LANES)))
            line = builder.load(_place(context, builder, kinds[2], b, start), align=4)
            for place, total in zip(places, sums, strict=True):
                factor = _spread(builder, builder.load(builder.gep(place, [loop.index])))
                builder.store(builder.call(fuse, [factor, line, builder.load(total)]), total)
        for row, total in enumerate(sums):
            start = builder.add(c0, builder.mul(width, size(row)))
            place = _place(context, builder, kinds[4], c, start)
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    index = types.intp
    return types.void(a, index, b, index, c, index, index, index), generate

"""Several steps of the engine `gradient` as one graph: a photo and its bound in, the change out, in one call.

    model = unrolled(recogniser, networks, rounds=3)

What the photo shows is found inside, and followed away from: a round asks each network once, under a look of its own,
and the rounds are the turns of one Loop, so that each network is in the graph once. The steps are those that
`GradientEngine` takes when it never shows the networks what a site would make of the photo; the tests hold the two to
the same answers. A photo may have any proportions, so two lengths of the inputs are open; all others are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

from export.adjoint.tape import Tape, dims
from export.forward import OPSET
from mobile_app.core.looks import Place, draw_place
from mobile_app.core.step import StepConfig, smoothed, with_steps

_SINGLE = np.dtype(np.float32)
_TINY = 1e-30  # instead of a norm of zero: a gradient of zeros then adds nothing


def unrolled(
    recogniser: ir.Model,
    networks: Sequence[ir.Model],
    *,
    rounds: int,
    config: StepConfig | None = None,
    seed: int = 0,
) -> ir.Model:
    """One graph of a recogniser and the gradient graphs of networks; their models are used up.

    Args:
        recogniser: `image` (1, 3, S, S) -> `logits`; its first choice is what the photo shows.
        networks: each `image` and `label` (1,) -> `grad`, of the same size and classes; asked in this order.
        rounds: how often each network is asked.
        config: the engine's; None for the one that it would take for so many steps. Only the rule "proportional".
        seed: of the looks, as the engine's.
    Returns: inputs `image` (1, 3, H, W) in [0, 1] with min(H, W) = S, `bound`, alike, the largest change of each value,
        and `visits` (rounds, networks, 3), of each step row and column of what it looks at, in pixels, and how far it
        is from the first stride, 0, to the last, 1; output `unit` (1, 1, H, W), the change as a share of the bound, in
        [-1, 1].
    Raises: ValueError for another rule, no networks or no rounds.
    """
    steps = rounds * len(networks)
    if steps < 1:
        raise ValueError(f"expected networks and rounds, got {len(networks)} and {rounds}")
    config = config or with_steps(StepConfig(), steps)
    if config.rule != "proportional":
        raise ValueError(f"rule: expected proportional, got {config.rule}")
    side = dims(recogniser.graph.inputs[0])[-1]
    # Written as if every photo were square, which decides nothing; the inputs' lengths are opened at the end.
    image, bound = (_value(name, (1, 3, side, side)) for name in ("image", "bound"))
    visits = _value("visits", (rounds, len(networks), 3))
    graph = ir.Graph([image, bound, visits], [], nodes=[], opset_imports={"": OPSET}, name="generator")
    tape = Tape(graph, _SINGLE)
    walk = _Walk(tape, image, bound, visits, config, seed)
    logits = _taken_in(graph, recogniser, "r", {"image": walk.middle(tape)}, graph)["logits"]
    label = tape.op("ArgMax", logits, shape=[1], dtype=ir.DataType.INT64, axis=1, keepdims=0)
    body = ir.Graph(
        [
            _value("turn", (), ir.DataType.INT64),
            _value("going", (), ir.DataType.BOOL),
            _value("delta", (1, 3, side, side)),
            _value("velocity", (1, 1, side, side)),
        ],
        [],
        nodes=[],
        name="round",
    )
    turn, going, delta, velocity = body.inputs
    inner = Tape(body, _SINGLE)
    first = inner.op("Mul", turn, inner.constant(np.array(len(networks))), shape=(), dtype=ir.DataType.INT64)
    for number, network in enumerate(networks):
        index = inner.op("Add", first, inner.constant(np.array(number)), shape=(), dtype=ir.DataType.INT64)
        look = walk.look(inner, index)
        shown = look.at(inner, inner.like("Add", image, delta))
        grad = _taken_in(body, network, str(number), {"image": shown, "label": label}, graph)["grad"]
        delta, velocity = walk.step(inner, delta, velocity, look.back(inner, grad), index)
    body.outputs.extend([inner.op("Identity", going, shape=(), dtype=ir.DataType.BOOL), delta, velocity])
    loop = ir.node(
        "Loop",
        [tape.constant(np.array(rounds)), tape.constant(np.array(True)), *walk.start(tape)],
        {"body": body},
        num_outputs=2,
    )
    for output, of in zip(loop.outputs, body.outputs[1:], strict=True):
        output.name, output.shape, output.type = f"last_{of.name}", of.shape, of.type
    graph.append(loop)
    graph.outputs.append(_of_one_channel(tape, tape.like("Div", loop.outputs[0], bound)))
    for value in (*graph.inputs[:2], *graph.outputs, *body.inputs[2:], *body.outputs[1:]):
        value.shape = ir.Shape([1, dims(value)[1], "height", "width"])
    model = ir.Model(graph, ir_version=10)
    _clean(model)
    return model


class _Look:
    """`looks.Look` in a graph: matrices rows (S, H) and columns (S, W), from the numbers that they are drawn by."""

    def __init__(self, rows: ir.Value, columns: ir.Value, side: int) -> None:
        self._rows, self._columns, self._side = rows, columns, side

    def at(self, tape: Tape, image: ir.Value) -> ir.Value:
        """(1, 3, H, W) -> (1, 3, S, S); rounding of the resampling aside, it is inside [0, 1]."""
        shape = (1, 3, self._side, self._side)
        shown = tape.op("MatMul", self._rows, image, shape=shape)
        shown = tape.op("MatMul", shown, tape.transpose(self._columns, (1, 0)), shape=shape)
        return tape.like("Clip", shown, tape.scalar(0), tape.scalar(1))

    def back(self, tape: Tape, grad: ir.Value) -> ir.Value:
        """(1, 3, S, S) -> (1, 3, H, W)."""
        grad = tape.like("MatMul", grad, self._columns)
        return tape.op("MatMul", tape.transpose(self._rows, (1, 0)), grad, shape=(1, 3, self._side, self._side))


class _Walk:
    """What all steps share, in the outer graph: the plan of looks and strides, and how far each value may go."""

    def __init__(
        self, tape: Tape, image: ir.Value, bound: ir.Value, visits: ir.Value, config: StepConfig, seed: int
    ) -> None:
        self._side = side = dims(image)[-1]
        self._image, self._bound, self._config = image, bound, config
        self._most = tape.op("ReduceMax", bound, tape.constant([1]), shape=(1, 1, side, side), keepdims=1)
        self._weights = tape.scale(tape.like("Div", bound, self._most), 1 / 3)  # a sum of these is a mean of channels
        self._highest = tape.like("Min", bound, tape.op("Sub", tape.scalar(1), image, shape=(1, 3, side, side)))
        self._lowest = tape.like("Neg", tape.like("Min", bound, image))
        self._pixels = [self._along(tape, axis) for axis in (2, 3)]
        steps = dims(visits)[0] * dims(visits)[1]
        rng = np.random.default_rng(seed)
        places = [draw_place(side, (0.0, 0.0), rng) for _ in range(steps)]
        self._scales = tape.constant(np.array([_scales(place) for place in places], np.float32))
        visits = tape.reshape(visits, (steps, 3))
        shifts = tape.constant(np.array([place.centre for place in places], np.float32))
        self._centres = tape.like("Add", tape.slice(visits, 1, 0, 2), shifts)
        strides = tape.scale(tape.slice(visits, 1, 2, 3), config.last_stride - config.stride)
        self._strides = tape.like("Add", strides, tape.scalar(config.stride))

    def middle(self, tape: Tape) -> ir.Value:
        """What the recogniser is shown: looks.plain_look."""
        halves = [tape.scale(tape.like("Add", last, tape.scalar(1)), 0.5) for _, last in self._pixels]
        rows, columns = (self._sampling(tape, axis, halves[axis], tape.scalar(1)) for axis in (0, 1))
        return _Look(rows, columns, self._side).at(tape, self._image)

    def start(self, tape: Tape) -> tuple[ir.Value, ir.Value]:
        """(delta, velocity) of zeros, of the photo's size."""
        return tape.like("Mul", self._bound, tape.scalar(0)), tape.like("Mul", self._most, tape.scalar(0))

    def look(self, tape: Tape, index: ir.Value) -> _Look:
        """Of the step of this index."""
        centre = tape.op("Gather", self._centres, index, shape=(2,), axis=0)
        scales = tape.op("Gather", self._scales, index, shape=(2,), axis=0)
        rows, columns = (
            self._sampling(tape, axis, tape.slice(centre, 0, axis, axis + 1), tape.slice(scales, 0, axis, axis + 1))
            for axis in (0, 1)
        )
        return _Look(rows, columns, self._side)

    def step(
        self, tape: Tape, delta: ir.Value, velocity: ir.Value, grad: ir.Value, index: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """(delta, velocity) after it: `step.smoothed`, `step.momentum`, and `step.take_step` in proportion."""
        config = self._config
        grad = self._smoothed(tape, tape.sum(tape.like("Mul", grad, self._weights), [1]))
        velocity = tape.like("Add", tape.scale(velocity, config.decay), _by_mean(tape, grad, 1))
        move = tape.like("Clip", _by_mean(tape, velocity, config.whole_at), tape.scalar(-1), tape.scalar(1))
        move = tape.like("Mul", move, tape.op("Gather", self._strides, index, shape=(1,), axis=0))
        delta = tape.like("Add", delta, tape.like("Mul", self._bound, move))
        return tape.like("Max", tape.like("Min", delta, self._highest), self._lowest), velocity

    def _along(self, tape: Tape, axis: int) -> tuple[ir.Value, ir.Value]:
        """The numbers of all pixels along an axis of the photo, (1, length), and that of the last one."""
        length = tape.op("Shape", self._image, shape=(1,), dtype=ir.DataType.INT64, start=axis, end=axis + 1)
        length = tape.op("Cast", tape.reshape(length, ()), shape=(), to=int(ir.DataType.FLOAT))
        pixels = tape.op("Range", tape.scalar(0), length, tape.scalar(1), shape=(self._side,))
        pixels = tape.op("Unsqueeze", pixels, tape.constant([0]), shape=(1, self._side))
        return pixels, tape.like("Sub", length, tape.scalar(1))

    def _sampling(self, tape: Tape, axis: int, centre: ir.Value, scale: ir.Value) -> ir.Value:
        """As looks.sampling: a hat of width 1 around each position, which is bilinear resampling."""
        side, (pixels, last) = self._side, self._pixels[axis]
        offsets = (np.arange(side) + 0.5 - side / 2).astype(np.float32)
        positions = tape.op("Mul", tape.constant(offsets[:, None]), scale, shape=(side, 1))
        positions = tape.like("Add", positions, tape.like("Sub", centre, tape.scalar(0.5)))
        positions = tape.like("Clip", positions, tape.scalar(0), last)
        distances = tape.like("Abs", tape.op("Sub", positions, pixels, shape=(side, side)))
        return tape.like("Relu", tape.op("Sub", tape.scalar(1), distances, shape=(side, side)))

    def _smoothed(self, tape: Tape, grad: ir.Value) -> ir.Value:
        """As step.smoothed: the kernel is what that makes of a single pixel."""
        deviation, side = self._config.smoothing_px, self._side
        if deviation == 0:
            return grad
        radius = round(3 * deviation)
        pixel = np.zeros((1, 1, 4 * radius + 1, 4 * radius + 1), np.float32)
        pixel[..., 2 * radius, 2 * radius] = 1
        kernel = smoothed(pixel, deviation)[..., radius : 3 * radius + 1, radius : 3 * radius + 1]
        for axis in (2, 3):
            grad = _mirrored(tape, grad, axis, radius)
        return tape.op("Conv", grad, tape.constant(np.ascontiguousarray(kernel)), shape=(1, 1, side, side))


def _scales(place: Place) -> tuple[float, float]:
    """Pixels of the photo from one row of what is shown to the next, and from one column to the next."""
    return 1 / place.zoom, (-1 if place.mirrored else 1) / place.zoom


def _mirrored(tape: Tape, value: ir.Value, axis: int, radius: int) -> ir.Value:
    """The rim of a value (1, 1, H, W) mirrored beyond it, itself included."""
    before, after = ((radius - 1, -(2**31)), (-1, -radius - 1))
    shape = [radius if at == axis else length for at, length in enumerate(dims(value))]
    rims = [
        tape.op("Slice", value, *(tape.constant([number]) for number in (start, stop, axis, -1)), shape=shape)
        for start, stop in (before, after)
    ]
    return tape.concat([rims[0], value, rims[1]], axis)


def _by_mean(tape: Tape, value: ir.Value, times: float) -> ir.Value:
    """The value by `times` the mean of its sizes."""
    axes = tape.constant([1, 2, 3])
    mean = tape.op("ReduceMean", tape.like("Abs", value), axes, shape=(1, 1, 1, 1), keepdims=1)
    return tape.like("Div", value, tape.like("Max", tape.scale(mean, times), tape.scalar(_TINY)))


def _of_one_channel(tape: Tape, unit: ir.Value) -> ir.Value:
    """As the engine's: channels differ only where black or white held some back; the freest counts."""
    shape = (1, 1, *dims(unit)[2:])
    rises, falls = (tape.op(of, unit, tape.constant([1]), shape=shape, keepdims=1) for of in ("ReduceMax", "ReduceMin"))
    freer = tape.like("Greater", rises, tape.like("Neg", falls), dtype=ir.DataType.BOOL)
    unit = tape.op("Where", freer, rises, falls, shape=shape)
    unit.name = "unit"
    return unit


def _taken_in(
    graph: ir.Graph, model: ir.Model, name: str, inputs: Mapping[str, ir.Value], weights: ir.Graph
) -> dict[str, ir.Value]:
    """Append a model's nodes to a graph, its initialisers to `weights`; returns its outputs by their own names."""
    source = model.graph
    for value in source.inputs:
        value.replace_all_uses_with(inputs[value.name or ""])
    outputs = {value.name or "": value for value in source.outputs}
    source.outputs.clear()
    for node in list(source):
        source.remove(node)
        for output in node.outputs:
            output.name = f"{name}.{output.name}"
        graph.append(node)
    for key, value in list(source.initializers.items()):
        del source.initializers[key]
        value.name = f"{name}.{key}"
        weights.register_initializer(value)
    return outputs


def _clean(model: ir.Model) -> None:
    """Drop what nothing reads, and what takes half of the file: names of nodes, and shapes that follow from others."""
    for run in (passes.RemoveUnusedNodesPass(), passes.NameFixPass()):
        run(model)
    for node in model.graph.all_nodes():
        node.name = None
        for output in node.outputs:
            if not output.is_graph_output():
                output.shape, output.type = None, None
    passes.CheckerPass()(model)
    model.producer_name, model.producer_version = "petalveil", None


def _value(name: str, shape: tuple[int, ...], dtype: ir.DataType = ir.DataType.FLOAT) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))

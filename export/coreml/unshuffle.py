"""torch's PixelUnshuffle comes to ONNX in six axes, and Core ML has five: here it becomes one operator again."""

from __future__ import annotations

import onnx_ir as ir

from export.adjoint.tape import dims, ints

PIXEL_UNSHUFFLE = "PixelUnshuffle"  # no operator of ONNX: it lives between here and its rule
_PHASES_TO_CHANNELS = (0, 1, 3, 5, 2, 4)


def gather_unshuffles(graph: ir.Graph) -> None:
    """Replace each Reshape (N, C, H, s, W, s), Transpose, Reshape (N, C * s * s, H, W) by a PixelUnshuffle."""
    for node in list(graph):
        chain = _chain(node)
        if chain is None:
            continue
        side, last = dims(node.outputs[0])[3], chain[-1]
        made = ir.Node("", PIXEL_UNSHUFFLE, [node.inputs[0]], [ir.AttrInt64("downscale_factor", side)], name=node.name)
        output = made.outputs[0]
        output.name, output.shape, output.type = last.outputs[0].name, last.outputs[0].shape, last.outputs[0].type
        graph.insert_before(node, made)
        last.outputs[0].replace_all_uses_with(output, replace_graph_outputs=True)
        for one in reversed(chain):
            graph.remove(one, safe=True)


def _chain(node: ir.Node) -> list[ir.Node] | None:
    """The three nodes that begin here, if they are a PixelUnshuffle and nothing else reads what is between them."""
    names, nodes = ("Reshape", "Transpose", "Reshape"), [node]
    while len(nodes) < len(names):
        readers = list(nodes[-1].outputs[0].uses())
        if len(readers) != 1 or nodes[-1].outputs[0].is_graph_output():
            return None
        nodes.append(readers[0].node)
    if tuple(one.op_type for one in nodes) != names:
        return None
    image, split, channels = (dims(value) for value in (node.inputs[0], node.outputs[0], nodes[-1].outputs[0]) if value)
    if len(image) != 4 or len(split) != 6 or ints(nodes[1], "perm", ()) != _PHASES_TO_CHANNELS:
        return None
    batch, depth, height, side, width, other = split
    is_split = (batch, depth, height * side, width * side) == image and side == other
    return nodes if is_split and channels == (batch, depth * side * side, height, width) else None

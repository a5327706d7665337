# /// script
# requires-python = ">=3.11"
# dependencies = ["onnx>=1.16"]
# ///
"""Writes `langchain_mem/embeddings/minilm.onnx`: the arithmetic of all-MiniLM-L6-v2, without its weights.

    uv run scripts/minilm_graph.py

The file is committed, for neither its maker nor the weights are needed to install the package. It names the weights as
`model.safetensors` of sentence-transformers/all-MiniLM-L6-v2 does, dense ones transposed, and they are handed to
ONNX Runtime when the model is loaded.

The model is BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", arXiv:1810.04805) with six
layers. One layer, for tokens `x` of shape (batch, length, 384), is (Vaswani et al., arXiv:1706.03762):

    a = norm(x + dense(softmax(q kᵀ / √32) v))          q, k, v: 12 heads of 32 numbers, each a dense(x)
    x = norm(a + dense(gelu(dense(a))))                 384 -> 1536 -> 384
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

OUT = Path(__file__).parents[1] / "langchain_mem" / "embeddings" / "minilm.onnx"
DIMS, INNER, HEADS, LAYERS, WORDS, POSITIONS = 384, 1536, 12, 6, 30522, 512


class Graph:
    """Nodes and tensors as they are written down; each operation gives the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[object] = []
        self.tensors: dict[str, TensorProto] = {}

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Adds one operation with one result."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, *shape: int) -> str:
        """Names a tensor whose numbers come from outside."""
        tensor = TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="model.safetensors")
        self.tensors[name] = tensor
        return name

    def constant(self, value: object, dtype: type = np.int64) -> str:
        """Adds a small tensor with its numbers."""
        name = f"constant_{len(self.tensors)}"
        self.tensors[name] = numpy_helper.from_array(np.array(value, dtype), name)
        return name

    def dense(self, x: str, name: str, inputs: int, outputs: int) -> str:
        """`x W + b`."""
        product = self.op("MatMul", x, self.weight(f"{name}.weight", inputs, outputs))
        return self.op("Add", product, self.weight(f"{name}.bias", outputs))

    def norm(self, x: str, name: str) -> str:
        """Each row brought to mean 0 and deviation 1, then scaled and moved."""
        scale, bias = self.weight(f"{name}.weight", DIMS), self.weight(f"{name}.bias", DIMS)
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    def heads(self, x: str, order: list[int]) -> str:
        """(batch, length, 384) -> (batch, 12, length, 32), or another order of those."""
        parts = self.op("Reshape", x, self.constant([0, 0, HEADS, DIMS // HEADS]))
        return self.op("Transpose", parts, perm=order)

    def embedded(self) -> str:
        """What each token is by itself: its word, its place and its kind."""
        words = self.op("Gather", self.weight("embeddings.word_embeddings.weight", WORDS, DIMS), "input_ids")
        kinds = self.op("Gather", self.weight("embeddings.token_type_embeddings.weight", 2, DIMS), "token_type_ids")
        length = self.op("Shape", "input_ids", start=1, end=2)
        places = self.weight("embeddings.position_embeddings.weight", POSITIONS, DIMS)
        places = self.op("Slice", places, self.constant([0]), length, self.constant([0]))
        return self.norm(self.op("Add", self.op("Add", words, kinds), places), "embeddings.LayerNorm")

    def unseen(self) -> str:
        """0 where there is a token, and nearly minus infinity where there is none; (batch, 1, 1, length)."""
        mask = self.op("Unsqueeze", self.op("Cast", "attention_mask", to=TensorProto.FLOAT), self.constant([1, 2]))
        missing = self.op("Sub", mask, self.constant(1.0, np.float32))
        return self.op("Mul", missing, self.constant(1e9, np.float32))

    def layer(self, x: str, unseen: str, name: str) -> str:
        """One layer of the formula above."""
        query, key, value = (
            self.heads(self.dense(x, f"{name}attention.self.{part}", DIMS, DIMS), order)
            for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        alike = self.op("Div", self.op("MatMul", query, key), self.constant((DIMS / HEADS) ** 0.5, np.float32))
        seen = self.op("Softmax", self.op("Add", alike, unseen), axis=-1)
        attended = self.op("Transpose", self.op("MatMul", seen, value), perm=[0, 2, 1, 3])
        attended = self.op("Reshape", attended, self.constant([0, 0, DIMS]))
        x = self.added(x, attended, f"{name}attention.output.", DIMS)
        inner = self.op("Gelu", self.dense(x, f"{name}intermediate.dense", DIMS, INNER))
        return self.added(x, inner, f"{name}output.", INNER)

    def added(self, x: str, change: str, name: str, inputs: int) -> str:
        """`norm(x + dense(change))`."""
        return self.norm(self.op("Add", x, self.dense(change, f"{name}dense", inputs, DIMS)), f"{name}LayerNorm")


def build() -> ModelProto:
    """The whole model, with the inputs and the output of the file that sentence-transformers and Chroma publish."""
    graph = Graph()
    x, unseen = graph.embedded(), graph.unseen()
    for layer in range(LAYERS):
        x = graph.layer(x, unseen, f"encoder.layer.{layer}.")
    graph.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", DIMS])
    made = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], [*graph.tensors.values()])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


if __name__ == "__main__":
    OUT.write_bytes(build().SerializeToString(deterministic=True))

import hashlib
import math

import pytest
from adapter_files import write_adapter

from lora_repository.base import BaseTable
from lora_repository.finding import Problem

PUBLISHED_TARGETS = "ee5f6f4557d6469910a82a8da21b14e2773e77b0d8e9f439cbffe7e27e68d84d"
"""SHA-256 of the 448 module names that upstream's training configuration adapts, sorted, one a line."""


def test_the_14b_table_has_the_published_targets():
    base = BaseTable.known_14b()
    targets = set(base.covered_by("attn")) | set(base.covered_by("ffn"))
    assert hashlib.sha256("\n".join(sorted(targets)).encode()).hexdigest() == PUBLISHED_TARGETS
    assert sum(128 * sum(base.modules[module]) for module in targets) == 676_331_520
    assert len(base.modules) == 467


def test_the_text_encoder_table():
    base = BaseTable.known_umt5_xxl()
    assert len(base.modules) == 24 * 7
    assert len(base.covered_by("attn")) == 24 * 4
    assert len(base.covered_by("ffn")) == 24 * 3
    assert sum(math.prod(shape) for shape in base.modules.values()) == 24 * (4 * 4096**2 + 3 * 4096 * 10240)


def test_linears_are_told_from_what_is_none(tmp_path):
    shapes = {
        "blocks.0.attn.q.weight": (8, 4),
        "blocks.0.attn.q.bias": (8,),
        "blocks.0.pos_embedding.embedding.weight": (32, 4),
        "token_embedding.weight": (99, 4),
        "trainable_cond_mask.weight": (3, 4),
        "text_embedding.0.weight": (8, 8),
        "patch_embedding.weight": (8, 4, 1, 2, 2),
        "norm.weight": (4,),
    }
    one = write_adapter(tmp_path / "a.safetensors", dict(list(shapes.items())[:4]))
    two = write_adapter(tmp_path / "b.safetensors", dict(list(shapes.items())[4:]))
    base = BaseTable.from_safetensors([one, two], "mine")
    assert base.modules == {"blocks.0.attn.q": (8, 4), "text_embedding.0": (8, 8)}
    assert BaseTable.from_safetensors([one]).name == tmp_path.name
    with pytest.raises(Problem):
        BaseTable.from_safetensors([tmp_path / "missing.safetensors"])


def test_what_a_target_covers():
    base = BaseTable(
        "x", {"a.q": (1, 1), "a.qq": (1, 1), "b.self_attn.q": (1, 1), "b.ffn.0": (1, 1), "ffnish.0": (1, 1)}
    )
    assert base.covered_by("attn") == ("a.q", "b.self_attn.q")
    assert base.covered_by("ffn") == ("b.ffn.0",)
    assert base.covered_by("self_attn.q") == ("b.self_attn.q",)
    assert base.covered_by("ffn.0") == ("b.ffn.0",)
    assert base.covered_by("b") == ()

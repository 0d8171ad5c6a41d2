"""Training on whole clips computes what a rollout computes block by block."""

from __future__ import annotations

import torch

from engine.conditioning import Condition
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.rollout import rollout
from engine.training import parallel
from engine.training.path import Conditions, walk

BLOCKS = 6
SMALL = DiTConfig(
    dim=32, ffn_dim=64, freq_dim=16, in_dim=4, out_dim=4, cond_dim=4, num_heads=2, num_layers=3, text_dim=8, text_len=5,
    audio_dim=6, audio_layers=2, audio_inject_layers=(0, 2), anchor_update=False, reference_pose=True,
)  # fmt: skip


class Recorded:
    """Draws that the clip's pass can be given too."""

    def __init__(self, noise: torch.Tensor, distance: torch.Tensor) -> None:
        self._noise, self._distance = noise, distance

    def noise(self, block: int, shape: tuple[int, ...]) -> torch.Tensor:
        return self._noise[:, :, 3 * block : 3 * block + 3]

    def distance(self, block: int, step: int) -> int:
        return int(self._distance[0, block])


def test_all_blocks_at_once_equal_the_rollout() -> None:
    torch.manual_seed(0)
    model = DiT(SMALL).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    reference, motion = torch.randn(1, 4, 1, 16, 16), torch.randn(1, 4, 19, 16, 16)
    features, context = torch.randn(1, 2, 6, 12 * BLOCKS), torch.randn(1, 5, 8)
    noise = torch.randn(1, 4, 3 * BLOCKS, 16, 16)
    distance = torch.tensor([[4, 30, 17, 9, 22, 13]])
    text = model.text_kv(model.embed_text(context))

    condition = Condition(text, reference, motion)
    blocks = rollout(model, condition, features.split(12, dim=3), Recorded(noise, distance), 4)  # type: ignore[arg-type]
    expected = torch.cat([block.latents for block in blocks], dim=2)

    with torch.no_grad():
        placement = parallel.place(model, (16, 16), BLOCKS, torch.tensor([0]), distance)
        kept = parallel.prefill(model, reference, motion, text, placement)
        audio = model.audio_injections(model.encode_audio(features))
        given = Conditions(text, audio, parallel.ParallelAttention(kept, placement, BLOCKS), condition.pose(3 * BLOCKS))
        actual = walk(model, given, noise, 4)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)

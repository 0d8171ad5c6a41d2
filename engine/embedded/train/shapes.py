"""Sizes of the embedded model: the only place where they are chosen; the classes are those of the 14B model.

Why these: DiT 192 x 6 and a patch-2 autoencoder are the largest pair that keeps 25 frames a second on two CPU cores;
32 latent channels lift the linear bound of a 4x8x8 code from 28.2 dB (16 channels) to 30.7 dB at 128 px.
"""

from __future__ import annotations

from typing import Any, Final

SIZE: Final = 128
LATENT_CHANNELS: Final = 32
CLIP_BLOCKS: Final = 5
"""Training clips: 5 blocks = 15 latents = 60 frames, so that the window of 4 blocks fills and slides."""
STILL_FRAMES: Final = 73
TEXT_LENGTH: Final = 48

DIT: Final[dict[str, Any]] = {
    "model_type": "s2v",
    "dim": 192,
    "ffn_dim": 768,
    "freq_dim": 64,
    "in_dim": LATENT_CHANNELS,
    "out_dim": LATENT_CHANNELS,
    "cond_dim": LATENT_CHANNELS,
    "num_heads": 6,
    "num_layers": 6,
    "text_dim": 128,
    "text_len": TEXT_LENGTH,
    "audio_dim": 96,
    "audio_layers": 4,
    "audio_inject_layers": [0, 2, 4],
    "num_audio_token": 4,
    "eps": 1e-6,
    "anchor_update": False,
    "reference_pose": True,
}

VAE: Final[dict[str, Any]] = {
    "dim": 16,
    "decoder_dim": 32,
    "z_dim": LATENT_CHANNELS,
    "dim_mult": (1, 2, 4),
    "num_res_blocks": 1,
    "temporal_downsample": (True, True),
    "patch_size": 2,
}

WAV2VEC2: Final[dict[str, Any]] = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "conv_dim": (64,) * 7,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 4,
}

UMT5: Final[dict[str, int]] = {
    "dim": 128,
    "dim_attn": 128,
    "dim_ffn": 256,
    "num_heads": 4,
    "num_layers": 2,
    "vocab_size": 640,
}

"""The small umT5: a byte-level BPE over the corpus's prompts, and an encoder whose words stay apart.

Trained before the denoiser sees it: left to the denoiser alone it collapses (two colours 1.5 apart in norm 10.9, and
prompts are ignored). Two objectives: name the attributes of a prompt, and name each token again.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn

from engine.embedded.corpus import prompts
from engine.embedded.train.schedule import Clock
from engine.embedded.train.shapes import TEXT_LENGTH, UMT5
from engine.model.t5 import T5Config, UmT5Encoder

PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"


def train_tokenizer(path: Path, count: int = 20_000) -> Tokenizer:
    """Byte-level BPE: any script encodes, the corpus's words are single pieces; `</s>` is added at the end."""
    rng = random.Random(0)
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=UMT5["vocab_size"],
        special_tokens=[PAD, EOS, UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((prompts.sample(rng).text for _ in range(count)), trainer)
    eos = tokenizer.token_to_id(EOS)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {EOS}", special_tokens=[(EOS, eos)])
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


def tokenise(tokenizer: Tokenizer, texts: list[str], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask, both [B, TEXT_LENGTH], cut and padded."""
    ids = torch.zeros(len(texts), TEXT_LENGTH, dtype=torch.long)
    mask = torch.zeros(len(texts), TEXT_LENGTH, dtype=torch.long)
    for row, encoding in enumerate(tokenizer.encode_batch(texts)):
        tokens = encoding.ids[:TEXT_LENGTH]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return ids.to(device), mask.to(device)


def build() -> UmT5Encoder:
    return UmT5Encoder(T5Config(**UMT5))


def train(tokenizer: Tokenizer, seconds: float, device: torch.device) -> UmT5Encoder:
    """Attribute naming from the mean token, token naming from each; a hundred seconds on one core are enough."""
    rng = random.Random(1)
    encoder = build().to(device)
    heads = nn.ModuleDict({key: nn.Linear(UMT5["dim"], len(names)) for key, names in prompts.ATTRIBUTES.items()})
    again = nn.Linear(UMT5["dim"], UMT5["vocab_size"])
    model = nn.ModuleList([encoder, heads, again]).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.01)
    clock = Clock("text", seconds, 1e-3)
    for _ in clock.ticks(optimiser):
        said = [prompts.sample(rng) for _ in range(128)]
        ids, mask = tokenise(tokenizer, [prompt.text for prompt in said], device)
        hidden = encoder(ids, mask)
        pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        loss = 0.5 * F.cross_entropy(again(hidden)[mask.bool()], ids[mask.bool()])
        for key, names in prompts.ATTRIBUTES.items():
            truth = torch.tensor([names.index(prompt.attributes[key]) for prompt in said], device=device)
            loss = loss + F.cross_entropy(heads[key](pooled), truth)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        clock.log(loss=loss)
    return encoder.eval().requires_grad_(False)

"""Avatars pass, everything else is refused with the reason, and what is refused can become an avatar.

`astronaut.jpg` is a part of NASA's portrait of Eileen Collins: public domain.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.embedded import portrait
from engine.embedded.corpus.identity import generator, sample
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import rest
from engine.embedded.portrait import PASS, avatarise, check_portrait, in_family
from engine.embedded.portrait_reader import draw, packed, random_portraits, unpacked
from engine.image import prepare

HERE = Path(__file__).parent
SAMPLES = Path(__file__).parents[3] / "engine" / "embedded" / "samples"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_held_out_avatars_pass() -> None:
    pictures = render(sample(12, generator(11, held_out=True)), rest(12), 128) * 2 - 1
    scores = [check_portrait(picture[None, :, None]).score for picture in pictures]
    assert min(scores) >= PASS, scores


@pytest.mark.parametrize("name", ["presenter.png", "host.png"])
def test_the_samples_pass(name: str) -> None:
    verdict = check_portrait(prepare(SAMPLES / name, 128, 128))
    assert verdict.ok and "avatar" in verdict.message


def test_a_photograph_noise_and_an_empty_picture_are_refused() -> None:
    photograph = prepare(HERE / "astronaut.jpg", 128, 128)
    noise = torch.rand(1, 3, 1, 128, 128, generator=generator(0)) * 2 - 1
    for picture in (photograph, noise, torch.zeros(1, 3, 1, 128, 128)):
        verdict = check_portrait(picture)
        assert not verdict.ok and verdict.score < PASS
        assert f"{PASS:.0%}" in verdict.message


def test_a_verdict_is_the_same_every_time_and_reads_the_middle_of_a_wide_picture() -> None:
    who = sample(1, generator(12, held_out=True))
    picture = (render(who, rest(1), 128) * 2 - 1)[:, :, None]
    wide = torch.nn.functional.pad(picture, (32, 32), value=0.0)
    first = check_portrait(picture)
    assert first == check_portrait(picture)
    assert check_portrait(wide).score == pytest.approx(first.score, abs=1e-3)


def test_a_photograph_becomes_an_avatar_of_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portrait, "_COARSE_STEPS", 30)  # enough to come near, at a fifth of the time
    monkeypatch.setattr(portrait, "_FINE_STEPS", 30)
    photograph = prepare(HERE / "astronaut.jpg", 128, 128)
    drawn = avatarise(photograph)
    assert drawn.shape == (1, 3, 1, 128, 128)
    assert check_portrait(drawn).ok
    nearer = (drawn - photograph).square().mean() < 0.8 * (
        (render(sample(8, generator(13)), rest(8), 128)[:, :, None] * 2 - 1 - photograph)
        .square()
        .mean((1, 2, 3, 4))
        .min()
    )
    assert bool(nearer), "closer to the photograph than the best of eight strangers"


def test_packing_is_its_own_inverse_and_the_family_is_closed() -> None:
    who = sample(5, generator(14))
    back, moves = unpacked(packed(who))
    torch.testing.assert_close(back.values, who.values)
    torch.testing.assert_close(moves, rest(5))
    inside = in_family(packed(who))
    assert float((draw(inside, 32) - draw(packed(who), 32)).abs().mean()) < 0.01, "an avatar stays as it is"
    strange = in_family(random_portraits(5, generator(15)) * 0 + 0.5)
    torch.testing.assert_close(in_family(strange), strange, atol=0.025, rtol=0)

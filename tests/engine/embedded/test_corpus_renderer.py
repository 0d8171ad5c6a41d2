"""The renderer: what moves is seen, what must not be seen is not, and a picture is the same however it is asked for."""

from __future__ import annotations

import torch

from engine.embedded.corpus.identity import BACKGROUNDS, COLOURS, SCALARS, Identity, generator, sample
from engine.embedded.corpus.renderer import head_shape, render
from engine.embedded.corpus.scene import MOTION, build, rest


def dressed(**traits: float | tuple[float, float, float]) -> Identity:
    """One held-out avatar with some traits set."""
    who = sample(1, generator(3, held_out=True))
    values = who.values.clone()
    for name, value in traits.items():
        if isinstance(value, tuple):
            start = 3 * COLOURS.index(name)
            values[0, start : start + 3] = torch.tensor(value)
        else:
            values[0, 3 * len(COLOURS) + SCALARS.index(name)] = value
    return Identity(values, who.hair, who.background, who.cloth)


def posed(**channels: float) -> torch.Tensor:
    motion = rest(1)
    for name, value in channels.items():
        motion[0, MOTION.index(name)] = value
    return motion


def test_a_frame_does_not_depend_on_the_batch_it_is_drawn_in() -> None:
    who, motion = sample(5, generator(0)), rest(5)
    motion[:, MOTION.index("yaw")] = torch.linspace(-0.2, 0.2, 5)
    together = render(who, motion, 64)
    alone = render(who.select(torch.tensor([3])), motion[3:4], 64)
    assert together.shape == (5, 3, 64, 64)
    assert float(together.min()) >= 0 and float(together.max()) <= 1
    torch.testing.assert_close(together[3:4], alone, atol=1e-6, rtol=0)


def test_a_larger_picture_shows_the_same() -> None:
    who = sample(6, generator(1, held_out=True))
    small = render(who, rest(6), 64)
    halved = torch.nn.functional.avg_pool2d(render(who, rest(6), 128), 2)
    assert float((small - halved).square().mean()) < 10**-2.9


def test_the_mouth_opens_as_far_as_it_is_told() -> None:
    light = (0.9, 0.8, 0.7)
    who = dressed(beard=0.0, moustache=0.0, glasses=0.0, skin=light, hair=light, cloth=light, lips=light, iris=light)
    dark = []
    for opening in (0.0, 0.3, 0.6, 1.0):
        frame = render(who, posed(open=opening), 128)[0]
        dark.append(float(((frame[0] - 0.27).abs() + frame[1] + frame[2] < 0.3).sum()))
    assert dark[0] < dark[1] < dark[2] < dark[3]
    assert dark[0] == 0


def test_no_white_shows_through_shut_eyes() -> None:
    """Lids that meet leave no line of the eye's white between them."""
    who = dressed(skin=(0.5, 0.35, 0.25), hair=(0.1, 0.1, 0.1), glasses=0.0, frame=(0.1, 0.1, 0.1))
    cx, cy, scale = (float(who.scalar(name)) for name in ("cx", "cy", "scale"))
    rows = slice(int((cy - 0.30 * scale + 1) * 64), int((cy + 0.05 * scale + 1) * 64))
    columns = slice(int((cx - 0.6 * scale + 1) * 64), int((cx + 0.6 * scale + 1) * 64))

    def whitest(eye: float) -> float:
        return float(render(who, posed(eye=eye), 128)[0, 2, rows, columns].max())

    assert whitest(1.0) > 0.9
    assert whitest(0.0) < 0.62


def test_a_beard_leaves_no_rim_of_skin() -> None:
    """Light skin under a black beard on a black wall: any light pixel below the beard's line is a rim."""
    black = (0.08, 0.08, 0.08)
    who = dressed(
        skin=(1.0, 0.87, 0.76), hair=black, background=black, cloth=black, accent=black, beard=1.0, has_hair=1.0,
        bg_stripes=0.0, long_hair=1.0, earrings=0.0, v_neck=0.0, jacket=0.0, turtleneck=1.0, lips=(0.3, 0.1, 0.1),
        beard_line=0.3, jaw=0.4,
    )  # fmt: skip
    frame = render(who, rest(1), 128)[0].mean(0)
    cx, cy, scale, width = (float(who.scalar(name)) for name in ("cx", "cy", "scale", "face_width"))
    rows = slice(int((cy + 0.45 * scale + 1) * 64), int((cy + 0.95 * scale + 1) * 64))
    beside_the_neck = slice(int((cx - 1.1 * width * scale + 1) * 64), int((cx - 0.5 * width * scale + 1) * 64))
    assert float(frame[rows, beside_the_neck].max()) < 0.16


def test_every_parameter_has_a_finite_gradient() -> None:
    who = sample(4, generator(2))
    values = who.values.clone().requires_grad_(True)
    motion = (rest(4) + 0.1 * torch.randn(4, len(MOTION), generator=generator(0))).requires_grad_(True)
    render(Identity(values, who.hair, who.background, who.cloth), motion, 32).square().mean().backward()
    assert values.grad is not None and motion.grad is not None
    assert bool(torch.isfinite(values.grad).all()) and bool(torch.isfinite(motion.grad).all())
    assert bool((motion.grad.abs().sum(0) > 0).all()), "a motion that moves nothing"


def test_the_head_has_a_width_even_below_the_chin() -> None:
    """A jaw that went on narrowing would reach a width of nought there, and gradients would be lost with it."""
    who = sample(64, generator(8))
    values = who.values.clone()
    values[:, 3 * len(COLOURS) + SCALARS.index("jaw")] = torch.linspace(0.05, 0.75, 64)
    distance = head_shape(build(Identity(values, who.hair, who.background, who.cloth), rest(64), 128))
    assert float(distance.max()) < 5


def test_avatars_are_clearly_different_from_each_other() -> None:
    faces = render(sample(20, generator(4, held_out=True)), rest(20), 32).flatten(1)
    apart = torch.cdist(faces, faces) / faces.shape[1] ** 0.5
    assert float(apart[~torch.eye(20, dtype=torch.bool)].min()) > 0.05


def test_another_background_changes_the_wall_and_nothing_else() -> None:
    who = sample(1, generator(5))
    where = torch.tensor([tuple(BACKGROUNDS).index("green")])
    other = who.with_background(where, torch.tensor([True]))
    kept = who.with_background(where, torch.tensor([False]))
    before, after = (render(x, rest(1), 64)[0] for x in (who, other))
    face = (slice(None), slice(24, 40), slice(24, 40))
    torch.testing.assert_close(before[face], after[face])
    assert float((before - after)[:, :6, :6].abs().max()) > 0.1
    torch.testing.assert_close(render(kept, rest(1), 64)[0], before)


def test_identities_come_from_disjoint_streams_and_are_repeatable() -> None:
    first, again = sample(8, generator(0)), sample(8, generator(0))
    held_out = sample(8, generator(0, held_out=True))
    assert torch.equal(first.values, again.values)
    assert not torch.equal(first.values, held_out.values)

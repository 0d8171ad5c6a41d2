"""Draws an avatar: identity and motion to pixels, batched, differentiable, the same on CPU and GPU.

A face is some fifty anti-aliased shapes laid over each other from back to front, in pure torch without branches on
values, so it compiles to a few kernels and can be fitted to a picture by gradient. Knows no speech and no prompts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.corpus import hair
from engine.embedded.corpus.features import beard, brows, eyes, glasses, mouth, nose
from engine.embedded.corpus.identity import Identity
from engine.embedded.corpus.scene import Scene, build
from engine.embedded.corpus.shapes import cover, ellipse, glow, intersection, over


def render(identity: Identity, motion: Tensor, size: int = 128) -> Tensor:
    """Frames [B, 3, size, size] in 0..1 of B identities in B states `motion` [B, 15] (`scene.MOTION`)."""
    scene = build(identity, motion, size)
    head = head_shape(scene)
    image = background(scene)
    image = hair.behind(image, scene)
    image = body(image, scene)
    image = ears(image, scene)
    image = face(image, scene, head)
    skin = cover(head, scene.head_pixel)
    image = beard(image, scene, head)
    image = nose(image, scene, skin)
    image = eyes(image, scene, skin)
    image = mouth(image, scene, skin)
    image = hair.front(image, scene)
    image = brows(image, scene, skin)
    image = glasses(image, scene)
    return image.clamp(0, 1)


def background(scene: Scene) -> Tensor:
    """A wall: lighter behind the head, darker below, sometimes with broad diagonal stripes."""
    colour = scene.colour("background")[:, :, None, None]
    shade = 1 - 0.16 * scene.i("bg_gradient") * (scene.y * 0.5 + 0.5)
    shade = shade + 0.08 * scene.i("bg_glow") * glow(scene.x, scene.y + 0.2, 1.3, 1.3)
    frequency = scene.i("bg_frequency")
    wave = torch.sin((scene.x + scene.y * scene.i("bg_slant")) * frequency)
    stripe = cover(-wave / frequency, scene.pixel)
    return colour * (shade - 0.07 * scene.i("bg_stripes") * stripe)[:, None]


def head_shape(scene: Scene) -> Tensor:
    """Distance to the head: an egg whose lower half lengthens as the jaw drops."""
    width = scene.i("face_width")
    y = torch.where(scene.head_y > 0, scene.head_y / (1 + 0.09 * scene.m("open")), scene.head_y)
    narrowed = width * (1 - 0.42 * scene.i("jaw") * y.clamp(0, 1.2) ** 2)  # below the chin it would pass zero
    x = scene.head_x + 0.04 * scene.m("yaw")
    return (torch.sqrt((x / narrowed) ** 2 + y**2 + 1e-6) - 1) * width


def body(image: Tensor, scene: Scene) -> Tensor:
    """Neck, shoulders, and one of crew neck, V neck, turtleneck or jacket over a shirt."""
    scale, pixel = scene.i("scale"), scene.head_pixel
    x = (scene.x - scene.i("cx") - 0.35 * scene.m("x")) / scale
    y = (scene.y - scene.i("cy") - 0.15 * scene.m("y")) / scale
    skin, cloth, accent = scene.colour("skin"), scene.colour("cloth"), scene.colour("accent")
    half = 0.40 * scene.i("face_width") + 0.02
    neck = cover(intersection(x.abs() - half - 0.25 * (y - 1.1).clamp(min=0) ** 2, 0.2 - y), pixel)
    image = over(image, neck, skin * 0.86)
    image = over(image, neck * 0.55 * glow(x, y - 0.98, 0.75, 0.42), skin * 0.55)  # the chin's shadow
    torso = ellipse(x, y - 2.02, 1.36 * scene.i("shoulder"), 0.80)
    shirt = cover(torso, pixel)
    image = over(image, shirt, cloth)
    fold = glow(x.abs() - 1.0, y - 1.75, 0.5, 0.7)
    image = over(image, shirt * fold * 0.35, cloth * 0.6)
    opening = intersection(x.abs() * 1.5 + (y - 1.24 - 0.42 * scene.i("neckline")), -torso - 0.3)
    jacket = scene.i("jacket")
    vee = cover(intersection(x.abs() * 1.35 + y - 1.86, -torso - 0.5), pixel) * shirt
    image = over(image, vee * jacket, accent)
    lapel = cover((x.abs() * 1.35 + y - 1.90).abs() - 0.045, pixel) * shirt
    image = over(image, lapel * jacket, cloth * 0.72)
    plain = (1 - jacket) * (1 - scene.i("turtleneck"))
    open_neck = cover(opening, pixel) * shirt * scene.i("v_neck") * plain
    image = over(image, open_neck, skin * 0.90)
    collar = cover(intersection(x.abs() - half - 0.05, 1.03 - y, y - 1.36), pixel)
    image = over(image, collar * scene.i("turtleneck") * (1 - jacket), cloth * 0.86)
    rim = cover((torso + 0.03).abs() - 0.03, pixel) * cover(x.abs() - half - 0.12, pixel) * cover(y - 1.6, pixel)
    return over(image, rim * plain * (1 - scene.i("v_neck")), accent)


def ears(image: Tensor, scene: Scene) -> Tensor:
    """Two ears that move against the turn of the head, with or without earrings."""
    skin, frame = scene.colour("skin"), scene.colour("frame")
    size, yaw, pixel = scene.i("ear"), scene.m("yaw"), scene.head_pixel
    for side in (-1.0, 1.0):
        x = scene.head_x - side * scene.i("face_width") + 0.18 * yaw
        y = scene.head_y - 0.02 - 0.2 * scene.m("pitch")
        image = over(image, cover(ellipse(x, y, 0.13 * size, 0.20 * size), pixel), skin * 0.92)
        image = over(image, cover(ellipse(x, y, 0.07 * size, 0.12 * size), pixel) * 0.6, skin * 0.72)
        ring = cover(ellipse(x - side * 0.03, y - 0.24 * size, 0.055, 0.065), pixel)
        image = over(image, ring * scene.i("earrings"), frame * 0.5 + 0.45)
    return image


def face(image: Tensor, scene: Scene, head: Tensor) -> Tensor:
    """The skin: lit from above left, darker at the turned-away side, rosy cheeks that glow in a smile."""
    skin = scene.colour("skin")
    inside = cover(head, scene.head_pixel)
    image = over(image, inside, skin)
    turn = ((scene.head_x + 0.5 * scene.m("yaw")) / scene.i("face_width")).abs().clamp(0, 1.2)
    image = over(image, inside * (0.18 * turn**3 + 0.05 * scene.head_y.clamp(0, 1)), skin * 0.60)
    lit = glow(scene.face_x + 0.22, scene.face_y + 0.45, 0.75, 0.6)
    image = over(image, inside * lit * 0.20, skin * 0.4 + 0.6)
    cheek = 0.5 * scene.i("blush") + 0.30 * scene.m("smile").clamp(min=0)
    for side in (-1.0, 1.0):
        x = scene.face_x - side * 0.50 * scene.i("face_width")
        rosy = glow(x, scene.face_y - 0.27, 0.26, 0.20)
        image = over(image, rosy * inside * cheek.clamp(0, 0.7), skin * 0.55 + scene.constant(0.42, 0.12, 0.13))
    return image

"""Hair, behind the head and in front of it: straight or curly, short or long, with a fringe, a parting or a bun."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.corpus.scene import Scene
from engine.embedded.corpus.shapes import box, cover, ellipse, glow, intersection, over, union


def behind(image: Tensor, scene: Scene) -> Tensor:
    """What is seen beside and above the head: the back of the hair, long strands, a bun."""
    colour, pixel = scene.colour("hair"), scene.head_pixel
    shown = scene.i("has_hair")
    bun = ellipse(scene.head_x, scene.head_y + 1.16 + scene.i("hair_volume"), 0.34, 0.30)
    image = over(image, cover(bun, pixel) * scene.i("bun") * shown, colour * 0.86)
    image = over(image, cover(_cap(scene), pixel) * shown, colour * 0.74)
    length = scene.i("hair_length")
    half = scene.i("face_width") * 1.06 + 0.5 * scene.i("hair_volume")
    widened = half + scene.i("hair_flare") * (scene.head_y - 0.1).clamp(0, 1.5)
    long = box(scene.head_x, scene.head_y - 0.5 * length + 0.15, widened, 0.5 * length + 0.15, 0.18)
    waves = 0.5 * scene.i("curly") * _curls(scene, scene.head_y * 2.2)
    return over(image, cover(long - waves, pixel) * scene.i("long_hair") * shown, colour * 0.74)


def front(image: Tensor, scene: Scene) -> Tensor:
    """The hair over the forehead: its edge, a parting, a soft shine."""
    colour, pixel = scene.colour("hair"), scene.head_pixel
    shown, x = scene.i("has_hair"), scene.head_x
    y = scene.head_y - 0.06 * scene.m("pitch")
    wave = torch.cos(x * scene.i("fringe_frequency") + scene.i("fringe_phase"))
    parted = (x - scene.i("part")).abs()
    parting = scene.i("side_part") * (0.16 - 0.30 * parted.clamp(max=0.9))
    across = (x / scene.i("face_width")).abs().clamp(max=1.08)
    edge = scene.i("hairline") + scene.i("fringe") * wave - parting + scene.i("temple") * across**4
    lock = intersection(_cap(scene), (y - edge) * 0.85)
    strands = cover(lock, pixel)
    image = over(image, strands * shown, colour)
    shadow = cover(lock.abs() - 0.012, pixel) * cover(_cap(scene) + 0.06, pixel)
    image = over(image, shadow * shown * 0.55, colour * 0.62)
    shine = glow(x - 0.22, y + 0.86, 0.42, 0.20)
    return over(image, strands * shine * shown * 0.40, colour * 0.5 + 0.5)


def _cap(scene: Scene) -> Tensor:
    volume = scene.i("hair_volume")
    skull = ellipse(scene.head_x, scene.head_y + 0.06, scene.i("face_width") * 1.09 + volume, 1.06 + volume)
    angle = torch.atan2(scene.head_x, -(scene.head_y + 0.10) + 1e-5)
    return union(skull, skull - scene.i("curly") * (0.04 + _curls(scene, angle)))


def _curls(scene: Scene, along: Tensor) -> Tensor:
    return scene.i("curl") * torch.cos(along * scene.i("curl_count").round())

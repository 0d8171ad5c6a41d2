"""The parts of the face that move: eyes, brows, nose, mouth; and what lies over them: beard and glasses."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.embedded.corpus.scene import Scene
from engine.embedded.corpus.shapes import band, box, cover, ellipse, glow, intersection, over

SIDES = (-1.0, 1.0)
EYE_HEIGHT = -0.12
MOUTH_HEIGHT = 0.50
JAW = 0.30
"""How far the lips part at `open` = 1, in head units."""


def nose(image: Tensor, scene: Scene, skin: Tensor) -> Tensor:
    """A round tip with a light on it and the shade of the bridge; it leads the turn of the head."""
    colour, size, pixel = scene.colour("skin"), scene.i("nose"), scene.head_pixel
    x = scene.face_x + 0.20 * scene.m("yaw")
    y = scene.face_y - 0.16 * scene.m("pitch")
    tip = y - 0.21 * scene.i("nose_length")
    bridge = glow(x - 0.05, y - 0.02, 0.09, 0.24)
    image = over(image, bridge * skin * 0.35, colour * 0.66)
    image = over(image, cover(ellipse(x, tip, 0.108 * size, 0.078 * size), pixel) * skin, colour * 0.80)
    image = over(image, cover(ellipse(x, tip + 0.012, 0.100 * size, 0.066 * size), pixel) * skin, colour * 0.92)
    return over(image, glow(x + 0.03, tip + 0.03, 0.06, 0.045) * skin * 0.6, colour * 0.4 + 0.6)


def eyes(image: Tensor, scene: Scene, skin: Tensor) -> Tensor:
    """Both eyes: white, iris, pupil, light, and the lid that comes down over them."""
    for side in SIDES:
        image = _eye(image, scene, skin, side)
    return image


def _eye(image: Tensor, scene: Scene, skin: Tensor, side: float) -> Tensor:
    colour, pixel, size = scene.colour("skin"), scene.head_pixel, scene.i("eye_size")
    x = scene.face_x - side * scene.i("eye_gap")
    y = scene.face_y - EYE_HEIGHT - scene.i("eye_tilt") * side * -x - 0.10 * side * x * scene.m("angry")
    arch = 1 - (x / size) ** 2
    half = size * scene.i("eye_height")
    squint = 0.35 * scene.m("smile").clamp(min=0) + 0.25 * scene.m("angry")
    low = half * 0.72 * (1 - squint) * arch
    lid = scene.m("eye") * (1 - 0.22 * scene.m("sad") - 0.25 * scene.m("angry") + 0.28 * scene.m("surprise"))
    top = low - (low + half * 0.92 * arch) * lid
    within = cover(x.abs() - size, pixel)
    inside = band(y, top, low, pixel) * within * skin
    crease = -half * 1.12 * arch
    image = over(image, band(y, crease, top, pixel) * within * skin * 0.55, colour * 0.72)
    image = over(image, inside, scene.constant(0.97, 0.97, 0.97))
    gx, gy = x - 0.05 * scene.m("gaze"), y + 0.1 * size
    iris = scene.colour("iris")
    image = over(image, cover(ellipse(gx, gy, size * 0.56, size * 0.56), pixel) * inside, iris * 0.75)
    image = over(image, cover(ellipse(gx, gy, size * 0.46, size * 0.46), pixel) * inside, iris)
    image = over(image, cover(ellipse(gx, gy, size * 0.27, size * 0.27), pixel) * inside, iris * 0.15)
    light = cover(ellipse(gx + 0.04, gy + 0.05, size * 0.15, size * 0.15), pixel)
    image = over(image, light * inside, scene.constant(1, 1, 1))
    lash = band(y, top - 0.034, top + 0.012, pixel) * cover(x.abs() - size * 1.04, pixel)
    return over(image, lash * skin, colour * 0.22)


def brows(image: Tensor, scene: Scene, skin: Tensor) -> Tensor:
    """Brows carry the feeling: down and inwards in anger, inner ends up in sadness, high in surprise."""
    pixel, size = scene.head_pixel, scene.i("eye_size")
    colour = scene.colour("hair") * 0.55
    tilt = 0.62 * scene.m("angry") - 0.55 * scene.m("sad")
    lift = 0.17 * scene.m("surprise") + 0.03 * scene.m("smile").clamp(min=0) - 0.05 * scene.m("angry")
    for side in SIDES:
        x = scene.face_x - side * scene.i("eye_gap")
        out = side * x
        height = EYE_HEIGHT - 0.27 - scene.i("brow_height") - lift
        middle = height - tilt * out + scene.i("brow_arch") * x**2
        thick = scene.i("brow_thickness") * (1.15 - 1.6 * out).clamp(0.6, 1.5)
        stroke = intersection((scene.face_y - middle).abs() - thick, x.abs() - size * 1.15)
        image = over(image, cover(stroke, pixel) * skin, colour)
    return image


def _mouth_lines(scene: Scene) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, and the curves y of: upper lip's top, opening's top, opening's bottom, lower lip's bottom; and |x| / width."""
    smile, rounded, opening = scene.m("smile") + scene.i("mouth_rest"), scene.m("round"), scene.m("open")
    width = scene.i("mouth_width") * (1 + 0.26 * scene.m("wide") - 0.32 * rounded + 0.22 * smile.clamp(-0.5, 1))
    across = scene.face_x / width
    profile = (1 - across**2).clamp(1e-4, 1)
    centre = MOUTH_HEIGHT + 0.045 * opening - 0.20 * smile * (across.clamp(-1.2, 1.2) ** 2 - 0.40)
    gap = JAW * opening * scene.i("mouth_gain")
    top = centre - 0.34 * gap * profile**0.6
    bottom = centre + 0.66 * gap * profile**0.5
    lip = scene.i("lip") * (1 + 0.5 * rounded) * profile**0.45
    return top - lip, top, bottom, bottom + 1.25 * lip, across.abs()


def mouth(image: Tensor, scene: Scene, skin: Tensor) -> Tensor:
    """Lips, and between them the dark, the tongue and the teeth; shut lips show their line."""
    pixel = scene.head_pixel
    above, top, bottom, below, across = _mouth_lines(scene)
    width = scene.i("mouth_width")
    y, lips = scene.face_y, scene.colour("lips")
    within = cover((across - 1) * width, pixel) * skin
    image = over(image, band(y, above, below, pixel) * within, lips)
    gloss = glow(scene.face_x + 0.03, y - bottom - 0.35 * (below - bottom), 0.6 * width, 0.03)
    image = over(image, gloss * within * 0.35, lips * 0.5 + 0.5)
    inside = band(y, top, bottom, pixel) * within
    image = over(image, inside, scene.constant(0.27, 0.05, 0.07))
    gap = bottom - top
    tongue = cover(ellipse(scene.face_x, y - bottom - 0.01, 0.62 * width, 0.02 + 0.38 * gap), pixel)
    image = over(image, tongue * inside, scene.constant(0.84, 0.36, 0.37))
    edge = top + 0.085 * (0.3 + 0.7 * scene.m("teeth").clamp(0, 1))
    teeth = cover(y - edge, pixel) * cover((across - 0.88) * width, pixel) * (scene.m("teeth") * 6).clamp(0, 1)
    image = over(image, teeth * inside, scene.constant(0.97, 0.97, 0.95))
    line = band(y, top - 0.013, bottom + 0.013, pixel) * within
    shut = 1 - (scene.m("open") * 12).clamp(0, 1)
    return over(image, line * shut, lips * 0.45)


def beard(image: Tensor, scene: Scene, head: Tensor) -> Tensor:
    """A full beard or a moustache, under the lips: the mouth is drawn over it, so no edge of skin is left between."""
    pixel, colour = scene.head_pixel, scene.colour("hair")
    sides = (scene.head_x / scene.i("face_width")).abs().clamp(max=1.2) ** 4
    cheeks = scene.head_y - scene.i("beard_line") - 0.10 * torch.cos(scene.head_x * 5.0) + 0.5 * sides
    full = cover(intersection(head - 0.02, -cheeks), pixel)  # past the skin's soft edge, which would shine through
    image = over(image, full * scene.i("beard"), colour * 0.92)
    above, *_ = _mouth_lines(scene)
    droop = scene.face_x.abs() * 0.18
    strip = box(scene.face_x, scene.face_y - above - droop + 0.015, scene.i("mouth_width") * 0.85, 0.055, 0.05)
    either = torch.maximum(scene.i("moustache"), scene.i("beard"))
    return over(image, cover(strip, pixel) * either, colour * 0.86)


def glasses(image: Tensor, scene: Scene) -> Tensor:
    """Round or square frames, a bridge, and a faint light on the lenses."""
    pixel, size, gap = scene.head_pixel, scene.i("eye_size"), scene.i("eye_gap")
    worn, colour, oval = scene.i("glasses"), scene.colour("frame"), scene.i("glasses_round")
    half = torch.minimum(size * 1.42, gap * 0.86)
    y = scene.face_y - EYE_HEIGHT - 0.01
    for side in SIDES:
        x = scene.face_x - side * gap
        lens = torch.lerp(box(x, y, half, half * 0.78, half * 0.3), ellipse(x, y, half, half * 0.94), oval)
        image = over(image, cover(lens, pixel) * worn * 0.10, scene.constant(1, 1, 1))
        image = over(image, cover(lens.abs() - 0.024, pixel) * worn, colour)
    bridge = intersection((y + 0.05).abs() - 0.022, scene.face_x.abs() - (gap - half).clamp(min=0.01))
    return over(image, cover(bridge, pixel) * worn, colour)

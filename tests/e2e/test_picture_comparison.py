"""The comparison of pictures sees what people would see, and not how a machine softens edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from e2e.pictures import SCENE_SLACK, Pixels, difference, keep, marked, pixels_of

GROUND = (23, 28, 34)
INK = (232, 236, 240)


def page(*, shift: int = 0, ground: tuple[int, int, int] = GROUND, words: str = "Needs") -> Pixels:
    """A panel with words and a line."""
    image = Image.new("RGB", (300, 120), (16, 20, 25))
    draw = ImageDraw.Draw(image)
    draw.rectangle((40 + shift, 20, 260 + shift, 100), fill=ground, outline=(43, 52, 62))
    draw.text((60 + shift, 40), words, fill=INK)
    draw.line((60, 80, 240, 71), fill=(125, 179, 232))
    return np.asarray(image)


def softened(pixels: Pixels) -> Pixels:
    """Edges as another rasteriser draws them: a part of a pixel aside."""
    wide = pixels.astype(np.float64)
    return np.round(wide * 0.6 + np.roll(wide, 1, axis=1) * 0.4).astype(np.uint8)


def test_the_same_picture_has_no_difference() -> None:
    assert difference(page(), page()).pixels == 0


def test_edges_softened_otherwise_are_no_difference() -> None:
    assert not np.array_equal(page(), softened(page()))
    assert difference(page(), softened(page())).is_none


def test_rounding_of_colours_is_no_difference() -> None:
    brighter = (page().astype(np.int16) + 3).astype(np.uint8)
    assert difference(page(), brighter).is_none


def test_a_shift_of_two_pixels_is_a_difference() -> None:
    assert difference(page(), page(shift=1)).is_none
    assert not difference(page(), page(shift=2)).is_none


def test_a_little_lighter_ground_is_a_difference() -> None:
    assert not difference(page(), page(ground=(27, 32, 38))).is_none


def test_a_missing_word_is_a_difference_both_ways() -> None:
    assert not difference(page(), page(words="")).is_none
    assert not difference(page(words=""), page()).is_none


def test_pictures_of_two_sizes_differ_everywhere() -> None:
    assert difference(page(), page()[:-1]).pixels == 300 * 119


def test_a_scene_may_be_lit_a_little_otherwise_but_not_lose_a_body() -> None:
    whole = ((0, 0, 300, 120),)
    lit = (page().astype(np.int16) + SCENE_SLACK).astype(np.uint8)
    assert not difference(page(), lit).is_none
    assert difference(page(), lit, whole).is_none
    assert not difference(page(), page(words=""), whole).is_none


def test_the_worst_place_comes_first() -> None:
    boxes = difference(page(), page(words="")).boxes()
    assert boxes[0][1] >= boxes[-1][1]
    left, top, right, bottom = boxes[0][0]
    assert left < 90
    assert right > 60
    assert top < 55
    assert bottom > 40


def test_a_kept_picture_is_the_same_when_read(tmp_path: Path) -> None:
    keep(page(), tmp_path / "one.webp")
    assert np.array_equal(pixels_of(tmp_path / "one.webp"), page())
    found = difference(page(), page(words=""))
    assert (marked(page(), found)[found.where] == (220, 0, 0)).all()

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellstorm.errors import ResultNotReady
from cellstorm.reconstruction import Reconstruction
from cellstorm.store import Commit
from cellstorm_server.growing import GrowingImage, GrowingImages, blank_image
from cellstorm_server.viewers import View
from tests.fakes import star_localizations
from tests.unit.server.test_selected import view

IMAGE_BYTES = 320 * 320 * 4
"""Of 64 camera pixels of 100 nm, drawn at 20 nm."""


def of(acquisition_id: str) -> View:
    return view(acquisition_id=acquisition_id)


def test_later_views_are_drawn_in_the_image_of_earlier_ones() -> None:
    images, first = GrowingImages(), view()
    image = images.of(first, "gaussian", 20.0)
    image.caught_up_with(first)
    more = replace(first, commits=(*first.commits, Commit("2-0", 1, 50, 100, 50, star_localizations(300, seed=2))))
    assert images.of(more, "gaussian", 20.0) is image
    whole = Reconstruction(64, 64, 100.0, 20.0).add(more.table()).snapshot()
    grown = image.caught_up_with(more)
    np.testing.assert_allclose(grown.image, whole.image, atol=1e-5)
    assert grown.localizations == whole.localizations == 1300


def test_rows_in_another_order_begin_an_image_anew() -> None:
    images = GrowingImages()
    assert images.of(view("2-0"), "gaussian", 20.0) is not images.of(view("1-0"), "gaussian", 20.0)


def test_all_images_together_are_bounded_and_the_one_that_was_asked_for_last_stays() -> None:
    images = GrowingImages(max_bytes=3 * IMAGE_BYTES)
    kept = {name: images.of(of(name), "gaussian", 20.0) for name in ("a", "b", "c")}
    assert images.of(of("a"), "gaussian", 20.0) is kept["a"]
    images.of(of("d"), "gaussian", 20.0)
    assert images.nbytes == 3 * IMAGE_BYTES
    assert images.of(of("a"), "gaussian", 20.0) is kept["a"]
    assert images.of(of("b"), "gaussian", 20.0) is not kept["b"]
    tiny = GrowingImages(max_bytes=1)
    assert tiny.of(of("a"), "gaussian", 20.0) is tiny.of(of("a"), "gaussian", 20.0)


def test_small_images_are_bounded_in_number() -> None:
    images = GrowingImages()
    first = images.of(view(), "histogram", 1000.0)
    for scale in range(100):
        images.of(view(), "histogram", 1001.0 + scale)
    assert images.of(view(), "histogram", 1000.0) is not first
    assert images.nbytes < 100 * 7 * 7 * 4


def test_an_acquisition_that_is_no_longer_followed_leaves_nothing() -> None:
    images = GrowingImages()
    images.of(of("a"), "gaussian", 20.0)
    images.of(of("b"), "gaussian", 20.0)
    images.forget("a")
    assert images.nbytes == IMAGE_BYTES


def test_before_the_first_localizations_nothing_is_kept() -> None:
    images = GrowingImages()
    images.of(replace(view(), commits=()), "gaussian", 20.0)
    assert images.nbytes == 0
    with pytest.raises(ResultNotReady):
        images.of(view(side_px=0), "gaussian", 20.0)


def test_an_image_that_grows_no_more_is_not_copied() -> None:
    image = GrowingImage(blank_image(view(), "gaussian", 20.0))
    once = image.caught_up_with(view(), grows_on=False)
    assert np.shares_memory(once.image, image.caught_up_with(view(), grows_on=False).image)
    assert not np.shares_memory(once.image, image.caught_up_with(view()).image)

"""Images and tables over HTTP: what is asked for is what comes, and other programs open it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image
from zarr.storage import ZipStore

from cellstorm.analysis.selection import Selection
from cellstorm.chunks import Chunk
from cellstorm.reconstruction import Reconstruction
from cellstorm.results.smlm import read as read_smlm
from cellstorm.store import Widefield
from tests.fakes import blinking_localizations, filaments_and_rings_nm, star_localizations
from tests.gateway import Gateway
from tests.integration.test_rest import API, check_problem

STAR = star_localizations(3000)
SIDE_NM = 6400.0


@pytest.fixture(scope="module")
def star(gateway: Gateway) -> Iterator[str]:
    """Address of a running acquisition of 64x64 camera pixels of 100 nm."""
    acquisition_id = gateway.create(name="star")["id"]
    gateway.commit(acquisition_id, STAR[:1000], frames=17)
    gateway.commit(acquisition_id, STAR[1000:], frames=33)
    yield f"{API}/{acquisition_id}"
    gateway.http.delete(f"{API}/{acquisition_id}")


def picture(gateway: Gateway, address: str, **parameters: object) -> NDArray[np.uint8]:
    response = gateway.http.get(address, params={name: str(value) for name, value in parameters.items()})
    assert response.status_code == 200, response.text
    with Image.open(io.BytesIO(response.content)) as image:
        return np.asarray(image)


def in_file(gateway: Gateway, address: str, path: Path, **parameters: object) -> Path:
    response = gateway.http.get(address, params={name: str(value) for name, value in parameters.items()})
    assert response.status_code == 200, response.text
    path.write_bytes(response.content)
    return path


@pytest.mark.parametrize("render", ["gaussian", "histogram", "ash"])
def test_the_image_is_what_the_core_draws(gateway: Gateway, star: str, tmp_path: Path, render: str) -> None:
    path = in_file(gateway, f"{star}/reconstruction.ome.tif", tmp_path / "a.tif", render=render, pixel_nm=25)
    drawn = Reconstruction(64, 64, 100.0, 25.0, render).add(STAR).image  # type: ignore[arg-type]  # one of its methods
    np.testing.assert_allclose(tifffile.imread(path), drawn, atol=1e-5)


def test_images_and_tables_show_the_same_selection(gateway: Gateway, star: str, tmp_path: Path) -> None:
    wanted = {"photons": "600:", "region": "1000,1000,3000,3000", "frames": "0:40"}
    chosen = Selection.model_validate(wanted).of(STAR)
    assert 50 < len(chosen) < 2000
    image = tifffile.imread(
        in_file(gateway, f"{star}/reconstruction.ome.tif", tmp_path / "a.tif", render="histogram", **wanted)
    )
    assert image.sum() == len(chosen)
    table = read_smlm(in_file(gateway, f"{star}/localizations.smlm", tmp_path / "a.smlm", **wanted)).localizations
    np.testing.assert_allclose(np.sort(table["x_nm"]), np.sort(chosen["x_nm"]), atol=0.01)
    parquet = pyarrow.parquet.read_table(
        in_file(gateway, f"{star}/localizations.parquet", tmp_path / "a.parquet", **wanted)
    )
    np.testing.assert_array_equal(parquet["x_nm"].to_numpy(), chosen["x_nm"])
    assert parquet.schema.metadata[b"cellstorm.Filter photons"] == b"600:"
    csv = gateway.http.get(f"{star}/localizations.csv", params={**wanted, "header": "1.3"}).text.splitlines()
    assert len(csv) == len(chosen) + 1
    assert csv[0].endswith('"uncertainty [nm]"')


def test_drift_is_taken_out_of_images_and_tables_where_it_is_asked_for(gateway: Gateway, tmp_path: Path) -> None:
    still = blinking_localizations(filaments_and_rings_nm(3000, SIDE_NM), 500, 20, 12)
    drifting = still.copy()
    drifting["x_nm"] += still["frame"] * np.float32(0.2)
    acquisition_id = gateway.create(name="drifting")["id"]
    gateway.commit(acquisition_id, drifting, frames=300)
    address = f"{API}/{acquisition_id}"

    def x_nm(**parameters: str) -> NDArray[np.float32]:
        path = in_file(gateway, f"{address}/localizations.parquet", tmp_path / "t.parquet", **parameters)
        values: NDArray[np.float32] = pyarrow.parquet.read_table(path)["x_nm"].to_numpy()
        return values

    np.testing.assert_array_equal(x_nm(), drifting["x_nm"])
    residual_nm = x_nm(drift="true") - still["x_nm"]
    assert residual_nm.std() < 6
    assert (x_nm() - still["x_nm"]).std() > 20
    assert len(x_nm(drift="true", linked="true")) < 0.7 * len(still)
    raw, corrected = (
        picture(gateway, f"{address}/reconstruction.png", render="histogram", **drift)
        for drift in ({}, {"drift": "true"})
    )
    assert np.count_nonzero(corrected) < np.count_nonzero(raw)  # sharper
    check_problem(
        gateway.http.get(f"{address}/reconstruction.png?drift=true&frames=0:1&render=none"), 422, "invalid-request"
    )


def test_drift_that_cannot_be_told_is_a_clear_problem(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.commit(created["id"], star_localizations(20))
    response = gateway.http.get(f"{API}/{created['id']}/reconstruction.png?drift=true")
    check_problem(response, 422, "invalid-setting")
    assert "drift cannot be taken out" in response.json()["detail"]


def test_tiles_are_parts_of_the_image_at_any_zoom(gateway: Gateway, star: str) -> None:
    told = gateway.http.get(f"{star}/tiles").json()
    assert told == {"tile_px": 256, "pixel_nm": 25.0, "left_nm": -50.0, "width_nm": SIDE_NM, "height_nm": SIDE_NM}
    rows = [
        np.concatenate(
            [picture(gateway, f"{star}/tiles/2/{column}/{row}.png", render="histogram") for column in range(4)], axis=1
        )
        for row in range(4)
    ]
    drawn = Reconstruction(64, 64, 100.0, 6.25, "histogram").add(STAR).image
    np.testing.assert_array_equal(np.concatenate(rows) > 0, drawn > 0)
    deep = picture(gateway, f"{star}/tiles/5/16/16.png")
    assert deep.shape == (256, 256)


def test_a_tile_is_not_sent_twice_and_one_that_is_not_there_is_refused(gateway: Gateway, star: str) -> None:
    first = gateway.http.get(f"{star}/tiles/0/0/0.png")
    again = gateway.http.get(f"{star}/tiles/0/0/0.png", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    check_problem(gateway.http.get(f"{star}/tiles/1/2/0.png"), 422, "invalid-setting")
    check_problem(gateway.http.get(f"{star}/tiles/40/0/0.png"), 422, "invalid-setting")


def test_an_image_beyond_memory_comes_in_tiles_and_levels(gateway: Gateway, star: str, tmp_path: Path) -> None:
    path = in_file(gateway, f"{star}/reconstruction.ome.tif", tmp_path / "large.tif", render="histogram", pixel_nm=0.7)
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        assert levels[0].shape == (9143, 9143)
        assert levels[0].keyframe.is_tiled
        assert levels[0].asarray().sum() == len(STAR)
        assert [level.shape[0] for level in levels[1:]] == [4572, 2286, 1143, 572]


def test_an_image_that_fits_nowhere_is_refused_with_what_would(gateway: Gateway, star: str) -> None:
    for name in ("reconstruction.ome.tif", "reconstruction.ozx", "reconstruction.png"):
        response = gateway.http.get(f"{star}/{name}", params={"pixel_nm": 0.1})
        check_problem(response, 422, "invalid-setting")
        assert "choose larger pixels, at least" in response.json()["detail"]


def test_zarr_opens_the_image(gateway: Gateway, star: str, tmp_path: Path) -> None:
    path = in_file(gateway, f"{star}/reconstruction.ozx", tmp_path / "a.ozx", render="histogram", depth="16")
    level = zarr.open_array(ZipStore(path, mode="r"), path="0", mode="r")
    assert level.dtype == np.uint16
    assert int(np.sum(level[:], dtype=np.int64)) == len(STAR)


def test_a_scale_bar_is_drawn_where_it_is_wanted(gateway: Gateway, star: str) -> None:
    plain = picture(gateway, f"{star}/reconstruction.png")
    with_bar = picture(gateway, f"{star}/reconstruction.png", scale_bar="true")
    assert plain.shape == with_bar.shape
    corner = with_bar[-12:, -40:]
    assert (corner == 255).any()
    assert not np.array_equal(plain, with_bar)


def test_before_the_first_frame_there_is_nothing_to_select(gateway: Gateway) -> None:
    address = f"{API}/{gateway.create()['id']}"
    for name in ("localizations.parquet", "localizations.csv", "tiles", "tiles/0/0/0.png", "reconstruction.ozx"):
        check_problem(gateway.http.get(f"{address}/{name}"), 409, "result-not-ready")


def test_the_sum_of_maps_is_an_image_too(gateway: Gateway, star: str, tmp_path: Path) -> None:
    check_problem(gateway.http.get(f"{star}/reconstruction.png?render=maps"), 409, "result-not-ready")
    acquisition_id = gateway.create(name="maps")["id"]
    gateway.commit(acquisition_id, STAR[:10])
    maps = np.arange(320 * 320, dtype=np.uint32).reshape(320, 320)
    commit_maps(gateway, acquisition_id, maps)
    address = f"{API}/{acquisition_id}"
    path = in_file(gateway, f"{address}/reconstruction.ome.tif", tmp_path / "maps.tif", render="maps")
    np.testing.assert_array_equal(tifffile.imread(path), maps / 16)
    check_problem(gateway.http.get(f"{address}/reconstruction.png?render=maps&photons=5:"), 422, "invalid-setting")
    gateway.http.post(f"{address}/finish")
    gateway.wait_for(acquisition_id, "finished")
    kept = gateway.library.results(acquisition_id) / "maps.ome.tif"
    np.testing.assert_array_equal(tifffile.imread(kept), maps / 16)


def commit_maps(gateway: Gateway, acquisition_id: str, maps: NDArray[np.uint32]) -> None:
    """What a worker with a generator of maps commits beside localizations."""
    store = gateway.store
    chunk = Chunk.of_counts(1, 10, [0.5], np.zeros((1, 64, 64), np.uint8))
    assert store.put_chunk(acquisition_id, chunk, budget_bytes=2**30) == "stored"
    now = store.widefield(acquisition_id)
    sums = Widefield(now.counts, now.version, maps)
    assert store.commit(acquisition_id, chunk, STAR[:0], frame_count=1, widefield=sums) == "committed"
    np.testing.assert_array_equal(store.widefield(acquisition_id).maps, maps)

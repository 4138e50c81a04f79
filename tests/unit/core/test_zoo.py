"""The zoo of generators."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import pytest
import yaml

from cellstorm import zoo
from cellstorm.errors import ModelUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _publish(tmp_path / "first")
    _publish(tmp_path / "second", threshold=0.7)
    return tmp_path


def _publish(folder: Path, **changes: str | float | None) -> None:
    folder.mkdir()
    weights = b"weights of " + folder.name.encode()
    (folder / "weights.onnx").write_bytes(weights)
    spec = {
        "name": folder.name,
        "version": "1.0.0",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "output": "emitters",
        "context_frames": 3,
        "size_multiple": 8,
        "threshold": 0.6,
        **changes,
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump({"type": "model", "config": {"cellstorm": spec}}))


def test_all_generators_are_listed_by_name(folder: Path) -> None:
    (folder / "notes").mkdir()
    assert [(entry.spec.name, entry.spec.threshold) for entry in zoo.entries(folder)] == [
        ("first", 0.6),
        ("second", 0.7),
    ]


def test_weights_as_published_are_found(folder: Path) -> None:
    assert zoo.weights_path("second", folder) == folder / "second" / "weights.onnx"


def test_weights_that_were_changed_are_refused(folder: Path) -> None:
    with (folder / "first" / "weights.onnx").open("ab") as weights:
        weights.write(b"!")
    with pytest.raises(ModelUnavailable, match="not the published file"):
        zoo.weights_path("first", folder)


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / "first" / "weights.onnx").unlink()
    with pytest.raises(ModelUnavailable, match="no readable weights"):
        zoo.weights_path("first", folder)


@pytest.mark.parametrize("name", ["third", "../first", "", "first/../second"])
def test_an_unknown_name_lists_the_known_ones(folder: Path, name: str) -> None:
    with pytest.raises(ModelUnavailable, match="first, second"):
        zoo.entry(name, folder)


@pytest.mark.parametrize("text", ["type: model", "config: [", "config: {cellstorm: {name: first}}", "just text"])
def test_a_description_that_is_not_ours_is_refused(folder: Path, text: str) -> None:
    (folder / "first" / "rdf.yaml").write_text(text)
    with pytest.raises(ModelUnavailable, match="not that of a cellSTORM generator"):
        zoo.entry("first", folder)


def test_a_folder_named_otherwise_than_its_model_is_refused(folder: Path) -> None:
    (folder / "first").rename(folder / "renamed")
    with pytest.raises(ModelUnavailable, match="rename the folder to first"):
        zoo.entry("renamed", folder)


def test_the_card_is_read_where_there_is_one(folder: Path) -> None:
    assert zoo.entry("first", folder).card() == ""
    (folder / "first" / "README.md").write_text("# First\n")
    assert zoo.entry("first", folder).card() == "# First\n"


def test_a_generator_without_a_network_needs_no_weights(folder: Path) -> None:
    _publish(folder / "plain", output="counts", sha256=None)
    (folder / "plain" / "weights.onnx").unlink()
    entry = zoo.entry("plain", folder)
    entry.check()
    assert entry.spec.sha256 is None
    with pytest.raises(ModelUnavailable, match="no readable weights"):
        entry.weights_path()


def test_a_check_finds_weights_that_were_changed(folder: Path) -> None:
    zoo.entry("first", folder).check()
    (folder / "first" / "weights.onnx").write_bytes(b"others")
    with pytest.raises(ModelUnavailable, match="not the published file"):
        zoo.entry("first", folder).check()


def test_the_classical_localizer_is_there_with_its_card() -> None:
    entry = zoo.entry("classical")
    entry.check()
    assert entry.spec.output == "counts"
    assert "Jaccard" in entry.card()


@pytest.mark.parametrize("name", [entry.spec.name for entry in zoo.entries()])
def test_released_descriptions_are_valid_by_bioimage_ios_own_rules(name: str) -> None:
    pytest.importorskip("bioimageio.spec", reason="needs the extra `train`")
    from bioimageio.spec import load_description

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises; only its errors count
        found = load_description(zoo.entry(name).folder / zoo.DESCRIPTION)
    assert found.validation_summary.errors == []


def test_a_generator_that_was_renamed_is_known_by_what_it_is() -> None:
    fast = zoo.entry("fast").spec
    assert zoo.name_of(fast.model_copy(update={"name": "default"})) == "fast"
    unknown = fast.model_copy(update={"name": "default", "sha256": "0" * 64})
    assert zoo.name_of(unknown) == "default"


@pytest.mark.parametrize("name", ["default", "fast"])
def test_released_generators_are_as_published(name: str) -> None:
    entry = zoo.entry(name)
    assert entry.weights_path().stat().st_size > 100_000
    assert entry.spec.output == "emitters"
    assert "Jaccard" in entry.card()

"""Which truth belongs to which video, what other programs reached, and what is told when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellstorm.errors import InvalidInput
from cellstorm_models.evaluation.pairs import Pair, bench_pairs, named_pairs
from cellstorm_models.evaluation.peers import bar, read_peers

PEERS = """\
program,video,jaccard_200,precision_200,recall_200,rmse_200_nm,localizations,near_200,mean_distance_nm,events
ThunderSTORM std(F1),p500_crf18,0.894,0.986,0.906,38.3,6622,6538,29.5,6986
ThunderSTORM 2*std(F1),p500_crf18,0.75,1.0,0.751,33.9,5255,5255,25.0,6986
Picasso gausslq oracle-ng,p500_crf18,0.872,0.994,0.876,34.8,6310,6277,26.7,6986
Picasso gausslq fixed-ng,p500_crf18,0.872,0.994,0.876,35.8,6310,6277,26.7,6986
ThunderSTORM 2*std(F1),p50_raw,0.0,0.0,0.0,,0,0,,6986
ThunderSTORM std(F1),chromium,0.658,0.980,0.667,53.9,7911,,,11322
"""


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_videos_of_one_brightness_share_a_truth(tmp_path: Path) -> None:
    names = ("p500_crf18.mp4", "p500_phone.mp4", "p500.csv", "chromium.mp4", "chromium.csv", "mine.mp4", "mine.csv")
    pairs = {pair.name: pair for pair in bench_pairs(touch(tmp_path, *names), 100.0)}
    truths = {name: pair.truth.name for name, pair in pairs.items()}
    assert truths == {
        "chromium": "chromium.csv",
        "mine": "mine.csv",
        "p500_crf18": "p500.csv",
        "p500_phone": "p500.csv",
    }
    assert (pairs["p500_phone"].photons, pairs["p500_phone"].compression) == (500.0, "phone")
    assert (pairs["mine"].photons, pairs["mine"].compression) == (None, "mine")
    assert (pairs["chromium"].max_y_nm, pairs["mine"].max_y_nm) == (23_700, None)


def test_a_barcode_is_no_part_of_what_is_localized(tmp_path: Path) -> None:
    names = ("chromium.mp4", "chromium.csv", "mine.mp4", "mine.csv")
    regions = {pair.name: str(pair.region(256, 256)) for pair in bench_pairs(touch(tmp_path, *names), 100.0)}
    assert regions == {"chromium": "0,0,256,240", "mine": "0,0,256,256"}


def test_a_video_that_only_bears_the_name_is_localized_whole(tmp_path: Path) -> None:
    (pair,) = bench_pairs(touch(tmp_path, "chromium.mp4", "chromium.csv"), 65.0)
    assert str(pair.region(256, 256)) == "0,0,256,256"


def test_a_simulated_recording_is_a_bench_as_it_is_written(tmp_path: Path) -> None:
    (pair,) = bench_pairs(touch(tmp_path, "video.mp4", "truth.csv", "config.json"), 100.0)
    assert pair.truth.name == "truth.csv"


def test_a_video_without_truth_is_told_by_name_with_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"p500_crf18\.mp4 has no truth; put p500_crf18\.csv or p500\.csv beside it"):
        bench_pairs(touch(tmp_path, "p500_crf18.mp4", "p100.csv"), 100.0)


def test_a_folder_without_videos_is_no_bench(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"holds no \.mp4"):
        bench_pairs(touch(tmp_path, "p500.csv"), 100.0)


def test_videos_and_truths_go_together_in_their_order(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.csv", "b.csv")
    videos, truths = [folder / "a.mp4", folder / "b.mp4"], [folder / "a.csv", folder / "b.csv"]
    assert named_pairs(videos, truths, [110.0]) == [Pair(*each, 110.0) for each in zip(videos, truths, strict=True)]
    assert [pair.pixel_size_nm for pair in named_pairs(videos, truths, [90.0, 120.0])] == [90.0, 120.0]


@pytest.mark.parametrize(
    ("truths", "sizes", "told"),
    [
        pytest.param(["a.csv"], [100.0], "2 videos and 1 truths", id="too few truths"),
        pytest.param(["a.csv", "b.csv"], [100.0] * 3, "2 videos and 3 pixel sizes", id="too many pixel sizes"),
        pytest.param(["a.csv", "c.csv"], [100.0], "there is no truth c.csv", id="a truth that is not there"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, truths: list[str], sizes: list[float], told: str) -> None:
    folder = touch(tmp_path, "a.csv", "b.csv")
    with pytest.raises(InvalidInput, match=told):
        named_pairs([folder / "a.mp4", folder / "b.mp4"], [folder / name for name in truths], sizes)


@pytest.mark.parametrize(
    "text", ["x,y\n1,2\n", "frame,x_nm,y_nm,photons,on\n1,2\n", "frame,x_nm,y_nm,photons,on\na,b,c,d,e\n"]
)
def test_a_table_that_is_no_truth_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InvalidInput, match=r"t\.csv is not a truth table"):
        Pair(tmp_path / "v.mp4", tmp_path / "t.csv", 100.0).read_truth()


def test_of_each_program_the_row_with_the_best_jaccard_counts(tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text(PEERS)
    rows = read_peers(tmp_path / "peers.csv")["p500_crf18"]
    assert {name: (row.setting, row.jaccard) for name, row in rows.items()} == {
        "ThunderSTORM": ("std(F1)", 0.894),
        "Picasso": ("gausslq oracle-ng", 0.872),
    }


def test_of_settings_that_are_nearly_as_good_the_sharpest_counts(tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text(
        PEERS.replace("gausslq fixed-ng,p500_crf18,0.872", "gaussmle oracle-ng,p500_crf18,0.873")
    )
    assert read_peers(tmp_path / "peers.csv")["p500_crf18"]["Picasso"].rmse_lateral_nm == 34.8


def test_to_beat_are_the_higher_jaccard_and_the_lower_rmse_of_those_rows(tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text(PEERS)
    peers = read_peers(tmp_path / "peers.csv")
    beaten = bar(peers["p500_crf18"].values())
    assert beaten is not None
    assert (beaten.jaccard, beaten.jaccard_by) == (0.894, "ThunderSTORM")
    assert (beaten.rmse_lateral_nm, beaten.rmse_by) == (34.8, "Picasso")  # not 33.9: that row is not the best one
    nothing_found = bar(peers["p50_raw"].values())
    assert nothing_found is not None
    assert nothing_found.rmse_lateral_nm is None
    assert peers["chromium"]["ThunderSTORM"].near is None
    assert bar([]) is None


def test_a_table_that_is_not_of_peers_is_told(tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text("name,value\na,1\n")
    with pytest.raises(InvalidInput, match="it needs the columns program, video"):
        read_peers(tmp_path / "peers.csv")

"""Another site is noticed; the same site is left in peace."""

import json

import numpy as np
import pytest
from scipy import stats

from halescan.errors import SettingError, ShapeError
from halescan.scoring.shift import Cloud, Reference, _compare_words, _shrinkage

MAKERS = np.array(["Aster", "Birch", "Cedar"])


def cohort(rng: np.random.Generator, n: int, *, brighter: float = 0.0, makers: tuple[float, ...] = (0.5, 0.3, 0.2)):
    """Rows of features that hang together as real ones do, and embeddings of 12 numbers."""
    common = rng.normal(size=n)
    rows = [
        {
            "mean": 100 + 10 * (c + brighter),
            "std": 20 + 3 * c + float(rng.normal()),
            "height": float(rng.choice([512, 1024])),
            "spacing_mm": None if rng.random() < 0.1 else 0.7 + 0.05 * float(rng.normal()),
            "manufacturer": str(rng.choice(MAKERS, p=makers)),
        }
        for c in common
    ]
    return rows, common[:, None] + rng.normal(size=(n, 12))


def test_the_same_site_is_called_different_hardly_ever():
    rng, rounds = np.random.default_rng(9), 200
    called = 0
    for _ in range(rounds):
        reference = Reference.fit(*cohort(rng, 40))
        called += reference.compare(*cohort(rng, 25)).differs
    assert called <= stats.binom(rounds, 0.01).ppf(0.999)


def test_brighter_scans_are_found_with_the_size_and_direction_of_the_effect():
    rng = np.random.default_rng(10)
    reference = Reference.fit(*cohort(rng, 100))
    comparison = reference.compare(*cohort(rng, 40, brighter=2.0))
    (difference,) = comparison.differences
    assert difference.feature == "mean"
    assert difference.effect > 0.6
    assert difference.p_value < 1e-6
    assert difference.new_median - difference.reference_median == pytest.approx(20, abs=6)
    darker = reference.compare(*cohort(rng, 40, brighter=-2.0)).differences[0]
    assert darker.effect < -0.6


def test_another_mix_of_makers_is_found_even_beside_a_large_reference():
    rng = np.random.default_rng(11)
    reference = Reference.fit(*cohort(rng, 1000))
    (difference,) = reference.compare(*cohort(rng, 40, makers=(0.05, 0.05, 0.9))).differences
    assert difference.feature == "manufacturer"
    assert (difference.reference_median, difference.new_median) == ("Aster", "Cedar")
    assert 0.33 <= difference.effect <= 1


def test_a_trifle_is_not_reported_however_certain_it_is():
    rng = np.random.default_rng(12)
    rows = [{"mean": float(v)} for v in rng.normal(size=4000)]
    other = [{"mean": float(v) + 0.2} for v in rng.normal(size=4000)]
    assert stats.ks_2samp([r["mean"] for r in rows], [r["mean"] for r in other]).pvalue < 1e-6
    assert not Reference.fit(rows).compare(other).differs


def test_embeddings_from_elsewhere_are_found():
    rng = np.random.default_rng(13)
    rows, embeddings = cohort(rng, 80)
    reference = Reference.fit(rows, embeddings)
    new_rows, new = cohort(rng, 30)
    assert [d.feature for d in reference.compare(new_rows, new + 3).differences] == ["embedding"]


def test_fewer_than_twenty_cases_are_not_judged_and_the_reason_is_given():
    rng = np.random.default_rng(14)
    reference = Reference.fit(*cohort(rng, 50))
    comparison = reference.compare(*cohort(rng, 19, brighter=9.0))
    assert (comparison.differences, comparison.reason, comparison.cases) == ((), "too-few-cases", 19)
    assert reference.compare(*cohort(rng, 20, brighter=9.0)).differs


def test_the_order_of_the_cases_does_not_matter():
    rng = np.random.default_rng(15)
    reference = Reference.fit(*cohort(rng, 50))
    rows, embeddings = cohort(rng, 30, brighter=1.5)
    assert reference.compare(rows, embeddings) == reference.compare(rows[::-1], embeddings[::-1])


def test_names_that_every_case_has_for_itself_are_no_difference():
    reference = Reference.fit([{"serial": f"A{k}"} for k in range(30)])
    assert not reference.compare([{"serial": f"B{k}"} for k in range(30)]).differs
    assert reference.unlike({"serial": "B1"}) == []


@pytest.mark.parametrize(("n", "d"), [(30, 8), (60, 200), (40, 32)])
def test_reference_scans_are_no_nearer_to_their_own_cloud_than_new_ones(n, d):
    rng = np.random.default_rng(16)
    mixing = rng.normal(size=(d, d)) / np.sqrt(d)
    own, new = [], []
    for _ in range(20):
        cloud = Cloud.fit(rng.normal(size=(n, d)) @ mixing)
        own.append(np.median(cloud.own))
        new.append(np.median(cloud.distance(rng.normal(size=(n, d)) @ mixing)))
    assert np.mean(own) == pytest.approx(np.mean(new), rel=0.05)


def test_leaving_one_out_in_one_formula_equals_leaving_each_out_by_hand():
    points = np.random.default_rng(17).normal(size=(30, 6)) * np.arange(1, 7)
    sphere, share = _shrinkage(points - points.mean(axis=0), np.cov(points.T, bias=True) * 30)
    by_hand = []
    for k in range(30):
        rest = np.delete(points, k, axis=0)
        covariance = (1 - share) * np.cov(rest.T, bias=True) + share * sphere * np.eye(6)
        apart = points[k] - rest.mean(axis=0)
        by_hand.append(np.sqrt(apart @ np.linalg.inv(covariance) @ apart))
    np.testing.assert_allclose(Cloud.fit(points).own, np.sort(by_hand), rtol=1e-8)


def test_the_amount_of_shrinking_is_ledoit_and_wolfs():
    from sklearn.covariance import ledoit_wolf

    points = np.random.default_rng(18).normal(size=(25, 10)) * np.arange(1, 11)
    expected, _ = ledoit_wolf(points)
    np.testing.assert_allclose(np.linalg.inv(Cloud.fit(points).precision), expected, rtol=1e-8)


def test_identical_embeddings_do_not_break_the_cloud():
    cloud = Cloud.fit(np.ones((20, 5)))
    assert np.isfinite(cloud.own).all()
    assert np.isfinite(cloud.distance(np.zeros((1, 5)))).all()


def test_a_scan_unlike_all_others_is_named_feature_by_feature():
    rng = np.random.default_rng(19)
    reference = Reference.fit(*cohort(rng, 60))
    odd = {"mean": 900.0, "std": 20.0, "height": 64.0, "spacing_mm": None, "manufacturer": "Dogwood"}
    assert reference.unlike(odd) == ["manufacturer", "mean"]
    assert reference.unlike({"mean": 100.0}, np.full(12, 50.0)) == ["embedding"]


def test_scans_of_the_same_site_are_not_called_unlike():
    rng = np.random.default_rng(20)
    reference = Reference.fit(*cohort(rng, 200))
    rows, embeddings = cohort(rng, 200)
    called = [reference.unlike(row, one) for row, one in zip(rows, embeddings, strict=True)]
    assert sum(map(bool, called)) == 0


def test_one_pixel_more_is_not_another_size_but_half_is():
    reference = Reference.fit([{"width": 224.0}] * 30)
    assert reference.unlike({"width": 225.0}) == []
    assert reference.unlike({"width": 112.0}) == ["width"]


def test_what_the_reference_itself_has_seen_is_not_unlike_it():
    reference = Reference.fit([{"mean": 100.0 + k % 3} for k in range(30)] + [{"mean": 500.0}])
    assert reference.unlike({"mean": 400.0}) == []
    assert reference.unlike({"mean": 600.0}) == ["mean"]


def test_the_same_mix_of_words_has_a_p_value_of_one():
    counts = {"Aster": 10, "Birch": 20}
    assert _compare_words("manufacturer", counts, counts).p_value == 1


def test_a_feature_without_a_scale_and_a_tiny_reference_judge_nobody():
    assert Reference.fit([{"p05": 0.0}] * 30).unlike({"p05": 0.1}) == []
    assert Reference.fit([{"mean": 1.0 + k} for k in range(5)]).unlike({"mean": 1e9}) == []


def test_a_reference_survives_json_and_judges_the_same():
    rng = np.random.default_rng(21)
    reference = Reference.fit(*cohort(rng, 50))
    back = Reference.from_json(json.loads(json.dumps(reference.to_json())))
    rows, embeddings = cohort(rng, 30, brighter=1.5)
    assert back.compare(rows, embeddings) == reference.compare(rows, embeddings)
    assert back.unlike({"mean": 900.0}, embeddings[0]) == reference.unlike({"mean": 900.0}, embeddings[0])


def test_a_large_reference_stays_small_on_disk():
    rows = [{"mean": float(v)} for v in np.random.default_rng(22).normal(size=9000)]
    record = Reference.fit(rows).to_json()
    assert len(record["numbers"]["mean"]) == 2000
    assert record["cases"] == 9000


def test_false_calls_are_refused():
    with pytest.raises(ShapeError):
        Reference.fit([])
    with pytest.raises(ShapeError):
        Reference.fit([{"mean": 1.0}], np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="embeddings"):
        Cloud.fit(np.zeros((20, 4))).distance(np.zeros((2, 5)))
    for broken in ({}, {"schema": "halescan.shift/1"}, {"schema": "halescan.shift/9"}):
        with pytest.raises(SettingError, match="recalibrate"):
            Reference.from_json(broken)

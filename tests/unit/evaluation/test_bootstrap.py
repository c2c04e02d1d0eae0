from __future__ import annotations

import numpy as np
import pytest

from dms.evaluation import bootstrap
from dms.evaluation.bootstrap import difference, estimate

RNG = np.random.default_rng(3)
PEOPLE = np.repeat([f"p{k}" for k in range(40)], 5)
ALL = np.ones(200, bool)


def test_the_mean_is_the_mean_and_lies_in_its_interval():
    values = RNG.normal(2.0, 1.0, 200)
    found = estimate(bootstrap.mean(PEOPLE, values))
    assert found.value == pytest.approx(values.mean())
    assert found.low < found.value < found.high
    assert found.n == 200


def test_pictures_of_one_person_count_as_one_person():
    """Forty people with five equal pictures each say no more than forty pictures."""
    each = RNG.normal(0, 1, 40)
    clustered = estimate(bootstrap.mean(PEOPLE, np.repeat(each, 5)))
    apart = estimate(bootstrap.mean(np.arange(200), np.repeat(each, 5)))
    alone = estimate(bootstrap.mean(np.arange(40), each))
    width = clustered.high - clustered.low
    assert width == pytest.approx(alone.high - alone.low, rel=0.15)
    assert width > 1.8 * (apart.high - apart.low)


def test_the_interval_of_a_mean_is_that_of_theory():
    found = estimate(bootstrap.mean(np.arange(400), RNG.normal(0, 1, 400)))
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.2)


def test_columns_are_pooled_and_masked():
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    use = np.array([[True, True], [True, False]])
    figure = bootstrap.mean(np.array(["a", "b"]), values, use)
    assert figure.value == pytest.approx(2.0)
    assert figure.n == 2


def test_the_median_of_odd_and_even_rows():
    people = np.arange(5)
    assert bootstrap.median(people, np.array([5.0, 1, 9, 3, 7]), np.ones(5, bool)).value == 5
    assert bootstrap.median(people, np.array([5.0, 1, 9, 3, 7]), people != 2).value == 4


def test_area_under_the_curve_against_all_pairs():
    score, yes = np.round(RNG.normal(0, 1, 200), 1), RNG.random(200) < 0.4
    wins = (score[yes][:, None] > score[~yes]) + 0.5 * (score[yes][:, None] == score[~yes])
    assert bootstrap.auc(PEOPLE, score, yes, ALL).value == pytest.approx(wins.mean())


def test_area_under_the_curve_needs_both_classes():
    assert np.isnan(bootstrap.auc(PEOPLE, RNG.random(200), ALL, ALL).value)


def test_recall_at_a_share_of_false_alarms():
    score = np.concatenate([np.arange(100) / 100, [0.5, 0.985, 0.995, 1.5]])
    people = np.arange(104)
    figure = bootstrap.recall_at_false(people, score, people >= 100, people < 100, 0.01)
    assert figure.value == pytest.approx(0.5)
    assert figure.n == 4


def test_a_paired_difference_is_narrower_than_either():
    first = RNG.normal(0, 1, 200)
    second = first + 0.01
    found = difference(bootstrap.mean(PEOPLE, second), bootstrap.mean(PEOPLE, first))
    assert found.value == pytest.approx(0.01)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))


def test_a_class_missing_from_a_resample_is_left_out_of_the_average():
    right = np.array([1.0, 1, 0, 1])
    people = np.array(["a", "b", "c", "d"])
    classes = [bootstrap.mean(people, right, people == "c"), bootstrap.mean(people, right, people != "c")]
    figure = bootstrap.average_of(classes)
    assert figure.value == pytest.approx(0.5)
    assert np.isfinite(bootstrap.replicates(figure)).all()


def test_within_a_group_only_its_people_are_drawn():
    values = np.where(np.arange(200) < 50, 1.0, 0.0)
    part = bootstrap.mean(PEOPLE, values).within(np.arange(200) < 50)
    assert (part.value, part.n) == (1.0, 50)
    assert set(bootstrap.replicates(part)) == {1.0}


def test_without_a_single_failure_the_rule_of_three_bounds_it():
    right = estimate(bootstrap.mean(PEOPLE, np.ones(200)))
    assert (right.value, right.low, right.high) == (1.0, pytest.approx(1 - 3 / 40), 1.0)
    none = estimate(bootstrap.mean(PEOPLE, np.zeros(200)).times(500))
    assert (none.value, none.low, none.high) == (0.0, 0.0, pytest.approx(500 * 3 / 40))
    score = np.arange(200.0)
    assert estimate(bootstrap.auc(PEOPLE, score, score >= 100, ALL)).low == pytest.approx(1 - 3 / 40)


def test_what_is_no_share_is_not_bounded_so():
    same = estimate(bootstrap.mean(PEOPLE, np.full(200, 2.5)))
    assert (same.low, same.high) == (2.5, 2.5)


def test_one_person_says_nothing_of_the_next():
    values = RNG.normal(0, 1, 200)
    one = bootstrap.mean(np.full(200, "anna"), values)
    found, lost = estimate(one), difference(one, bootstrap.mean(np.full(200, "anna"), values + 1))
    assert (found.value, found.n) == (pytest.approx(values.mean()), 200)
    assert np.isnan([found.low, found.high, lost.low, lost.high]).all()
    assert lost.value == pytest.approx(-1)
    right = estimate(bootstrap.mean(np.array(["anna", "bert"]), np.ones(2), np.array([True, False])))
    assert (right.value, np.isnan(right.low)) == (1, True)


def test_nothing_is_unknown_not_zero():
    found = estimate(bootstrap.mean(np.zeros(0, str), np.zeros(0)))
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.n == 0


def test_the_same_seed_gives_the_same_interval():
    figure = bootstrap.mean(PEOPLE, RNG.random(200))
    assert estimate(figure) == estimate(figure)
    assert estimate(figure) != estimate(figure, seed=8)

"""Patch students: what they see, how they err and disagree."""

import torch

from halescan.networks.patch_students import PatchNet, Students, regression_error, uncertainty


def students(count: int = 3) -> Students:
    torch.manual_seed(0)
    return Students(count, 1, (4, 6, 8), 5)


def test_students_that_say_what_the_teacher_says_neither_err_nor_disagree() -> None:
    wanted = torch.randn(2, 5, 4, 4)
    told = wanted.expand(3, -1, -1, -1, -1)
    assert regression_error(wanted, told).max() < 1e-12
    assert uncertainty(told).max() < 1e-12


def test_error_is_that_of_the_mean_and_doubt_the_variance_around_it() -> None:
    wanted, told = torch.randn(2, 5, 4, 4), torch.randn(3, 2, 5, 4, 4)
    torch.testing.assert_close(regression_error(wanted, told), ((told.sum(0) / 3 - wanted) ** 2).sum(1) / 5)
    torch.testing.assert_close(uncertainty(told), ((told - told.mean(0)) ** 2).sum(0).sum(1) / 15)


def test_students_with_the_same_first_weights_are_of_one_mind() -> None:
    group = students()
    images = torch.rand(2, 1, 32, 32)
    assert uncertainty(group(images, (8, 8))).min() > 0
    for student in group.each:
        student.load_state_dict(group.each[0].state_dict())
    assert uncertainty(group(images, (8, 8))).abs().max() < 1e-12


def test_three_widths_see_29_pixels_around_a_place_and_no_more() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 1, 96, 96, requires_grad=True)
    PatchNet(1, (4, 6, 8), 5)(images, (24, 24))[0, :, 12, 12].square().sum().backward()
    assert images.grad is not None
    seen = images.grad[0, 0].abs() > 0
    assert seen.any(0).sum() == seen.any(1).sum() == 29


def test_descriptions_lie_on_the_grid_asked_for() -> None:
    assert students()(torch.rand(2, 1, 30, 26), (7, 6)).shape == (3, 2, 5, 7, 6)

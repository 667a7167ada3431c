import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mammoscan.imaging.breast_mask import find_breast, find_side
from mammoscan.imaging.crops import crop_radius
from mammoscan.imaging.views import make_views
from mammoscan.phantoms.lesions import FORMS, Region, draw_lesion, draw_specks
from mammoscan.phantoms.mias_plan import plan_scans
from mammoscan.phantoms.mias_scan import draw_scan

KINDS = ("CALC", "CIRC", "SPIC", "MISC", "ARCH", "ASYM")


def draw_many(kind: str, pull: float, count: int = 24) -> list[np.ndarray]:
    region = Region(kind, "B", radius=36, pull=pull)
    return [draw_lesion(region, np.random.default_rng([7, i])) for i in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_severity_changes_neither_brightness_nor_edges_much(kind):
    around, inward = draw_many(kind, 0.1), draw_many(kind, 0.9)
    for measure in (np.mean, np.std, lambda patch: np.hypot(*np.gradient(patch)).mean()):
        values = [[measure(patch) for patch in patches] for patches in (around, inward)]
        gap = abs(np.mean(values[0]) - np.mean(values[1]))
        assert gap < 0.12 * np.mean(values[0])


@pytest.mark.parametrize("kind", KINDS)
def test_pull_turns_the_strokes_towards_the_centre(kind):
    def measure_inward(patch: np.ndarray) -> float:
        down, right = np.gradient(patch)
        half = patch.shape[0] // 2
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        distance = np.hypot(y, x) + 1e-6
        ring = (distance > 20) & (distance < 60)
        across = np.abs(down * x - right * y)[ring] / distance[ring]
        along = np.abs(down * y + right * x)[ring] / distance[ring]
        return across.mean() / (across.mean() + along.mean())

    around = np.mean([measure_inward(patch) for patch in draw_many(kind, 0.1, 6)])
    inward = np.mean([measure_inward(patch) for patch in draw_many(kind, 0.9, 6)])
    assert inward > around + 0.08


def test_the_radius_sets_the_size_of_the_patch_and_three_is_enough():
    small, large = (draw_lesion(Region("CIRC", "B", radius=r), np.random.default_rng(0)) for r in (3, 197))
    assert small.shape == (151, 151)
    assert large.shape[0] > 240


@pytest.mark.parametrize("radius", [3, 30])
def test_even_the_brightest_calcification_keeps_a_grain_by_which_its_views_differ(radius):
    plan = plan_scans(8, 7)[0]
    row, column = round(plan.breast.nipple), round(plan.breast.to_column(0.6 * plan.breast.reach))
    region = Region("CALC", "B", row=row, column=column, radius=radius, bed=400.0)
    plan.regions = [region]
    crop = crop_radius(draw_scan(plan, 7), region.row, region.column, 3, 48)
    assert crop.mean() > 225
    assert len({view.tobytes() for view in make_views(crop[None, :, :, None])[0]}) == 8


@pytest.mark.parametrize("form", FORMS)
def test_specks_of_every_form_stand_out_from_the_tissue_they_lie_in(form):
    region = Region("CALC", "B", radius=36, pull=0.5, form=form)
    for seed in range(4):
        patch = draw_specks(region, [], 40, np.random.default_rng(seed))
        fine = patch - gaussian_filter(patch, 4.0)
        assert fine.max() > 60.0 > -fine.min()


@pytest.mark.slow
def test_the_breast_is_found_at_its_side_on_black_beyond_the_film():
    for plan in plan_scans(8, 7)[:4]:
        scan = draw_scan(plan, 7)
        mask = find_breast(scan)
        margin = (1024 - plan.breast.film) // 2
        assert find_side(mask) == plan.breast.side
        assert 0.1 < mask.mean() < 0.75
        assert not scan[:, : margin - 1].any()
        assert not scan[:, 1025 - margin :].any()


@pytest.mark.slow
def test_both_scans_of_a_patient_look_more_alike_than_those_of_two():
    plans = plan_scans(8, 7)
    level = [np.median(scan[find_breast(scan)]) for scan in (draw_scan(plan, 7) for plan in plans)]
    within = np.abs(np.diff(np.reshape(level, (-1, 2)), axis=1)).mean()
    between = np.abs(np.subtract.outer(level[::2], level[1::2]))[~np.eye(8, dtype=bool)].mean()
    assert within < between


def test_widely_spread_specks_are_drawn_all_over_the_breast():
    plan = next(p for p in plan_scans(8, 7) if any(r.state == "spread" for r in p.regions))
    with_specks = draw_scan(plan, 7).astype(int)
    plan.regions.clear()
    changed = np.argwhere(np.abs(with_specks - draw_scan(plan, 7)) > 25)
    assert len(changed) > 100
    assert np.ptp(changed, axis=0).min() > 150

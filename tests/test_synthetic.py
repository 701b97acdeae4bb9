"""Sprites and faces: every factor is what it says, and the pictures keep their promises."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.nn.functional import avg_pool2d

from course_lib.errors import CourseError
from course_lib.synthetic import faces, sprites

PLAIN = {
    "background": 0.66,
    "shirt": 1,
    "skin": 0.75,
    "width": 0.5,
    "hair_style": 2,
    "hair_color": 1,
    "brows": 0.0,
    "eyes": 0.75,
    "iris": 3,
    "smile": 0.4,
    "mouth": 0.4,
    "beard": 0,
    "glasses": 0,
    "blush": 0.2,
    "turn": 0.0,
    "tilt": 0.0,
}
# Rows of a 64-pixel picture that a factor may change, when nothing else moves: (from, to).
ROWS = {
    "shirt": (50, 64),
    "hair_style": (0, 64),
    "hair_color": (4, 38),
    "brows": (20, 31),
    "eyes": (25, 38),
    "iris": (27, 37),
    "smile": (36, 47),
    "mouth": (36, 48),
    "beard": (28, 52),
    "glasses": (22, 42),
    "blush": (30, 46),
}


def face(**changes):
    """One row of factors: the plain face with some factors changed."""
    return torch.tensor([[{**PLAIN, **changes}[name] for name in faces.FACTOR_NAMES]])


def ends(factor):
    """Tables with one factor at each of its levels, or at four places along its range."""
    values = range(len(factor.levels)) if factor.levels else torch.linspace(0, 1, 4).tolist()
    scale = 1 if factor.levels else factor.high - factor.low
    return torch.cat([face(**{factor.name: factor.low + scale * v}) for v in values])


# ---------------------------------------------------------------------------------------- sprites


@pytest.fixture(scope="module")
def grid():
    return sprites.render_all()


def test_sprites_cover_the_grid_in_row_major_order(grid):
    """Catches a wrong grid, order, shape or type, and a render that disagrees with render_all."""
    images, factors = grid
    assert images.shape == (61_440, 1, 32, 32) and images.dtype == torch.uint8
    assert factors.shape == (61_440, 5) and factors.dtype == torch.int64
    sizes = torch.tensor(sprites.FACTOR_SIZES)
    weights = torch.tensor([sizes[k + 1 :].prod().item() for k in range(5)])
    assert torch.equal((factors * weights).sum(dim=1), torch.arange(61_440))
    some = torch.tensor([0, 17, 4_242, 33_333, 61_439])
    assert torch.equal(sprites.render(factors[some]), images[some])


def test_no_two_sprites_are_equal(grid):
    """Catches a symmetric shape: a square turned by 90° would make the rendering not injective."""
    images, _ = grid
    assert len({row.tobytes() for row in images.numpy()}) == 61_440


def test_neighbouring_sprites_differ_visibly(grid):
    """Catches factor steps that only rounding tells apart: somewhere 40 grey levels must change."""
    images, _ = grid
    table = images.view(*sprites.FACTOR_SIZES, -1).to(torch.int16)
    for axis in range(5):
        steps = (table.diff(dim=axis)).abs().amax(dim=-1)
        assert steps.min() >= 40, sprites.FACTOR_NAMES[axis]
    assert (table[:, :, 0] - table[:, :, -1]).abs().amax(dim=-1).min() >= 40  # angles wrap around


def test_position_translates_and_nothing_is_cut_off(grid):
    """Catches x and y swapped, a step other than one pixel, and a shape that leaves the picture."""
    images, _ = grid
    table = images.view(*sprites.FACTOR_SIZES, 32, 32)
    home = table[:, :, :, 0, 0]
    assert torch.equal(table[:, :, :, 5, 0], home.roll(5, dims=-1))
    assert torch.equal(table[:, :, :, 0, 9], home.roll(9, dims=-2))
    assert torch.equal(table[:, :, :, 15, 15], home.roll((15, 15), dims=(-2, -1)))


def test_sprites_grow_with_scale_and_are_anti_aliased(grid):
    """Catches shuffled scales and hard, two-valued edges."""
    images, _ = grid
    table = images.view(*sprites.FACTOR_SIZES, -1)[:, :, :, 8, 8]
    area = table.double().sum(dim=-1).mean(dim=-1)
    assert (area.diff(dim=1) > 0).all()
    assert len(table.unique()) > 50 and table.max() == 255 and table.min() == 0


@pytest.mark.parametrize(
    "factors",
    [
        [[0, 0, 0, 0, 16]],
        [[3, 0, 0, 0, 0]],
        [[0, -1, 0, 0, 0]],
        [[0, 0, 0.5, 0, 0]],
        [[0, 0, float("nan"), 0, 0]],
        [[0, 0, 0, 0]],
        "heart",
    ],
)
def test_sprites_refuse_what_is_off_the_grid(factors):
    """Catches a bare IndexError, or a silent wrap-around of negative indices."""
    with pytest.raises(CourseError) as error:
        sprites.render(factors)
    assert "\n" not in str(error.value)


# ------------------------------------------------------------------------------------------ faces


def test_sampled_factors_are_uniform_and_independent():
    """Catches columns that share random numbers, a level never drawn, and a biased range."""
    n = 20_000
    table = faces.sample_factors(n, seed=3).double()
    assert table.shape == (n, len(faces.FACTORS)) and len(faces.FACTORS) >= 8
    correlation = torch.corrcoef(table.T) - torch.eye(table.shape[1])
    assert correlation.abs().max() < 5 / n**0.5  # five standard errors
    for factor, column in zip(faces.FACTORS, table.unbind(dim=1), strict=True):
        assert column.min() >= factor.low and column.max() <= factor.high
        if factor.levels:
            share = column.long().bincount(minlength=len(factor.levels)) / n
            assert (share - 1 / len(factor.levels)).abs().max() < 5 * (0.25 / n) ** 0.5
        else:
            middle, width = (factor.low + factor.high) / 2, factor.high - factor.low
            assert abs(column.mean() - middle) < 5 * width / (12 * n) ** 0.5


def test_same_seed_same_bytes():
    """Catches a hidden global random state, and faces that depend on their neighbours."""
    a, b = (faces.sample_factors(40, seed=5) for _ in range(2))
    assert torch.equal(a, b) and not torch.equal(a, faces.sample_factors(40, seed=6))
    images = faces.render(a)
    assert torch.equal(images, faces.render(b))
    alone = torch.cat([faces.render(row[None]) for row in a[:8]])
    assert (alone.int() - images[:8].int()).abs().max() <= 1  # vector and scalar rounding


def test_faces_differ_and_are_pictures():
    """Catches blank, constant or repeated pictures, and a wrong shape or type."""
    images = faces.render(faces.sample_factors(300, seed=1), size=48)
    assert images.shape == (300, 3, 48, 48) and images.dtype == torch.uint8
    assert len({row.tobytes() for row in images.numpy()}) == 300
    assert images.flatten(1).double().std(dim=1).min() > 20
    assert faces.render(torch.empty(0, len(faces.FACTORS))).shape == (0, 3, 64, 64)


def test_threads_are_given_back():
    """Catches a renderer that leaves torch with a single thread for the training that follows."""
    before = torch.get_num_threads()
    faces.render(faces.sample_factors(3, seed=0), size=32)
    with ThreadPoolExecutor(1) as pool:  # a new thread, as autograd starts them
        assert pool.submit(torch.get_num_threads).result() == before == torch.get_num_threads()


@pytest.mark.parametrize("factor", faces.FACTORS, ids=lambda factor: factor.name)
def test_each_step_of_a_factor_is_seen(factor):
    """Catches a factor that draws nothing, or two levels that look alike."""
    images = faces.render(ends(factor)).int()
    changed = (images.diff(dim=0).abs().amax(dim=1) >= 12).flatten(1).sum(dim=1)
    assert changed.min() >= 6, changed


@pytest.mark.parametrize("name", ROWS)
def test_a_factor_changes_only_its_own_place(name):
    """Catches entangled drawing, such as a hair colour that also tints the lips."""
    factor = next(factor for factor in faces.FACTORS if factor.name == name)
    images = faces.render(ends(factor)).int()
    moved = (images - images[:1]).abs().amax(dim=(0, 1)) > 0
    rows = moved.any(dim=1).nonzero()[:, 0]
    low, high = ROWS[name]
    assert rows.min() >= low and rows.max() < high, (rows.min(), rows.max())


def test_background_stays_behind_the_person():
    """Catches a translucent person: the middle of face and shirt do not know the background."""
    images = faces.render(torch.cat([face(background=0), face(background=1)])).int()
    difference = (images[0] - images[1]).abs().amax(dim=0)
    assert difference[24:44, 24:40].max() == 0 and difference[60:, 26:38].max() == 0
    assert difference[:4].min() > 0


def test_turn_moves_the_face_and_not_the_shoulders():
    """Catches a turn that slides the whole person, or turns to one side only."""
    dark, blue = (
        faces.render(torch.cat([face(turn=t, iris=k) for t in (-1, 0, 1)])).double() for k in (0, 3)
    )
    eyes = (dark - blue).abs().sum(dim=(1, 2))  # (3, 64): where the irises are, by column
    centre = (eyes * torch.arange(64)).sum(dim=1) / eyes.sum(dim=1)
    assert centre[0] + 3 < centre[1] < centre[2] - 3
    assert centre[1] == pytest.approx(31.5, abs=0.1)
    assert torch.equal(dark[0, :, 54:], dark[2, :, 54:])


def test_smile_lifts_the_corners_of_the_mouth():
    """Catches a mouth that bends the wrong way: y runs down, so a smile is a small row number."""
    pictures = faces.render(torch.cat([face(smile=s, mouth=0.0) for s in (-1, 1)]), size=128)
    dark = pictures.double().mean(dim=1)[:, 78:94]
    row = torch.arange(16).double()[:, None]
    weight = (dark.amax(dim=1, keepdim=True) - dark).clamp(min=0) ** 2
    height = (weight * row).sum(dim=1) / weight.sum(dim=1)
    corner, middle = height[:, 55:57].mean(dim=1), height[:, 63:65].mean(dim=1)
    assert corner[0] > middle[0] and corner[1] < middle[1]


def test_sizes_show_the_same_drawing():
    """Catches lengths in pixels, half-pixel shifts, hard edges, and windows too tight at a size."""
    table = faces.sample_factors(24, seed=2)
    large = faces.render(table, size=256).double()
    for size, tolerance in ((128, 0.5), (64, 1.0), (32, 2.2)):
        small = faces.render(table, size=size).double()
        gap = (avg_pool2d(large, 256 // size) - small).abs()
        assert gap.mean() < tolerance, (size, gap.mean())
    assert faces.render(table[:1], size=77).shape == (1, 3, 77, 77)


def test_attributes_follow_from_the_factors():
    """Catches a swapped column or a threshold on the wrong side."""
    table = torch.cat(
        [
            face(smile=1, glasses=1, hair_color=0, skin=1),
            face(smile=-1, hair_color=4, eyes=0.1, beard=3),
            face(hair_style=0, hair_color=1, beard=1),
        ]
    )
    flags, names = faces.attributes(table)
    assert flags.dtype == torch.bool and flags.shape == (3, len(names))
    ticked = [{n for n, on in zip(names, row, strict=True) if on} for row in flags.tolist()]
    assert ticked[0] >= {"Smiling", "Eyeglasses", "Black_Hair", "Pale_Skin", "No_Beard"}
    assert ticked[1] >= {"Blond_Hair", "Narrow_Eyes", "Mustache"}
    assert not ticked[1] & {"Smiling", "Eyeglasses", "No_Beard", "Black_Hair"}
    assert ticked[2] >= {"Bald", "5_o_Clock_Shadow"} and "Brown_Hair" not in ticked[2]
    share = faces.attributes(faces.sample_factors(2_000, seed=0))[0].double().mean(dim=0)
    assert share.min() > 0.03 and share.max() < 0.97


@pytest.mark.parametrize("n", [-1, 2.5, "many", True])
def test_sampling_refuses_what_is_not_a_count(n):
    """Catches torch's own error about negative dimensions reaching a student."""
    with pytest.raises(CourseError, match="whole number of faces"):
        faces.sample_factors(n, seed=0)


@pytest.mark.parametrize("size", [31, 257, 0, 64.0, "64", True, None])
def test_faces_refuse_other_sizes(size):
    """Catches a size that would be drawn blank or crash inside torch."""
    with pytest.raises(CourseError, match="size must be a whole number from 32 to 256"):
        faces.render(face(), size=size)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"smile": 1.01}, "'smile' must be from -1 to 1, got 1.01"),
        ({"skin": -0.1}, "'skin'"),
        ({"hair_style": 8}, "'hair_style' must be a whole number from 0 to 7"),
        ({"hair_style": 2.5}, "'hair_style'"),
        ({"turn": float("nan")}, "NaN"),
        ({"turn": float("inf")}, "infinity"),
    ],
)
def test_faces_refuse_factors_out_of_range(changes, words):
    """Catches a factor that is silently clipped, and messages that do not name the column."""
    for use in (faces.render, faces.attributes):
        with pytest.raises(CourseError, match=words) as error:
            use(face(**changes))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("table", [torch.zeros(3, 5), torch.zeros(16), [["a"] * 16], None])
def test_faces_refuse_other_tables(table):
    """Catches a table of another width, which would shift every factor by some columns."""
    with pytest.raises(CourseError, match="factors must"):
        faces.render(table)

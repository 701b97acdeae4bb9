"""`patchify(x, size)`: images cut into square patches, in reading order."""

import torch

from course_lib.exercises.spec import Case, Cases, Exercise


def cases(g: torch.Generator) -> Cases:
    """Grids with other numbers of rows than of columns: a square one hides that they change places.

    There are always several channels, and more than one patch each way, but in two cases.
    """
    more = int(torch.randint(0, 3, (), generator=g))
    shapes = [
        ("colour images, 2 × 4 patches or more", (2, 3, 8 + 4 * more, 16 + 8 * more), 4),
        ("8 × 8 patches, as below", (2, 3, 32, 32), 4),
        ("high images, patches of 2 × 2", (3, 2, 10 + 2 * more, 6), 2),
        ("grey images, patches of 3 × 3", (4, 1, 6, 9 + 3 * more), 3),
        ("one patch is the image", (2, 3, 5, 5), 5),
        ("a patch is one pixel, float64", (2, 3, 4, 5 + more), 1),
    ]
    for about, shape, size in shapes:
        x = torch.randn(shape, generator=g)
        yield Case(about, {"x": x.double() if "float64" in about else x, "size": size})


EXERCISE = Exercise("patchify", 2, cases, letters={"x": "B C H W"}, rtol=0, atol=0)

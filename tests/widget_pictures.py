"""What a panel shows, as pixels."""

import io

import numpy as np
from PIL import Image

from course_lib.widgets import image_rows


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def shown(panel, name):
    """A picture as it stands on the page: what was sent, enlarged, and marks over it."""
    sent = opened(panel.images[name].value)
    picture = panel.frame.pictures[name].convert("RGB")
    assert (sent == np.asarray(picture)).all()
    return np.asarray(panel.shown(name).convert("RGB"))


def unscaled(picture, scale):
    """The image whose pixels are scale × scale squares of this one, which they must be."""
    small = picture[::scale, ::scale]
    assert (picture == small.repeat(scale, 0).repeat(scale, 1)).all()
    return small


def image_in(panel, name, rows, place):
    """The image at place (row, column) of a sheet with these named rows."""
    picture, (count, h, w) = shown(panel, name), rows[1]
    cells = image_rows.layout(rows[0], np.zeros((count, h, w)), width=panel.widths[name])
    left, top = cells.corner(*place)
    width, height = cells.size
    return unscaled(picture[top : top + height, left : left + width], height // h)


def centre(mask):
    """Mean row and column of what is True."""
    rows, columns = np.nonzero(mask)
    return rows.mean(), columns.mean()


def coloured(picture, colour):
    """Where the picture has this colour, up to what a palette loses."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return (abs(picture.astype(int) - rgb) < 12).all(-1)

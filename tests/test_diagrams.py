"""Diagrams: well-formed SVG, what it shows in words, and the shapes of the real models."""

import re
from xml.etree import ElementTree

import nbformat
import pytest
import torch
from nbconvert import HTMLExporter
from torch import nn

from course_lib import diagrams
from course_lib.diagrams import networks
from course_lib.diagrams.drawing import Sheet
from course_lib.exercises import EXERCISES
from course_lib.grading.outputs import sanitise
from course_lib.grading.outputs.cells import Budget, shown
from course_lib.models import UNet
from course_lib.plots.style import PALETTE

SVG = "{http://www.w3.org/2000/svg}"
NAMES = [name for name in diagrams.__all__ if name != "Diagram"]
WORDS = {
    "autoencoder": ("encoder", "decoder", "code", "bottleneck"),
    "conv_shapes": ("code", "1 × 28 × 28"),
    "graphical_model": ("θ", "φ", "N images", "prior", "posterior"),
    "noise_process": ("noise", "learned"),
    "reparameterization": ("μ", "σ", "ε", "gradient", "stops"),
    "unet": ("skip", "attention", "class y", "step t"),
}
each = pytest.mark.parametrize("name", NAMES)


def tree(diagram):
    return ElementTree.fromstring(diagram.svg)


def breadth(words):
    """About how wide a line is, in units of its size: Helvetica's letters, a little widened."""
    narrow, wide = "iljftr|()[],.:;· '’", "mwMW—"
    return sum(0.31 if c in narrow else 0.87 if c in wide else 0.58 for c in words)


def extents(diagram):
    """(words, left, right, top, bottom, smallest size) of each line of text."""
    for text in tree(diagram).iter(f"{SVG}text"):
        sizes = [float(part.get("font-size", 99)) for part in text.iter()]
        size, words = float(text.get("font-size")), "".join(text.itertext())
        wide = size * breadth(words) * (1.06 if text.get("font-weight") else 1)
        left = float(text.get("x")) - wide * {"start": 0, "middle": 0.5, "end": 1}[
            text.get("text-anchor")
        ]  # fmt: skip
        y = float(text.get("y"))
        yield words, left, left + wide, y - 0.75 * size, y + 0.25 * size, min(sizes)


@each
def test_a_diagram_is_a_picture_with_words(name):
    """Catches broken XML, scripts, fonts from elsewhere, and a picture that tells blind readers
    nothing."""
    diagram = getattr(diagrams, name)()
    root = tree(diagram)
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.text == diagram.title and description.text == diagram.description
    assert len(description.text.split()) > 25
    for word in WORDS[name]:
        assert word in description.text
    assert {part.tag.removeprefix(SVG) for part in root.iter()} <= {
        "svg", "title", "desc", "rect", "polygon", "polyline", "circle", "path", "text", "tspan",
    }  # fmt: skip
    assert not re.search(r"href|url\(|\bon\w+=", diagram.svg)


@each
def test_words_are_inside_the_picture_and_large_enough(name):
    """Catches text cut off at an edge, and text smaller than 13 pixels on a page of 600."""
    diagram = getattr(diagrams, name)()
    width, height = map(float, tree(diagram).get("viewBox").split()[2:])
    lines = [*extents(diagram)]
    assert len(lines) > 5
    for words, left, right, top, bottom, size in lines:
        assert left >= 0 and right <= width and top >= 0 and bottom <= height, words
        assert size * 600 / width >= 13 - 1e-9, f"{words}: {size} of {width}"


@each
def test_lines_of_text_do_not_overlap(name):
    """Catches two labels in one place."""
    lines = [*extents(getattr(diagrams, name)())]
    for i, (one, left, right, top, bottom, _) in enumerate(lines):
        for two, left2, right2, top2, bottom2, _ in lines[:i]:
            apart = left >= right2 or left2 >= right or top >= bottom2 or top2 >= bottom
            assert apart, f"{one!r} lies over {two!r}"


@each
def test_a_diagram_is_the_same_each_time(name):
    """Catches a picture that changes a notebook's file at every run, or its random numbers."""
    state = torch.get_rng_state()
    assert getattr(diagrams, name)() == getattr(diagrams, name)()
    assert torch.equal(torch.get_rng_state(), state)


def test_ids_differ_from_picture_to_picture():
    """Catches a page on which one picture is read aloud in the words of another."""
    ids = [
        part.get("id")
        for name in NAMES
        for part in tree(getattr(diagrams, name)()).iter()
        if part.get("id")
    ]
    ids += [part.get("id") for part in tree(diagrams.conv_shapes(image=(3, 32, 32))).iter()
            if part.get("id")]  # fmt: skip
    assert len(ids) == len(set(ids)) == 2 * (len(NAMES) + 1)


@each
def test_colours_are_those_of_the_course(name):
    """Catches a colour that is not in the palette: all others are greys."""
    used = set(re.findall(r"#[0-9A-Fa-f]{6}", getattr(diagrams, name)().svg))
    for colour in used - set(PALETTE):
        assert len(set(re.findall("..", colour[1:]))) == 1, colour


def labels(diagram):
    return ["".join(text.itertext()) for text in tree(diagram).iter(f"{SVG}text")]


@pytest.mark.parametrize("image", [(1, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_the_default_network_is_that_of_notebook_02(image):
    """Catches a picture of another network than the one that the notebook trains."""
    model = EXERCISES["ConvAutoencoder"].reference(image[0], image[1], 32)
    assert diagrams.conv_shapes(model, image) == diagrams.conv_shapes(image=image)
    h = model.encoder[0](torch.zeros(1, *image))
    shown = labels(diagrams.conv_shapes(image=image))
    expected = " × ".join(map(str, h.shape[1:]))
    assert expected in shown and "32" in shown and f"= {h.numel():,}" in shown
    assert shown.count(" × ".join(map(str, image))) == 2


def test_shapes_are_measured_on_the_module_given():
    """Catches shapes that are typed, a hook or eval mode left behind, and a changed module."""

    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.Flatten(),
                nn.Linear(8 * 10 * 6, 5),
            )  # fmt: skip
            self.decode = nn.Sequential(
                nn.Linear(5, 8 * 10 * 6), nn.Unflatten(1, (8, 10, 6)),
                nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1), nn.Sigmoid(),
            )  # fmt: skip

    model = Other()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    said = labels(diagrams.conv_shapes(model, (3, 20, 12)))
    assert said.count("8 × 10 × 6") == 2 and said.count("3 × 20 × 12") == 2 and "5" in said
    assert said.count("stride 2") == 2 and "transp. 4" in said and "= 480" in said
    assert model.training and not any(part._forward_hooks for part in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_u_net_has_its_real_shapes():
    """Catches a U-Net whose channels, resolutions or skips are not those of the model."""
    model, seen = UNet(10), {}
    for name, part in model.named_modules():
        part.register_forward_hook(
            lambda part, inputs, out, name=name: seen.update(
                {name: (tuple(inputs[0].shape[1:]), tuple(out.shape[1:]))}
            )
        )
    model(torch.zeros(1, 3, 32, 32), torch.zeros(1).long(), torch.zeros(1).long())
    said = labels(diagrams.unet())
    for name in ("down.0", "low.0"):
        assert "{} × {}".format(*seen[name][1][1:]) in said
    blocks = [name for name in networks.PLACES if isinstance(
        dict(model.named_modules()).get(name), type(model.rise))]  # fmt: skip
    residual = [n for n, m in model.named_modules() if isinstance(m, type(model.rise))]
    assert sorted(blocks) == sorted(residual)
    assert sorted(x for x in said if x.isdigit()) == sorted(
        [str(seen[name][1][0]) for name in blocks] + ["3", "3"]
    )
    joined = {two for _, two, _ in networks.SKIPS}
    wide = {name for name in blocks if seen[name][0][0] > 1.5 * seen[name][1][0]}
    assert joined == wide
    for one, two, _ in networks.SKIPS:
        assert seen[one][1][1:] == seen[two][0][1:]
    drawn = diagrams.unet().svg
    assert drawn.count('r="4"') == len(blocks) + 1  # the dot of the embedding, and its key


def points_of(part):
    return [tuple(map(float, pair.split(","))) for pair in part.get("points").split()]


def test_an_arrow_ends_with_its_tip_where_it_points():
    """Catches a head at the wrong end or turned round, and a bend to the other side."""
    sheet = Sheet(200)
    sheet.arrow(100, 150, 300, 150)
    sheet.arrow(100, 150, 300, 150, bend=40)
    root = tree(sheet.finish("t", "d"))
    straight, bent = (part.get("d") for part in root.iter(f"{SVG}path"))
    assert straight == "M100 150 Q200 150 290 150"
    tip, *base = points_of(next(root.iter(f"{SVG}polygon")))
    assert tip == (300, 150) and sorted(base) == [(290, 145), (290, 155)]
    assert float(bent.split()[3]) == 150 - 2 * 40  # left of the way, as one walks, is up here


def test_a_picture_and_a_network_stand_upright():
    """Catches rows taken for columns, a negative, and a network whose ends are exchanged."""
    sheet = Sheet(200)
    sheet.image(100, 100, 60, [[0, 1, 0.5], [1, 1, 1], [1, 1, 1]])
    sheet.trapezium(300, 100, 50, left=80, right=20, colour="#000000")
    root = tree(sheet.finish("t", "d"))
    pixels = {(float(p.get("x")), float(p.get("y"))): p.get("fill")
              for p in list(root.iter(f"{SVG}rect"))[1:10]}  # fmt: skip
    dark = {place: fill for place, fill in pixels.items() if fill != "#ffffff"}
    assert dark == {(70, 70): "#000000", (110, 70): "#808080"}
    (network,) = root.iter(f"{SVG}polygon")
    assert set(points_of(network)) == {(275, 60), (275, 140), (325, 90), (325, 110)}


def test_the_noise_of_diffusion_grows_to_the_right():
    """Catches a clean image called noise: the first is black and white, the last has no face."""
    root = tree(diagrams.noise_process())
    fills = [part.get("fill") for part in root.iter(f"{SVG}rect") if part.get("fill") != "none"]
    pictures = [fills[1 + 49 * i : 50 + 49 * i] for i in range(4)]  # after the sheet itself
    greys = [[int(fill[1:3], 16) / 255 for fill in picture] for picture in pictures]
    assert set(pictures[0]) == {"#000000", "#ffffff"}
    off = [sum(abs(a - b) for a, b in zip(grey, greys[0], strict=True)) for grey in greys]
    assert off == sorted(off) and off[3] > 2 * off[2] > 0


def test_a_subscript_is_smaller_and_lower():
    """Catches "x_{t−1}" shown with its underscore, and text after it that stays below the line."""
    sheet = Sheet(100)
    sheet.text(300, 50, "q(x_t | x_{t−1}) <", size=20)
    root = tree(sheet.finish("t", "d"))
    (text,) = root.iter(f"{SVG}text")
    assert "".join(text.itertext()) == "q(xt | xt−1) <"
    assert [part.get("dy") for part in text] == ["5", "-5", "5", "-5"]
    assert [part.get("font-size") for part in text] == ["16", None, "16", None]


def test_other_pages_show_the_picture_or_its_words():
    """Catches a diagram that a web page of the notebook, or a student's feedback, loses."""
    diagram = diagrams.graphical_model()
    data = diagram._repr_mimebundle_()
    assert data["text/plain"] == f"{diagram.title}: {diagram.description}"
    output = nbformat.v4.new_output("display_data", data=data)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert 'role="img"' in page and diagram.description in page
    kept = shown(data, Budget())
    assert "data:image/svg+xml;base64," in kept and f"alt='{diagram!r}'" in kept
    assert sanitise.clean_html(kept) == kept  # as when a feedback notebook is read again

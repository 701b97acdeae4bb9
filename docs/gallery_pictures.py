"""Makes docs/gallery.md and its pictures: figures that stand for themselves.

python docs/gallery_pictures.py FOLDER, which holds the executed notebooks.
"""

import base64
import io
import re
import sys
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "gallery"
WIDTH = 860  # pixels
# Figures that need no words beside them, and the one sentence that each of them says.
CHOSEN = {
    "01_autoencoder_basics": {
        2: "A few principal components make a digit readable; each further one helps less.",
        6: "Squared error disagrees with the eye: a shift by one pixel costs more than noise.",
        9: "With few images the training error falls when the test error has long turned.",
    },
    "02_convolutional_autoencoder": {
        9: "Codes know neighbours, and take a 4 for a 9: framed, those of another class.",
        11: "A network fills a hole with what fits around it.",
        15: "Colours guessed from grey are the mean of what could have been, and so they are pale.",
    },
    "03_variational_autoencoder": {
        12: "Everything that a code of two numbers can draw, each image at its own place.",
        16: "A rate has two parts: what codes say of images, and their distance from the prior.",
        21: "With a density fitted to its codes, an autoencoder generates too.",
    },
    "04_beta_vae": {
        1: "The more a nat of code costs, the fewer details, and the better the samples.",
        3: "β is an exchange rate: the slope of the curve at the model trained with it.",
        5: "For linear models a formula says which latents live.",
    },
    "05_generation_celeba_cifar": {
        2: "Most of the error sits in the middle of a face, which is a fifth of its pixels.",
        24: "Quality against time: which model to take depends on how long one may wait.",
        27: "What becomes of three marks of origin when a file is saved again.",
    },
    "06_beyond_the_vae": {
        4: "One decoder, three densities of its symbols: what was missing is a density.",
        7: "Two decoders, codes from four places each: a learned density helps both.",
        16: "Patches that a transformer has not seen, filled in.",
    },
    "07_when_training_fails": {
        1: "Five broken models: one picture for every image has more than one cause.",
        2: "A σ for each pixel lets the loss fall without end.",
        5: "Another image's code, the same reconstruction: the skip decodes, not the code.",
    },
}
HEAD = """# Gallery

Figures that stand for themselves, for a lecture or a first look, each with the sentence that it
says. They were drawn by the notebooks at their default settings on two cores, on MNIST, CIFAR-10
and the course's own faces; `python docs/gallery_pictures.py FOLDER` makes them anew of executed
notebooks.
"""


def figure(notebook: nbformat.NotebookNode, number: int) -> tuple[bytes, str]:
    """PNG and section of a figure: the picture before its caption."""
    section, png = "", b""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if f"**Figure {number}.**" in cell.source:
                return png, section
            for heading in re.findall(r"^## (\d\.\d+) · ", cell.source, re.MULTILINE):
                section = heading
        for output in cell.get("outputs", []):
            if data := output.get("data", {}).get("image/png"):
                png = base64.b64decode(data)
    raise SystemExit(f"no figure {number}")


def main(folder: Path) -> None:
    """Write the page and its pictures."""
    TARGET.mkdir(exist_ok=True)
    parts = [HEAD]
    for stem, sentences in CHOSEN.items():
        notebook = nbformat.read(folder / f"{stem}.ipynb", 4)
        title = re.match(r"# (.*)", notebook.cells[0].source)
        parts.append(f"## {title[1] if title else stem}\n")
        for number, sentence in sentences.items():
            png, section = figure(notebook, number)
            picture = Image.open(io.BytesIO(png)).convert("RGB")
            if picture.width > WIDTH:
                picture = picture.resize(
                    (WIDTH, picture.height * WIDTH // picture.width), Image.LANCZOS
                )
            name = f"{stem[:2]}_{number}.png"
            picture.quantize(128, dither=Image.Dither.NONE).save(TARGET / name, optimize=True)
            parts.append(
                f"![{sentence}](/docs/gallery/{name})\n\n{sentence} "
                f"[Section {section}](/notebooks/{stem}.ipynb), figure {number}.\n"
            )
    (ROOT / "docs" / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What the properties of `ConvAutoencoder` say where they fail."""

from __future__ import annotations

from course_lib.exercises.observers import MODULE_HINTS

# Sizes that a model may have been written for instead of those it is asked for.
TAKES_HINTS = {
    "encode takes C channels": "`encode` takes one channel only: use `channels` in its first "
    "layer.",
    "encode takes other sizes than 28": "`encode` works for 28 × 28 only: compute the size of its "
    "linear layer from H and W.",
    "encode takes H before W": "`encode` expects the image turned on its side: height comes before "
    "width.",
    "encode takes images that are not square": "`encode` works for square images only: H and W "
    "each count once in the size of its linear layer.",
}
AUTOENCODER_HINTS = {
    **MODULE_HINTS,
    "it has parameters": "No parameter is registered: make the layers in `__init__`, each an "
    "attribute or inside `nn.Sequential`.",
    "its layers are registered": "Some layers stand in a plain list, where neither `parameters()` "
    "nor the optimizer sees them: use `nn.Sequential` or `nn.ModuleList`.",
    **TAKES_HINTS,
    "the code is a tensor": "`encode` returns something else than one tensor.",
    "the code is flat": "The code still has a height and a width, or lost its batch. End `encode` "
    "with `nn.Flatten` and one `nn.Linear` to `latent_dim`.",
    "shape of the code": "The code has the wrong shape: `encode` maps (B, C, H, W) to "
    "(B, latent_dim).",
    "shape of the image": "The image has the wrong shape: `decode` maps (B, latent_dim) to "
    "(B, C, H, W). Follow each side through the layers.",
    "a batch of one": "A batch of one image fails or loses a dimension: leave out `.squeeze()`.",
    "evaluation is not random": "The same input gives another output in evaluation mode: use "
    "`nn.Dropout`, which `eval()` switches off, or leave it out.",
    "each image by itself": "The code of an image depends on the others in its batch: statistics "
    "and reshapes have to leave dimension 0 alone.",
    "each code by itself": "A decoded image depends on the other codes of its batch: reshapes, "
    "statistics and extremes have to leave dimension 0 alone. (Into [0, 1] leads a sigmoid.)",
    "the image reaches the code": "All images get the same code: what does `encode` do with x?",
    "every channel reaches the code": "Some channels never reach the code: use all of x.",
    "the code reaches the image": "All codes give the same image: what does `decode` do with z?",
    "every number of the code counts": "Some numbers of the code never reach the image: use all "
    "of z.",
    "decode knows the code alone": "The decoded image depends on what was encoded before. All that "
    "`decode` may know of an image is its code: keep nothing from `encode`.",
    "nothing below 0": "The image falls below 0: end `decode` with a sigmoid.",
    "nothing above 1": "The image rises above 1: end `decode` with a sigmoid.",
    "values below one half": "No pixel ever falls below ½. The last sigmoid makes ½ of 0, so what "
    "comes before it has to take both signs: neither a ReLU nor another sigmoid.",
    "the code takes both signs": "No number of the code is ever negative: end `encode` with the "
    "linear layer, no ReLU after it.",
    "the code is unbounded": "The numbers of the code cannot leave a fixed range: end `encode` "
    "with the linear layer, no activation after it.",
    "a convolution in encode": "There is no convolution in `encode`: use `nn.Conv2d`.",
    "a convolution in decode": "There is no convolution in `decode`: use `nn.Conv2d` with an "
    "upsampling, or `nn.ConvTranspose2d`.",
    "model(x) is decode(encode(x))": "`model(x)` is not decode(encode(x)): leave `forward` as it "
    "is given.",
}

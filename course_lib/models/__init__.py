"""Networks that return codes and distributions; no loss stands inside a model."""

from course_lib.models.classifier import Classifier
from course_lib.models.conditional import ConditionalVAE
from course_lib.models.conv import ConvAutoencoder, ConvVAE
from course_lib.models.denoiser import CodeDenoiser
from course_lib.models.hierarchical import HierarchicalVAE
from course_lib.models.masked import MaskedAutoencoder
from course_lib.models.mlp import MLPVAE, MLPAutoencoder, MLPDecoder, MLPEncoder, mlp
from course_lib.models.stacked import StackedMLPVAE
from course_lib.models.unet import UNet
from course_lib.models.vq import VQVAE, Codebook, CodePrior

__all__ = [
    "MLPVAE",
    "VQVAE",
    "Classifier",
    "CodeDenoiser",
    "CodePrior",
    "Codebook",
    "ConditionalVAE",
    "ConvAutoencoder",
    "ConvVAE",
    "HierarchicalVAE",
    "MLPAutoencoder",
    "MLPDecoder",
    "MLPEncoder",
    "MaskedAutoencoder",
    "StackedMLPVAE",
    "UNet",
    "mlp",
]

"""Networks that return codes and distributions; no loss stands inside a model."""

from course_lib.models.mlp import MLPVAE, MLPAutoencoder, mlp

__all__ = ["MLPVAE", "MLPAutoencoder", "mlp"]

"""The same training by others: a DataLoader loop, and the trainers of pythae and Lightning."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import MNIST

from course_lib.datasets import Split
from course_lib.training import best_device, to_float

if TYPE_CHECKING:
    from course_lib.benchmarks.train import Task

RATE = 2e-3


def is_there(module: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(module) is not None


class Pictures(Dataset):
    """Colour images in memory, made into tensors one by one, as torchvision's CIFAR10 does."""

    def __init__(self, images: Tensor) -> None:
        self.images = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.transform = transforms.ToTensor()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[i])), 0


def as_dataset(data: Split, root: Path) -> Dataset:
    """The images as most tutorials get them: of digits torchvision's MNIST, with ToTensor."""
    return torchvision_mnist(data, root) if data.images.shape[1] == 1 else Pictures(data.images)


def torchvision_mnist(split: Split, root: Path) -> MNIST:
    """The same images, stand-ins too, through torchvision's own class, which reads IDX files."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):  # the class looks for both
        n, _, h, w = split.images.shape
        head, labels = struct.pack(">IIII", 2051, n, h, w), split.labels.to(torch.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + split.images.numpy().tobytes())
        head = struct.pack(">II", 2049, n)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.numpy().tobytes())
    return MNIST(root, transform=transforms.ToTensor())


def loader_loop(task: Task, data: Dataset) -> Callable[[], None]:
    """What most tutorials write: DataLoader, Adam."""

    def epoch() -> None:
        model = task.model().to(best_device()).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        for x, _ in DataLoader(data, batch_size=task.batch, shuffle=True):
            loss, _ = task.objective(model, x.to(best_device()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def lightning(task: Task, data: Split, root: Path) -> Callable[[], None]:
    """Lightning's trainer over the same DataLoader, without its files, logs and bars."""
    import lightning as L

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model()

        def training_step(self, batch: Any, index: int) -> Tensor:
            return task.objective(self.model, batch[0])[0]

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    folder = root / "lightning"
    folder.mkdir()
    pictures = as_dataset(data, folder)
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    def epoch() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loader = DataLoader(pictures, batch_size=task.batch, shuffle=True)
            L.Trainer(max_epochs=1, accelerator="auto", **quiet).fit(Module(), loader)

    return epoch


def pythae(task: Task, data: Split, root: Path) -> Callable[[], None]:
    """pythae's trainer on its own kind of data set: floats in memory. One `train_step` is an epoch.

    Its models take the networks of ours, and have the same loss: of the VAEs −ELBO, of the
    autoencoder squared error.
    """
    from pythae.data.datasets import BaseDataset
    from pythae.models import AE, VAE, AEConfig, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.INFO)
    floats = BaseDataset(to_float(data.images), torch.zeros(len(data)))
    settings = BaseTrainerConfig(
        output_dir=str(root / "pythae"), num_epochs=1, learning_rate=RATE,
        per_device_train_batch_size=task.batch,
    )  # fmt: skip

    def epoch() -> None:
        net = task.model()
        halves = _pythae_halves(net, data.images.shape[1:])
        if isinstance(net.encode(to_float(data.images[:1])), Tensor):
            model = AE(AEConfig(), *halves)
        else:
            kind = "mse" if data.images.shape[1] == 3 else "bce"
            model = VAE(VAEConfig(reconstruction_loss=kind), *halves)
        trainer = BaseTrainer(model, train_dataset=floats, training_config=settings)
        trainer.prepare_training()
        with contextlib.redirect_stderr(io.StringIO()):  # its bars
            trainer.train_step(1)

    return epoch


def _pythae_halves(net: nn.Module, shape: torch.Size) -> tuple[Any, Any]:
    """Encoder and decoder of our network as pythae's classes want them."""
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = net.encoder

        def forward(self, x: Tensor) -> Any:
            q_z = net.encode(x)
            if isinstance(q_z, Tensor):
                return ModelOutput(embedding=q_z)
            return ModelOutput(embedding=q_z.mean, log_covariance=2 * q_z.stddev.log())

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = net.decoder

        def forward(self, z: Tensor) -> Any:
            p_x = net.decode(z)
            x_hat = p_x if isinstance(p_x, Tensor) else p_x.mean
            return ModelOutput(reconstruction=x_hat.reshape(len(z), *shape))

    return Encoder(), Decoder()


PYTHAE_BATCH = 64  # what its trainer takes where nobody names one


def pythae_as_it_comes(task: Task, data: Split, root: Path) -> Callable[[], None]:
    """The same with that batch."""
    return pythae(task._replace(batch=PYTHAE_BATCH), data, root)


# Name to the package that is asked for, and to what makes an epoch of it.
PACKAGES = {
    "pythae": ("pythae", pythae),
    f"pythae, batch {PYTHAE_BATCH}": ("pythae", pythae_as_it_comes),
    "Lightning": ("lightning", lightning),
}

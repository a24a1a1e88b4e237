"""Images per second of Winnow's array loader and of stock fastai, data alone and in training, in one run.

    python tests/benchmarks/bench_array_loader.py
    python tests/benchmarks/bench_array_loader.py --images photos/ --size 128

Without --images two sets are made up: 32-pixel JPEGs, read at 32 pixels, and 320-pixel JPEGs, read at 128 pixels.
Stock fastai reads with ImageDataLoaders, squish, normalisation on the batch, with 0 and with 2 worker processes; the
better counts. Both train the same network with the same batch size for one epoch, on one thread, as Winnow trains each
fold; no augmentation on either side.
"""

import argparse
import hashlib
import platform
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import TrainEvalCallback
from fastai.data.core import DataLoaders
from fastai.data.transforms import Normalize
from fastai.learner import CastToTensor, Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.vision.augment import Resize
from fastai.vision.core import imagenet_stats
from fastai.vision.data import ImageDataLoaders
from PIL import Image

from diagnostics.array_loader import ArrayItems, ArrayLoader, pixels_on_device
from diagnostics.arrays import build_image_array
from diagnostics.chunks import n_cores
from diagnostics.image_files import ImageRoot
from diagnostics.progress import ignore_progress
from diagnostics.training.augment import Normalise
from diagnostics.training.device import pick_device
from diagnostics.training.small_net import small_body, small_head

BATCH_SIZE = 64
N_CLASSES = 10
SUFFIXES = {".jpg", ".jpeg", ".png"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="a folder of images to read instead of made-up ones")
    parser.add_argument("--size", type=int, default=128, help="pixels at which --images are read")
    parser.add_argument("--n-small", type=int, default=4000)
    parser.add_argument("--n-photos", type=int, default=600)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(
        f"{platform.processor() or platform.machine()}, {n_cores()} cores, torch {torch.__version__}, {pick_device()}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.images is not None:
            compare("given images", options.images, size_px=options.size, cache_dir=folder)
            return
        make_images(folder / "small", options.n_small, side_px=32)
        compare("32 px", folder / "small", size_px=32, cache_dir=folder)
        make_images(folder / "photos", options.n_photos, side_px=320)
        compare("320 px, read at 128 px", folder / "photos", size_px=128, cache_dir=folder)


def make_images(folder: Path, n_images: int, *, side_px: int) -> None:
    """JPEGs with the fine structure of noise over a smooth ground, so that they cost what photos cost."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(n_images):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        ground = np.asarray(Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.BICUBIC))
        noisy = np.clip(ground + rng.normal(0, 12, ground.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:06}.jpg", quality=90)


def compare(name: str, folder: Path, *, size_px: int, cache_dir: Path) -> None:
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES
    )
    table = pd.DataFrame(
        {"path": names, "label": [f"class {number % N_CLASSES}" for number in range(len(names))]}
    )
    stock = {workers: stock_loaders(table, folder, size_px, workers) for workers in (0, 2)}
    data = {workers: data_rate(loaders.train) for workers, loaders in stock.items()}
    training = {workers: training_rate(loaders, size_px) for workers, loaders in stock.items()}
    started_s = time.perf_counter()
    own = own_loaders(table, folder, size_px, cache_dir)
    built_s = time.perf_counter() - started_s
    own_data, own_training = data_rate(own.train), training_rate(own, size_px)
    print(
        f"\n{name}: {len(names)} images, decoded once in {built_s:.1f} s ({len(names) / built_s:,.0f} images/s)"
    )
    print(f"{'images/s':<28}{'data alone':>12}{'in training':>14}")
    for workers in stock:
        print(f"{f'stock fastai, {workers} workers':<28}{data[workers]:>12,.0f}{training[workers]:>14,.0f}")
    print(f"{'array loader':<28}{own_data:>12,.0f}{own_training:>14,.0f}")
    best = f"{own_data / max(data.values()):.1f} ×", f"{own_training / max(training.values()):.2f} ×"
    print(f"{'array loader / better stock':<28}{best[0]:>12}{best[1]:>14}")


def stock_loaders(table: pd.DataFrame, folder: Path, size_px: int, n_workers: int) -> DataLoaders:
    return ImageDataLoaders.from_df(
        table,
        path=folder,
        fn_col="path",
        label_col="label",
        valid_pct=0.02,
        seed=0,
        item_tfms=Resize(size_px, method="squish"),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
        bs=BATCH_SIZE,
        num_workers=n_workers,
        device=pick_device(),
    )


def own_loaders(table: pd.DataFrame, folder: Path, size_px: int, cache_dir: Path) -> DataLoaders:
    hashes = [hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in table["path"]]
    items = table.assign(root=0, content_hash=hashes)
    array = build_image_array(
        items,
        roots=[ImageRoot.at(folder)],
        cache_dir=cache_dir,
        size_px=size_px,
        resize="squish",
        n_workers=n_cores(),
        on_progress=ignore_progress,
    )
    codes = torch.from_numpy(pd.Categorical(table["label"]).codes.astype(np.int64))
    pixels = pixels_on_device(array.pixels, pick_device())
    whole = ArrayItems(pixels, array.rows_of(items["content_hash"]), codes)
    prepare = Normalise(*(tuple(values) for values in imagenet_stats))
    loader = partial(ArrayLoader, whole, prepare=prepare, bs=BATCH_SIZE, device=pick_device())
    return DataLoaders(loader(shuffle=True, drop_last=True), loader(), device=pick_device())


def data_rate(loader: object) -> float:
    """Images per second over one whole epoch, worker start included, as in training."""
    started_s, n_images = time.perf_counter(), 0
    for images, _ in loader:
        n_images += len(images)
    return n_images / (time.perf_counter() - started_s)


def training_rate(loaders: DataLoaders, size_px: int) -> float:
    torch.manual_seed(0)
    network = torch.nn.Sequential(small_body(size_px), small_head(size_px, N_CLASSES))
    learner = Learner(loaders, network, loss_func=CrossEntropyLossFlat())
    for callback in list(learner.cbs):
        if not isinstance(callback, TrainEvalCallback | CastToTensor):
            learner.remove_cb(callback)
    started_s = time.perf_counter()
    learner.fit(1, 1e-3)
    n_images = len(loaders.train) * BATCH_SIZE
    return n_images / (time.perf_counter() - started_s)


if __name__ == "__main__":
    main()

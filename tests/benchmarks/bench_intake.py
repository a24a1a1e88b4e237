"""How fast a dataset is taken in, against Pillow alone decoding the same files with as many processes.

python tests/benchmarks/bench_intake.py --n 100000 --size 32 32 --n-large 10000 --large-size 320 240
"""

import argparse
import multiprocessing
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from curation.dataset.intake import IntakeSpec, take_in
from diagnostics.progress import ignore_progress

N_DIFFERENT = 500
CHUNK = 200
N_TURNS = 3


def decode_alone(paths: list[str]) -> int:
    """Nothing but Pillow: open and decode to the end."""
    for path in paths:
        with Image.open(path) as image:
            image.load()
    return len(paths)


def make_images(folder: Path, n: int, size: tuple[int, int]) -> list[str]:
    """n JPEG files of smooth noise, a few hundred different ones, and a table that lists them."""
    rng = np.random.default_rng(0)
    blobs = []
    for number in range(min(n, N_DIFFERENT)):
        coarse = rng.integers(0, 256, size=(max(2, size[1] // 8), max(2, size[0] // 8), 3), dtype=np.uint8)
        path = folder / f"blob{number}.jpg"
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=85)
        blobs.append(path.read_bytes())
        path.unlink()
    (folder / "images").mkdir()
    names = [f"{number:06d}.jpg" for number in range(n)]
    for number, name in enumerate(names):
        blob = blobs[number % len(blobs)]
        (folder / "images" / name).write_bytes(blob + number.to_bytes(4, "big"))  # distinct contents
    rows = "".join(f"{name},class{number % 10}\n" for number, name in enumerate(names))
    (folder / "train.csv").write_text("path,label\n" + rows)
    return [str(folder / "images" / name) for name in names]


def measure(n: int, size: tuple[int, int]) -> None:
    """Both rates in one run, in turns, the best of each: neither a cold file cache nor a busy moment favours one."""
    n_cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make_images(folder, n, size)
        spec = IntakeSpec(folder / "train.csv", images=folder / "images")
        times = [(_time_pillow(paths, n_cores), _time_intake(spec)) for _ in range(N_TURNS)]
    pillow_s, intake_s = (min(column) for column in zip(*times, strict=True))
    print(
        f"{n:,} JPEG files of {size[0]} × {size[1]}: Pillow alone {n / pillow_s:,.0f} images/s, "
        f"taken in {n / intake_s:,.0f} images/s, ratio {pillow_s / intake_s:.2f}"
    )


def _time_pillow(paths: list[str], n_cores: int) -> float:
    started = time.perf_counter()
    with ProcessPoolExecutor(n_cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        sum(pool.map(decode_alone, [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]))
    return time.perf_counter() - started


def _time_intake(spec: IntakeSpec) -> float:
    started = time.perf_counter()
    take_in(spec, on_progress=ignore_progress)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--size", type=int, nargs=2, default=(32, 32))
    parser.add_argument("--n-large", type=int, default=4_000)
    parser.add_argument("--large-size", type=int, nargs=2, default=(320, 240))
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    measure(arguments.n, tuple(arguments.size))
    measure(arguments.n_large, tuple(arguments.large_size))


if __name__ == "__main__":
    main()

"""All scores and the label issues of Winnow against cleanlab's label issues alone, in one run.

    python tests/benchmarks/bench_label_issues.py
    python tests/benchmarks/bench_label_issues.py --shapes 10000000x100 --from-disk --without-cleanlab
    python tests/benchmarks/bench_label_issues.py --device cuda

The probabilities are made up: a model that is right about most items, and labels of which a tenth are wrong. Winnow's
time is that of score_items, of the scores derived from it, and of find_label_issues, ranked; cleanlab's is that of
find_label_issues alone, ranked by self-confidence, with its default n_jobs. Each runs in processes of its own, after
a warm-up on a small array that imports and compiles (its time is printed too); the two take turns, so that a machine
that slows down slows down both, and the medians of all calls count. Memory is the most that the process had
for itself while it ran, above what it had with the input loaded; cleanlab's workers are not counted. With --device
the probabilities are a tensor there before the clock starts, and reading once is adding them all up there. Linux only.
"""

import argparse
import hashlib
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from diagnostics.chunks import for_each_chunk, n_cores

BLOCK_ROWS = 20_000
NOISE = 0.1
MILLION = 1e6
DERIVED = ("loss", "confusion", "margin", "label_quality")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=["1000000x100", "50000x1000"], help="items x classes")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each, in turn")
    parser.add_argument("--repeats", type=int, default=15, help="calls a process")
    parser.add_argument("--from-disk", action="store_true", help="map the file instead of loading it")
    parser.add_argument("--without-cleanlab", action="store_true")
    parser.add_argument("--device", help="score by torch on this device; cpu:0 is torch on the processor")
    parser.add_argument("--measure", nargs=3, metavar=("WHO", "FOLDER", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        who, folder, repeats = options.measure
        found = measure(who, Path(folder), int(repeats), from_disk=options.from_disk, device=options.device)
        print(json.dumps(found))
        return
    print(f"{processor()}, {n_cores()} cores, numpy {np.__version__}, Python {platform.python_version()}")
    for shape in options.shapes:
        n_items, n_classes = (int(number) for number in shape.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            make_predictions(Path(folder), n_items, n_classes)
            report(shape, Path(folder), options)


def report(shape: str, folder: Path, options: argparse.Namespace) -> None:
    n_bytes = (folder / "probs.npy").stat().st_size
    who = ["winnow"] if options.without_cleanlab else ["winnow", "cleanlab"]
    rounds = [{name: measured(name, folder, options) for name in who} for _ in range(options.rounds)]
    ours = together([each["winnow"] for each in rounds])
    read_s, took_s = ours["read_s"], ours["seconds"]
    print(
        f"\n{shape} float32, {n_bytes / MILLION:,.0f} MB{', mapped from disk' if options.from_disk else ''}"
    )
    print(f"  read once                 {read_s:8.3f} s  {n_bytes / read_s / 1e9:6.1f} GB/s")
    print(
        f"  Winnow, scores and issues {took_s:8.3f} s  {n_bytes / took_s / 1e9:6.1f} GB/s  "
        f"{took_s / read_s:5.1f} × reading  {ours['memory'] / MILLION:6.0f} MB above the input  "
        f"{ours['n_issues']:,} issues  (first call {ours['first_s']:.1f} s)"
    )
    if options.without_cleanlab:
        return
    theirs = together([each["cleanlab"] for each in rounds])
    print(
        f"  cleanlab, issues          {theirs['seconds']:8.3f} s{'':31}"
        f"  {theirs['memory'] / MILLION:6.0f} MB above the input  {theirs['n_issues']:,} issues"
    )
    ratios = [
        statistics.median(each["cleanlab"]["all_s"]) / statistics.median(each["winnow"]["all_s"])
        for each in rounds
    ]
    print(
        f"  cleanlab / Winnow         {theirs['seconds'] / took_s:8.1f} ×  "
        f"({min(ratios):.1f} to {max(ratios):.1f} in one round)  same issues: {ours['set'] == theirs['set']}"
    )


def together(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of times over all calls, the most memory of any round."""
    return rounds[0] | {
        "seconds": statistics.median(second for each in rounds for second in each["all_s"]),
        "read_s": statistics.median(each["read_s"] for each in rounds),
        "first_s": max(each["first_s"] for each in rounds),
        "memory": max(each["memory"] for each in rounds),
    }


def make_predictions(folder: Path, n_items: int, n_classes: int) -> None:
    """A block at a time, so that the file may be larger than the memory."""
    rng = np.random.default_rng(0)
    probs = np.lib.format.open_memmap(folder / "probs.npy", "w+", np.float32, (n_items, n_classes))
    true = rng.integers(0, n_classes, n_items)
    wrong = rng.random(n_items) < NOISE
    np.save(folder / "labels.npy", np.where(wrong, (true + rng.integers(1, 4, n_items)) % n_classes, true))
    for start in range(0, n_items, BLOCK_ROWS):
        classes = true[start : start + BLOCK_ROWS]
        logits = 1.2 * rng.standard_normal((len(classes), n_classes), dtype=np.float32)
        logits[np.arange(len(classes)), classes] += np.log(n_classes)
        raised = np.exp(logits)
        probs[start : start + BLOCK_ROWS] = raised / raised.sum(axis=1, keepdims=True)
    probs.flush()


def measured(who: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    is_ours = who == "winnow"
    flags = ["--from-disk"] * options.from_disk + (
        ["--device", options.device] if options.device and is_ours else []
    )
    command = [sys.executable, __file__, "--measure", who, str(folder), str(options.repeats), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(who: str, folder: Path, repeats: int, *, from_disk: bool, device: str | None) -> dict[str, Any]:
    find = {"winnow": partial(find_with_winnow, device=device or "cpu"), "cleanlab": find_with_cleanlab}[who]
    warnings.simplefilter("ignore")
    started_s = time.perf_counter()
    find(np.arange(200) % 2, np.random.default_rng(0).dirichlet(np.ones(3), 200).astype(np.float32))
    first_s = time.perf_counter() - started_s
    codes = np.load(folder / "labels.npy")
    probs = np.load(folder / "probs.npy", mmap_mode="r" if from_disk else None)
    if device is not None:
        probs = on_device(probs, device)
    read_s = min(seconds_to_read(probs) for _ in range(3))
    seconds = []
    for _ in range(repeats):
        started_s = time.perf_counter()
        rows = find(codes, probs)
        seconds.append(time.perf_counter() - started_s)
    with PeakMemory() as peak:
        find(codes, probs)
    return {
        "read_s": read_s,
        "first_s": first_s,
        "all_s": seconds,
        "memory": peak.n_bytes,
        "n_issues": len(rows),
        "set": hashlib.sha256(np.sort(rows).astype(np.int64).tobytes()).hexdigest(),
    }


def find_with_winnow(codes: np.ndarray, probs: np.ndarray, *, device: str = "cpu") -> np.ndarray:
    from diagnostics.label_issues import find_label_issues
    from diagnostics.scores import score_items

    scores = score_items(codes, probs, device=device)
    for name in DERIVED:
        getattr(scores, name)
    return find_label_issues(codes, probs, scores=scores).rows


def find_with_cleanlab(codes: np.ndarray, probs: np.ndarray) -> np.ndarray:
    from cleanlab.filter import find_label_issues

    return find_label_issues(codes, probs, return_indices_ranked_by="self_confidence")


def on_device(probs: np.ndarray, device: str) -> np.ndarray:
    import torch

    from diagnostics.torch_scores import as_array

    return as_array(torch.tensor(probs, device=device))


def seconds_to_read(probs: np.ndarray) -> float:
    """With all cores, as Winnow reads; of a tensor on its device."""
    if hasattr(probs, "tensor"):
        started_s = time.perf_counter()
        probs.tensor.sum().item()
        return time.perf_counter() - started_s
    total = np.zeros(1)

    def add(rows: slice) -> None:
        total[0] += probs[rows].sum()

    started_s = time.perf_counter()
    for_each_chunk(add, *probs.shape)
    return time.perf_counter() - started_s


class PeakMemory:
    """The most memory that this process has for itself in a `with`, above what it had before; without mapped files."""

    def __enter__(self) -> "PeakMemory":
        self._before, self._peak, self._stop = own_bytes(), 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._watcher.join()
        self.n_bytes = self._peak - self._before

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self._peak = max(self._peak, own_bytes())


def own_bytes() -> int:
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


if __name__ == "__main__":
    main()

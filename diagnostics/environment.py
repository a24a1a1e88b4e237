"""Is this machine ready to train? One finding a thing that can be missing or wrong, each with its remedy."""

import importlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OK, PROBLEM, NOT_AVAILABLE = "ok", "problem", "not available"
SMALLEST_FREE_BYTES = 2 * 2**30
PACKAGES = ("torch", "torchvision", "fastai", "timm", "streamlit", "pandas", "numpy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    outcome : "ok"; "problem": something will fail; "not available": nothing is wrong, but this machine lacks it
    remedy : what to do; "" if nothing needs doing
    """

    name: str
    outcome: str
    detail: str
    remedy: str = ""


def check_environment() -> list[Finding]:
    """Look at Python, packages, torch with torchvision, GPU, number formats, weight caches and free disk."""
    return [check() for check in CHECKS]


def check_python() -> Finding:
    return Finding("python", OK, f"{sys.version.split()[0]} at {sys.executable}")


def check_packages() -> Finding:
    missing, found = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages", PROBLEM, f"missing: {', '.join(missing)}", "Install Winnow again with pip."
        )
    return Finding("packages", OK, ", ".join(found))


def check_torchvision_pairing() -> Finding:
    """torch and torchvision must come from one index: a CPU build of one and a CUDA build of the other do not fit."""
    name = "torch with torchvision"
    remedy = "Install both together, from one index: pip install --force-reinstall torch torchvision"
    try:
        torch = importlib.import_module("torch")
        torchvision = importlib.import_module("torchvision")
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        torchvision.ops.nms(boxes, torch.tensor([1.0]), 0.5)
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        return Finding(name, PROBLEM, f"torchvision.ops.nms fails: {str(error).splitlines()[0]}", remedy)
    return Finding(name, OK, f"torch {torch.__version__} and torchvision {torchvision.__version__} fit")


def check_gpu() -> Finding:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        return Finding("gpu", PROBLEM, f"torch cannot be imported: {error}", "Install Winnow again with pip.")
    if torch.cuda.is_available():
        return Finding("gpu", OK, f"{torch.cuda.get_device_name(0)}; training uses it, in fp16")
    return Finding("gpu", NOT_AVAILABLE, "no CUDA device; training runs on the CPU")


def check_number_formats() -> Finding:
    try:
        device = importlib.import_module("diagnostics.training.device")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("bfloat16 on the CPU", PROBLEM, f"torch cannot be imported: {error}", "See above.")
    if device.cpu_has_bfloat16():
        return Finding("bfloat16 on the CPU", OK, "in hardware; training on the CPU uses it")
    return Finding("bfloat16 on the CPU", NOT_AVAILABLE, "not in hardware; training on the CPU uses float32")


def check_weight_caches() -> Finding:
    """Where pretrained weights are looked for, and how many files are there."""
    torch_home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    hub_home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    folders = (torch_home / "hub" / "checkpoints", Path(os.environ.get("HF_HUB_CACHE", hub_home / "hub")))
    counts = {folder: len(list(folder.iterdir())) if folder.is_dir() else 0 for folder in folders}
    detail = "; ".join(f"{folder}: {count} files" for folder, count in counts.items())
    if any(counts.values()):
        return Finding("pretrained weights", OK, detail)
    remedy = "Needed only with --pretrained: download them with a network, or give --weights-file."
    return Finding("pretrained weights", NOT_AVAILABLE, detail, remedy)


def check_disk() -> Finding:
    """Room for decoded arrays and runs in the current folder."""
    free_bytes = shutil.disk_usage(Path.cwd()).free
    detail = f"{free_bytes / 2**30:.1f} GiB free in {Path.cwd()}"
    if free_bytes < SMALLEST_FREE_BYTES:
        return Finding("disk", PROBLEM, detail, "Free some space, or keep projects on another disk.")
    return Finding("disk", OK, detail)


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_packages,
    check_torchvision_pairing,
    check_gpu,
    check_number_formats,
    check_weight_caches,
    check_disk,
)

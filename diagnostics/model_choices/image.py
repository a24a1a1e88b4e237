"""Models for images."""

from diagnostics.model_choices.choice import ModelChoice, lacks_file, torch_checkpoints

IMAGENET_WEIGHTS = {
    "convnext_tiny": "convnext_tiny-983f1562.pth",
    "resnet50": "resnet50-11ad3fa6.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet18": "resnet18-f37072fd.pth",
}  # torchvision's files, the best features first

IMAGE = (
    ModelChoice("auto", "Chosen for you", "The small network; with pretrained weights, a ResNet-18."),
    ModelChoice(
        "small_cnn",
        "Small network",
        "A small network trained from scratch: quick without a GPU, enough for small images.",
    ),
    ModelChoice(
        "resnet18",
        "ResNet-18",
        "A good start for photographs with pretrained weights; a GPU is worth having.",
        lacks_file(torch_checkpoints, IMAGENET_WEIGHTS["resnet18"]),
    ),
    ModelChoice(
        "resnet50",
        "ResNet-50",
        "Larger and slower, for many classes that look alike; with pretrained weights.",
        lacks_file(torch_checkpoints, IMAGENET_WEIGHTS["resnet50"]),
    ),
    ModelChoice(
        "convnext_tiny",
        "ConvNeXt Tiny",
        "The strongest of these with pretrained weights, and the slowest.",
        lacks_file(torch_checkpoints, IMAGENET_WEIGHTS["convnext_tiny"]),
    ),
)

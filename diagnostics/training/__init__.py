"""Training: one frozen configuration in, a run folder with out-of-fold predictions out."""

import warnings

# fastai and timm warn about calls of their own that torch and pandas deprecate; nobody here can act on that.
warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=FutureWarning)
warnings.filterwarnings("ignore", message=".*mode.chained_assignment.*")

"""Progress of a whole run, over all its models, with the time that is left."""

import time

from diagnostics.progress import Progress, ProgressCallback
from diagnostics.training.config import TrainConfig
from diagnostics.training.fold import FoldNews
from diagnostics.training.plan import Plan

PREDICT_COST = 0.3
PROGRESS_EVERY_S = 0.2


class WorkMeter:
    """How far the whole run is, in items: training on one costs 1, predicting it 0.3.

    Tells `on_progress` a few times a second. Metrics: fold and epoch (of the model that moved last) with n_folds and
    n_epochs, counted from 1; train_loss, valid_loss, accuracy (of the last finished epoch of any model); items_per_s
    (of all models that train now; not there while it is not known, as of models that are fitted at once); seconds_left
    (of the whole run).
    """

    def __init__(self, plan: Plan, config: TrainConfig, on_progress: ProgressCallback) -> None:
        self.plan = plan
        self.n_epochs = config.epochs or 1
        self.on_progress = on_progress
        self.per_epoch = [plan.n_shown(model, config) for model in range(plan.n_models)]
        self.per_fold = [
            self.n_epochs * n_shown + PREDICT_COST * len(plan.items) for n_shown in self.per_epoch
        ]
        self.done = self.skipped = 0.0
        self.metrics: dict[str, float] = {}
        self.rates: dict[int, float] = {}
        self.epochs: dict[int, int] = {}
        self.started_s = time.monotonic()
        self.told_s = 0.0

    def skip_fold(self, model: int) -> None:
        """The model was finished by an earlier call."""
        self._skip(self.per_fold[model])

    def tell(self, news: FoldNews) -> None:
        """Take in what happened to a model."""
        if news.n_epochs_before:
            self._skip(news.n_epochs_before * self.per_epoch[news.model])
        self.done += news.n_trained + PREDICT_COST * news.n_predicted
        self.rates[news.model] = news.items_per_s
        self.epochs[news.model] = news.epoch + 1
        if news.row is not None:
            self.metrics |= {name: news.row[name] for name in ("train_loss", "valid_loss", "accuracy")}
        now_s = time.monotonic()
        if news.row is not None or now_s - self.told_s >= PROGRESS_EVERY_S:
            self.told_s = now_s
            self.on_progress(self._progress(news.model, now_s))

    def _skip(self, n_items: float) -> None:
        self.done += n_items
        self.skipped += n_items

    def _progress(self, model: int, now_s: float) -> Progress:
        total = sum(self.per_fold)
        fresh = self.done - self.skipped
        left_s = (now_s - self.started_s) / fresh * (total - self.done) if fresh > 0 else 0.0
        self.metrics |= {
            "fold": model + 1,
            "n_folds": self.plan.n_models,
            "epoch": self.epochs[model],
            "n_epochs": self.n_epochs,
            "seconds_left": max(0.0, left_s),
        }
        if rate := sum(self.rates.values()):
            self.metrics["items_per_s"] = rate
        detail = f"model {model + 1} of {self.plan.n_models}, epoch {self.epochs[model]} of {self.n_epochs}"
        return Progress("train", int(min(self.done, total)), int(total), detail, dict(self.metrics))

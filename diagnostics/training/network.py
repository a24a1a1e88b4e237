"""Models that are fastai networks: the learning rate is looked for once, each is trained in epochs and kept."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.modalities import NetworkItems
from diagnostics.progress import ProgressCallback
from diagnostics.run_folder import LR_FINDER_FILE, WEIGHTS_FOLDER, write_table, write_text
from diagnostics.task import FloatArray
from diagnostics.training.checkpoint import FoldPredictions, save_weights
from diagnostics.training.device import prepare_torch, seed_everything
from diagnostics.training.fit import BatchNews, FoldReport, find_lr, fit_fold
from diagnostics.training.fold import OpenRun, Teller, n_threads_of_model, to_explain
from diagnostics.training.logit_record import LogitRecord
from diagnostics.training.predict import output_sizes, predict

PREDICT_BATCH_SIZE = 256
PROVISIONAL_LR = 1e-3


class NetworkWay:
    """See `diagnostics.training.fold.Way`."""

    is_watched = True
    why_missing: Mapping[str, str] = {}

    def __init__(self, items: NetworkItems) -> None:
        self.items = items

    def settle(
        self, run: OpenRun, *, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> OpenRun:
        """The learning rate is the one asked for, else the finder's, which is looked for once a run."""
        prepare_torch(n_threads_of_model(run))
        self.items.prepare(run.checkpoints.folder, on_progress=on_progress, should_stop=should_stop)
        if run.config.lr is not None:
            return run
        path = run.run_dir / LR_FINDER_FILE
        if not path.is_file():
            write_table(path, self._find_lr(run, should_stop))
        curve = pd.read_csv(path)
        return replace(run, config=replace(run.config, lr=float(curve.loc[curve["chosen"], "lr"].iloc[0])))

    def train(self, run: OpenRun, teller: Teller, *, should_stop: Callable[[], bool]) -> None:
        """From the last checkpoint; the weights are kept too."""
        model = teller.model
        learner = self._learner(run, model)
        logits = self._fit(run, learner, teller, should_stop)
        self._keep_weights(run, model, learner.model)
        kept = self._predict(run, learner.model, teller, should_stop)
        kept.train_logits[:] = np.nan
        kept.train_logits[run.plan.trained_on(model)] = logits.means()
        self._explain(run, model, learner.model, kept.probabilities, should_stop)
        run.checkpoints.keep_fold(model)

    def _fit(
        self, run: OpenRun, learner: Any, teller: Teller, should_stop: Callable[[], bool]
    ) -> LogitRecord:
        """Train the network of the learner, from its last checkpoint; returns what it said of its items meanwhile."""
        model = teller.model
        phases = self.items.phases(run.config.lr or PROVISIONAL_LR)
        n_before = run.checkpoints.n_epochs_of(model, [phase.n_epochs for phase in phases])
        teller.go_on_from(run.checkpoints.history_of(model)[:n_before])

        def on_batch(news: BatchNews) -> None:
            teller.on_trained(news.epoch, news.n_trained, news.items_per_s)

        n_classes, _ = output_sizes(learner.model)
        logits = LogitRecord(len(run.plan.trained_on(model)), n_classes)
        fit_fold(
            learner,
            fold=model,
            phases=phases,
            config=run.config,
            machine=run.machine,
            held_out=run.plan.held_out,
            history=teller.history,
            logits=logits,
            learning=run.learning,
            checkpoints=run.checkpoints,
            report=FoldReport(should_stop=should_stop, on_batch=on_batch, on_epoch=teller.on_epoch),
        )
        return logits

    def _predict(
        self, run: OpenRun, network: Any, teller: Teller, should_stop: Callable[[], bool]
    ) -> FoldPredictions:
        """What the network says of every item, and its features of them, in the files of its model."""
        n_items = len(run.plan.items)
        n_classes, n_features = output_sizes(network)
        kept = run.checkpoints.open_fold(
            teller.model, n_items=n_items, n_classes=n_classes, n_features=n_features
        )
        predict(
            network,
            self.items,
            np.arange(n_items),
            probabilities=kept.probabilities,
            embeddings=kept.embeddings,
            activation=run.learning.probabilities,
            machine=run.machine,
            batch_size=PREDICT_BATCH_SIZE,
            should_stop=should_stop,
            on_batch=teller.on_predicted,
        )
        return kept

    def _explain(
        self,
        run: OpenRun,
        model: int,
        network: Any,
        probabilities: FloatArray,
        should_stop: Callable[[], bool],
    ) -> None:
        """Keep what speaks for and against the labels of the items that this model is asked about."""
        asked = to_explain(run, model, probabilities)
        if asked is None:
            return
        explained = self.items.explain(
            network, asked, probabilities=run.learning.probabilities, should_stop=should_stop
        )
        run.checkpoints.keep_explanations(model, asked.positions, explained)

    def _find_lr(self, run: OpenRun, should_stop: Callable[[], bool]) -> pd.DataFrame:
        """The learning rate finder's curve on the first model."""
        return find_lr(
            self._learner(run, 0),
            phases=self.items.phases(PROVISIONAL_LR),
            machine=run.machine,
            should_stop=should_stop,
            seed=run.config.seed,
        )

    def _learner(self, run: OpenRun, model: int) -> Any:
        seed_everything(run.config.seed, 1 + model, 0)
        train, codes = run.plan.trained_on(model), run.plan.learnt_codes(model)
        return self.items.learner(
            train,
            run.plan.evaluated[model],
            learnt_codes=codes,
            shown=run.plan.shown(model, run.config),
            loss_func=run.learning.loss(run.config, codes[train], run.machine.device),
            path=run.checkpoints.folder,
        )

    def _keep_weights(self, run: OpenRun, model: int, network: Any) -> None:
        folder = run.run_dir / WEIGHTS_FOLDER
        folder.mkdir(exist_ok=True)
        save_weights(folder / f"fold-{model}.safetensors", network)
        about = {"format_version": 1, **self.items.describe_model()}
        write_text(folder / "model.json", json.dumps(about, indent=1, ensure_ascii=False))

"""Train the models of a run one after the other, or several at a time in processes of their own."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from diagnostics.errors import Cancelled, RunError
from diagnostics.modalities import MODALITIES
from diagnostics.progress import ignore_progress
from diagnostics.training.fold import FoldNews, OpenRun, RunInputs, open_run, train_fold

LOOK_EVERY_S = 0.1
WORTH_PROCESSES = 4_000_000  # of `OpenedItems.work`


def train_folds(
    run: OpenRun,
    inputs: RunInputs,
    models: Sequence[int],
    *,
    n_parallel: int,
    should_stop: Callable[[], bool],
    tell: Callable[[FoldNews], None],
) -> None:
    """Train these models; the result is the same however many run side by side.

    inputs : what `run` was opened from; other processes open it again with `run.config`
    n_parallel : models at a time; runs too small to be worth the start of a process (about 5 s) use none
    raises : Cancelled if asked to stop; what a model's training raises; RunError if a process dies
    """
    if n_parallel > 1 and len(models) > 1 and _work(run, models) >= WORTH_PROCESSES:
        inputs = replace(inputs, config=run.config)
        _train_side_by_side(inputs, models, n_parallel=n_parallel, should_stop=should_stop, tell=tell)
        return
    for model in models:
        train_fold(run, model, should_stop=should_stop, tell=tell)


def _work(run: OpenRun, models: Sequence[int]) -> float:
    n_shown = sum(run.plan.n_shown(model, run.config) for model in models) * (run.config.epochs or 1)
    return n_shown * run.opened.work


def _train_side_by_side(
    inputs: RunInputs,
    models: Sequence[int],
    *,
    n_parallel: int,
    should_stop: Callable[[], bool],
    tell: Callable[[FoldNews], None],
) -> None:
    context = _context(inputs.task.modality)
    news: Any = context.Queue()
    stop = context.Event()
    pool = ProcessPoolExecutor(
        min(n_parallel, len(models)),
        mp_context=context,
        initializer=_start_worker,
        initargs=(news, stop),
    )
    try:
        futures = [pool.submit(_train_in_worker, inputs, model) for model in models]
        _watch(futures, news, should_stop=should_stop, tell=tell)
    except BrokenProcessPool as error:
        if should_stop():
            raise Cancelled("Training was stopped.") from error
        raise RunError(
            "A training process died, most likely because memory ran out. Resume the run; fewer threads "
            "(n_threads) train fewer models at a time, and smaller inputs or a smaller batch_size need less memory."
        ) from error
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _context(modality: str) -> Any:
    """Processes that copy one which has imported the libraries; without that each takes seconds to import them anew."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, MODALITIES[modality].items])
    return context


def _watch(
    futures: Sequence[Future[None]],
    news: Any,
    *,
    should_stop: Callable[[], bool],
    tell: Callable[[FoldNews], None],
) -> None:
    """Pass on news until all models are finished; raise what stopped one of them."""
    unfinished = set(futures)
    while unfinished:
        done, unfinished = wait(unfinished, timeout=LOOK_EVERY_S, return_when=FIRST_EXCEPTION)
        _pass_on(news, tell)
        for future in done:
            future.result()
        if should_stop():
            raise Cancelled("Training was stopped.")
    _pass_on(news, tell)


def _pass_on(news: Any, tell: Callable[[FoldNews], None]) -> None:
    while True:
        try:
            tell(news.get_nowait())
        except queue.Empty:
            return


class _Worker:
    """What a worker process holds between models."""

    run: OpenRun | None = None
    news: Any
    stop: Any


def _start_worker(news: Any, stop: Any) -> None:
    """Little is passed here: a process that dies while it starts would leave its parent writing for ever.

    A signal to the whole group is answered by the parent, which then asks its workers to stop.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _Worker.news, _Worker.stop = news, stop


def _die_with_parent() -> None:
    """A killed run leaves no process behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train_in_worker(inputs: RunInputs, model: int) -> None:
    if _Worker.run is None:
        run = open_run(inputs, on_progress=ignore_progress)
        _Worker.run = run.opened.way.settle(run, on_progress=ignore_progress, should_stop=_Worker.stop.is_set)
    train_fold(_Worker.run, model, should_stop=_Worker.stop.is_set, tell=_Worker.news.put)

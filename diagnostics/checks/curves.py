"""Checks of the learning rate, the number of epochs and the fit, from the curves of a training."""

from collections.abc import Callable

import numpy as np

from diagnostics.checks.facts import Curves, TrainingFacts
from diagnostics.checks.finding import ISSUE, NOT_APPLICABLE, PASSED, SKIPPED, TIP, Check, Seen
from diagnostics.metrics import Estimate, difference_of_proportions, proportion
from diagnostics.training.plan import FOLD, MAX_EVALUATED, VALIDATION

FEWEST_EPOCHS = 3
EXPLODED = 5.0  # times the loss of chance
LEARNED_LITTLE = 0.5
STEADY_DROP = 0.05  # of `learned`, from one epoch to the next
FITS_WELL = 0.9
STILL_GAINING = 0.03  # of `learned`, an epoch, over the last tenth of the epochs
FAR_ABOVE = 1.5
NOTHING_LEARNED = 0.03
DEAD_SHARE, DEAD_EPOCHS = 0.2, 3
SMOOTHED_OVER = 3  # epochs
UNDERFITS = 0.75  # of the way from the most common class to every training label

NO_CURVE_OF_HEADS = "A quick round trains only heads, in one step: there are no epochs."
NO_CURVE_OF_FITS = "These models are fitted at once, without epochs and learning rate."
ON_OWN_SCALE = "is on a scale of its own: how far it has come from chance cannot be read from it."
MADE_ELSEWHERE = "The predictions were imported: how the model was trained is not known here."
NO_CURVES = "This run kept no curves."


def _with_curves(
    *, at_least: int, of_training_loss: bool = True
) -> Callable[[Callable[[TrainingFacts, Curves], Seen]], Callable[..., Seen]]:
    """A check that needs the curves of at least so many epochs.

    of_training_loss : that of the training loss among them, as a cross-entropy
    """

    def wrap(look: Callable[[TrainingFacts, Curves], Seen]) -> Callable[..., Seen]:
        def looked(facts: TrainingFacts) -> Seen:
            if facts.imported:
                return Seen(NOT_APPLICABLE, MADE_ELSEWHERE)
            if facts.quick:
                return Seen(NOT_APPLICABLE, NO_CURVE_OF_HEADS)
            if facts.fitted_at_once:
                return Seen(NOT_APPLICABLE, NO_CURVE_OF_FITS)
            if of_training_loss and facts.own_scale:
                return Seen(NOT_APPLICABLE, f"{facts.own_scale} {ON_OWN_SCALE}")
            if facts.history.empty:
                return Seen(SKIPPED, NO_CURVES)
            if len(facts.curves) < at_least:
                return Seen(
                    SKIPPED,
                    f"The training had {_epochs(len(facts.curves))}; it takes {at_least} to see a course.",
                )
            return look(facts, facts.curves)

        return looked

    return wrap


@_with_curves(at_least=FEWEST_EPOCHS)
def lr_too_high(facts: TrainingFacts, curves: Curves) -> Seen:
    """Validation loss is no number, or far above that of chance, while the training loss has not come down."""
    rate = _rate(facts)
    highest = float(np.nan_to_num(curves.valid_loss, nan=np.inf).max())
    words = f"{highest:,.1f}" if np.isfinite(highest) else "no number any more"
    seen = (
        f"Validation loss rose to {words}{rate}; knowing nothing but how common each class is would give "
        f"{curves.chance_loss:.1f}."
    )
    if highest <= _exploded(curves):
        return Seen(PASSED, f"Validation loss stayed below {highest:.1f}{rate}.")
    if curves.learned[-1] < LEARNED_LITTLE:
        return Seen(
            ISSUE,
            f"{seen} At the end the model had come {_percent(max(0.0, curves.learned[-1]))} of the way from "
            "chance to knowing every training label.",
            f"{_smaller_rate(facts)} If the loss is then still no number, set mixed_precision to off.",
        )
    return Seen(
        TIP, f"{seen} It came down again later.", f"{_smaller_rate(facts)} The first epochs were lost."
    )


@_with_curves(at_least=FEWEST_EPOCHS)
def lr_too_low(facts: TrainingFacts, curves: Curves) -> Seen:
    """Training loss falls steadily, never fast, and has not come far."""
    steps = np.diff(curves.learned)
    far = float(curves.learned.max())
    course = (
        f"Training loss went from {curves.train_loss[0]:.2f} to {curves.train_loss[-1]:.2f} in "
        f"{_epochs(len(curves))}{_rate(facts)}"
    )
    slow = far < LEARNED_LITTLE and steps.max() < facts.label_kind.usual_gain
    if not slow or steps.min() < -STEADY_DROP:
        return Seen(PASSED, f"{course}.")
    return Seen(
        ISSUE,
        f"{course}, in small even steps: {_percent(max(far, 0.0))} of the way from chance to knowing every "
        "training label.",
        "Leave lr out, so that the learning rate finder chooses it, or set one ten times as large."
        if facts.lr_by_hand
        else "Set lr to three to ten times that, or train for several times as many epochs.",
    )


@_with_curves(at_least=1)
def too_few_epochs(facts: TrainingFacts, curves: Curves) -> Seen:
    """The training labels are not fitted yet, and the training loss was still falling when training ended."""
    tenth = max(1, len(curves) // 10)
    gain = float(curves.learned[-1] - curves.learned[-1 - tenth]) / tenth if len(curves) > tenth else np.nan
    fitted = f"After {_epochs(len(curves))} {_fitted(facts, curves)}"
    fits = facts.fit is not None and facts.fit.high >= FITS_WELL
    more = (
        "Train for two to three times as many epochs, or leave epochs out to have them chosen from the data."
    )
    if not fits and len(curves) < FEWEST_EPOCHS:
        return Seen(ISSUE, f"{fitted}: there was no time to learn more.", more)
    falling = (
        f"the training loss was still falling, by {_percent(gain)} of the way from chance to knowing every "
        "label in the last epoch"
    )
    if not fits and gain >= STILL_GAINING:
        return Seen(ISSUE, f"{fitted}, and {falling}.", more)
    above = float(curves.train_loss[-1]) - curves.least_loss
    if gain >= STILL_GAINING and above > FAR_ABOVE * curves.valid_loss[-1]:
        return Seen(
            TIP,
            f"Training loss ended {above:.2f} above the least it can be, validation loss at "
            f"{curves.valid_loss[-1]:.2f}, and {falling}: what is trained on is made harder (augmentation, "
            "label smoothing) than what is measured.",
            more,
        )
    return Seen(PASSED, f"{fitted}; the training loss had come to rest.")


@_with_curves(at_least=2 * SMOOTHED_OVER, of_training_loss=False)
def overfitting(facts: TrainingFacts, curves: Curves) -> Seen:
    """Accuracy on held-out items got worse by more than its 95 % interval; a loss that rises alone does not count."""
    means = np.convolve(curves.accuracy, np.full(SMOOTHED_OVER, 1 / SMOOTHED_OVER), mode="valid")
    best, last = int(np.argmax(means)), float(means[-1])
    epoch = best + (SMOOTHED_OVER + 1) // 2
    name, n = facts.label_kind.words.by_epoch.capitalize(), _n_judged(facts, curves)
    if n is None:
        return Seen(
            SKIPPED,
            f"{name} in each epoch was measured on {curves.held_out}: items that the models learnt from.",
        )
    n_answers = n * facts.answers
    fall = difference_of_proportions(
        proportion(means[best] * n_answers, n_answers), proportion(last * n_answers, n_answers)
    )
    course = (
        f"{name} on held-out items was {_percent(means[best])} around epoch {epoch}, {_percent(last)} at "
        "the end"
    )
    if fall.low > 0:
        return Seen(
            ISSUE,
            f"{course}: it fell by {_points(fall)} points (95 % interval), on {n:,} items, while the "
            f"training loss went on falling to {curves.train_loss[-1]:.2f}.",
            f"Train for about {epoch} epochs, or set keep_best; more or cleaner labels, augmentation and "
            "weight decay all help against it.",
        )
    return Seen(PASSED, f"{course}; a fall of {_points(fall)} points (95 % interval) is not told from none.")


@_with_curves(at_least=FEWEST_EPOCHS, of_training_loss=False)
def underfitting(facts: TrainingFacts, curves: Curves) -> Seen:
    """The models do not even know the labels that they learnt from, and training had come to rest."""
    if facts.fit is None:
        return Seen(SKIPPED, "This run did not keep what its models say of the items they learnt from.")
    words = facts.label_kind.words
    known = (facts.fit.high - facts.chance_f1) / max(1e-9, 1 - facts.chance_f1)
    fitted = f"{_fitted(facts, curves)}; always saying {words.most_common} gives {_percent(facts.chance_f1)}"
    fitted = f"{fitted[0].upper()}{fitted[1:]}"
    if known >= UNDERFITS:
        return Seen(PASSED, f"{fitted}.")
    on_new = _percent(facts.micro_f1.value)
    if facts.micro_f1.high < facts.fit.low:
        return Seen(
            PASSED,
            f"{fitted}. {words.right_on_new.format(share=on_new)}, so that they do know their training items "
            "better: it is not a lack of strength.",
        )
    return Seen(
        ISSUE,
        f"{fitted}. They do no better on what they learnt from than on new items "
        f"({words.on_new.format(share=on_new)}), and training "
        "had come to rest.",
        "Use a larger or a pretrained model, show it more of each item (of images a larger size), no frozen "
        "layers, less weight decay, label smoothing and augmentation. If that changes nothing, the labels may "
        "not be in the items: review some.",
    )


@_with_curves(at_least=DEAD_EPOCHS)
def dead_start(facts: TrainingFacts, curves: Curves) -> Seen:
    """For the first epochs the model knew nothing but how common each class is."""
    alive = curves.learned >= NOTHING_LEARNED
    n_dead = int(np.argmax(alive)) if alive.any() else len(curves)
    if n_dead < max(DEAD_EPOCHS, DEAD_SHARE * len(curves)):
        return Seen(PASSED, f"The training loss began to fall below chance in epoch {n_dead + 1}.")
    until = f"the first {n_dead} of {len(curves)} epochs" if alive.any() else f"all {len(curves)} epochs"
    exploded = curves.valid_loss[:n_dead].max() > _exploded(curves)
    return Seen(
        ISSUE,
        f"For {until} the training loss was not below {curves.chance_train_loss:.2f}, what knowing only how common "
        f"each class is gives; {facts.label_kind.words.by_epoch} in epoch {n_dead} was "
        f"{_percent(curves.accuracy[n_dead - 1])}.",
        f"Set lr three to ten times {'smaller: the first steps broke the model' if exploded else 'larger'}. "
        "If it stays so, look at some items as the model sees them: they may be too small or all alike.",
    )


def _exploded(curves: Curves) -> float:
    """From which loss of held-out items on a training has gone astray, rather than not begun."""
    return EXPLODED * max(curves.chance_loss, curves.blind_loss)


def _n_judged(facts: TrainingFacts, curves: Curves) -> int | None:
    """How many items a point of the accuracy curve stands on; None if the models learnt from these."""
    if curves.held_out == VALIDATION:
        return min(facts.n_items["val"], MAX_EVALUATED)
    return facts.n_items["train"] if curves.held_out == FOLD else None


def _fitted(facts: TrainingFacts, curves: Curves) -> str:
    if facts.fit is None:
        learned = _percent(max(0.0, curves.learned[-1]))
        return f"the loss had come {learned} of the way from chance to knowing every label"
    return facts.label_kind.words.given_back.format(share=_percent(facts.fit.value))


def _rate(facts: TrainingFacts) -> str:
    if facts.lr is None:
        return ""
    return f" at a learning rate of {facts.lr:.2g}" + (", set by hand" if facts.lr_by_hand else "")


def _smaller_rate(facts: TrainingFacts) -> str:
    if facts.lr_by_hand:
        return "Leave lr out, so that the learning rate finder chooses it, or set one ten times smaller."
    return "Set lr to a third or a tenth of that."


def _epochs(n: int) -> str:
    return "1 epoch" if n == 1 else f"{n} epochs"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _points(difference: Estimate) -> str:
    return f"{100 * difference.low:.0f} to {100 * difference.high:.0f}"


CHECKS = (
    Check(
        "WD001",
        "Learning rate too high",
        "With steps that are too large the model jumps over what it should learn; the loss explodes instead "
        "of falling.",
        lr_too_high,
    ),
    Check(
        "WD002",
        "Learning rate too low",
        "With steps that are too small the model is still far from what it could learn when training ends.",
        lr_too_low,
        unless=("WD001",),
    ),
    Check(
        "WD003",
        "Too few epochs",
        "A model that was stopped early ranks items by what it has not learnt yet, not by what is wrong "
        "with their labels.",
        too_few_epochs,
        unless=("WD001", "WD002"),
    ),
    Check(
        "WD004",
        "Overfitting",
        "A model that learns its training items by heart, wrong labels among them, gets worse on new ones. "
        "What counts is the accuracy: a validation loss above the training loss, or one that rises alone, "
        "is usual and harmless.",
        overfitting,
    ),
    Check(
        "WD005",
        "Underfitting",
        "A model too weak, or held back too much, to learn its own training items says little about "
        "anything else.",
        underfitting,
        unless=("WD001", "WD002", "WD003"),
    ),
    Check(
        "WD006",
        "Dead start",
        "Epochs in which nothing is learnt are lost, and often the sign of a first step that broke the "
        "model.",
        dead_start,
        unless=("WD001", "WD002"),
    ),
)

"""Charts: a table in, a Plotly figure out. Colours and fonts come from the app's theme."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from diagnostics.metric_names import METRICS

MAX_MATRIX_CLASSES = 25
MAX_DIFFERENCES = 24
MANY_CLASSES = 60
MAX_WRITTEN_CELLS = 15
HEADROOM = 1.6
ROW_PX = 26
NEUTRAL = "#8b979f"


def confusion_matrix_figure(table: pd.DataFrame, classes: Sequence[str]) -> go.Figure:
    """The confusion matrix with a clickable square a cell; a click carries (given, predicted) as customdata.

    table : as diagnostics.confusion.confusion_matrix_table gives it
    """
    n = len(classes)
    counts = table["n"].to_numpy().reshape(n, n)
    shares = table["share"].to_numpy().reshape(n, n)
    heatmap = go.Heatmap(
        z=np.nan_to_num(shares),
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
        hoverinfo="skip",
        text=np.where(counts > 0, counts.astype(str), ""),
        texttemplate="%{text}" if n <= MAX_WRITTEN_CELLS else None,
    )
    carried = table[["given_label", "predicted_label", "n"]].to_numpy(dtype=object).tolist()
    figure = go.Figure([heatmap, _click_squares(_confused_texts(table), carried, n)])
    names = [html.escape(name) for name in classes]
    axis = {
        "tickvals": list(range(n)),
        "ticktext": names,
        "showgrid": False,
        "zeroline": False,
        "range": [-0.5, n - 0.5],
    }
    figure.update_xaxes(title="Predicted by the model", side="top", tickangle=-40, **axis)
    figure.update_yaxes(title="Label", **(axis | {"range": [n - 0.5, -0.5]}))
    return figure.update_layout(
        height=min(620, 130 + ROW_PX * max(n, 10)),
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,
        dragmode=False,
    )


def together_figure(table: pd.DataFrame, classes: Sequence[str]) -> go.Figure:
    """How many items have both of two labels: as given below the diagonal, as predicted above it. A click carries (one,
    other, "given" or "predicted") as customdata, on the diagonal the same class twice, as given.

    table : as diagnostics.multilabel.metrics.together_table gives it
    """
    n = len(classes)
    place = {name: position for position, name in enumerate(classes)}
    counts, texts = np.zeros((n, n)), np.full((n, n), "", dtype=object)
    for row in table.to_dict("records"):
        low, high = sorted((place[row["first_label"]], place[row["second_label"]]))
        counts[high, low], counts[low, high] = row["n_given"], row["n_predicted"]
        names = (html.escape(str(row[name])) for name in ("first_label", "second_label"))
        texts[high, low] = texts[low, high] = (
            "<b>{}</b> and <b>{}</b>: ".format(*names)
            + f"{row['n_given']} given, {row['n_predicted']} predicted, {row['n_by_chance']:.1f} by chance"
        )
    heatmap = go.Heatmap(
        z=counts,
        zmin=0,
        showscale=False,
        xgap=1,
        ygap=1,
        hoverinfo="skip",
        text=np.where(counts > 0, np.char.mod("%d", counts), ""),
        texttemplate="%{text}" if n <= MAX_WRITTEN_CELLS else None,
    )
    carried = [
        (name, beside, "given" if row >= column else "predicted")
        for row, name in enumerate(classes)
        for column, beside in enumerate(classes)
    ]
    figure = go.Figure([heatmap, _click_squares(texts.ravel().tolist(), carried, n)])
    axis = {"tickvals": list(range(n)), "ticktext": [html.escape(name) for name in classes]}
    axis |= {"showgrid": False, "zeroline": False, "range": [-0.5, n - 0.5]}
    figure.add_shape(
        type="line", x0=-0.5, y0=-0.5, x1=n - 0.5, y1=n - 0.5, line={"color": NEUTRAL, "width": 1.5}
    )
    figure.update_xaxes(title="As predicted, above the line", side="top", tickangle=-40, **axis)
    figure.update_yaxes(title="As given, below the line", **(axis | {"range": [n - 0.5, -0.5]}))
    return figure.update_layout(
        height=min(620, 130 + ROW_PX * max(n, 10)),
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        showlegend=False,
        dragmode=False,
    )


def _confused_texts(table: pd.DataFrame) -> list[str]:
    return [
        f"{n} labelled <b>{html.escape(given)}</b>, predicted <b>{html.escape(predicted)}</b>"
        for given, predicted, n in zip(
            table["given_label"], table["predicted_label"], table["n"], strict=True
        )
    ]


def _click_squares(
    texts: Sequence[str], carried: Sequence[Sequence[object]], n_classes: int
) -> go.Scatter | go.Scattergl:
    """A heatmap reports no clicks: invisible squares over its cells do, row by row from the first.

    texts : shown over each cell; carried : what a click on it carries
    """
    scatter = go.Scattergl if n_classes >= MANY_CLASSES else go.Scatter
    cells = np.arange(n_classes * n_classes)
    return scatter(
        x=cells % n_classes,
        y=cells // n_classes,
        mode="markers",
        text=texts,
        customdata=np.array(carried, dtype=object),
        marker={"symbol": "square", "size": max(10, min(34, 520 // max(n_classes, 1))), "opacity": 0},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        hovertemplate="%{text}<extra></extra>",
    )


def loss_curves_figure(history: pd.DataFrame) -> go.Figure:
    """Training (dotted) and validation (solid) loss of every fold over the epochs.

    The axis ends where single peaks begin: they would press everything else flat.
    """
    figure = go.Figure()
    losses = history[["train_loss", "valid_loss"]]
    top = float(max(losses["train_loss"].quantile(0.95), losses["valid_loss"].quantile(0.75))) * HEADROOM
    if losses.to_numpy().max(initial=0.0) > top:
        figure.update_yaxes(range=[0, top])
    for position, (fold, rows) in enumerate(
        history.assign(fold=history["fold"] + 1, epoch=history["epoch"] + 1).groupby("fold", sort=True)
    ):
        for column, name, dash in (("train_loss", "training", "dot"), ("valid_loss", "validation", "solid")):
            figure.add_scatter(
                x=rows["epoch"],
                y=rows[column],
                mode="lines+markers" if len(rows) == 1 else "lines",
                name=f"{name} loss",
                legendgroup=name,
                showlegend=position == 0,
                line={"dash": dash, "width": 2 if dash == "solid" else 1.4},
                hovertemplate=f"fold {fold}, epoch %{{x}}: %{{y:.3f}}<extra>{name}</extra>",
            )
            figure.data[-1].line.color = FOLD_COLOURS[position % len(FOLD_COLOURS)]
    return _plain(figure, x_title="Epoch", y_title="Loss (nats)")


FOLD_COLOURS = ("#2a8a96", "#b5762f", "#7d81c9", "#8f9440", "#bd668a", "#74838d")


def lr_finder_figure(curve: pd.DataFrame) -> go.Figure:
    """The learning rate finder's curve with the chosen rate marked.

    curve : columns lr, loss, chosen (True in the row of the chosen rate)
    """
    figure = go.Figure(
        go.Scatter(
            x=curve["lr"],
            y=curve["loss"],
            mode="lines",
            line={"color": FOLD_COLOURS[0]},
            hovertemplate="learning rate %{x:.2g}: loss %{y:.3f}<extra></extra>",
        )
    )
    for lr in curve.loc[curve["chosen"].astype(bool), "lr"]:
        figure.add_vline(x=lr, line={"dash": "dash", "width": 1, "color": NEUTRAL})
        figure.add_annotation(
            x=float(np.log10(lr)),
            y=1,
            yref="paper",
            text=f"chosen: {lr:.2g}",
            showarrow=False,
            xanchor="left",
            xshift=5,
        )
    figure.update_xaxes(type="log")
    return _plain(figure, x_title="Learning rate", y_title="Loss (nats)")


def class_difference_figure(table: pd.DataFrame, metric: str) -> go.Figure:
    """The difference of one metric in every class with its 95 % interval; the biggest gain on top. Of more than
    MAX_DIFFERENCES classes those that lost and those that gained most, as many of each.

    table : as `diagnostics.compare.Comparison.classes`. Classes with a verdict, which is on F1, are coloured by it.
    """
    rows = table.dropna(subset=[f"{metric}_difference"]).sort_values(f"{metric}_difference")
    if len(rows) > MAX_DIFFERENCES:
        rows = pd.concat([rows.head(MAX_DIFFERENCES // 2), rows.tail(MAX_DIFFERENCES // 2)])
    figure = go.Figure()
    figure.add_vline(x=0, line={"width": 1, "color": NEUTRAL})
    for verdict, colour in VERDICT_COLOURS.items():
        own = rows[rows["verdict"] == verdict]
        difference = own[f"{metric}_difference"]
        figure.add_scatter(
            x=difference,
            y=own["label"].astype(str).map(html.escape),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": own[f"{metric}_high"] - difference,
                "arrayminus": difference - own[f"{metric}_low"],
                "thickness": 2,
                "width": 0,
            },
            mode="markers",
            name=f"{verdict} (F1)",
            marker={"size": 9, "color": colour},
            customdata=own[[f"{metric}_{part}" for part in ("before", "after", "low", "high")]],
            hovertemplate="%{y}: %{customdata[0]:.3f} → %{customdata[1]:.3f}, %{x:+.3f} "
            "(%{customdata[2]:+.3f} to %{customdata[3]:+.3f})<extra></extra>",
        )
    labels = rows["label"].astype(str).map(html.escape).tolist()
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=labels, range=(-0.8, len(labels) - 0.2)
    )
    figure.update_layout(height=90 + ROW_PX * len(rows))
    title = f"{METRIC_NAMES[metric]}, after minus before, with its 95 % interval"
    return _plain(figure, x_title=title, y_title="", height=None)


def agreement_figure(runs: pd.DataFrame, metric: str, title: str) -> go.Figure:
    """A metric of every run on validation and on test, with 95 % intervals.

    runs : columns run_id and, of val and test, <split>_<metric>, …_low, …_high; in the order of the runs
    """
    figure = go.Figure()
    for position, (split, name) in enumerate((("val", "validation"), ("test", "test"))):
        values = runs[f"{split}_{metric}"]
        figure.add_scatter(
            x=runs["run_id"].map(html.escape),
            y=values,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": runs[f"{split}_{metric}_high"] - values,
                "arrayminus": values - runs[f"{split}_{metric}_low"],
                "thickness": 1,
            },
            mode="lines+markers",
            name=name,
            line={"color": FOLD_COLOURS[position], "dash": "solid" if split == "val" else "dot"},
            hovertemplate=f"%{{x}} on {name}: %{{y:.3f}}<extra></extra>",
        )
    figure.update_xaxes(type="category")
    return _plain(figure, x_title="Run", y_title=title)


def class_cap_figure(table: pd.DataFrame) -> go.Figure:
    """What leaving out items of a class changes, in points of F1 with 95 % intervals, for each share left out.

    table : as diagnostics.experiments.class_cap gives it, one way to train
    """
    figure = go.Figure()
    label = html.escape(str(table["label"].iloc[0]))
    series = (
        ("capped", "class_f1", f"{label} itself", "circle"),
        ("capped", "others_f1", "the other classes", "diamond"),
        ("left out from all classes", "others_f1", "the others, left out from all classes", "diamond-open"),
    )
    for position, (arm, name, title, symbol) in enumerate(series):
        rows = table[table["arm"] == arm]
        value, low, high = (100 * rows[f"{name}_{part}"].to_numpy() for part in ("difference", "low", "high"))
        figure.add_scatter(
            x=rows["percent"] + OFFSET * (position - 1),
            y=value,
            error_y={"array": high - value, "arrayminus": value - low, "thickness": 1.6, "width": 4},
            mode="markers",
            name=title,
            customdata=np.column_stack([rows["percent"], low, high]),
            marker={
                "symbol": symbol,
                "size": 9,
                "color": FOLD_COLOURS[position],
                "line": {"width": 2, "color": FOLD_COLOURS[position]},
            },
            hovertemplate="%{customdata[0]} % left out: %{y:+.1f} points "
            f"(%{{customdata[1]:+.1f}} to %{{customdata[2]:+.1f}})<extra>{title}</extra>",
        )
    figure.add_hline(y=0, line={"width": 1, "color": NEUTRAL})
    shares = sorted(set(table["percent"]) - {0})
    figure.update_xaxes(tickvals=shares, ticktext=[f"{share} %" for share in shares])
    return _plain(figure, x_title=f"Train items of {label} left out", y_title="Change of F1 (points)")


OFFSET = 1.2


def seeds_figure(table: pd.DataFrame) -> go.Figure:
    """The mean F1 of each class over trainings and one standard deviation to both sides; the lowest at the bottom.

    table : as diagnostics.experiments.seeds gives it, one way to train
    """
    rows = table[table["metric"].isin([*METRICS, "f1"])].dropna(subset=["mean"])
    is_class = rows["metric"] == "f1"
    rows = pd.concat([rows[is_class].sort_values("mean"), rows[~is_class].iloc[::-1]])
    titles = [
        f"<b>{METRICS[metric].title}</b>" if metric in METRICS else html.escape(label)
        for metric, label in zip(rows["metric"], rows["label"], strict=True)
    ]
    figure = go.Figure(
        go.Scatter(
            x=rows["mean"],
            y=titles,
            error_x={"array": rows["sd"], "thickness": 1.6, "width": 4},
            mode="markers",
            customdata=np.column_stack([rows["sd"], 100 * rows["smallest_difference"]]),
            marker={"size": 9, "color": FOLD_COLOURS[0]},
            hovertemplate="%{y}: %{x:.3f} ± %{customdata[0]:.3f}; differences from %{customdata[1]:.1f} points can be "
            "seen<extra></extra>",
        )
    )
    figure.update_yaxes(type="category")
    figure.update_layout(height=90 + ROW_PX * len(rows))
    return _plain(figure, x_title="Mean ± standard deviation over trainings", y_title="", height=None)


def saturation_figure(table: pd.DataFrame) -> go.Figure:
    """What the next labels of each class add to its F1, the most on top; above all what whole models say.

    table : as diagnostics.experiments.saturation gives it, of both ways to train
    """
    rows = table.dropna(subset=["gain"]).sort_values(["way", "gain"], ascending=[False, True])
    by_whole = (rows["way"] == "full").any()
    titles = [
        f"{html.escape(label)} ({n:,} labels){f' · {WAY_NAMES[way]}' if by_whole else ''}"
        for label, n, way in zip(rows["label"], rows["n_labels"], rows["way"], strict=True)
    ]
    gains = rows[["gain", "gain_low", "gain_high", "verdict"]].set_axis(list(_INTERVAL), axis=1)
    return _intervals_figure(titles, gains, "Gain of F1, points")


WAY_NAMES = {"full": "whole models", "quick": "heads"}


def learning_curves_figure(curves: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> go.Figure:
    """F1 against labels for the classes that whole models were trained for, by them and by heads, with 95 % intervals.

    curves : by way to train and class, as diagnostics.experiments.saturation keeps them
    """
    figure = go.Figure()
    for position, label in enumerate(curves["full"]):
        for way, dash in (("full", "solid"), ("quick", "dot")):
            curve = curves.get(way, {}).get(label)
            if curve is None:
                continue
            value, low, high = (100 * np.asarray(curve[name]) for name in ("measured", "low", "high"))
            name = f"{html.escape(label)} · {WAY_NAMES[way]}"
            figure.add_scatter(
                x=list(curve["sizes"]),
                y=value,
                error_y={"array": high - value, "arrayminus": value - low, "thickness": 1, "width": 3},
                mode="lines+markers",
                name=name,
                line={"color": FOLD_COLOURS[position % len(FOLD_COLOURS)], "dash": dash},
                customdata=np.column_stack([low, high]),
                hovertemplate="%{x:,} labels: %{y:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f})"
                f"<extra>{name}</extra>",
            )
    return _plain(figure, x_title="Labels of the class", y_title="F1, %")


def imbalance_figure(table: pd.DataFrame) -> go.Figure:
    """What each remedy changes about the whole and the rare classes.

    table : as diagnostics.experiments.imbalance gives it, one way to train
    """
    rows = table[(table["metric"] != "F1") & table["difference"].notna()].iloc[::-1]
    titles = [
        f"{html.escape(name.replace('_', ' '))} · {html.escape(metric)}"
        for name, metric in zip(rows["imbalance"], rows["metric"], strict=True)
    ]
    return _intervals_figure(titles, rows, "Against no remedy, points")


def edits_figure(table: pd.DataFrame) -> go.Figure:
    """What each group of edits changes about macro F1.

    table : as diagnostics.experiments.edits gives it, one way to train
    """
    rows = table[table["metric"] == "macro_f1"].iloc[::-1]
    titles = [f"{group} ({n:,})" for group, n in zip(rows["group"], rows["n_edits"], strict=True)]
    return _intervals_figure(titles, rows, "Macro F1 with them, minus without, points")


def _colour_of(verdict: str) -> str:
    return VERDICT_COLOURS.get("improved" if verdict == "more labels help" else verdict, NEUTRAL)


_INTERVAL = ("difference", "low", "high", "verdict")


def _intervals_figure(titles: list[str], rows: pd.DataFrame, x_title: str) -> go.Figure:
    """Differences in points with their 95 % intervals, one a line, coloured by verdict where there is one."""
    value, low, high = (100 * rows[name].to_numpy(dtype=float) for name in _INTERVAL[:3])
    figure = go.Figure(
        go.Scatter(
            x=value,
            y=titles,
            error_x={
                "array": high - value,
                "arrayminus": value - low,
                "thickness": 1.6,
                "width": 4,
                "color": NEUTRAL,
            },
            mode="markers",
            customdata=np.column_stack([low, high]),
            marker={"size": 9, "color": [_colour_of(name) for name in rows["verdict"]]},
            text=rows["verdict"],
            hovertemplate="%{y}: %{x:+.1f} points (%{customdata[0]:+.1f} to %{customdata[1]:+.1f}), %{text}"
            "<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"width": 1, "color": NEUTRAL})
    figure.update_yaxes(type="category")
    figure.update_layout(height=90 + ROW_PX * len(rows))
    return _plain(figure, x_title=x_title, y_title="", height=None)


MAX_BARS = 60
VERDICT_COLOURS = {"improved": "#2a8a96", "worse": "#b5762f", "cannot tell": NEUTRAL}
METRIC_NAMES = {"f1": "F1", "precision": "Precision", "recall": "Recall"}


def image_sizes_figure(items: pd.DataFrame) -> go.Figure:
    """How many images have each width and height, in pixels.

    items : columns width, height
    """
    sizes = items.groupby(["width", "height"]).size().rename("n").reset_index()
    scale = sizes["n"] / sizes["n"].max()
    figure = go.Figure(
        go.Scatter(
            x=sizes["width"],
            y=sizes["height"],
            mode="markers",
            customdata=sizes["n"],
            marker={"size": 5 + 20 * np.sqrt(scale), "opacity": 0.55, "color": FOLD_COLOURS[0]},
            hovertemplate="%{x} × %{y} px: %{customdata} images<extra></extra>",
        )
    )
    return _plain(figure, x_title="Width (px)", y_title="Height (px)")


def lengths_figure(lengths: np.ndarray, *, unit: str) -> go.Figure:
    """How many texts have which length; the few that are far longer than the others share the last bar.

    lengths : (n_texts,), in `unit`
    """
    most = max(1, int(np.quantile(lengths, 0.995)))
    step = max(1, -(-most // MAX_BARS))
    edges = np.arange(0, most + step + 1, step)
    counts, _ = np.histogram(np.minimum(lengths, edges[-1] - 1), edges)
    ends = [f"{low}" if step == 1 else f"{low} to {low + step - 1}" for low in edges[:-1]]
    if lengths.max() >= edges[-1]:
        ends[-1] = f"{edges[-2]} and more"
    figure = go.Figure(
        go.Bar(
            x=edges[:-1] + (step - 1) / 2,
            y=counts,
            width=0.9 * step,
            customdata=ends,
            marker={"color": FOLD_COLOURS[0]},
            hovertemplate="%{customdata} " + unit + ": %{y} texts<extra></extra>",
        )
    )
    return _plain(figure, x_title=unit.capitalize(), y_title="Texts", height=260)


def _plain(figure: go.Figure, *, x_title: str, y_title: str, height: int | None = 300) -> go.Figure:
    figure.update_xaxes(title=x_title, zeroline=False)
    figure.update_yaxes(title=y_title, zeroline=False)
    figure.update_layout(
        margin={"l": 10, "r": 10, "t": 24, "b": 10},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="closest",
    )
    if height is not None:
        figure.update_layout(height=height)
    return figure
